//! `overdue status --watch`: asks again and again, and draws what it sees. A daemon that is away is shown as
//! such and asked again: whoever watches wants to see it come back.

use std::io::{self, Write};
use std::pin::pin;
use std::time::Duration;

use crate::cli::ask::{Daemon, Fault};
use crate::cli::outcome;
use crate::cli::paint::Paint;
use crate::cli::status::plugin::{Line, Verdict};
use crate::cli::status::screen::{Size, frame, size, wrapped};
use crate::cli::status::{Seen, Subject, whole};
use crate::engine::clock::{Clock as _, SystemClock};
use crate::model::time::Timestamp;

const EVERY: Duration = Duration::from_secs(2);

/// Watches until Ctrl-C, or until nobody reads any more. The exit code is that of what was seen last.
pub(super) async fn watch(daemon: &Daemon, subject: Subject<'_>) -> u8 {
    let paint = Paint::on(&io::stdout());
    let terminal = io::IsTerminal::is_terminal(&io::stdout());
    let mut interrupt = pin!(tokio::signal::ctrl_c());
    let mut verdict = Verdict::Unknown;
    let mut gap = "";
    loop {
        // What does not fit is not asked for.
        let rows = terminal.then(|| size().rows);
        let seen = tokio::select! {
            _ = &mut interrupt => break,
            seen = Seen::ask(daemon, subject, rows) => seen,
        };
        let now = SystemClock.now();
        let (seen_as, text) = if terminal {
            let (verdict, text) = page(&seen, now, paint, size());
            (verdict, frame(&text, size()))
        } else {
            let (line, rest) = match &seen {
                Ok(seen) => seen.show(now, paint, usize::MAX, size().columns),
                Err(fault) => (Line::unknown(&fault.to_string()), String::new()),
            };
            (line.verdict, format!("{gap}{}", whole(&line, &rest, paint)))
        };
        verdict = seen_as;
        gap = "\n";
        let mut out = io::stdout().lock();
        let printed = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        drop(out);
        if printed.is_err() {
            return outcome(printed, verdict.code());
        }
        tokio::select! {
            _ = &mut interrupt => break,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
    let end = if terminal { writeln!(io::stdout()) } else { Ok(()) };
    outcome(end, verdict.code())
}

/// A screen of it: the sentence, what fits of the rest, and when that was.
fn page(seen: &Result<Seen, Fault>, now: Timestamp, paint: Paint, size: Size) -> (Verdict, String) {
    // The frame's end of a line clears what is under the cursor, which is the last column when a line fills it.
    let columns = size.columns.saturating_sub(1);
    let (line, mut rest) = match seen {
        Ok(seen) => seen.show(now, paint, usize::MAX, columns),
        Err(fault) => (Line::unknown(&fault.to_string()), String::new()),
    };
    let head = wrapped(&line.for_people(paint), columns);
    // Two more are the gap below it and the foot.
    let room = size.rows.saturating_sub(head.lines().count() + 2);
    if rest.lines().count() > room {
        rest = match seen {
            Ok(seen @ Seen::All(..)) => seen.show(now, paint, room, columns).1,
            Ok(Seen::One(..)) | Err(_) => cut(&rest, room),
        };
    }
    let clock = now.to_jiff().strftime("%T");
    let foot = paint.dim(&format!("{clock} UTC, asked again every {} s; Ctrl-C ends", EVERY.as_secs()));
    (line.verdict, format!("{head}\n\n{rest}{foot}\n"))
}

/// The first lines, and that there are more.
fn cut(text: &str, room: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let shown = room.saturating_sub(1);
    let more = lines.len() - shown.min(lines.len());
    let out: String = lines.iter().take(shown).flat_map(|line| [*line, "\n"]).collect();
    out + &format!("… and {more} more lines\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::status::One;
    use crate::cli::status::overview::Overview;
    use crate::cli::status::samples::{ALL, NOW, beat, beats};

    fn lines(seen: &Result<Seen, Fault>, rows: usize, columns: usize) -> Vec<String> {
        let (_, text) = page(seen, NOW, Paint(false), Size { rows, columns });
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn as_many_rows_are_shown_as_fit_the_worst_first() {
        let all = |rows| lines(&Ok(Seen::All(Overview::counted(beats(), ALL, None))), rows, 100);
        let (all, few) = (all(24), all(8));
        assert_eq!(all.len(), 2 + 7 + 1);
        assert_eq!(few.len(), 8, "{few:#?}");
        assert!(few[3].starts_with("down"), "{few:#?}");
        assert_eq!(few[6], "… and 3 more");
        assert_eq!(few[7], "03:00:00 UTC, asked again every 2 s; Ctrl-C ends");
    }

    #[test]
    fn one_that_is_longer_than_the_screen_is_cut_and_says_so() {
        let beat = beat("db", "up", &serde_json::json!({}));
        let one = || {
            Ok(Seen::One(Box::new(One { beat: beat.clone(), runs: Some(Ok(Vec::new())), deliveries: None })))
        };
        assert_eq!(lines(&one(), 40, 80).len(), 2 + 7 + 2 + 1);
        let few = lines(&one(), 8, 80);
        assert_eq!((few.len(), few[6].as_str()), (8, "… and 5 more lines"), "{few:#?}");
    }

    #[test]
    fn what_is_wrong_is_readable_on_a_narrow_screen() {
        let fault =
            Fault::Unreachable("nobody answers there. Is the daemon running (overdue serve)?".to_owned());
        let shown = lines(&Err(fault), 24, 30);
        assert!(shown.iter().all(|line| line.len() <= 50), "{shown:#?}");
        assert_eq!(shown[..2], ["OVERDUE UNKNOWN - nobody", "answers there. Is the daemon"]);
    }
}
