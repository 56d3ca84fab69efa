//! A short life in records, each kind at least once, as the daemon writes them: for the tests that store, damage and
//! recover them. Knows what belongs to one batch.

use std::collections::BTreeSet;
use std::sync::Arc;

use uuid::Uuid;

use crate::machine::record::{
    Alerted, Declared, IncidentOpened, Move, Next, PingEffect, Pinged, Queued, Record,
};
use crate::model::channel::{Channel, ChannelName};
use crate::model::delivery::{Attempt, Verdict};
use crate::model::heartbeat::{Declaration, Defaults, Draft, Partial, Source};
use crate::model::id::{DeliveryId, IncidentId, Life, RunId, Slug};
use crate::model::incident::{Alert, BlindWindow, Blindness, Cause, NamedWindow, Reason};
use crate::model::ping::{Body, Method, PingKind};
use crate::model::run::{OpenRun, Outcome};
use crate::model::schedule::Timing;
use crate::model::schedule::expressions::Expressions;
use crate::model::settings::Settings;
use crate::model::time::{Boot, Span, Step, Timestamp};

/// The kinds of [`Record`], of [`PingEffect`] and of [`Next`].
const KINDS: usize = 21 + 4 + 3;

/// The numbers of what a record is and holds, below [`KINDS`]. A new kind does not compile here until it has one.
fn kinds_of(record: &Record) -> Vec<usize> {
    let kind = match record {
        Record::Began { .. } => 0,
        Record::Alive { .. } => 1,
        Record::Stopped { .. } => 2,
        Record::Blind { .. } => 3,
        Record::Stepped { .. } => 4,
        Record::Rescheduled { .. } => 5,
        Record::Configured { .. } => 6,
        Record::Declared(_) => 7,
        Record::Renamed { .. } => 8,
        Record::Removed { .. } => 9,
        Record::Forgotten { .. } => 10,
        Record::Pinged(pinged) => {
            let effect = match pinged.effect {
                PingEffect::Ignored => 21,
                PingEffect::Logged => 22,
                PingEffect::Started { .. } => 23,
                PingEffect::Finished { .. } => 24,
            };
            return vec![11, effect];
        }
        Record::RunOverran { .. } => 12,
        Record::PeriodsMissed { .. } => 13,
        Record::Paused { .. } => 14,
        Record::Resumed { .. } => 15,
        Record::IncidentOpened(_) => 16,
        Record::IncidentResolved { .. } => 17,
        Record::Alerted(_) => 18,
        Record::Attempted { next, .. } => {
            let next = match next {
                Next::Delivered => 25,
                Next::Retry { .. } => 26,
                Next::GivenUp => 27,
            };
            return vec![19, next];
        }
        Record::Retried { .. } => 20,
    };
    vec![kind]
}

#[test]
fn the_samples_hold_every_kind_of_record() {
    let seen: BTreeSet<usize> = batches().concat().iter().flat_map(kinds_of).collect();
    assert_eq!(seen, (0..KINDS).collect());
}

const fn at(seconds: i64) -> Timestamp {
    // 2026-11-22T03:00:00Z
    Timestamp::from_millis(1_795_316_400_000 + seconds * 1_000)
}

fn slug(text: &str) -> Slug {
    Slug::new(text).unwrap()
}

const fn run(n: u128) -> RunId {
    RunId(Uuid::from_u128(0xA000 + n))
}

const INCIDENT: IncidentId = IncidentId(Uuid::from_u128(0xB001));

fn ops() -> ChannelName {
    ChannelName::new("ops")
}

/// The life, batch by batch.
pub(crate) fn batches() -> Vec<Vec<Record>> {
    [beginning(), runs(), alarm(), changes(), end()].concat()
}

fn beginning() -> Vec<Vec<Record>> {
    let boot = Boot { id: Uuid::from_u128(7), at: at(-500) };
    let defaults = Defaults { grace: Some(Span::from_secs(60)), ..Defaults::default() };
    let settings = Settings { namespace: Uuid::from_u128(9), keep_runs: 5, defaults, ..Settings::default() };
    let channels =
        [Channel::log(), Channel { name: ops(), template: Some("t".into()), retry_for: Span::from_secs(60) }];
    let window = BlindWindow { from: at(-90), to: at(0), why: Blindness::NotRunning };
    vec![
        vec![Record::Began {
            at: at(0),
            life: Life(Uuid::from_u128(1 << 70)),
            version: "0.1.0".to_owned(),
            boot: Some(boot),
        }],
        vec![
            Record::Blind { at: at(0), window },
            Record::Configured { at: at(1), settings: Box::new(settings), channels: channels.into() },
            declared("db", Timing::Interval(Span::from_secs(3_600)), Some(at(3_601))),
            declared("sun", Timing::Cron(Expressions::new(["0 2 * * *", "0 5 * * 7"])), Some(at(82_800))),
        ],
        vec![Record::Alive { at: at(2) }],
    ]
}

fn declared(name: &str, timing: Timing, due: Option<Timestamp>) -> Record {
    let draft = Draft {
        name: Some("Der \"Name\"".to_owned()),
        rest: Partial {
            tags: Some(vec!["x y".to_owned()]),
            channels: Some(vec![ops()]),
            remind_every: Some(Span::from_secs(600)),
            ..Partial::default()
        },
        ..Draft::new(timing)
    };
    let heartbeat: Declaration = draft.settle(slug(name), &Defaults::default(), Uuid::from_u128(9));
    Record::Declared(Box::new(Declared {
        at: at(1),
        source: Source::Api,
        heartbeat: Arc::new(heartbeat),
        draft: Some(Arc::new(draft)),
        put_back: false,
        due,
        run_deadlines: Vec::new(),
        cover_until: None,
    }))
}

fn ping(second: i64, name: &str, kind: PingKind, effect: PingEffect) -> Pinged {
    let (at, slug) = (at(second), slug(name));
    Pinged { at, slug, kind, rid: None, method: Method::Get, from: None, body: None, effect }
}

fn started(second: i64, n: u128, abandoned: Vec<RunId>) -> PingEffect {
    let run = OpenRun { id: run(n), rid: None, started_at: at(second), deadline: at(second + 100) };
    PingEffect::Started { run, abandoned, due: None, cover_until: Some(at(second + 100)) }
}

fn finished(n: u128, outcome: Outcome, due: i64) -> PingEffect {
    PingEffect::Finished {
        run: run(n),
        outcome,
        duration: Some(Span::from_millis(1_500)),
        due: Some(at(due)),
    }
}

fn runs() -> Vec<Vec<Record>> {
    let body = |tail: &'static [u8]| Some(Body { tail: tail.into(), total: 99 });
    let from = Some([192, 0, 2, 7].into());
    vec![
        vec![
            Record::Pinged(Box::new(ping(10, "db", PingKind::Start, started(10, 1, Vec::new())))),
            Record::Pinged(Box::new(Pinged {
                rid: Some(Uuid::from_u128(3)),
                ..ping(11, "db", PingKind::Start, started(11, 2, vec![run(1)]))
            })),
        ],
        vec![Record::Pinged(Box::new(Pinged {
            method: Method::Post,
            from,
            body: body("größer".as_bytes()),
            ..ping(12, "db", PingKind::Success, finished(2, Outcome::Success, 3_612))
        }))],
        vec![
            Record::Pinged(Box::new(Pinged {
                body: body(b"\xFF\x00"),
                ..ping(13, "db", PingKind::Log, PingEffect::Logged)
            })),
            Record::Pinged(Box::new(ping(20, "sun", PingKind::Start, started(20, 3, Vec::new())))),
        ],
    ]
}

fn alarm() -> Vec<Vec<Record>> {
    let name = slug("sun");
    let window = BlindWindow { from: at(60), to: at(70), why: Blindness::Suspended };
    let opened = IncidentOpened {
        at: at(120),
        slug: name.clone(),
        incident: INCIDENT,
        cause: Cause::Overran,
        exit_code: None,
        run: Some(run(3)),
        due: None,
        blind: vec![NamedWindow { window, overlaps: true }],
        maybe_unheard: true,
        channels: vec![ops()],
    };
    let failed = Verdict::Failed {
        status: Some(503),
        error: "busy".to_owned(),
        retry_after: Some(Span::from_secs(9)),
    };
    let refused = Verdict::Refused { status: Some(404), error: "gone".to_owned() };
    vec![
        vec![
            Record::RunOverran { at: at(120), slug: name.clone(), run: run(3) },
            Record::IncidentOpened(Box::new(opened)),
            alerted(120, Alert::Opened, [1, 2]),
        ],
        vec![attempted(121, 1, failed, Next::Retry { at: at(130) })],
        vec![attempted(131, 1, refused, Next::GivenUp)],
        vec![Record::Retried { at: at(140), number: 1, give_up_at: at(200) }],
        vec![attempted(141, 1, Verdict::Delivered { status: Some(200) }, Next::Delivered)],
        vec![
            Record::PeriodsMissed { at: at(86_400), slug: name.clone(), periods: 2, due: Some(at(169_200)) },
            alerted(86_400, Alert::Reminder, [3, 4]),
        ],
        vec![
            Record::Pinged(Box::new(ping(
                86_500,
                "sun",
                PingKind::Exit(0),
                finished(3, Outcome::Overran, 169_200),
            ))),
            Record::IncidentResolved { at: at(86_500), slug: name, incident: INCIDENT, reason: Reason::Ping },
            alerted(86_500, Alert::Resolved, [5, 6]),
        ],
    ]
}

fn alerted(second: i64, alert: Alert, numbers: [u64; 2]) -> Record {
    let queued = |number: u64| Queued {
        number,
        id: DeliveryId(Uuid::from_u128(0xC000 + u128::from(number))),
        channel: if number % 2 == 1 { ops() } else { ChannelName::new("log") },
        template: (number == 1).then(|| "t".into()),
        give_up_at: at(second + 60),
    };
    Record::Alerted(Box::new(Alerted {
        at: at(second),
        slug: Some(slug("sun")),
        incident: Some(INCIDENT),
        alert,
        payload: r#"{"type":"incident"}"#.into(),
        deliveries: numbers.map(queued).into(),
        remind_at: (alert != Alert::Resolved).then(|| at(second + 600)),
    }))
}

fn attempted(second: i64, number: u64, verdict: Verdict, next: Next) -> Record {
    let attempt = Attempt { at: at(second), took: Span::from_millis(12), verdict };
    Record::Attempted { at: at(second), number, attempt, next }
}

fn changes() -> Vec<Vec<Record>> {
    let day = 90_000;
    vec![
        vec![
            Record::Stepped { at: at(day - 3_600), by: Step::from_millis(-3_600_000), told: true },
            Record::Rescheduled {
                at: at(day - 3_600),
                slug: slug("sun"),
                due: Some(at(165_600)),
                before: Some(at(169_200)),
            },
        ],
        vec![Record::Paused { at: at(day), slug: slug("db"), until: Some(at(day + 60)) }],
        vec![Record::Pinged(Box::new(ping(day + 1, "db", PingKind::Fail, PingEffect::Ignored)))],
        vec![Record::Resumed { at: at(day + 60), slug: slug("db"), due: Some(at(day + 3_660)) }],
        vec![Record::Renamed {
            at: at(day + 61),
            moves: vec![Move { from: slug("db"), to: slug("database") }],
        }],
        vec![
            declared("old", Timing::OnCalendar(Expressions::one("Mon..Fri 02:00")), None),
            Record::Removed { at: at(day + 62), slug: slug("old") },
        ],
        vec![Record::Forgotten { at: at(day + 63), slug: slug("old") }],
    ]
}

fn end() -> Vec<Vec<Record>> {
    vec![vec![
        Record::Pinged(Box::new(ping(
            95_000,
            "database",
            PingKind::Exit(3),
            PingEffect::Finished {
                run: run(9),
                outcome: Outcome::Failure,
                duration: None,
                due: Some(at(98_600)),
            },
        ))),
        Record::Stopped { at: at(95_001) },
    ]]
}
