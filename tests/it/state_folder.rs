//! The state folder: who may read it, one daemon for each, and what is said when it cannot be used or
//! what is in it cannot be understood.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::harness::{Daemon, Ended, Home, LIMIT, OVERDUE, command, run};

const CONFIG: &str = "[heartbeats.db]\ninterval = \"24h\"\n";

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// A home whose daemon took pings and was killed, so that all of it is in the journal.
fn killed_after_pings() -> Home {
    let daemon = Daemon::start(CONFIG);
    let uuid = daemon.uuid("db");
    for code in 0..20 {
        daemon.ping(&uuid, &format!("/{code}"));
    }
    let home = daemon.home.clone();
    daemon.kill_9();
    home
}

/// The one file of the journal.
fn journal(home: &Home) -> PathBuf {
    let files = fs::read_dir(home.state()).unwrap().map(|file| file.unwrap().path());
    let mut journals = files.filter(|path| path.to_str().unwrap().contains("/journal-"));
    let journal = journals.next().unwrap();
    assert_eq!(journals.next(), None);
    journal
}

/// Every file of the folder with what is in it.
fn contents(home: &Home) -> Vec<(PathBuf, Vec<u8>)> {
    let files = fs::read_dir(home.state()).unwrap().map(|file| file.unwrap().path());
    let mut contents: Vec<_> = files.map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    contents.sort();
    contents
}

/// The same line or snapshot as a later version would write it: whole, and of version 2.
fn of_version_2(text: &str) -> String {
    let (body, _) = text.rsplit_once(",\"crc\":").unwrap();
    let body = body.replacen("{\"v\":1,", "{\"v\":2,", 1);
    format!("{body},\"crc\":\"{:08x}\"}}\n", crc32fast::hash(body.as_bytes()))
}

fn check_refused(ended: &Ended, code: i32, parts: &[&str]) {
    assert_eq!(ended.code, code, "{ended:?}");
    for part in parts {
        assert!(ended.stderr.contains(part), "no {part:?} in {}", ended.stderr);
    }
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
}

#[test]
fn the_folder_is_its_owners_alone_whatever_the_umask() {
    let home = Home::new(CONFIG);
    let script = format!("umask 0; exec {:?} serve --config config.toml", crate::harness::OVERDUE);
    let mut shell = command("sh", &["-c", &script]);
    let daemon = Daemon::start_as(&home, shell.current_dir(home.path("")));
    daemon.ping(&daemon.uuid("db"), "");
    assert_eq!(mode(&home.state()), 0o700);
    assert_eq!(mode(&home.state().join("ping_key")), 0o600);
    let ended = daemon.stop_and_tell();
    assert_eq!((ended.code, ended.stdout.as_str()), (0, ""), "{}", ended.stderr);
    assert!(home.state().join("snapshot.json").exists());
    let mut seen = 0;
    for file in fs::read_dir(home.state()).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(mode(&path) & 0o077, 0, "{}", path.display());
        seen += 1;
    }
    assert!(seen >= 4, "journal, snapshot, key and lock");
}

#[test]
fn the_urls_follow_from_the_ping_key_that_was_made_at_the_first_start() {
    let daemon = Daemon::start(CONFIG);
    let key = fs::read_to_string(daemon.home.state().join("ping_key")).unwrap();
    let namespace = Uuid::new_v5(&Uuid::NAMESPACE_OID, key.trim_end().as_bytes());
    let uuid = daemon.uuid("db");
    assert_eq!(uuid, Uuid::new_v5(&namespace, b"db").to_string());
    daemon.ping(&format!("{}/db", key.trim_end()), "");
    assert_eq!(daemon.heartbeat("db")["pings_total"], 1);
    assert!(!daemon.stderr().contains(key.trim_end()));
    let home = daemon.home.clone();
    assert_eq!(daemon.stop(), 0);
    assert_eq!(Daemon::start_in(&home).uuid("db"), uuid);
}

#[test]
fn a_folder_that_cannot_be_made_or_written_exits_73_and_is_named() {
    let home = Home::new(CONFIG);
    fs::write(home.path("a-file"), "").unwrap();
    // The last one holds for root too.
    for place in ["a-file", "a-file/state", "/proc/overdue"] {
        home.configure(&format!("{CONFIG}[state]\ndir = {place:?}\n"));
        check_refused(&home.serve_in_vain(), 73, &["state folder", place]);
    }
    assert_eq!(fs::read_to_string(home.path("a-file")).unwrap(), "");
}

#[test]
fn a_folder_without_the_right_to_write_exits_73_and_is_named() {
    let home = Home::new(CONFIG);
    let mode = |path: &std::path::Path, mode| {
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    };
    fs::create_dir_all(home.state()).unwrap();
    mode(&home.state(), 0o555);
    mode(&home.path(""), 0o755);
    mode(&home.path("config.toml"), 0o644);
    // Root may write everywhere, so as root it is tried as somebody else, who may not get to where it was built.
    fs::copy(OVERDUE, home.path("overdue")).unwrap();
    let mut serve = if rustix::process::geteuid().is_root() {
        command(
            "setpriv",
            &["--reuid=65534", "--clear-groups", "./overdue", "serve", "--config", "config.toml"],
        )
    } else {
        command("./overdue", &["serve", "--config", "config.toml"])
    };
    let ended = run(serve.current_dir(home.path("")), LIMIT);
    check_refused(&ended, 73, &["state folder state", "it cannot be written"]);
    assert_eq!(fs::read_dir(home.state()).unwrap().count(), 0);
    mode(&home.state(), 0o755);
}

#[test]
fn a_second_daemon_in_one_folder_exits_73_and_the_first_goes_on() {
    let first = Daemon::start(CONFIG);
    // Its folder stays as long as this does.
    let _home = first.home.clone();
    let second = Home::new(&format!("{CONFIG}[state]\ndir = {:?}\n", first.home.state()));
    let (folder, tries) = (first.home.state(), 10);
    for _ in 0..tries {
        let ended = second.serve_in_vain();
        check_refused(&ended, 73, &[folder.to_str().unwrap(), "another overdue daemon holds it"]);
        first.ping(&first.uuid("db"), "");
    }
    assert_eq!(first.stop(), 0);
    assert_eq!(Daemon::start_in(&second).heartbeat("db")["pings_total"], tries, "now it may");
    println!("{tries} second daemons in one folder, each refused; {tries} pings to the first: 0 lost");
}

#[test]
fn a_journal_of_a_newer_version_exits_74_says_so_and_is_left_alone() {
    let home = killed_after_pings();
    let path = journal(&home);
    let text = fs::read_to_string(&path).unwrap();
    let newer: String = text.lines().map(of_version_2).collect();
    fs::write(&path, &newer).unwrap();
    let before = contents(&home);
    check_refused(&home.serve_in_vain(), 74, &["state/journal-", "newer overdue", "Install that version"]);
    assert_eq!(contents(&home), before);
    fs::write(&path, text).unwrap();
    assert_eq!(Daemon::start_in(&home).heartbeat("db")["pings_total"], 20);
}

#[test]
fn a_snapshot_of_a_newer_version_exits_74_says_so_and_is_left_alone() {
    let daemon = Daemon::start(CONFIG);
    let home = daemon.home.clone();
    assert_eq!(daemon.stop(), 0);
    let path = home.state().join("snapshot.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, of_version_2(&text)).unwrap();
    let before = contents(&home);
    check_refused(&home.serve_in_vain(), 74, &["state/snapshot.json", "newer overdue"]);
    assert_eq!(contents(&home), before);
}

#[test]
fn a_damaged_journal_exits_74_with_file_and_line_and_is_left_alone() {
    let home = killed_after_pings();
    let path = journal(&home);
    let bytes = fs::read(&path).unwrap();
    // A character of the fifth line.
    let fifth = bytes.split_inclusive(|byte| *byte == b'\n').take(4).map(<[u8]>::len).sum::<usize>();
    let mut damaged = bytes.clone();
    damaged[fifth + 40] ^= 1;
    fs::write(&path, damaged).unwrap();
    let before = contents(&home);
    let place = format!("state/{}: line 5", path.file_name().unwrap().display());
    check_refused(&home.serve_in_vain(), 74, &[&place, "Restore the state folder from a backup"]);
    assert_eq!(contents(&home), before);
    fs::write(&path, bytes).unwrap();
    assert_eq!(Daemon::start_in(&home).heartbeat("db")["pings_total"], 20);
}

#[test]
fn what_was_being_written_when_the_machine_died_is_cut_with_a_warning() {
    let home = killed_after_pings();
    let path = journal(&home);
    let mut bytes = fs::read(&path).unwrap();
    let last = bytes.split_inclusive(|byte| *byte == b'\n').next_back().unwrap().to_vec();
    bytes.extend_from_slice(&last[..last.len() / 2]);
    fs::write(&path, bytes).unwrap();
    let daemon = Daemon::start_in(&home);
    assert_eq!(daemon.heartbeat("db")["pings_total"], 20, "none that was acknowledged is missing");
    let log = daemon.stderr();
    assert!(log.lines().any(|line| line.contains("WARN") && line.contains("never acknowledged")), "{log}");
}
