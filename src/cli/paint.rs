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

/// A text from outside on one line. A control character could drive the terminal, an invisible one make a text
/// read as another, and a `|` would begin performance data in whatever line a monitoring system finds it.
pub(super) fn plain(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '|' => '¦',
            c if c.is_control() || is_format(c) => ' ',
            c => c,
        })
        .collect()
}

/// Whether it has no shape of its own but changes how others are shown: Unicode's general category Cf, and the
/// two that break lines.
const fn is_format(c: char) -> bool {
    matches!(c,
        '\u{ad}'
        | '\u{600}'..='\u{605}'
        | '\u{61c}'
        | '\u{6dd}'
        | '\u{70f}'
        | '\u{890}'..='\u{891}'
        | '\u{8e2}'
        | '\u{180e}'
        | '\u{200b}'
        // Not U+200C and U+200D: languages and emoji are written with them.
        | '\u{200e}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{110bd}'
        | '\u{110cd}'
        | '\u{13430}'..='\u{1343f}'
        | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_outside_drives_no_terminal_and_is_no_performance_data() {
        assert_eq!(plain("a|b\nc\x1b[31m\u{9b}d ä"), "a¦b c [31m d ä");
    }

    #[test]
    fn what_cannot_be_seen_turns_no_text_around_and_hides_nothing_in_it() {
        assert_eq!(plain("db\u{202e}nwod si\u{202c}"), "db nwod si ");
        for c in "\u{ad}\u{600}\u{605}\u{61c}\u{6dd}\u{70f}\u{180e}\u{200b}\u{200f}\u{2028}\u{2029}\u{202a}\u{2060}\u{2064}\
                  \u{2066}\u{206f}\u{feff}\u{fff9}\u{fffb}\u{e0001}\u{e0020}\u{e007f}"
            .chars()
        {
            assert_eq!(plain(&c.to_string()), " ", "{c:?}");
        }
        for text in [
            "Größe, naïve, 日本語, עברית, 👍🏽, 👩\u{200d}🚒, می\u{200c}خواهم",
            "\u{2010}\u{2030}\u{205f}\u{2070}\u{2027}\u{fffc}\u{fffd}",
        ] {
            assert_eq!(plain(text), text);
        }
    }

    #[test]
    fn colour_is_only_where_it_is_wanted() {
        assert_eq!(Paint(true).status(Status::Down, 6), "\x1b[1;31mdown  \x1b[0m");
        assert_eq!(Paint(false).status(Status::Down, 6), "down  ");
        assert_eq!(Paint(true).dim(""), "");
    }
}
