//! A machine with heartbeats, pings for it and the records that they bring: the same in every run.
#![allow(dead_code, reason = "each benchmark needs some of it")]

use std::sync::Arc;

use overdue::machine::event::{Event, Reload};
use overdue::machine::record::Record;
use overdue::machine::state::State;
use overdue::machine::{Machine, Transition};
use overdue::model::channel::Channel;
use overdue::model::heartbeat::{Defaults, Draft};
use overdue::model::id::{Life, Slug};
use overdue::model::ping::{Body, Method, Ping, PingKind, Target};
use overdue::model::schedule::{Timing, Zones};
use overdue::model::settings::Settings;
use overdue::model::time::{Span, Timestamp};
use uuid::Uuid;

/// When it all begins.
pub(crate) const START: Timestamp = Timestamp::from_millis(1_795_316_400_000);

/// The same numbers in every run.
pub(crate) struct Lot(u64);

impl Lot {
    pub(crate) fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

fn uuid(beat: u64) -> Uuid {
    Uuid::from_u128(0x4000_8000_0000_0000_0000 | u128::from(beat))
}

/// A machine that hears, with so many heartbeats of a day.
pub(crate) fn machine(heartbeats: u64) -> Machine {
    let mut machine = Machine::restore(State::default(), Zones::bundled());
    let defaults = Defaults::default();
    let mut draft = Draft::new(Timing::Interval(Span::from_secs(86_400)));
    let declared = (0..heartbeats)
        .map(|beat| {
            let slug = Slug::new(&format!("beat-{beat:07}")).unwrap();
            draft.uuid = Some(uuid(beat));
            Arc::new(draft.settle(slug, &defaults, Uuid::nil()))
        })
        .collect();
    let reload =
        Reload { settings: Settings::default(), channels: Arc::from([Channel::log()]), heartbeats: declared };
    machine.handle(Event::Began { life: Life(uuid(0)), version: "1".to_owned(), boot: None }, START);
    machine.handle(Event::Reloaded(Box::new(reload)), START);
    while machine.is_reloading() {
        machine.handle(Event::Tick, START);
    }
    machine.handle(Event::Hearing, START);
    machine
}

/// So many success pings with their instants, fifty in a millisecond from `from` on, each for one heartbeat or another.
pub(crate) fn pings(lot: &mut Lot, from: Timestamp, count: u64, heartbeats: u64) -> Vec<(Timestamp, Event)> {
    (0..count)
        .map(|n| {
            let at = from + Span::from_millis((n / 50).cast_signed());
            let ping = ping(lot.below(heartbeats), PingKind::Success, at);
            (at, Event::Ping(Box::new(ping)))
        })
        .collect()
}

fn ping(beat: u64, kind: PingKind, at: Timestamp) -> Ping {
    let from = Some(std::net::Ipv4Addr::new(192, 0, 2, 17).into());
    Ping { target: Target::Uuid(uuid(beat)), at, kind, rid: None, method: Method::Get, from, body: None }
}

/// What a morning of jobs brings to the journal: of ten pings eight are successes, two of them with a start before them,
/// one is a failure and one logs a text, some hundred bytes of it.
pub(crate) fn records(count: usize) -> Vec<Record> {
    const HEARTBEATS: u64 = 100;
    let (mut machine, mut lot) = (machine(HEARTBEATS), Lot::new());
    let mut records = Vec::new();
    for turn in 0.. {
        let at = START + Span::from_millis(turn * 40);
        let beat = lot.below(HEARTBEATS);
        let kinds: &[PingKind] = match turn % 10 {
            0 | 5 => &[PingKind::Start, PingKind::Success],
            3 => &[PingKind::Exit(3)],
            7 => &[PingKind::Log],
            _ => &[PingKind::Success],
        };
        for kind in kinds {
            let mut ping = ping(beat, *kind, at);
            if *kind == PingKind::Log {
                ping.body = Some(Body {
                    tail: "rsync: 4711 files, 12 MB; \"all\" is well\n".repeat(3).into(),
                    total: 126,
                });
            }
            let Transition { records: more, .. } = machine.handle(Event::Ping(Box::new(ping)), at);
            records.extend(more);
        }
        if records.len() >= count {
            break;
        }
    }
    records.truncate(count);
    records
}
