//! The pings and runs of a heartbeat, newest first.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::machine::beat::{Beat, PingEntry};
use crate::machine::view::{Page, View, gather};
use crate::model::id::RunId;
use crate::model::ping::{Body, Method};
use crate::model::run::{OpenRun, Outcome, Run};
use crate::model::time::{Span, Timestamp};

/// One execution of a job: from its start, or from a lone finish, to its outcome.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = AlertRun)]
pub struct RunView {
    /// Its id.
    pub id: RunId,
    /// What its pings call it (`?rid=`).
    pub rid: Option<Uuid>,
    /// When it began; null for a lone finish.
    pub started_at: Option<Timestamp>,
    /// From start to finish, in milliseconds; null without both.
    pub duration_ms: Option<i64>,
    /// The code that its finish brought, from 0 to 255.
    pub exit_code: Option<u8>,
    /// How it ended; null while it is open.
    pub outcome: Option<Outcome>,
}

/// A run in a list.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Run)]
pub struct RunEntry {
    /// What alerts show of it.
    #[serde(flatten)]
    pub run: RunView,
    /// When its outcome was known; null while it is open.
    pub ended_at: Option<Timestamp>,
    /// The number of the ping that was its finish.
    pub ping: Option<u64>,
    /// How that ping came; null when it is no longer kept.
    pub method: Option<Method>,
    /// Where that ping came from; null over a Unix socket too.
    #[schema(value_type = Option<String>)]
    pub from: Option<IpAddr>,
    /// What that ping brought, while it is kept. Only with `bodies=true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<Option<BodyView>>,
}

/// A ping on record.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Ping)]
pub struct PingView {
    /// The how manieth ping of its heartbeat it is, from 1.
    pub number: u64,
    /// When its head was read.
    pub at: Timestamp,
    /// What it said: `success`, `start`, `fail`, `exit` or `log`.
    #[schema(value_type = PingWord)]
    pub kind: &'static str,
    /// The code of an `exit`, from 0 to 255.
    pub exit_code: Option<u8>,
    /// What it called its run (`?rid=`).
    pub rid: Option<Uuid>,
    /// How it came.
    pub method: Method,
    /// Where it came from; null over a Unix socket.
    #[schema(value_type = Option<String>)]
    pub from: Option<IpAddr>,
    /// Whether it did nothing, since the heartbeat was paused or takes no pings by this method.
    pub ignored: bool,
    /// How many bytes its body had in all; null when none is kept.
    pub body_bytes: Option<u64>,
    /// What it brought, while it is kept. Only with `bodies=true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<Option<BodyView>>,
}

/// What a ping says.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[allow(dead_code, reason = "it describes `PingKind::word`")]
enum PingWord {
    Success,
    Start,
    Fail,
    Exit,
    Log,
}

/// The end of what a ping brought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Body)]
pub struct BodyView {
    /// As text: no character is cut in two, and what is not UTF-8 is U+FFFD.
    pub text: String,
    /// The same bytes in Base64, when they are not UTF-8.
    pub base64: Option<String>,
    /// Bytes that came in all.
    pub bytes: u64,
    /// Bytes of them that are kept: the last ones.
    pub kept: u64,
}

impl View<'_> {
    /// The pings of a heartbeat before the one of this number, newest first; `None` without such a heartbeat.
    pub fn pings(
        &self,
        name: &str,
        before: Option<u64>,
        limit: usize,
        bodies: bool,
    ) -> Option<Page<PingView, u64>> {
        let weight = |ping: &&PingEntry| kept_bytes(ping.body.as_ref(), bodies);
        let beat = self.find(name)?;
        let kept = beat.history.as_ref().map(|history| &history.pings);
        let older = kept.into_iter().flatten().rev().filter(|ping| before.is_none_or(|n| ping.number < n));
        let page = gather(older, limit, |ping| ping.number, |_| true, weight);
        let items = page.items.into_iter().map(|ping| PingView::new(ping, bodies)).collect();
        Some(Page { items, next: page.next, bytes: page.bytes })
    }

    /// The runs of a heartbeat after this place: first the open ones, the newest first, then the ended ones, the
    /// last to end first; `None` without such a heartbeat. One that ends between two pages can come twice, and none
    /// is left out.
    pub fn runs(
        &self,
        name: &str,
        after: Option<RunPlace>,
        limit: usize,
        bodies: bool,
    ) -> Option<Page<RunEntry, RunPlace>> {
        let beat = self.find(name)?;
        let open = beat.open_runs.iter().map(AnyRun::Open);
        let ended = beat.history.iter().flat_map(|history| history.runs.iter()).map(AnyRun::Ended);
        let older = |run: &AnyRun<'_>| after.is_none_or(|after| run.place() < after);
        let mut runs: Vec<AnyRun<'_>> = open.chain(ended).filter(older).collect();
        // Of many only the wanted ones are put in order, and one more, by which it is known whether more follow.
        let newest = |run: &AnyRun<'_>| std::cmp::Reverse(run.place());
        if limit + 1 < runs.len() {
            runs.select_nth_unstable_by_key(limit, newest);
            runs.truncate(limit + 1);
        }
        runs.sort_unstable_by_key(newest);
        let weight =
            |run: &AnyRun<'_>| kept_bytes(run.finish(&beat).and_then(|ping| ping.body.as_ref()), bodies);
        let page = gather(runs.into_iter(), limit, AnyRun::place, |_| true, weight);
        let items = page.items.into_iter().map(|run| run.show(&beat, bodies)).collect();
        Some(Page { items, next: page.next, bytes: page.bytes })
    }
}

/// The place of a run in the list of a heartbeat's runs, which goes from the greatest to the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunPlace {
    /// Whether it is open.
    pub open: bool,
    /// When it began, if it is open, else when it ended.
    pub at: Timestamp,
    /// Which it is.
    pub id: RunId,
}

#[derive(Clone, Copy)]
enum AnyRun<'a> {
    Open(&'a OpenRun),
    Ended(&'a Run),
}

impl AnyRun<'_> {
    fn place(&self) -> RunPlace {
        match self {
            Self::Open(run) => RunPlace { open: true, at: run.started_at, id: run.id },
            Self::Ended(run) => RunPlace { open: false, at: run.ended_at, id: run.id },
        }
    }

    /// The ping that was its finish, while it is kept.
    fn finish(self, beat: &Beat) -> Option<&PingEntry> {
        match self {
            Self::Open(_) => None,
            Self::Ended(run) => beat.ping(run.ping?),
        }
    }

    fn show(self, beat: &Beat, bodies: bool) -> RunEntry {
        let finish = self.finish(beat);
        let (run, ended_at, ping) = match self {
            Self::Open(run) => (RunView::from(run), None, None),
            Self::Ended(run) => (RunView::from(run), Some(run.ended_at), run.ping),
        };
        RunEntry {
            run,
            ended_at,
            ping,
            method: finish.map(|ping| ping.method),
            from: finish.and_then(|ping| ping.from),
            body: bodies.then(|| finish.and_then(|ping| ping.body.as_ref()).map(BodyView::new)),
        }
    }
}

/// What a body adds to a page, if it is shown.
fn kept_bytes(body: Option<&Body>, shown: bool) -> usize {
    body.filter(|_| shown).map_or(0, |body| body.tail.len())
}

impl PingView {
    fn new(ping: &PingEntry, bodies: bool) -> Self {
        Self {
            number: ping.number,
            at: ping.at,
            kind: ping.kind.word(),
            exit_code: ping.kind.exit_code(),
            rid: ping.rid,
            method: ping.method,
            from: ping.from,
            ignored: ping.ignored,
            body_bytes: ping.body.as_ref().map(|body| body.total),
            body: bodies.then(|| ping.body.as_ref().map(BodyView::new)),
        }
    }
}

impl BodyView {
    fn new(body: &Body) -> Self {
        let is_text = std::str::from_utf8(&body.tail).is_ok();
        Self {
            text: body.text(usize::MAX),
            base64: (!is_text).then(|| BASE64.encode(&body.tail)),
            bytes: body.total,
            kept: body.tail.len() as u64,
        }
    }
}

impl From<&Run> for RunView {
    fn from(run: &Run) -> Self {
        Self {
            id: run.id,
            rid: run.rid,
            started_at: run.started_at,
            duration_ms: run.duration.map(Span::as_millis),
            exit_code: run.exit_code,
            outcome: Some(run.outcome),
        }
    }
}

impl From<&OpenRun> for RunView {
    fn from(run: &OpenRun) -> Self {
        Self {
            id: run.id,
            rid: run.rid,
            started_at: Some(run.started_at),
            duration_ms: None,
            exit_code: None,
            outcome: None,
        }
    }
}
