//! The samples that templates are tried on are only worth something while they look like real alerts: here the
//! machine itself makes alerts, and both must have the same keys.

use std::collections::BTreeSet;

use overdue::config::template;
use overdue::machine::Machine;
use overdue::machine::event::{Event, Reload};
use overdue::machine::record::Record;
use overdue::machine::state::State;
use overdue::model::channel::{Channel, ChannelName};
use overdue::model::heartbeat::{Declaration, Defaults, Draft};
use overdue::model::id::{Life, Slug};
use overdue::model::incident::{BlindWindow, Blindness};
use overdue::model::ping::{Body, Method, Ping, PingKind, Target};
use overdue::model::schedule::expressions::Expressions;
use overdue::model::schedule::{Timing, Zones};
use overdue::model::settings::Settings;
use overdue::model::time::{Span, Timestamp};
use serde_json::Value;
use uuid::Uuid;

fn heartbeat(slug: &str, timing: Timing, full: bool) -> Declaration {
    let channel = ChannelName::new("ops");
    let mut draft = Draft::new(timing);
    draft.name = Some("A \"job\"\n💾 <!channel>".to_owned());
    draft.rest.channels = Some(vec![channel]);
    draft.rest.grace = Some(Span::from_secs(60));
    draft.rest.remind_every = Some(Span::from_secs(600));
    if full {
        draft.description = Some("what it does".to_owned());
        draft.rest.host = Some("db1".to_owned());
        draft.rest.tags = Some(vec!["db".to_owned()]);
    }
    draft.settle(Slug::new(slug).unwrap(), &Defaults::default(), Uuid::from_u128(1))
}

fn ping(slug: &str, at: Timestamp, kind: PingKind, full: bool) -> Event {
    Event::Ping(Box::new(Ping {
        target: Target::Slug(Slug::new(slug).unwrap()),
        at,
        kind,
        rid: full.then(|| Uuid::from_u128(2)),
        method: Method::Post,
        from: None,
        body: full.then(|| Body { tail: "disk \"full\"\n".into(), total: 12 }),
    }))
}

/// What the machine queues when jobs are missed, fail, are reminded of and recover.
pub(crate) fn alerts() -> Vec<Value> {
    let mut now = Timestamp::from_millis(1_795_316_400_000);
    let mut machine = Machine::restore(State::default(), Zones::bundled());
    let mut alerts = Vec::new();
    let mut tell = |event, now| {
        for record in machine.handle(event, now).records {
            if let Record::Alerted(alerted) = record {
                alerts.push(serde_json::from_str(&alerted.payload).unwrap());
            }
        }
    };
    tell(Event::Began { life: Life(Uuid::from_u128(3)), version: String::new(), boot: None }, now);
    let heartbeats = [
        heartbeat("full", Timing::Interval(Span::from_secs(3_600)), true),
        heartbeat("sparse", Timing::Cron(Expressions::one("0 0 1 1 *")), false),
    ];
    let reload = Reload {
        settings: Settings::default(),
        channels: [Channel { name: ChannelName::new("ops"), ..Channel::log() }].into(),
        heartbeats: heartbeats.map(Into::into).as_slice().into(),
    };
    tell(Event::Reloaded(Box::new(reload)), now);
    tell(Event::Hearing, now);
    tell(Event::Tick, now);
    for (slug, full) in [("full", true), ("sparse", false)] {
        tell(ping(slug, now, PingKind::Start, full), now);
        now = now + Span::from_secs(5);
        tell(ping(slug, now, if full { PingKind::Exit(3) } else { PingKind::Fail }, full), now);
    }
    // Reminders and, for the one with an interval, a recovery and a missed period.
    now = now + Span::from_secs(601);
    tell(Event::Tick, now);
    tell(ping("full", now, PingKind::Success, true), now);
    now = now + Span::from_secs(10);
    let from = now - Span::from_secs(4);
    tell(Event::Blind(BlindWindow { from, to: now, why: Blindness::Stalled }), now);
    for _ in 0..20 {
        now = now + Span::from_secs(600);
        tell(Event::Tick, now);
    }
    alerts
}

/// Every path of keys in a payload: `data.heartbeat.name`.
fn paths(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                paths(value, &format!("{path}.{key}"), found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| paths(item, &format!("{path}[]"), found)),
        Value::Null => {}
        Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            found.insert(path.to_owned());
        }
    }
}

#[test]
fn samples_have_the_keys_of_real_alerts_and_no_others() {
    let real = alerts();
    for (kind, cause) in [
        ("incident.opened", "failed"),
        ("incident.reminder", "failed"),
        ("incident.resolved", "failed"),
        ("incident.opened", "missed"),
    ] {
        let like = |alert: &&Value| alert["type"] == kind && alert["data"]["incident"]["cause"] == cause;
        assert!(real.iter().any(|alert| like(&alert)), "no {kind} of {cause} among {}", real.len());
    }
    let (mut in_real, mut in_samples) = (BTreeSet::new(), BTreeSet::new());
    for alert in &real {
        paths(alert, "", &mut in_real);
    }
    for alert in template::samples() {
        paths(&alert, "", &mut in_samples);
    }
    assert!(in_real.len() > 30);
    assert_eq!(in_real, in_samples);
}
