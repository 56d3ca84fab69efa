//! A disk that keeps what is written into files, and fails when the state folder itself is to be made durable: without
//! that a new file may be gone after a power cut, whatever was synced into it.

use std::fs;

use serde_json::json;

use crate::faults::{faulty_disk, ping_until_taken};
use crate::harness::{Daemon, Home, LIMIT, run, wait_until};

const CONFIG: &str = "[heartbeats.db]\ninterval = \"24h\"\n[state]\nsnapshot_interval = \"1s\"\n";
const EIO: &str = "Input/output error";

#[test]
fn a_folder_that_cannot_be_made_durable_costs_no_answered_ping_and_it_heals_by_itself() {
    let home = Home::new(CONFIG);
    let (library, fault) = (faulty_disk(&home), home.path("fault"));
    let mut serve = home.command(&["serve", "--config", "config.toml"]);
    let daemon = Daemon::start_as(&home, serve.env("LD_PRELOAD", library).env("FAULT", &fault));
    let uuid = daemon.uuid("db");
    daemon.ping(&uuid, "");
    let tries = || daemon.stderr().matches(EIO).count();

    // The journal's file is known to be there: what is synced into it is kept, and answered 200. With the next snapshot
    // a new one begins, of which nobody can know that it will be there.
    fs::write(&fault, "fsync-folder").unwrap();
    let mut total = 1;
    wait_until(LIMIT, "no new file of the journal can be begun", || {
        total += 1;
        let answer = daemon.get(&format!("/ping/{uuid}")).status;
        assert!(answer == 200 || answer == 503 && tries() > 0, "{answer}");
        answer == 503
    });
    assert_eq!(daemon.get("/readyz").status, 503);
    let before = tries();
    wait_until(LIMIT, "it tries to heal, twice", || {
        assert_eq!(daemon.get("/readyz").status, 503);
        tries() > before + 1
    });
    assert_eq!(daemon.get(&format!("/ping/{uuid}")).status, 503);

    fs::remove_file(&fault).unwrap();
    total += 1 + 1 + ping_until_taken(&daemon, &uuid);
    wait_until(LIMIT, "it heals by itself", || daemon.get("/readyz").status == 200);
    println!("{} failing syncs of the folder, {total} pings, 0 lost", tries());
    daemon.kill_9();
    assert_eq!(Daemon::start_in(&home).heartbeat("db")["pings_total"], json!(total));
}

#[test]
fn in_a_folder_that_cannot_be_made_durable_it_does_not_start_and_says_why() {
    let home = Home::new(CONFIG);
    let (library, fault) = (faulty_disk(&home), home.path("fault"));
    fs::write(&fault, "fsync-folder").unwrap();
    let mut serve = home.command(&["serve", "--config", "config.toml"]);
    let ended = run(serve.env("LD_PRELOAD", library).env("FAULT", &fault), LIMIT);
    assert_eq!(ended.code, 73, "{}", ended.stderr);
    assert!(ended.stderr.contains("state folder") && ended.stderr.contains(EIO), "{}", ended.stderr);
}
