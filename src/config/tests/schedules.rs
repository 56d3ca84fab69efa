//! When a heartbeat is expected, as configs say it.

use super::{Memory, config};
use crate::config::Declared;
use crate::model::heartbeat::Declaration;
use crate::model::schedule::Timing;
use crate::model::schedule::expressions::Expressions;
use crate::model::time::Span;

const MAIN: &str = "/etc/overdue/config.toml";

/// The heartbeats of a config in memory, settled.
fn settled(memory: &Memory) -> Vec<Declaration> {
    let config = memory.read_config().expect("the text is a config");
    let settle = |one: &Declared| one.draft.settle(one.slug.clone(), &config.defaults, uuid::Uuid::nil());
    config.heartbeats.iter().map(settle).collect()
}

fn warnings(text: &str) -> Vec<String> {
    let all = config(&format!("{text}channels = [\"log\"]\n")).warnings;
    all.iter().map(|warning| format!("{}:{}: {}", warning.line, warning.column, warning.what)).collect()
}

#[test]
fn a_schedule_is_one_expression_or_several() {
    let heartbeats = settled(&Memory::default().file(
        MAIN,
        "[heartbeats.a]\ncron = \"0 2 * * *\"\n\
         [heartbeats.b]\ncron = [\"0 2 * * *\", \"0 14 * * *\", \"0 2 * * *\"]\n",
    ));
    assert_eq!(heartbeats[0].timing, Timing::Cron(Expressions::one("0 2 * * *")));
    assert_eq!(heartbeats[1].timing, Timing::Cron(Expressions::new(["0 2 * * *", "0 14 * * *"])));
    assert_eq!(heartbeats[1].timing.to_string(), "cron 0 2 * * * or 0 14 * * *");
}

#[test]
fn too_many_expressions_are_told_once() {
    let many: Vec<String> =
        (0..101).map(|minute| format!("\"{} {} * * *\"", minute % 60, minute / 60)).collect();
    let text = format!("[heartbeats.a]\ncron = [{}]\n", many.join(","));
    let problems = Memory::default().file(MAIN, &text).read_config().unwrap_err();
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].what, "cron has more than 100 entries");
}

#[test]
fn early_is_a_duration_of_the_heartbeat_or_of_the_defaults() {
    let heartbeats = settled(&Memory::default().file(
        MAIN,
        "[defaults]\nearly = \"5m\"\n[heartbeats.a]\ncron = \"0 2 * * *\"\n\
         [heartbeats.b]\ncron = \"0 2 * * *\"\nearly = \"0s\"\n",
    ));
    assert_eq!(heartbeats[0].early, Some(Span::from_secs(300)));
    assert_eq!(heartbeats[1].early, Some(Span::ZERO));
}

#[test]
fn an_early_that_does_nothing_or_too_much_is_warned_of() {
    assert_eq!(
        warnings("[heartbeats.a]\nearly = \"5m\"\ninterval = \"1h\"\n"),
        ["2:1: early does nothing beside an interval, which counts from the last finish"]
    );
    assert_eq!(
        warnings("[heartbeats.a]\ncron = \"0 9-17 * * 1-5\"\nearly = \"1h\"\n"),
        [
            "3:1: early is 1h, but two times of [heartbeats.a] are only 1h apart: every finish would count for the next time too"
        ]
    );
    // The two lines come within half an hour of each other.
    let both =
        warnings("[defaults]\nearly = \"45m\"\n[heartbeats.a]\ncron = [\"0 2 * * *\", \"30 2 * * 1\"]\n");
    assert_eq!(both.len(), 1);
    assert!(
        both[0].starts_with("3:1: early is 45m, but two times of [heartbeats.a] are only 30m apart"),
        "{both:?}"
    );
    for fine in [
        "[heartbeats.a]\ncron = \"0 9-17 * * 1-5\"\nearly = \"59m\"\n",
        "[heartbeats.a]\ncron = \"0 2 * * *\"\n",
        "[defaults]\nearly = \"5m\"\n[heartbeats.a]\ninterval = \"1h\"\n",
    ] {
        assert_eq!(warnings(fine), [] as [String; 0], "{fine}");
    }
}

#[test]
fn exclusions_by_name_and_by_file_are_taken_together() {
    let memory = Memory::default()
        .file(
            MAIN,
            "include = [\"conf.d/*.toml\"]\n\
             [defaults]\nexclude = \"2026-12-24\"\nexclude_file = \"days.txt\"\n\
             [heartbeats.a]\ncron = \"0 2 * * *\"\n\
             [heartbeats.b]\ncron = \"0 2 * * *\"\nexclude = [\"Sun\", \"2026-12-25\"]\n\
             [heartbeats.c]\ncron = \"0 2 * * *\"\nexclude_file = []\n\
             [heartbeats.d]\ninterval = \"1h\"\nexclude = []\nexclude_file = []\n",
        )
        .file("/etc/overdue/days.txt", "# holidays\n2026-12-25 # Christmas\n\n *-*~01\n")
        // Relative to the file that holds the path.
        .file(
            "/etc/overdue/conf.d/e.toml",
            "[heartbeats.e]\ninterval = \"1h\"\nexclude_file = [\"e.txt\", \"/f.txt\"]\n",
        )
        .file("/etc/overdue/conf.d/e.txt", "2026-01-01")
        .file("/f.txt", "\u{feff}2026-01-02\r\n");
    let heartbeats = settled(&memory);
    let excluded: Vec<Vec<&str>> =
        heartbeats.iter().map(|heartbeat| heartbeat.exclude.iter().collect()).collect();
    assert_eq!(
        excluded,
        [
            vec!["2026-12-24", "2026-12-25", "*-*~01"],
            vec!["Sun", "2026-12-25", "*-*~01"],
            vec!["2026-12-24"],
            vec![],
            vec!["2026-12-24", "2026-01-01", "2026-01-02"],
        ]
    );
}

#[test]
fn too_many_exclusions_are_told_where_they_are_too_many() {
    let lines = |from: i64, to: i64| -> String {
        let day = |n: i64| {
            let date = jiff::civil::date(2026, 1, 1) + jiff::Span::new().days(n);
            format!("{date}\n")
        };
        (from..to).map(day).collect()
    };
    let memory = Memory::default()
        .file(MAIN, "[heartbeats.a]\ncron = \"0 2 * * *\"\nexclude_file = [\"a\"]\n[heartbeats.b]\ncron = \"0 2 * * *\"\nexclude_file = [\"b\", \"c\"]\n")
        .file("/etc/overdue/a", &lines(0, 1_001))
        .file("/etc/overdue/b", &lines(0, 600))
        .file("/etc/overdue/c", &lines(600, 1_200));
    let told: Vec<String> = memory.read_config().unwrap_err().iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "/etc/overdue/config.toml:4:1: [heartbeats.b] excludes 1200 times, more than 1000",
            "/etc/overdue/a:1001:1: these are more than 1000 entries",
        ]
    );
}
