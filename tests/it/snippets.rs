//! What a heartbeat's page offers to copy is taken out of the page of the running program and run, with no change
//! but the job: it must tell how the job ended, and never change how it ends, also when nobody listens.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Daemon, Ended, Home, LIMIT, Process, command, run, wait_until};
use crate::receiver::{Receiver, Reply};

mod powershell;

const CONFIG: &str = "[heartbeats.backup]\nname = \"A 'job' \\\"of\\\" $(many) `names` <b>&\"\ncron = \"30 2 * * 1-5\"\n\
     timezone = \"Europe/Berlin\"\n";

/// How jobs end here: what is run, the exit code, whether it is well.
const ENDS: [(&str, u8); 2] = [("echo 'no space left'; exit 3", 3), ("echo '12 tables dumped'", 0)];

/// A daemon, what its page offers, and a folder of programs for the jobs.
struct Place {
    home: Home,
    daemon: Option<Daemon>,
    page: String,
}

impl Place {
    fn start() -> Self {
        let daemon = Daemon::start(CONFIG);
        let page = daemon.try_get("/heartbeats/backup").unwrap();
        assert_eq!(page.status, 200);
        let home = daemon.home.clone();
        fs::create_dir(home.path("bin")).unwrap();
        Self { home, page: page.text(), daemon: Some(daemon) }
    }

    /// The text of a snippet, as a browser copies it.
    fn snippet(&self, id: &str) -> String {
        let begin = format!("<pre id=\"snippet-{id}\"");
        let rest = self.page.split(&begin).nth(1).unwrap_or_else(|| panic!("no snippet {id}: {}", self.page));
        let (_, rest) = rest.split_once('>').unwrap();
        let escaped = rest.split_once("</pre>").unwrap().0;
        assert!(!escaped.contains('<'), "{escaped}");
        let mut text = escaped.to_owned();
        for (entity, letter) in
            [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&#38;", "&")]
        {
            text = text.replace(entity, letter);
        }
        text
    }

    /// What `backup.sh` does from now on.
    fn job(&self, script: &str) {
        self.program("backup.sh", &format!("#!/bin/sh\n{script}\n"));
    }

    fn program(&self, name: &str, text: &str) -> PathBuf {
        let path = self.home.path("bin").join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = command(program, arguments);
        let mut path = OsString::from(self.home.path("bin"));
        path.push(":");
        path.push(env::var_os("PATH").unwrap());
        command.current_dir(self.home.path("")).env("PATH", path);
        command
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Ended {
        run(&mut self.command(program, arguments), LIMIT)
    }

    /// From here on nobody listens.
    fn stop_daemon(&mut self) {
        assert_eq!(self.daemon.take().unwrap().stop(), 0);
    }

    fn heartbeat(&self) -> Value {
        self.daemon.as_ref().unwrap().try_get("/api/v1/heartbeats/backup").unwrap().json()
    }

    /// The pings that came, the newest first.
    fn pings(&self) -> Vec<Value> {
        let path = "/api/v1/heartbeats/backup/pings?bodies=true";
        let answer = self.daemon.as_ref().unwrap().try_get(path).unwrap().json();
        answer["pings"].as_array().unwrap().clone()
    }

    /// A start and an end with this code, and nothing else, are all that came since there were so many pings.
    #[track_caller]
    fn told(&self, before: usize, code: u8, what: &str) {
        let heartbeat = self.heartbeat();
        assert_eq!(heartbeat["last_exit_code"], code, "{what}");
        assert_eq!(heartbeat["status"], if code == 0 { "up" } else { "down" }, "{what}");
        assert_eq!(heartbeat["running"], false, "{what}");
        assert!(heartbeat["last_duration_ms"].is_number(), "{what}: {heartbeat}");
        let pings = self.pings();
        assert_eq!(pings.len(), before + 2, "{what}: {pings:?}");
        assert_eq!((&pings[1]["kind"], &pings[0]["exit_code"]), (&json!("start"), &json!(code)), "{what}");
    }

    /// Runs it with a good and with a failing job, and once more when nobody listens: the code is the job's.
    fn try_all(mut self, what: &str, go: impl Fn(&Self) -> Ended) {
        for (job, code) in ENDS {
            self.job(job);
            let before = self.pings().len();
            let ended = go(&self);
            assert_eq!((ended.code, ended.stderr.as_str()), (i32::from(code), ""), "{what}");
            self.told(before, code, what);
        }
        self.stop_daemon();
        for (job, code) in ENDS {
            self.job(job);
            assert_eq!(go(&self).code, i32::from(code), "{what}, when nobody listens");
        }
    }
}

/// Runs a crontab of one job as cron does: settings, five fields, a command with `%` escaped.
fn cron(place: &Place, crontab: &str) -> Ended {
    let (setting, job) = crontab.trim_end().split_once('\n').unwrap();
    let (name, url) = setting.split_once('=').unwrap();
    let mut script = job.strip_prefix("30 2 * * 1-5 ").unwrap_or_else(|| panic!("{job}")).trim_start();
    assert!(!script.replace("\\%", "").contains('%'), "cron makes a newline of %: {script}");
    let unescaped = script.replace("\\%", "%");
    script = &unescaped;
    run(place.command("/bin/sh", &["-c", script]).env(name, url), LIMIT)
}

#[test]
fn the_lines_of_the_crontab_tell_the_code_and_keep_it() {
    for id in ["cron", "cron-output"] {
        let place = Place::start();
        let crontab = place.snippet(id);
        place.try_all(id, |place| {
            let ended = cron(place, &crontab);
            let said = place.daemon.as_ref().map(|_| place.pings()[0]["body"]["text"].clone());
            if let (Some(said), "cron-output") = (said, id) {
                let said = said.as_str().unwrap();
                assert!(["no space left", "12 tables dumped"].contains(&said.trim_end()), "{said:?}");
            }
            ended
        });
    }
}

#[test]
fn the_bash_script_tells_how_it_ends_also_when_it_is_killed() {
    let place = Place::start();
    let script = place.program("job", &place.snippet("bash")).to_str().unwrap().to_owned();
    place.job("touch began; while [ ! -e stop ]; do sleep 0.05; done");
    let mut killed = Process::spawn(&mut place.command(&script, &[]));
    wait_until(LIMIT, "the job runs", || place.home.path("began").exists());
    killed.signal(Signal::TERM);
    fs::write(place.home.path("stop"), "").unwrap();
    assert_eq!(killed.wait(LIMIT), Some(143));
    place.told(0, 143, "killed");
    place.try_all("bash", |place| place.run(&script, &[]));
}

#[test]
fn the_python_job_tells_how_it_ends_also_when_it_is_killed() {
    let mut place = Place::start();
    fs::write(place.home.path("job.py"), place.snippet("python")).unwrap();
    let backup = |place: &Place, text: &str| fs::write(place.home.path("backup.py"), text).unwrap();
    let go = |place: &Place| place.run("python3", &["-B", "job.py"]);
    for (text, code) in [("pass", 0), ("import sys; sys.exit(3)", 3), ("raise SystemExit", 0)] {
        let before = place.pings().len();
        backup(&place, text);
        assert_eq!(go(&place).code, i32::from(code), "{text}");
        place.told(before, code, text);
    }
    backup(&place, "import sys; sys.exit('no space left')");
    assert_eq!(go(&place).code, 1);
    assert_eq!(place.heartbeat()["last_exit_code"], 1);

    backup(&place, "raise ValueError('no space left')");
    assert_eq!(go(&place).code, 1);
    let last = &place.pings()[0];
    assert_eq!(last["kind"], "fail");
    assert!(last["body"]["text"].as_str().unwrap().ends_with("ValueError: no space left\n"), "{last}");

    backup(&place, "import time\nopen('began', 'w').close()\nwhile True: time.sleep(0.05)");
    let mut killed = Process::spawn(&mut place.command("python3", &["-B", "job.py"]));
    wait_until(LIMIT, "the job runs", || place.home.path("began").exists());
    killed.signal(Signal::TERM);
    assert_eq!(killed.wait(LIMIT), Some(143));
    assert_eq!(place.heartbeat()["last_exit_code"], 143);

    place.stop_daemon();
    for (text, code) in [("pass", 0), ("import sys; sys.exit(3)", 3), ("raise ValueError", 1)] {
        backup(&place, text);
        let ended = go(&place);
        assert_eq!(ended.code, code, "{text}: {ended:?}");
        assert!(ended.stderr.contains("overdue: "), "it says so: {ended:?}");
    }
}

/// As `curl --retry` does: what a limit refuses is taken a moment later.
#[test]
fn the_python_job_tries_again_what_is_refused_for_now_and_nothing_that_is_refused_for_good() {
    let place = Place::start();
    fs::write(place.home.path("backup.py"), "import sys; sys.exit(3)").unwrap();
    let url = place.heartbeat()["ping_url"].as_str().unwrap().to_owned();
    for (refusal, tries) in [(429, 2), (408, 2), (503, 2), (404, 1)] {
        let receiver = Receiver::start();
        receiver.reply_with({
            let asked = std::sync::Mutex::new(Vec::new());
            move |request| {
                let mut asked = asked.lock().unwrap();
                asked.push(request.path.clone());
                let first = asked.iter().filter(|path| **path == request.path).count() == 1;
                Reply::Status(if first { refusal } else { 200 })
            }
        });
        let job = place.snippet("python").replace(&url, &receiver.url("/ping"));
        fs::write(place.home.path("job.py"), job).unwrap();
        let ended = place.run("python3", &["-B", "job.py"]);
        assert_eq!((ended.code, ended.stderr.is_empty()), (3, tries == 2), "{refusal}: {ended:?}");
        let paths: Vec<String> = receiver.received().into_iter().map(|request| request.path).collect();
        let told: Vec<&str> =
            ["/ping/start", "/ping/3"].into_iter().flat_map(|path| vec![path; tries]).collect();
        assert_eq!(paths, told, "{refusal}");
    }
}

#[test]
fn the_drop_in_is_one_that_systemd_takes_and_its_commands_tell_the_end() {
    let mut place = Place::start();
    let end = place.program("overdue-end", &place.snippet("systemd-end"));
    let drop_in = place.snippet("systemd");
    let unit = drop_in.replace("/usr/local/bin/overdue-end", end.to_str().unwrap());
    assert_ne!(drop_in, unit);
    let path = place.home.path("backup.service");
    fs::write(&path, format!("{unit}ExecStart=/bin/true\n")).unwrap();
    let ended = place.run("systemd-analyze", &["verify", "--man=no", path.to_str().unwrap()]);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));

    let value = |key: &str| {
        let line = drop_in.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).unwrap();
        line.to_owned()
    };
    let url = value("Environment").strip_prefix("PING=").unwrap().replace("%%", "%");
    // systemd fills in ${PING} as a shell does in quotes.
    let start = value("ExecStartPre").strip_prefix('-').unwrap().replace("${PING}/start", "\"$PING/start\"");
    assert_eq!(value("ExecStopPost"), "-/usr/local/bin/overdue-end");
    for (result, status, code) in [
        ("success", Some("0"), Some(0)),
        ("exit-code", Some("3"), Some(3)),
        ("signal", Some("TERM"), None),
        ("timeout", Some("0"), None),
        ("exit-code", None, None),
    ] {
        let before = place.pings().len();
        assert_eq!(run(place.command("/bin/sh", &["-c", &start]).env("PING", &url), LIMIT).code, 0);
        let mut stop = place.command(end.to_str().unwrap(), &[]);
        stop.env("PING", &url).env("SERVICE_RESULT", result);
        stop.envs(status.map(|status| ("EXIT_STATUS", status)));
        assert_eq!(run(&mut stop, LIMIT).code, 0);
        match code {
            Some(code) => place.told(before, code, result),
            None => assert_eq!(place.pings()[0]["kind"], "fail", "{result}"),
        }
    }
    place.stop_daemon();
    // They fail then, and the - before each keeps that from the service.
    assert_ne!(run(place.command("/bin/sh", &["-c", &start]).env("PING", &url), LIMIT).code, 0);
    assert!(drop_in.contains("\nExecStartPre=-/") && drop_in.contains("\nExecStopPost=-/"), "{drop_in}");
}

/// Where the script of a container stands, and its variable.
#[derive(Clone, Copy)]
enum Manifest {
    Compose,
    Kubernetes,
}

/// The Python that `tests/run` made ready, which has readers of YAML and of PowerShell.
fn python() -> String {
    env::var("OVERDUE_CRONSIM_PYTHON").unwrap_or_else(|_| "python3".to_owned())
}

/// A YAML text as JSON, when this machine has a Python with a YAML reader.
fn yaml(place: &Place, text: &str) -> Option<Value> {
    let python = python();
    if place.run(&python, &["-c", "import yaml"]).code != 0 {
        return None;
    }
    fs::write(place.home.path("manifest.yaml"), text).unwrap();
    let read = "import json, yaml; print(json.dumps(yaml.safe_load(open('manifest.yaml'))))";
    let ended = place.run(&python, &["-c", read]);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{text}");
    Some(serde_json::from_str(&ended.stdout).unwrap())
}

/// The shell command of a manifest, with its URL, as the container gets them.
fn container(text: &str, manifest: Manifest) -> (String, String) {
    let (head, script) = text.split_once("- |\n").unwrap();
    let indent = script.len() - script.trim_start().len();
    let script: String = script.lines().map(|line| format!("{}\n", &line[indent..])).collect();
    let key = match manifest {
        Manifest::Compose => "PING: \"",
        Manifest::Kubernetes => "value: \"",
    };
    let url = head.split(key).nth(1).unwrap().split('"').next().unwrap().to_owned();
    match manifest {
        Manifest::Compose => {
            assert!(!script.replace("$$", "").contains('$'), "Compose takes a single $ for itself");
            (url, script.replace("$$", "$"))
        }
        Manifest::Kubernetes => {
            assert!(!script.contains("$("), "Kubernetes takes $( for itself");
            (url, script)
        }
    }
}

#[test]
fn the_manifests_are_yaml_and_their_containers_tell_the_code_and_keep_it() {
    for (id, manifest) in [("compose", Manifest::Compose), ("kubernetes", Manifest::Kubernetes)] {
        let place = Place::start();
        let text = place.snippet(id);
        let (url, script) = container(&text, manifest);
        if let Some(read) = yaml(&place, &text) {
            let (command, environment) = match manifest {
                Manifest::Compose => {
                    let backup = &read["services"]["backup"];
                    let script = backup["command"][0].as_str().unwrap().replace("$$", "$");
                    (json!([backup["entrypoint"], script]), backup["environment"]["PING"].clone())
                }
                Manifest::Kubernetes => {
                    assert_eq!((&read["kind"], &read["apiVersion"]), (&json!("CronJob"), &json!("batch/v1")));
                    assert_eq!(read["metadata"]["name"], "backup");
                    assert_eq!(read["spec"]["schedule"], "30 2 * * 1-5");
                    assert_eq!(read["spec"]["timeZone"], "Europe/Berlin");
                    let pod = &read["spec"]["jobTemplate"]["spec"]["template"]["spec"];
                    assert_eq!(pod["restartPolicy"], "Never");
                    let job = &pod["containers"][0];
                    assert_eq!(job["env"][0]["name"], "PING");
                    (json!([job["command"], job["args"][0]]), job["env"][0]["value"].clone())
                }
            };
            assert_eq!(command, json!([["/bin/sh", "-c"], script]), "{id}");
            assert_eq!(environment, url.as_str(), "{id}");
        }
        place.try_all(id, |place| run(place.command("/bin/sh", &["-c", &script]).env("PING", &url), LIMIT));
    }
}

#[test]
fn a_container_that_is_stopped_stops_its_job_and_tells_it() {
    for (id, manifest) in [("compose", Manifest::Compose), ("kubernetes", Manifest::Kubernetes)] {
        let place = Place::start();
        let (url, script) = container(&place.snippet(id), manifest);
        place.job("trap 'touch stopped; exit 0' TERM; touch began; while :; do sleep 0.05; done");
        let mut stopped = Process::spawn(place.command("/bin/sh", &["-c", &script]).env("PING", &url));
        wait_until(LIMIT, "the job runs", || place.home.path("began").exists());
        stopped.signal(Signal::TERM);
        assert_eq!(stopped.wait(LIMIT), Some(143), "{id}");
        assert!(place.home.path("stopped").exists(), "{id}: the job heard of it");
        place.told(0, 143, id);
    }
}

#[test]
fn the_page_shows_the_ping_url_itself() {
    let place = Place::start();
    let heartbeat = place.heartbeat();
    let url = heartbeat["ping_url"].as_str().unwrap();
    assert!(place.page.contains(&format!("<code id=\"ping-url\">{url}</code>")), "{}", place.page);
}
