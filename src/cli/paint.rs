//! Colour, where there is a terminal and nobody objects (no-color.org); and text that comes from others, made
//! harmless for a terminal and for a monitoring system.

use std::io::{IsTerminal, Stdout};

use crate::model::run::Outcome;

use crate::cli::answer::Status;

/// Whether to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Paint(pub(super) bool);

impl Paint {
    /// As standard output and `$NO_COLOR` want it.
    pub(super) fn on(out: &Stdout) -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self(out.is_terminal() && !refused)
    }

    /// The status word as a traffic light, padded to `width`.
    pub(super) fn status(self, status: Status, width: usize) -> String {
        let code = match status {
            Status::Up => "32",
            Status::Late => "33",
            Status::Down => "1;31",
            Status::Paused => "2",
            Status::New => "36",
        };
        self.with(code, &format!("{:width$}", status.word()))
    }

    /// Something that belongs to a run; `None` is one that is open.
    pub(super) fn outcome(self, outcome: Option<Outcome>, text: &str) -> String {
        let code = match outcome {
            Some(Outcome::Success) => "32",
            Some(Outcome::Failure) => "31",
            Some(Outcome::Overran) => "35",
            Some(Outcome::Abandoned) => "2",
            None => "36",
        };
        self.with(code, text)
    }

    /// What matters less.
    pub(super) fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    /// In a colour by its number for terminals.
    pub(super) fn with(self, code: &str, text: &str) -> String {
        if self.0 && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// A text from outside on one line. A control character could drive the terminal, and a `|` would begin
/// performance data in whatever line a monitoring system finds it.
pub(super) fn plain(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '|' => '¦',
            c if c.is_control() => ' ',
            c => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_outside_drives_no_terminal_and_is_no_performance_data() {
        assert_eq!(plain("a|b\nc\x1b[31m\u{9b}d ä"), "a¦b c [31m d ä");
    }

    #[test]
    fn colour_is_only_where_it_is_wanted() {
        assert_eq!(Paint(true).status(Status::Down, 6), "\x1b[1;31mdown  \x1b[0m");
        assert_eq!(Paint(false).status(Status::Down, 6), "down  ");
        assert_eq!(Paint(true).dim(""), "");
    }
}
