//! A terminal that is drawn on again and again: its size, and one write for a whole screen, so that nothing
//! flickers. Never knows what is drawn.

use rustix::termios::tcgetwinsize;

/// Rows and columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) rows: usize,
    pub(super) columns: usize,
}

/// The size of the terminal on standard output; the customary one when there is none, or it does not know.
pub(super) fn size() -> Size {
    let or = |number: u16, instead| if number == 0 { instead } else { usize::from(number) };
    match tcgetwinsize(std::io::stdout()) {
        Ok(size) => Size { rows: or(size.ws_row, 24), columns: or(size.ws_col, 80) },
        Err(_) => Size { rows: 24, columns: 80 },
    }
}

/// What draws this text from the top. Lines that are too many or too wide are cut.
pub(super) fn frame(text: &str, size: Size) -> String {
    let lines: Vec<&str> = text.lines().take(size.rows).collect();
    // Without wrapping, a row is a row; and the same write turns it on again, so that a signal in between
    // leaves the terminal as it was.
    format!("\x1b[?7l\x1b[H{}\x1b[K\x1b[J\x1b[?7h", lines.join("\x1b[K\r\n"))
}

/// The text in lines of at most `width` columns, broken between words where possible.
pub(super) fn wrapped(text: &str, width: usize) -> String {
    let mut out = String::new();
    let mut column = 0;
    for word in text.split(' ') {
        let length = visible(word);
        if column > 0 && column + 1 + length > width {
            out.push('\n');
            column = 0;
        } else if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out
}

/// Characters that take a place: all but colours.
fn visible(text: &str) -> usize {
    let mut pieces = text.split('\x1b');
    let first = pieces.next().map_or(0, |piece| piece.chars().count());
    first
        + pieces.map(|piece| piece.split_once('m').map_or(0, |(_, rest)| rest.chars().count())).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_drawn_over_the_one_before_without_clearing_it_first() {
        let size = Size { rows: 2, columns: 80 };
        assert_eq!(frame("a\nb\nc\n", size), "\x1b[?7l\x1b[Ha\x1b[K\r\nb\x1b[K\x1b[J\x1b[?7h");
        assert_eq!(frame("", size), "\x1b[?7l\x1b[H\x1b[K\x1b[J\x1b[?7h");
    }

    #[test]
    fn long_lines_break_between_words_and_colours_take_no_place() {
        assert_eq!(wrapped("one two three", 7), "one two\nthree");
        assert_eq!(wrapped("\x1b[31mone\x1b[0m two three", 7), "\x1b[31mone\x1b[0m two\nthree");
        assert_eq!(wrapped("a-very-long-word b", 4), "a-very-long-word\nb");
    }
}
