//! What `README.md` shows of schedules: what `explain` says of them, and what `check --against` says of a change.

use super::*;

#[test]
fn the_schedules_come_to_what_the_readme_says() {
    let home = Home::new("");
    fs::write(home.config(), block("schedules")).unwrap();
    fs::write(home.path("holidays.txt"), "2026-12-25 # Christmas\n").unwrap();
    let (first, arguments) = block("explain").trim_end().split_once(' ').unwrap();
    assert_eq!(first, "overdue");
    let arguments: Vec<&str> = arguments.split(' ').collect();
    let explained = home.run(&arguments);
    assert_eq!((explained.code, explained.stderr.as_str()), (0, ""));
    assert!(PAGE.contains(&format!("```text\n{}```\n", explained.stdout)), "{}", explained.stdout);
    assert_eq!(home.run(&["check", "--config", "config.toml"]).code, 0);
}

#[test]
fn the_rules_of_the_page_about_days_and_clock_changes_hold() {
    let lines = |schedule: &str, from: &str| {
        let zone = "timezone = \"Europe/Berlin\"\n";
        let home = Home::new(&format!("[heartbeats.a]\n{schedule}\n{zone}"));
        let ended = home.run(&["explain", "-c", "config.toml", "--from", from, "--count", "3", "--json"]);
        let told: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:?}"));
        let occurrences = told[0]["occurrences"].as_array().unwrap().clone();
        occurrences.iter().map(|one| one["local"].as_str().unwrap()[..16].to_owned()).collect::<Vec<_>>()
    };
    // The last Friday, the weekday nearest to the 15th, the second Friday.
    for (cron, first) in
        [("0 6 * * 5L", "27T06"), ("0 6 15W * *", "16T06"), ("0 6 * * 5#2", "13T06"), ("0 6 L * *", "28T06")]
    {
        let next = &lines(&format!("cron = \"{cron}\""), "2026-02-01")[0];
        assert_eq!(next[8..13], *first, "{cron}");
    }
    // Spring: a fixed time comes after the gap, real time goes on, a calendar's is not on this day.
    let spring = "2026-03-29 01:00";
    assert_eq!(lines("cron = \"30 2 * * *\"", spring)[0], "2026-03-29T03:00");
    assert_eq!(lines("cron = \"*/30 2-3 * * *\"", spring)[0], "2026-03-29T03:00");
    assert_eq!(lines("on_calendar = \"02:30\"", spring)[0], "2026-03-30T02:30");
    // Autumn: once, in both passes, once.
    let autumn = "2026-10-25 01:59";
    assert_eq!(lines("cron = \"30 2 * * *\"", autumn)[..2], ["2026-10-25T02:30", "2026-10-26T02:30"]);
    assert_eq!(
        lines("cron = \"*/30 2 * * *\"", autumn),
        ["2026-10-25T02:00", "2026-10-25T02:30", "2026-10-25T02:00"]
    );
    assert_eq!(lines("on_calendar = \"02:30\"", autumn)[..2], ["2026-10-25T02:30", "2026-10-26T02:30"]);
    // What is excluded, by day and by hour.
    let evening = "cron = \"0 21,22,23 * * *\"\nexclude = [\"22..23:*\", \"Sat,Sun\"]";
    assert_eq!(lines(evening, "2026-11-27"), ["2026-11-27T21:00", "2026-11-30T21:00", "2026-12-01T21:00"]);
    let every = "interval = \"6h\"\nexclude = [\"Sat,Sun\"]";
    assert_eq!(
        lines(every, "2026-11-27 20:00"),
        ["2026-11-30T02:00", "2026-11-30T08:00", "2026-11-30T14:00"]
    );
}

#[test]
fn a_change_is_told_before_it_is_made() {
    let machine = Machine::start();
    machine.job(GOOD);
    fine(&machine.cron(&machine.block("cron-plain")));
    let told = machine.bash(&machine.block("against"));
    assert_eq!((told.code, told.stderr.as_str()), (0, ""));
    let lines: Vec<&str> = told.stdout.lines().collect();
    let heading = format!("next.toml against {}: what a reload would change", machine.home().url());
    assert_eq!(lines[..3], [heading.as_str(), "", "~ backup"], "{told:?}");
    assert!(
        lines[4].starts_with("    due          ") && lines[5].starts_with("    deadline     "),
        "{told:?}"
    );
    for line in [lines[3], "0 added, 0 removed, 1 changed, 0 unchanged, 0 incidents"] {
        assert!(lines.contains(&line) && PAGE.contains(&format!("\n{line}\n")), "{line}");
    }
    assert_eq!(machine.heartbeat()["schedule"], "every 24h", "nothing is touched");
}
