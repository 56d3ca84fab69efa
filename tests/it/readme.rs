//! What `README.md` shows is tried here: every block that it marks as tested is taken out of the page and run
//! against the built program, with no change but the address, and every TOML block must be a config.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use overdue::config::{Config, Sources};
use overdue::model::schedule::Zones;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Daemon, Ended, Home, LIMIT, OVERDUE, Process, command, run, wait_until};

mod backup;
mod patience;
mod schedules;

const PAGE: &str = include_str!("../../README.md");

/// Where the page's daemon is, and the heartbeat that its examples ping.
const ADDRESS: &str = "http://127.0.0.1:8080";
const UUID: &str = "b2cdb556-4098-5c78-84b3-7d48074f605c";

const CONFIG: &str =
    "[heartbeats.backup]\ninterval = \"24h\"\nuuid = \"b2cdb556-4098-5c78-84b3-7d48074f605c\"\n";

/// What the page's jobs do here.
const FAILING: &str = "echo 'no space left'; exit 3";
const GOOD: &str = "echo '12 tables dumped'";

/// The marked blocks by name.
fn marked() -> BTreeMap<&'static str, &'static str> {
    let rest = PAGE.split("<!-- tested: ").skip(1);
    rest.map(|rest| {
        let (name, rest) = rest.split_once(" -->\n```").unwrap();
        let (_language, rest) = rest.split_once('\n').unwrap();
        (name, rest.split_once("```\n").unwrap().0)
    })
    .collect()
}

fn block(name: &str) -> &'static str {
    marked().get(name).unwrap_or_else(|| panic!("the README has no block {name}"))
}

/// A daemon that takes the pings of the page, and a folder of programs for its jobs.
struct Machine(Daemon);

impl Machine {
    fn start() -> Self {
        let machine = Self(Daemon::start(CONFIG));
        machine.programs();
        machine
    }

    fn home(&self) -> &Home {
        &self.0.home
    }

    fn programs(&self) {
        let bin = self.home().path("bin");
        fs::create_dir(&bin).unwrap();
        symlink(OVERDUE, bin.join("overdue")).unwrap();
    }

    /// What `backup.sh` does from now on.
    fn job(&self, script: &str) {
        self.program("backup.sh", &format!("#!/bin/sh\n{script}\n"));
    }

    fn program(&self, name: &str, text: &str) -> PathBuf {
        let path = self.home().path("bin").join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// A block of the page with the address of this daemon in place of the page's.
    fn block(&self, name: &str) -> String {
        block(name).replace(ADDRESS, &self.home().url())
    }

    /// The ping URL.
    fn ping_url(&self) -> String {
        format!("{}/ping/{UUID}", self.home().url())
    }

    /// A command in the home, with its programs.
    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = command(program, arguments);
        let mut path = OsString::from(self.home().path("bin"));
        path.push(":");
        path.push(env::var_os("PATH").unwrap());
        command.current_dir(self.home().path("")).env("PATH", path).env("OVERDUE_URL", self.home().url());
        command
    }

    fn bash(&self, script: &str) -> Ended {
        run(&mut self.command("bash", &["-c", script]), LIMIT)
    }

    /// Runs a crontab of one job as cron does: settings, five fields, a command with `%` escaped.
    fn cron(&self, crontab: &str) -> Ended {
        let mut settings = Vec::new();
        let mut jobs = Vec::new();
        for line in crontab.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            match line.split_once('=').filter(|(name, _)| name.bytes().all(|c| c.is_ascii_uppercase())) {
                Some(setting) => settings.push(setting),
                None => jobs.push(line),
            }
        }
        let [job] = jobs[..] else { panic!("one job is expected: {jobs:?}") };
        let mut script = job;
        for _field in 0..5 {
            script = script.split_once(' ').unwrap().1.trim_start();
        }
        assert!(!script.replace("\\%", "").contains('%'), "cron makes a newline of %: {script}");
        let shell = settings.iter().find(|(name, _)| *name == "SHELL").map_or("/bin/sh", |(_, shell)| shell);
        let script = script.replace("\\%", "%");
        run(self.command(shell, &["-c", &script]).envs(settings.iter().copied()), LIMIT)
    }

    fn heartbeat(&self) -> Value {
        self.0.try_get("/api/v1/heartbeats/backup").unwrap().json()
    }

    /// Every ping that the journal holds.
    fn pings(&self) -> Vec<Value> {
        let mut pings = Vec::new();
        for entry in fs::read_dir(self.home().state()).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "jsonl") {
                let lines = fs::read_to_string(path).unwrap();
                let records = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
                pings.extend(records.filter_map(|line| line["record"].get("pinged").cloned()));
            }
        }
        pings
    }

    fn kinds(&self) -> Vec<Value> {
        self.pings().iter().map(|ping| ping["kind"].clone()).collect()
    }
}

#[track_caller]
fn fine(ended: &Ended) {
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
}

#[track_caller]
fn silent(ended: &Ended) {
    assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.as_str()), (0, "", ""));
}

#[test]
fn no_marked_block_of_the_readme_is_left_out() {
    let tried = [
        "against",
        "api",
        "backup",
        "badges",
        "compose",
        "cron-output",
        "cron-pipestatus",
        "cron-plain",
        "cron-start",
        "events",
        "explain",
        "heartbeat-add",
        "journal-attempts",
        "journal-pings",
        "python",
        "schedules",
        "snapshot-heartbeats",
        "systemd-end",
        "tour-ping",
        "tour-start",
        "tour-status",
        "trap",
    ];
    assert_eq!(marked().into_keys().collect::<Vec<_>>(), tried);
    assert_eq!(PAGE.matches("tested:").count(), tried.len(), "no mark is misspelled");
}

/// One TOML block, and whatever secrets it asks for.
struct Toml(&'static str);

impl Sources for Toml {
    fn read(&self, path: &Path) -> io::Result<String> {
        match path.file_name().and_then(|name| name.to_str()) {
            Some("README.toml") => Ok(self.0.to_owned()),
            Some("holidays.txt") => Ok("2026-12-25 # Christmas\n".to_owned()),
            Some("ops-key") => Ok("0123456789abcdef".to_owned()),
            _ => Ok("https://example.org/hook".to_owned()),
        }
    }
    fn glob(&self, _: &Path) -> Result<Vec<PathBuf>, String> {
        Ok(Vec::new())
    }
    fn env(&self, _: &str) -> Option<String> {
        Some("a secret of the two of us".to_owned())
    }
    fn credentials_directory(&self) -> Option<PathBuf> {
        Some("/run/credentials".into())
    }
}

#[test]
fn every_toml_block_of_the_readme_is_a_config() {
    // In a list, a block is indented; TOML does not mind.
    let blocks: Vec<&str> =
        PAGE.split("```toml\n").skip(1).map(|rest| rest.split_once("```\n").unwrap().0).collect();
    assert_eq!(blocks.len(), 8, "the blocks of the page");
    for block in blocks {
        let read = Config::read(Path::new("README.toml"), &Toml(block), &Zones::bundled());
        if let Err(problems) = read {
            panic!("{block}\n{problems:?}");
        }
    }
}

#[test]
fn the_tour_goes_as_the_readme_says() {
    let home = Home::new("");
    let (setup, serve) = block("tour-start").trim_end().rsplit_once('\n').unwrap();
    assert_eq!(serve, "overdue serve --config config.toml");
    silent(&run(command("bash", &["-c", setup]).current_dir(home.path("")), LIMIT));
    home.configure(&fs::read_to_string(home.config()).unwrap());
    let machine = Machine(Daemon::start_in(&home));
    machine.programs();

    let pinged = machine.bash(block("tour-ping"));
    let first = "OKOK\nOVERDUE OK - 1 up | up=1 late=0 down=0 new=0 paused=0 running=0 deliveries_given_up=0 deliveries_waiting=0\n\nSTATUS  SLUG ";
    assert!(pinged.stdout.starts_with(first) && PAGE.contains(first), "{pinged:?}");
    assert!(pinged.stdout.contains("\nup      backup  "), "{pinged:?}");
    assert_eq!((pinged.code, pinged.stderr.as_str()), (0, ""));

    let status = || machine.bash(block("tour-status"));
    wait_until(LIMIT, "it is down", || status().code == 2);
    let down = status();
    let first = "OVERDUE CRITICAL - backup is down: missed ";
    assert!(down.stdout.starts_with(first) && PAGE.contains(first), "{down:?}");
    assert!(down.stdout.contains("\n\nNightly backup: down\n  slug         backup\n"), "{down:?}");
    assert!(down.stdout.contains("\n  incident     missed since 20"), "{down:?}");
    let alert = "\n  alerts       incident.opened to log: delivered ";
    assert!(PAGE.contains(alert), "as it is shown here:");
    wait_until(LIMIT, "its alert is delivered", || status().stdout.contains(alert));
    let log = machine.0.stderr();
    assert!(log.contains(" WARN Nightly backup: no ping for 15s (due "), "{log}");
    assert!(log.contains(" type=\"incident.opened\" heartbeat=backup incident="), "{log}");

    let listed = machine.bash(block("journal-pings"));
    let listed: Vec<Value> = listed.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [start, end] = &listed[..] else { panic!("{listed:?}") };
    assert_eq!([&start[1], &start[2]], [&json!("backup"), &json!("start")]);
    assert_eq!([&end[1], &end[2]], [&json!("backup"), &json!({ "exit": 0 })]);

    let attempts = || machine.bash(block("journal-attempts")).stdout;
    wait_until(LIMIT, "the alert is delivered", || {
        attempts().contains("\",1,{\"delivered\":{}},\"delivered\"]\n")
    });

    assert_eq!(machine.0.stop(), 0);
    let dump = run(command("bash", &["-c", block("snapshot-heartbeats")]).current_dir(home.path("")), LIMIT);
    assert!(dump.stdout.starts_with("backup\tdown\t20"), "{dump:?}");
}

#[test]
fn the_crontab_lines_send_the_code_of_a_job_that_fails_and_of_one_that_does_not() {
    for (name, starts, said) in [
        ("cron-plain", false, false),
        ("cron-start", true, false),
        ("cron-output", false, true),
        ("cron-pipestatus", false, true),
    ] {
        let machine = Machine::start();
        let crontab = machine.block(name);
        for (job, code, output, status) in
            [(FAILING, 3, "no space left", "down"), (GOOD, 0, "12 tables dumped", "up")]
        {
            let before = machine.pings().len();
            machine.job(job);
            let ended = machine.cron(&crontab);
            assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{name}");
            let heartbeat = machine.heartbeat();
            assert_eq!(heartbeat["last_exit_code"], code, "{name}");
            assert_eq!(heartbeat["status"], status, "{name}");
            assert_eq!(heartbeat["last_duration_ms"].is_number(), starts, "{name}");
            let pings = machine.pings().split_off(before);
            assert_eq!(pings.len(), 1 + usize::from(starts), "{name}");
            let body = pings.last().unwrap()["body"]["text"].as_str().map(str::trim_end).map(str::to_owned);
            assert_eq!(body.as_deref(), said.then_some(output), "{name}");
        }
    }
}

#[test]
fn the_crontab_lines_that_the_readme_warns_of_do_what_it_says() {
    let machine = Machine::start();
    machine.job(FAILING);
    let line = |command: &str| format!("PING={}\n0 0 * * *  {command}\n", machine.ping_url());
    assert!(PAGE.contains("`backup.sh && curl …/$?`"));
    machine.cron(&line("backup.sh && curl -fsS $PING/$?"));
    assert_eq!(machine.kinds(), [] as [Value; 0], "a failing job sends nothing");

    assert!(PAGE.contains("`backup.sh 2>&1 | curl --data-binary @- $PING/$?`"));
    machine.cron(&line("backup.sh 2>&1 | curl -fsS --data-binary @- $PING/$?"));
    assert_eq!(machine.kinds(), [json!({ "exit": 0 })], "it sends the code of what came before");

    machine.job("head -c 200000 /dev/zero | tr '\\0' x");
    let ended = machine.cron(&line("out=$(backup.sh); curl -fsS --data-raw \"$out\" $PING"));
    assert!(ended.stderr.contains("rgument list too long"), "{ended:?}");
    assert_eq!(machine.kinds().len(), 1, "and no ping is sent");
    silent(&machine.cron(&machine.block("cron-output")));
    assert_eq!(machine.kinds().len(), 2, "the line of the page sends it");
}

#[test]
fn the_bash_script_tells_how_it_ended_however_it_ended() {
    let machine = Machine::start();
    let script = machine.program("job", &machine.block("trap")).to_str().unwrap().to_owned();
    for (job, code) in [(GOOD, 0), (FAILING, 3)] {
        machine.job(job);
        let ended = run(&mut machine.command(&script, &[]), LIMIT);
        assert_eq!((ended.code, ended.stderr.as_str()), (code, ""));
        let heartbeat = machine.heartbeat();
        assert_eq!((&heartbeat["last_exit_code"], &heartbeat["running"]), (&json!(code), &json!(false)));
        assert!(heartbeat["last_duration_ms"].is_number());
    }
    let pings = machine.pings();
    assert_eq!(machine.kinds(), ["start".into(), json!({"exit": 0}), "start".into(), json!({"exit": 3})]);
    assert!(pings[0]["rid"].is_string());
    assert_eq!(pings[0]["rid"], pings[1]["rid"]);
    assert_ne!(pings[1]["rid"], pings[2]["rid"]);

    machine.job("touch began; while [ ! -e stop ]; do sleep 0.05; done");
    let mut killed = Process::spawn(&mut machine.command(&script, &[]));
    wait_until(LIMIT, "the job runs", || machine.home().path("began").exists());
    killed.signal(Signal::TERM);
    fs::write(machine.home().path("stop"), "").unwrap();
    assert_eq!(killed.wait(LIMIT), Some(143));
    assert_eq!(machine.heartbeat()["last_exit_code"], 143, "a killed job is no success");
}

#[test]
fn the_script_for_systemd_knows_every_way_in_which_a_service_ends() {
    let machine = Machine::start();
    let end = machine.program("overdue-end", &machine.block("systemd-end")).to_str().unwrap().to_owned();
    for (result, status, expected) in [
        ("success", Some("0"), json!({ "exit": 0 })),
        ("success", Some("3"), json!({ "exit": 0 })),
        ("exit-code", Some("3"), json!({ "exit": 3 })),
        ("exit-code", None, json!("fail")),
        ("signal", Some("TERM"), json!("fail")),
        ("timeout", Some("0"), json!("fail")),
        ("oom-kill", Some("KILL"), json!("fail")),
    ] {
        let mut command = machine.command(&end, &[]);
        command.env("PING", machine.ping_url()).env("SERVICE_RESULT", result);
        command.envs(status.map(|status| ("EXIT_STATUS", status)));
        silent(&run(&mut command, LIMIT));
        assert_eq!(machine.kinds().last(), Some(&expected), "{result} {status:?}");
    }
}

#[test]
fn the_compose_file_pings_and_ends_with_the_code_of_the_job() {
    let machine = Machine::start();
    let text = machine.block("compose");
    let (_, script) = text.split_once("- |\n").unwrap();
    assert!(!script.replace("$$", "").contains('$'), "Compose takes a single $ for itself");
    let script = script.replace("$$", "$");
    for (job, code) in [(FAILING, 3), (GOOD, 0)] {
        machine.job(job);
        let mut command = machine.command("/bin/sh", &["-c", &script]);
        let ended = run(command.env("PING", machine.ping_url()), LIMIT);
        assert_eq!((ended.code, ended.stderr.as_str()), (code, ""));
        assert_eq!(machine.heartbeat()["last_exit_code"], code);
    }
    assert_eq!(machine.kinds().iter().filter(|kind| **kind == "start").count(), 2);
}

#[test]
fn the_python_job_tells_its_end_and_its_traceback() {
    let machine = Machine::start();
    fs::write(machine.home().path("job.py"), block("python")).unwrap();
    for (job, code, kind) in
        [("pass", 0, json!({ "exit": 0 })), ("raise ValueError('no space left')", 1, json!("fail"))]
    {
        fs::write(machine.home().path("backup.py"), job).unwrap();
        let mut command = machine.command("python3", &["-B", "job.py"]);
        let ended = run(command.env("PING", machine.ping_url()), LIMIT);
        assert_eq!(ended.code, code, "{ended:?}");
        assert_eq!(machine.kinds().split_off(machine.kinds().len() - 2), ["start".into(), kind]);
    }
    let pings = machine.pings();
    let body = pings.last().unwrap()["body"]["text"].as_str().unwrap();
    assert!(body.ends_with("ValueError: no space left\n"), "{body}");
}

#[test]
fn the_calls_of_the_api_answer_as_the_readme_says() {
    let machine = Machine::start();
    machine.job(FAILING);
    fine(&machine.cron(&machine.block("cron-plain")));
    let ended = machine.bash(&format!("set -e\n{}", machine.block("api")));
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    let (made, rest) = ended.stdout.split_once('}').unwrap();
    let made: Value = serde_json::from_str(&format!("{made}}}")).unwrap();
    assert_eq!((&made["slug"], &made["interval_seconds"]), (&json!("backup-postgresql"), &json!(86_400)));
    let lines: Vec<&str> = rest.lines().collect();
    assert_eq!(lines[..2], ["backup", r#"["30m",["db"]]"#], "the one that is down, and the changed one");
    assert!(lines[2].starts_with("20") && lines[3] == "new", "{lines:?}");
    assert!(lines[4].starts_with("backup failed since 20"), "{lines:?}");
    assert!(lines[5].len() == 36 && lines[6] == "\"test\"", "{lines:?}");
    let counts = r#"{"total":2,"new":1,"up":0,"late":0,"down":1,"paused":0,"running":0}"#;
    assert_eq!(lines[7], counts);
    let ready: Value = serde_json::from_str(&lines[8..].concat()).unwrap();
    assert_eq!((&ready["ready"], &ready["config"]["ok"]), (&json!(true), &json!(true)));
}

#[test]
fn the_events_of_the_page_show_as_it_says() {
    let machine = Machine::start();
    let follower = Process::spawn(&mut machine.command("bash", &["-c", &machine.block("events")]));
    let shows = |words: &[&str]| {
        wait_until(LIMIT, &format!("{words:?} show: {}", follower.stderr()), || {
            let text = follower.stdout();
            let lines: Vec<_> = text.lines().filter_map(|line| line.split_once(' ')).collect();
            lines.iter().all(|(at, _)| at.starts_with("20"))
                && lines.iter().map(|(_, rest)| *rest).eq(words.iter().copied())
        });
    };
    shows(&["hello null"]);
    assert_eq!(machine.bash(&format!("curl -fsS {}/3", machine.ping_url())).stdout, "OK");
    shows(&[
        "hello null",
        "ping backup",
        "incident.opened backup",
        "delivery.queued backup",
        "delivery.attempted backup",
    ]);
}

#[test]
fn a_heartbeat_that_the_command_line_makes_is_there_and_its_url_pings_it() {
    let machine = Machine::start();
    let made = machine.bash(machine.block("heartbeat-add").as_str());
    fine(&made);
    let (url, what_to_do) = made.stdout.trim_end().split_once('\n').unwrap();
    assert!(
        what_to_do.starts_with("Let the job request it when it is done, with its exit code: curl "),
        "{made:?}"
    );
    assert_eq!(machine.bash(&format!("curl -fsS {url}")).stdout, "OK");
    let made = machine.0.heartbeat("sync-photos");
    assert_eq!(
        (&made["status"], &made["grace"], &made["tags"]),
        (&json!("up"), &json!("15m"), &json!(["photos"]))
    );
}

#[test]
fn an_alert_that_cannot_be_delivered_is_told_at_once_and_once() {
    let channel = "[channels.ops]\ntype = \"webhook\"\nurl = \"http://127.0.0.1:9/secret-path\"\n";
    let machine = Machine(Daemon::start(&format!("{CONFIG}channels = [\"ops\"]\n{channel}")));
    machine.0.ping(UUID, "/fail");
    let told =
        || machine.0.stderr().matches(" WARN an alert could not be delivered; it is tried again ").count();
    wait_until(LIMIT, "it is told", || told() > 0);
    let attempts = || {
        let listed = machine.bash(block("journal-attempts")).stdout;
        listed.lines().filter(|line| line.contains("\"failed\"")).count()
    };
    wait_until(LIMIT, "it is tried again", || attempts() > 1);
    let log = machine.0.stderr();
    assert_eq!(told(), 1, "{log}");
    assert!(log.contains(" channel=ops heartbeat=backup error="), "{log}");
    assert!(!log.contains("secret-path"), "{log}");
}
