//! What is expected of the jobs of a house, and how that is declared.

use std::sync::Arc;

use overdue::machine::event::Reload;
use overdue::model::channel::{Channel, ChannelName};
use overdue::model::heartbeat::{Declaration, Draft};
use overdue::model::id::Slug;
use overdue::model::schedule::Timing;
use overdue::model::schedule::expressions::Expressions;
use overdue::model::settings::Settings;
use overdue::model::time::Span;

use crate::rules::Ms;
use crate::world::uuid_of;

pub(crate) const SECOND: Ms = 1_000;
pub(crate) const MINUTE: Ms = 60 * SECOND;
pub(crate) const HOUR: Ms = 60 * MINUTE;
pub(crate) const DAY: Ms = 24 * HOUR;

/// When a job is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Every {
    /// So long after its last finish.
    Span(Ms),
    /// Each day at this minute of this hour, in UTC.
    Day(Ms, Ms),
}

/// What is expected of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Duty {
    pub(crate) every: Every,
    pub(crate) grace: Ms,
    pub(crate) max_runtime: Ms,
    pub(crate) paused: bool,
    pub(crate) await_first_ping: bool,
    pub(crate) resume_on_ping: bool,
    pub(crate) remind_every: Option<Ms>,
}

impl Duty {
    /// The earliest deadline that a finish at this instant of the wall clock can lead to.
    pub(crate) fn earliest_deadline(&self, finish: Ms) -> Ms {
        let due = match self.every {
            Every::Span(every) => finish + every,
            Every::Day(hour, minute) => {
                let of_day = hour * HOUR + minute * MINUTE;
                (finish - of_day).div_euclid(DAY) * DAY + DAY + of_day
            }
        };
        due + self.grace
    }

    /// How long it must be heard after a blind window before its silence says something, at the least.
    pub(crate) fn settles(&self) -> Ms {
        let period = match self.every {
            Every::Span(every) => every,
            Every::Day(..) => DAY,
        };
        (period + self.grace).min(5 * MINUTE)
    }

    /// How long after it has fallen silent it must be down, whatever it did last.
    pub(crate) fn silent_after(&self) -> Ms {
        let period = match self.every {
            Every::Span(every) => every,
            Every::Day(..) => DAY,
        };
        period + self.grace + self.max_runtime + 5 * MINUTE
    }

    /// As it is written down of a job. Who is told is left to the defaults.
    pub(crate) fn draft(&self, job: usize) -> Draft {
        let mut draft = Draft::new(match self.every {
            Every::Span(every) => Timing::Interval(Span::from_millis(every)),
            Every::Day(hour, minute) => Timing::Cron(Expressions::one(&format!("{minute} {hour} * * *"))),
        });
        draft.uuid = Some(uuid_of(job));
        draft.rest.grace = Some(Span::from_millis(self.grace));
        draft.rest.max_runtime = Some(Span::from_millis(self.max_runtime));
        draft.rest.paused = Some(self.paused);
        draft.rest.await_first_ping = Some(self.await_first_ping);
        draft.rest.resume_on_ping = Some(self.resume_on_ping);
        draft.rest.remind_every = self.remind_every.map(Span::from_millis);
        draft
    }
}

/// A config.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) duties: Vec<Option<Duty>>,
    /// Their slugs now.
    pub(crate) names: Vec<Slug>,
    pub(crate) channels: Vec<&'static str>,
    pub(crate) keep_runs: u32,
}

impl Config {
    pub(crate) fn reload(&self) -> Reload {
        // Few enough that bodies are dropped.
        let mut settings = Settings { keep_runs: self.keep_runs, keep_bodies: 4, ..Settings::default() };
        settings.defaults.channels = Some(self.channel_names());
        let declared = |(number, duty): (usize, &Option<Duty>)| {
            duty.map(|duty| Arc::new(self.declaration(number, &duty, &settings)))
        };
        let mut heartbeats: Vec<_> = self.duties.iter().enumerate().filter_map(declared).collect();
        heartbeats.sort_by(|a, b| a.slug.cmp(&b.slug));
        let channel = |name: &&str| Channel {
            name: ChannelName::new(name),
            template: None,
            retry_for: Span::from_millis(retry_for(name)),
        };
        let channels: Vec<Channel> = self.channels.iter().map(channel).collect();
        Reload { heartbeats: heartbeats.into(), channels: channels.into(), settings }
    }

    fn declaration(&self, number: usize, duty: &Duty, settings: &Settings) -> Declaration {
        let mut draft = duty.draft(number);
        draft.rest.channels = Some(self.channel_names());
        draft.settle(self.names[number].clone(), &settings.defaults, settings.namespace)
    }

    fn channel_names(&self) -> Vec<ChannelName> {
        self.channels.iter().map(|name| ChannelName::new(name)).collect()
    }
}

/// How long a channel is tried.
pub(crate) fn retry_for(channel: &str) -> Ms {
    if channel == "pager" { DAY } else { 20 * MINUTE }
}
