//! `overdue explain`: what a schedule comes to, as a person and a program are told it.

use serde_json::{Value, json};

use crate::harness::{Ended, Home};

const CONFIG: &str = "[defaults]\nchannels = [\"log\"]\ntimezone = \"Europe/Berlin\"\n\
    [heartbeats.nightly]\nname = \"Nightly backup\"\ncron = \"30 2 * * *\"\ngrace = \"45m\"\n\
    [heartbeats.careful]\ncron = [\"0 2 * * *\", \"0 14 * * *\"]\nearly = \"10m\"\ntimezone = \"UTC\"\n\
    [heartbeats.every]\ninterval = \"36h\"\n";

fn explain(config: &str, arguments: &[&str]) -> Ended {
    Home::new(config).run(&[&["explain", "-c", "config.toml"], arguments].concat())
}

fn json_of(config: &str, arguments: &[&str]) -> Value {
    let ended = explain(config, &[arguments, &["--json"]].concat());
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{}", ended.stdout);
    serde_json::from_str(&ended.stdout).unwrap()
}

#[test]
fn programs_are_told_each_occurrence_with_what_a_clock_change_does() {
    let told = json_of(CONFIG, &["nightly", "--from", "2026-03-28", "--count", "2"]);
    assert_eq!(
        told,
        json!([{
            "slug": "nightly",
            "schedule": "at 02:30 every day",
            "occurrences": [
                {
                    "due": "2026-03-28T01:30:00.000Z",
                    "local": "2026-03-28T02:30:00+01:00",
                    "deadline": "2026-03-28T02:15:00.000Z",
                    "note": null,
                },
                {
                    "due": "2026-03-29T01:00:00.000Z",
                    "local": "2026-03-29T03:00:00+02:00",
                    "deadline": "2026-03-29T01:45:00.000Z",
                    "note": "02:30 does not exist on this day (clocks go from 02:00 to 03:00): it runs right after the gap",
                },
            ],
        }])
    );
}

#[test]
fn all_heartbeats_are_explained_each_from_its_own_midnight() {
    let told = json_of(CONFIG, &["--from", "2026-10-25", "--count", "1"]);
    let due = |slug: &str| {
        let one = told.as_array().unwrap().iter().find(|one| one["slug"] == slug).unwrap();
        assert_eq!(one["occurrences"].as_array().unwrap().len(), 1);
        one["occurrences"][0].clone()
    };
    assert_eq!(due("nightly")["due"], "2026-10-25T00:30:00.000Z", "the first 02:30 of two");
    assert!(due("nightly")["note"].as_str().unwrap().contains("comes twice"), "{told}");
    assert_eq!(due("careful")["due"], "2026-10-25T02:00:00.000Z");
    assert_eq!(due("careful")["note"], "a finish from 01:50 on counts for it");
    // Midnight in Berlin, and one interval on.
    assert_eq!(due("every")["due"], "2026-10-26T10:00:00.000Z");
    // What is due at the very instant is one of those from it.
    let told = json_of(CONFIG, &["careful", "--from", "2026-10-25T02:00:00Z", "--count", "2"]);
    assert_eq!(told[0]["occurrences"][0]["due"], "2026-10-25T02:00:00.000Z");
    assert_eq!(told[0]["occurrences"][1]["due"], "2026-10-25T14:00:00.000Z");
    // From now on, five of them.
    let told = json_of(CONFIG, &[]);
    assert!(told.as_array().unwrap().iter().all(|one| one["occurrences"].as_array().unwrap().len() == 5));
    assert_eq!(json_of("", &[]), json!([]));
}

#[test]
fn a_person_reads_a_table() {
    let ended = explain(CONFIG, &["--from", "2026-10-24 12:00", "--count", "2"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    assert_eq!(
        ended.stdout,
        "careful
  at 02:00 every day, and at 14:00 every day, in UTC; grace 1h
  LATE FROM (DUE)              DOWN FROM
  Sat 2026-10-24 14:00:00 UTC  Sat 2026-10-24 15:00:00 UTC
    a finish from 13:50 on counts for it
  Sun 2026-10-25 02:00:00 UTC  Sun 2026-10-25 03:00:00 UTC
    a finish from 01:50 on counts for it

every
  every 36h after the last finish; grace 1h
  as if it finished at Sat 2026-10-24 12:00:00 CEST
  LATE FROM (DUE)              IN UTC                   DOWN FROM
  Sun 2026-10-25 23:00:00 CET  Sun 2026-10-25 22:00:00  Mon 2026-10-26 00:00:00 CET
  Tue 2026-10-27 11:00:00 CET  Tue 2026-10-27 10:00:00  Tue 2026-10-27 12:00:00 CET

nightly  (Nightly backup)
  at 02:30 every day, in Europe/Berlin; grace 45m
  LATE FROM (DUE)               IN UTC                   DOWN FROM
  Sun 2026-10-25 02:30:00 CEST  Sun 2026-10-25 00:30:00  Sun 2026-10-25 02:15:00 CET
    02:30 comes twice on this day: the first one counts
  Mon 2026-10-26 02:30:00 CET   Mon 2026-10-26 01:30:00  Mon 2026-10-26 03:15:00 CET
"
    );
    let empty = explain("", &[]);
    assert_eq!((empty.code, empty.stdout.as_str()), (0, "config.toml has no heartbeats\n"));
}

#[test]
fn what_cannot_be_explained_says_why() {
    let unknown = explain(CONFIG, &["nigthly"]);
    assert_eq!((unknown.code, unknown.stdout.as_str()), (64, ""));
    assert_eq!(
        unknown.stderr,
        "overdue: config.toml has no heartbeat \"nigthly\", did you mean \"nightly\"?\n"
    );
    for wrong in [["--from", "tomorrow"], ["--count", "0"], ["--count", "1001"]] {
        let ended = explain(CONFIG, &wrong);
        assert_eq!((ended.code, ended.stdout.as_str()), (64, ""), "{wrong:?}: {ended:?}");
    }
    let home = Home::new("[heartbeats.a]\ncron = \"61 * * * *\"\n");
    for flags in [&[][..], &["--json"]] {
        let ended = home.run(&[&["explain", "-c", "config.toml"], flags].concat());
        let check = home.run(&[&["check", "-c", "config.toml"], flags].concat());
        assert_eq!((ended.code, &ended.stdout), (78, &check.stdout));
        assert!(ended.stdout.contains("61 * * * *"), "{ended:?}");
    }
}

#[test]
fn what_is_excluded_is_named_in_a_note() {
    let config = "[heartbeats.a]\non_calendar = [\"Mon..Fri 03:00\", \"Sat 04:00 UTC\"]\ntimezone = \"Europe/Berlin\"\n\
        exclude = [\"2026-12-24..2026-12-26\", \"*-*~01\"]\nexclude_file = \"days.txt\"\n";
    let home = Home::new(config);
    std::fs::write(home.path("days.txt"), "# more of them\n2026-12-28\n").unwrap();
    let told = |arguments: &[&str]| home.run(&[&["explain", "-c", "config.toml"], arguments].concat()).stdout;
    let json: Value =
        serde_json::from_str(&told(&["--from", "2026-12-23", "--count", "2", "--json"])).unwrap();
    let [before, after] = &json[0]["occurrences"].as_array().unwrap()[..] else { panic!("{json}") };
    assert_eq!((&before["local"], &before["note"]), (&json!("2026-12-23T03:00:00+01:00"), &Value::Null));
    assert_eq!(after["local"], "2026-12-29T03:00:00+01:00");
    assert_eq!(after["note"], "skips 4 excluded occurrences");
    let table = told(&["--from", "2026-12-23"]);
    assert!(table.contains("\n  not at 2026-12-24..2026-12-26, *-*~01, 2026-12-28\n"), "{table}");
    assert!(table.contains("\n    skips 2026-12-31 03:00, excluded\n"), "{table}");
}
