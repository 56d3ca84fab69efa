//! What `README.md` says of backups.

use super::*;
use crate::harness::curl;

#[test]
fn a_copy_of_a_running_state_folder_can_be_started_from() {
    let machine = Machine::start();
    machine.job(FAILING);
    fine(&machine.cron(&machine.block("cron-plain")));
    let before = machine.heartbeat();
    let badge = machine.bash(&machine.block("badges")).stdout;
    assert!(badge.starts_with(&format!("{{\"svg\":\"{}/badge/", machine.home().url())), "{badge}");
    let badge: Value = serde_json::from_str(&badge).unwrap();
    machine.bash(block("backup"));

    let restored = Home::new(CONFIG);
    fs::rename(machine.home().path("backup"), restored.state()).unwrap();
    let restarted = Machine(Daemon::start_in(&restored));
    let after = restarted.heartbeat();
    let badge = badge["json"].as_str().unwrap().replace(&machine.home().url(), &restored.url());
    assert_eq!(curl(&[&badge]).stdout, "{\"status\":\"down\"}", "the badge has its address still");
    assert_eq!(before["status"], "down");
    for key in ["uuid", "status", "last_ping_at", "last_exit_code", "pings_total", "next_due_at"] {
        assert_eq!(before[key], after[key], "{key}");
    }
    assert_eq!(before["incident"]["id"], after["incident"]["id"]);
}
