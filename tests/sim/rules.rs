//! How a job is declared and what it says, as a test writes it down.

/// Milliseconds.
pub(crate) type Ms = i64;

/// When a job is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timing {
    /// This long after the last finish.
    Interval(Ms),
    /// At each multiple of so many minutes of the hour.
    Minutes(Ms),
}

/// How a heartbeat is declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rules {
    pub(crate) timing: Timing,
    pub(crate) grace: Ms,
    pub(crate) max_runtime: Ms,
    pub(crate) paused: bool,
    pub(crate) await_first_ping: bool,
    pub(crate) resume_on_ping: bool,
    pub(crate) remind_every: Option<Ms>,
}

/// What a ping says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Says {
    Success,
    Start,
    Fail,
    Exit(u8),
    Log,
}
