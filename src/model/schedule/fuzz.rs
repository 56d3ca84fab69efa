//! Schedules under attack: an expression that is taken comes next strictly later, or never, and is said in words.
//!
//! An input has a line of expressions with `|` between them, a line with the time zone, and one of exclusions.

use crate::fuzz::{Target, kind_of};
use crate::model::schedule::expressions::Expressions;
use crate::model::schedule::words::words;
use crate::model::schedule::{Occurrences, Timing, Zones};
use crate::model::text;
use crate::model::time::{Span, Timestamp};

/// Before, at and after changes of the clock, and where calendars end.
const INSTANTS: [i64; 7] = [
    -62_135_596_800_000,
    0,
    1_774_746_000_000 - 1,
    1_792_893_600_000,
    1_795_316_400_123,
    4_107_542_400_000,
    253_402_207_200_000 - 1,
];

std::thread_local! {
    static ZONES: Zones = Zones::bundled();
}

#[test]
fn a_cron_that_is_taken_comes_next_strictly_later_or_never() {
    let check = |input: &[u8]| read(input, Timing::Cron);
    Target { name: "cron", inputs: 3_000, dictionary: &CRON, check }.attack();
}

#[test]
fn an_on_calendar_that_is_taken_comes_next_strictly_later_or_never() {
    let check = |input: &[u8]| read(input, Timing::OnCalendar);
    Target { name: "on_calendar", inputs: 3_000, dictionary: &ON_CALENDAR, check }.attack();
}

const CRON: [&str; 34] = [
    "*",
    "*/",
    "-",
    ",",
    "/",
    " ",
    "?",
    "#",
    "L",
    "LW",
    "W",
    "15W",
    "5L",
    "5#3",
    "#5",
    "SUN",
    "mon-fri",
    "JAN",
    "feb",
    "@daily",
    "@hourly",
    "@reboot",
    "@every 1h",
    "0-59/7",
    "31 2",
    "29 2 *",
    "|",
    "\n",
    "\nEurope/Berlin",
    "\nAmerica/Havana",
    "\nAustralia/Lord_Howe",
    "\nUTC\nSun",
    "\nUTC\n2026-12-25|*-*-1",
    "\t",
];

const ON_CALENDAR: [&str; 38] = [
    "*",
    "*-*-*",
    "*:*:*",
    "Mon..Fri",
    "Sat,Sun",
    "..",
    "/",
    "~",
    "*-02~03",
    "*-*~1/7",
    "2026-02-29",
    "2028-02-29",
    "-",
    ":",
    ",",
    " ",
    "00/2",
    "*:0/15",
    "23:59:59.999999",
    "UTC",
    " Europe/Berlin",
    " America/Havana",
    "daily",
    "weekly",
    "quarterly",
    "semiannually",
    "@1",
    "1970-01-01",
    "2199-12-31",
    "9999-12-31",
    "Mon",
    "0",
    "|",
    "\n",
    "\nAustralia/Lord_Howe",
    "\nUTC\nSun",
    "\nUTC\n*-12-25|Mon..Fri",
    "T",
];

fn read(input: &[u8], kind: fn(Expressions) -> Timing) -> String {
    let input = String::from_utf8_lossy(input);
    let mut lines = input.split('\n');
    let mut list = || Expressions::new(lines.next().unwrap_or_default().split('|').take(5));
    let expressions = list();
    // As whoever reads a config or a body holds it.
    if let Some(error) = expressions.iter().find_map(|one| text::expression(one).err()) {
        return kind_of(&error.to_string());
    }
    let timing = kind(expressions);
    let zone = list().iter().next().filter(|zone| !zone.is_empty()).unwrap_or("UTC").to_owned();
    if let Err(error) = text::word(&zone) {
        return kind_of(&error.to_string());
    }
    let excluded = list();
    if let Some(error) = excluded.iter().find_map(|one| text::expression(one).err()) {
        return kind_of(&error.to_string());
    }
    let exclude = if excluded.iter().all(str::is_empty) { Expressions::default() } else { excluded };
    // Whether or not it can be used, it can be told.
    let said = words(&timing);
    match ZONES.with(|zones| timing.compile(&zone, &exclude, zones)) {
        Ok(occurrences) => {
            assert!(!said.trim().is_empty(), "{timing:?} has no words");
            let next: Vec<String> = INSTANTS.iter().map(|ms| from(&occurrences, *ms)).collect();
            format!("{} {}", next.concat(), kind_of(&said))
        }
        Err(error) => {
            let error = error.to_string();
            // It may name the expression, and the part that is wrong, with all that is odd in it told by its number.
            assert!(!error.is_empty() && error.len() <= 20 * text::EXPRESSION_MAX, "{error}");
            kind_of(&error)
        }
    }
}

/// Holds what is promised of the occurrences after an instant.
fn from(occurrences: &Occurrences, ms: i64) -> String {
    let t = Timestamp::from_millis(ms);
    let Some(next) = occurrences.next_after(t) else {
        assert_eq!(occurrences.told_after(t, None), None);
        assert_eq!(occurrences.due_after_finish(t, None), None);
        return "-".to_owned();
    };
    assert!(next > t, "{next} comes after {t}");
    let just_before = next - Span::from_millis(1);
    if just_before >= t {
        assert_eq!(occurrences.next_after(just_before), Some(next), "from just before it");
    }
    let told = occurrences.told_after(t, None).expect("there is one");
    assert_eq!(told.at, next);
    assert!(told.notes.iter().all(|note| !note.is_empty()), "{told:?}");
    let due = occurrences.due_after_finish(t, None);
    assert!(due.is_none_or(|due| due >= next), "{due:?} is due, {next} comes next");
    if let Some(second) = occurrences.next_after(next) {
        assert!(second > next, "{second} comes after {next}");
        assert_eq!(occurrences.period(next), second.since(next));
    }
    if told.notes.is_empty() { "+".to_owned() } else { "n".to_owned() }
}
