//! `overdue check --against`: what a reload would change is told before it is done, by the daemon's API and by its
//! state folder, and is what the reload then does. Nothing is touched.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use serde_json::{Value, json};

use crate::harness::{Daemon, Home, LIMIT, wait_until};

const BEFORE: &str = "[defaults]\nchannels = [\"log\"]\n\
    [heartbeats.same]\ninterval = \"1d\"\n\
    [heartbeats.calendar]\non_calendar = [\"Mon..Fri 03:00\", \"Sat 04:00 UTC\"]\nexclude = [\"2126-12-25\", \"*-*~01\"]\nearly = \"10m\"\n\
    [heartbeats.weekdays]\ninterval = \"6h\"\nexclude = \"Sat,Sun\"\ntimezone = \"Asia/Kathmandu\"\n\
    [heartbeats.graceful]\ninterval = \"1d\"\ngrace = \"1h\"\n\
    [heartbeats.moved]\ninterval = \"1d\"\n\
    [heartbeats.old-name]\ninterval = \"1d\"\nuuid = \"0c9c9a5e-8c1e-4f7e-9d5b-2b9d6c1f8a11\"\n\
    [heartbeats.failing]\ninterval = \"1d\"\n\
    [heartbeats.runs]\ninterval = \"1d\"\nmax_runtime = \"3h\"\n\
    [heartbeats.late]\ninterval = \"1s\"\ngrace = \"366d\"\n";

const AFTER: &str = "[defaults]\nchannels = [\"log\"]\n\
    [heartbeats.same]\ninterval = \"1d\"\n\
    [heartbeats.calendar]\non_calendar = [\"Mon..Fri 03:00\", \"Sat 04:00 UTC\"]\nexclude = [\"2126-12-25\", \"*-*~01\"]\nearly = \"10m\"\n\
    [heartbeats.weekdays]\ninterval = \"6h\"\nexclude = \"Sat,Sun\"\ntimezone = \"Asia/Kathmandu\"\n\
    [heartbeats.graceful]\ninterval = \"1d\"\ngrace = \"30m\"\n\
    [heartbeats.moved]\ncron = \"30 2 * * *\"\ntimezone = \"Europe/Berlin\"\n\
    [heartbeats.new-name]\ninterval = \"1d\"\nuuid = \"0c9c9a5e-8c1e-4f7e-9d5b-2b9d6c1f8a11\"\n\
    [heartbeats.runs]\ninterval = \"1d\"\nmax_runtime = \"4h\"\n\
    [heartbeats.late]\ninterval = \"1s\"\ngrace = \"1h\"\n\
    [heartbeats.fresh]\ninterval = \"2d\"\ngrace = \"5m\"\n";

/// A daemon with all kinds of heartbeats, and a config beside its own, `next.toml`.
fn daemon(next: &str) -> Daemon {
    let daemon = Daemon::start(BEFORE);
    for slug in ["same", "graceful", "moved", "old-name", "late"] {
        daemon.ping(&daemon.uuid(slug), "");
    }
    daemon.ping(&daemon.uuid("failing"), "/3");
    daemon.ping(&daemon.uuid("runs"), "/start");
    daemon.create(&json!({ "name": "Of the API", "slug": "of-the-api", "interval": "1h" }));
    daemon.wait_for_status("late", "late");
    let own = fs::read_to_string(daemon.home.config()).unwrap();
    let (_, server) = own.split_once("\n[server]\n").unwrap();
    fs::write(daemon.home.path("next.toml"), format!("{next}\n[server]\n{server}")).unwrap();
    daemon
}

fn check(daemon: &Daemon, against: &str) -> Value {
    let ended = daemon.home.run(&["check", "-c", "next.toml", "--against", against, "--json"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{}", ended.stdout);
    serde_json::from_str(&ended.stdout).unwrap()
}

fn slugs(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|one| one["slug"].as_str().unwrap()).collect()
}

fn of<'v>(list: &'v Value, slug: &str) -> &'v Value {
    list.as_array()
        .unwrap()
        .iter()
        .find(|one| one["slug"] == slug)
        .unwrap_or_else(|| panic!("{slug}: {list}"))
}

#[test]
fn what_a_reload_would_change_is_what_it_then_changes() {
    let daemon = daemon(AFTER);
    let by_url = check(&daemon, &daemon.home.url());
    let by_folder = check(&daemon, "state");
    for told in [&by_url, &by_folder] {
        assert_eq!(told["ok"], true);
        assert_eq!(slugs(&told["added"]), ["fresh"]);
        assert_eq!(slugs(&told["removed"]), ["failing"]);
        assert_eq!(slugs(&told["changed"]), ["graceful", "late", "moved", "new-name", "runs"]);
        assert_eq!(told["unchanged"], 4, "same, calendar, weekdays and of-the-api");
        assert_eq!(told["held_back"], Value::Null);
        assert_eq!(of(&told["removed"], "failing")["status"], "down");
        let changed = &told["changed"];
        let grace = json!([{ "key": "grace", "old": "1h", "new": "30m" }]);
        assert_eq!(of(changed, "graceful")["changes"], grace);
        assert_eq!(of(changed, "new-name")["renamed_from"], "old-name");
        assert_eq!(
            of(changed, "new-name")["changes"],
            json!([{ "key": "name", "old": "old-name", "new": "new-name" }])
        );
        let moved = &of(changed, "moved")["changes"];
        assert_eq!(moved[0], json!({ "key": "schedule", "old": "every 24h", "new": "cron 30 2 * * *" }));
        assert_eq!(moved[1], json!({ "key": "timezone", "old": null, "new": "Europe/Berlin" }));
        // It is past due, and the new grace leaves it an hour.
        let [opening] = &told["incidents"].as_array().unwrap()[..] else { panic!("{told}") };
        assert_eq!((&opening["slug"], &opening["cause"]), (&json!("late"), &json!("missed")));
        assert_eq!(opening["at"], of(changed, "late")["new"]["deadline"]);
        for one in changed.as_array().unwrap() {
            let now = daemon.heartbeat(one["renamed_from"].as_str().or(one["slug"].as_str()).unwrap());
            assert_eq!(one["old"]["due"], now["next_due_at"], "{one}");
            assert_eq!(one["old"]["deadline"], now["next_deadline_at"], "{one}");
        }
    }
    // Both ways say the same, but for what counts from the moment of asking.
    assert_eq!(by_url["changed"], by_folder["changed"]);
    assert_eq!(by_url["incidents"], by_folder["incidents"]);

    fs::rename(daemon.home.path("next.toml"), daemon.home.config()).unwrap();
    wait_until(LIMIT, "it applies", || daemon.get("/api/v1/heartbeats/fresh").status == 200);
    for one in by_url["changed"].as_array().unwrap() {
        let now = daemon.heartbeat(one["slug"].as_str().unwrap());
        assert_eq!(one["new"]["due"], now["next_due_at"], "{one}");
        assert_eq!(one["new"]["deadline"], now["next_deadline_at"], "{one}");
        assert_eq!(one["new"]["status"], now["status"], "{one}");
    }
    assert_eq!(daemon.get("/api/v1/heartbeats/failing").status, 404);
}

/// Names, contents and times of all that is in a folder.
fn snapshot(folder: &Path) -> BTreeMap<String, (Vec<u8>, SystemTime)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries
        .map(|entry| {
            let modified = entry.metadata().unwrap().modified().unwrap();
            (entry.file_name().into_string().unwrap(), (fs::read(entry.path()).unwrap(), modified))
        })
        .collect()
}

#[test]
fn a_stopped_daemons_folder_is_looked_at_without_a_trace() {
    let daemon = daemon(AFTER);
    let home = daemon.home.clone();
    daemon.kill_9();
    // What a daemon was writing when it was killed is not cut, either.
    let journal = fs::read_dir(home.state()).unwrap().map(|entry| entry.unwrap().path());
    let journal = journal.filter(|path| path.extension().is_some_and(|end| end == "jsonl")).max().unwrap();
    let whole = fs::read(&journal).unwrap();
    fs::write(&journal, [&whole[..], b"{\"v\":1,\"seq\":99,\"syn"].concat()).unwrap();
    fs::write(home.state().join("snapshot.tmp"), "half").unwrap();
    let before = snapshot(&home.state());
    let ended = home.run(&["check", "-c", "next.toml", "--against", "state"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{}", ended.stdout);
    assert_eq!(snapshot(&home.state()), before);
    for line in [
        "next.toml against state: what a reload would change",
        "+ fresh  every 2d",
        "- failing  its open incident is resolved",
        "~ graceful",
        "    grace        1h -> 30m",
        "~ new-name  was old-name",
        "1 added, 1 removed, 5 changed, 4 unchanged, 1 incident",
    ] {
        let found = ended.stdout.lines().any(|written| written == line);
        assert!(found, "{line}\n{}", ended.stdout);
    }
    assert!(ended.stdout.contains("\n! late  goes down unless it pings before: "), "{}", ended.stdout);
}

#[test]
fn one_that_changes_nothing_says_so_and_one_that_removes_most_is_held_back() {
    let daemon = daemon(BEFORE);
    for against in [daemon.home.url(), "state".to_owned()] {
        let told = check(&daemon, &against);
        assert_eq!([&told["added"], &told["removed"], &told["changed"]], [&json!([]); 3], "{told}");
        assert_eq!(told["unchanged"], 10);
        let ended = daemon.home.run(&["check", "-c", "next.toml", "--against", &against]);
        assert!(ended.stdout.contains("\nnothing\n"), "{}", ended.stdout);
    }
    let text = fs::read_to_string(daemon.home.path("next.toml")).unwrap();
    let from = text.find("[heartbeats.calendar]").unwrap();
    let to = text.find("[server]").unwrap();
    fs::write(daemon.home.path("next.toml"), text[..from].to_owned() + &text[to..]).unwrap();
    for against in [daemon.home.url(), "state".to_owned()] {
        let told = check(&daemon, &against);
        assert_eq!(told["held_back"], json!({ "removed": 8, "total": 9 }));
        let ended = daemon.home.run(&["check", "-c", "next.toml", "--against", &against]);
        let line = "held back: it removes 8 of 9 heartbeats, so the daemon waits for a SIGHUP";
        assert!(ended.stdout.contains(line), "{}", ended.stdout);
    }
}

#[test]
fn what_cannot_be_told_has_an_exit_code_of_its_own() {
    let home = Home::new("[heartbeats.a]\ninterval = \"1h\"\n");
    let check = |arguments: &[&str]| home.run(&[&["check", "-c", "config.toml"], arguments].concat());
    let nobody = check(&["--against", &home.url()]);
    assert_eq!((nobody.code, nobody.stdout.as_str()), (3, ""), "{nobody:?}");
    assert!(nobody.stderr.contains("cannot ask"), "{nobody:?}");
    assert!(nobody.stderr.contains("Else give another --against\n"), "{nobody:?}");
    let deep = check(&["--against", &(home.url() + "/api/v1")]);
    assert_eq!((deep.code, deep.stdout.as_str()), (3, ""), "{deep:?}");
    assert!(deep.stderr.contains(&format!("leave it out, as {}\n", home.url())), "{deep:?}");
    fs::create_dir(home.path("keyed")).unwrap();
    fs::write(home.path("keyed/ping_key"), "a-ping-key-alone\n").unwrap();
    for folder in ["none", "keyed", "/", home.path("").to_str().unwrap()] {
        let ended = check(&["--against", folder]);
        assert_eq!((ended.code, ended.stdout.as_str()), (73, ""), "{ended:?}");
        assert!(ended.stderr.starts_with("overdue: state folder "), "{ended:?}");
        assert!(!ended.stderr.contains("sudo"), "{ended:?}");
    }
    home.configure("[heartbeats.a]\nintervall = \"1h\"\n");
    for json in [false, true] {
        let flag: &[&str] = if json { &["--json"] } else { &[] };
        let bad = check(&[flag, &["--against", "none"]].concat());
        let plain = check(flag);
        assert_eq!((bad.code, &bad.stdout), (78, &plain.stdout), "a bad config is told as without it");
    }
}

#[test]
fn a_key_that_may_only_read_is_enough() {
    let keys = "[[server.api_keys]]\nname = \"eyes\"\nkey = \"read-key-of-these-tests\"\nrole = \"read\"\n";
    let home = Home::new(&format!("{BEFORE}{keys}"));
    let daemon = Daemon::start_in(&home);
    let own = fs::read_to_string(home.config()).unwrap();
    fs::write(home.path("next.toml"), own.replace("grace = \"1h\"", "grace = \"30m\"")).unwrap();
    let arguments = ["check", "-c", "next.toml", "--json", "--against", &daemon.url("")];
    assert_eq!(home.run(&arguments).code, 3, "without a key");
    let mut command = home.command(&arguments);
    let ended = crate::harness::run(command.env("OVERDUE_API_KEY", "read-key-of-these-tests"), LIMIT);
    let told: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(slugs(&told["changed"]), ["graceful"], "{told}");
    assert_eq!([&told["added"], &told["removed"]], [&json!([]); 2], "{told}");
}

#[test]
fn a_folder_can_be_looked_at_while_its_daemon_writes() {
    let home = Home::new("[heartbeats.a]\ninterval = \"1d\"\n[state]\nsnapshot_interval = \"1s\"\n");
    let daemon = Daemon::start_in(&home);
    let uuid = daemon.uuid("a");
    let enough = std::sync::atomic::AtomicBool::new(false);
    let snapshots = || fs::metadata(home.state().join("snapshot.json")).and_then(|file| file.modified()).ok();
    std::thread::scope(|scope| {
        let pinging = scope.spawn(|| {
            while !enough.load(std::sync::atomic::Ordering::SeqCst) {
                daemon.ping(&uuid, "");
            }
        });
        let (first, mut seen) = (snapshots(), 0);
        // Some of the looks meet a snapshot that is being put in its place, and a journal that is cut.
        wait_until(LIMIT, "there were some looks and some snapshots", || {
            let ended = home.run(&["check", "-c", "config.toml", "--against", "state", "--json"]);
            assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
            let told: Value = serde_json::from_str(&ended.stdout).unwrap();
            assert_eq!((&told["unchanged"], &told["added"]), (&json!(1), &json!([])), "{told}");
            seen += 1;
            seen > 30 && snapshots() != first
        });
        enough.store(true, std::sync::atomic::Ordering::SeqCst);
        pinging.join().unwrap();
    });
}
