//! What the texts to copy hold for which heartbeat, and how long they may hold a job up.

use super::*;

fn cron_of(expressions: &[&str], timezone: Option<&str>) -> Vec<Snippet> {
    let slug = Slug::new("back_up-1_").unwrap();
    let cron: Vec<String> = expressions.iter().map(ToString::to_string).collect();
    let cron = Some(&cron[..]).filter(|cron| !cron.is_empty());
    snippets("http://127.0.0.1:8080/ping/x", &Job { slug: &slug, cron, timezone })
}

fn text(snippets: &[Snippet], id: &str) -> String {
    snippets.iter().find(|snippet| snippet.id == id).unwrap().text.to_string()
}

#[test]
fn the_crontab_has_the_lines_that_every_cron_understands() {
    for (expressions, found) in [
        (&["*/5 0-6,8 1 JAN-MAR mon"][..], &["*/5 0-6,8 1 JAN-MAR mon  curl "][..]),
        (&["0 1 * * *", "@daily"], &["0 1 * * *  curl ", "@daily  curl "]),
        (&["0 0 1 * * *"], &["30 2 * * *  curl "]),
        (&["0 0 L * *"], &["30 2 * * *  curl "]),
        (&["0 0 * * 5#2"], &["30 2 * * *  curl "]),
        (&["0 1 * * *", "0 0 15W * *"], &["30 2 * * *  curl "]),
        (&[], &["30 2 * * *  curl "]),
    ] {
        let crontab = text(&cron_of(expressions, None), "cron");
        let jobs: Vec<&str> = crontab.lines().skip(1).collect();
        assert_eq!(jobs.len(), found.len(), "{crontab}");
        for (job, begin) in jobs.iter().zip(found) {
            assert!(job.starts_with(begin), "{job}");
        }
    }
}

#[test]
fn kubernetes_has_a_name_a_schedule_and_a_zone_that_it_takes() {
    let job = text(&cron_of(&["0 1 * * 1-5"], Some("Europe/Berlin")), "kubernetes");
    for line in
        ["  name: \"back-up-1\"\n", "  schedule: \"0 1 * * 1-5\"\n", "  timeZone: \"Europe/Berlin\"\n"]
    {
        assert!(job.contains(line), "{job}");
    }
    let job = text(&cron_of(&["0 1 * * 7"], Some("UTC")), "kubernetes");
    assert!(job.contains("\"30 2 * * *\"") && job.contains("\"Etc/UTC\""), "{job}");
    let slug = Slug::new(&"a-".repeat(50)).unwrap();
    let job = Job { slug: &slug, cron: None, timezone: None };
    let job = text(&snippets("http://h/ping/x", &job), "kubernetes");
    let name = job.split("name: \"").nth(1).unwrap().split('"').next().unwrap();
    assert!(name.len() <= CRON_JOB_MAX && !name.ends_with('-'), "{name}");
}

#[test]
fn kubernetes_is_said_which_times_are_not_its_own_and_that_a_line_makes_one_job() {
    let note = |expressions: &[&str]| {
        let all = cron_of(expressions, None);
        all.iter().find(|snippet| snippet.id == "kubernetes").unwrap().note.clone()
    };
    let own = "Put its own times in the place of 30 2 * * *.";
    for expressions in [&[][..], &["0 0 L * *"], &["0 0 * * 7"], &["0 1 * * *", "0 2 * * 7"]] {
        assert!(note(expressions).contains(own), "{expressions:?}");
    }
    for (expressions, several) in [(&["0 1 * * *"][..], false), (&["0 1 * * *", "0 2 * * 6"], true)] {
        let note = note(expressions);
        assert!(!note.contains(own), "{note}");
        assert_eq!(note.contains("one CronJob for each line"), several, "{note}");
    }
}

/// Seconds that a curl of this line may take against one that takes connections and never answers.
fn longest(line: &str) -> u64 {
    let number = |flag: &str| {
        let rest = line.split(flag).nth(1)?;
        rest.split(|c: char| !c.is_ascii_digit()).next()?.parse::<u64>().ok()
    };
    let attempt = number("-m ").expect(line);
    let (retries, most) = (number("--retry ").unwrap_or(0), number("--retry-max-time ").unwrap_or(u64::MAX));
    let mut all = attempt;
    for pause in (0..retries).map(|n| 1 << n) {
        if all + pause > most {
            break;
        }
        all += pause + attempt;
    }
    all
}

#[test]
fn a_watcher_that_never_answers_holds_no_job_up_for_long() {
    assert_eq!(longest("curl -m 10 --retry 5"), 91, "it counts right");
    let mut found = 0;
    for Snippet { id, text, .. } in cron_of(&[], None) {
        for part in text.split([';', '\n', '|']).filter(|part| part.contains("-m ")) {
            let start = part.contains("/start") || part.contains("start -m");
            assert!(longest(part) <= if start { 12 } else { 70 }, "{id}: {part}");
            found += 1;
        }
    }
    assert_eq!(found, 12, "each start and each end");
}

#[test]
fn whatever_the_address_holds_it_ends_no_string_and_runs_nothing() {
    let odd = "https://h:1/a'b\"c$(touch x)`y`\\z\n#;&|<>*?{}!ä%20/ping/x";
    let safe = "https://h:1/a%27b%22c%24%28touch%20x%29%60y%60%5Cz%0A%23%3B%26%7C%3C%3E%2A%3F%7B%7D%21%C3%A4%20/ping/x";
    let slug = Slug::new("backup").unwrap();
    let all = snippets(odd, &Job { slug: &slug, cron: None, timezone: None });
    for Snippet { id, text, .. } in all.iter().filter(|snippet| snippet.id != "systemd-end") {
        let written = if *id == "systemd" { safe.replace('%', "%%") } else { safe.to_owned() };
        assert!(text.contains(&written), "{text}");
        assert!(!text.contains("touch x") && !text.contains("`y"), "{text}");
    }
    assert_eq!(plain("http://[::1]:8080/o%20o/ping/67e5~_.-"), "http://[::1]:8080/o%20o/ping/67e5~_.-");
}

#[test]
fn who_runs_in_a_container_is_told_that_this_machine_is_not_there() {
    let note = |url| {
        let slug = Slug::new("backup").unwrap();
        let all = snippets(url, &Job { slug: &slug, cron: None, timezone: None });
        all.iter().find(|snippet| snippet.id == "compose").unwrap().note.contains("the container itself")
    };
    assert!(note("http://127.0.0.1:8080/ping/x") && note("http://[::1]:1/x") && note("http://localhost/x"));
    assert!(!note("https://overdue.example.org/ping/x"));
}
