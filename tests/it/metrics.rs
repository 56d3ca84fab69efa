//! `/metrics` of the built daemon: what happens shows in its numbers, promtool is content with them, and what
//! `docs/grafana.json` and `docs/alerts.yml` ask for is there.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Daemon, Ended, Home, LIMIT, command, curl, run, wait_until};
use crate::receiver::{Receiver, Reply};

const EMPTY: &str = "[heartbeats]\n";
const OPEN: (&str, &str) = ("Accept", "application/openmetrics-text; version=1.0.0");

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn promtool(arguments: &[&str]) -> Ended {
    run(&mut command("promtool", arguments), LIMIT)
}

fn metrics(daemon: &Daemon) -> String {
    let answer = daemon.get("/metrics");
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.text()
}

/// The value of one series, as it is written.
fn value(text: &str, series: &str) -> Option<f64> {
    let mut lines = text.lines();
    lines.find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
}

/// Waits until a series has a value that `holds` takes, and gives the whole text back.
fn wait_for_value(daemon: &Daemon, series: &str, holds: impl Fn(f64) -> bool) -> String {
    let mut text = String::new();
    wait_until(LIMIT, series, || {
        text = metrics(daemon);
        value(&text, series).is_some_and(&holds)
    });
    text
}

/// What promtool has to say of the text.
fn checked(daemon: &Daemon) -> Ended {
    let shell = format!("curl -s --noproxy '*' {}/metrics | promtool check metrics", daemon.home.url());
    run(&mut command("sh", &["-c", &shell]), LIMIT)
}

fn assert_content(ended: &Ended) {
    assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.as_str()), (0, "", ""));
}

/// A daemon to which everything has happened that its numbers speak of, and its receiver.
fn eventful() -> (Daemon, Receiver) {
    let receiver = Receiver::start();
    let daemon = Daemon::start(&format!(
        "{}[defaults]\nchannels = [\"ops\"]\ngrace = \"0s\"\n[heartbeats.fails]\ninterval = \"1d\"\n\
         [heartbeats.misses]\ninterval = \"1s\"\nawait_first_ping = true\n\
         [heartbeats.paused]\ninterval = \"1d\"\npaused = true\n",
        receiver.channel("ops")
    ));
    let fails = daemon.uuid("fails");
    for suffix in ["/start", "", "/start", "/7", "/log"] {
        daemon.ping(&fails, suffix);
    }
    daemon.ping(&daemon.uuid("paused"), "");
    daemon.ping(&daemon.uuid("misses"), "");
    daemon.wait_for_status("misses", "down");
    receiver.wait_for_alert("incident.opened", "misses");
    receiver.wait_for_alert("incident.opened", "fails");
    let delivered = "overdue_deliveries_ended_total{channel=\"ops\",status=\"delivered\"}";
    wait_for_value(&daemon, delivered, |delivered| delivered >= 2.0);
    (daemon, receiver)
}

#[test]
fn what_happens_shows_in_the_numbers() {
    let (daemon, _receiver) = eventful();
    let text = metrics(&daemon);
    let shown = daemon.heartbeat("fails");
    for (series, wanted) in [
        (concat!("overdue_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"}"), 1.0),
        ("overdue_heartbeats{status=\"down\"}", 2.0),
        ("overdue_heartbeats{status=\"paused\"}", 1.0),
        ("overdue_heartbeats{status=\"up\"}", 0.0),
        ("overdue_heartbeats_running", 0.0),
        ("overdue_incidents_open", 2.0),
        ("overdue_heartbeat_series_enabled", 1.0),
        ("overdue_heartbeat_up{heartbeat=\"fails\"}", 0.0),
        ("overdue_heartbeat_up{heartbeat=\"misses\"}", 0.0),
        ("overdue_heartbeat_up{heartbeat=\"paused\"}", 1.0),
        ("overdue_heartbeat_pings_total{heartbeat=\"fails\"}", 5.0),
        ("overdue_heartbeat_pings_total{heartbeat=\"paused\"}", 1.0),
        ("overdue_heartbeat_runs_total{heartbeat=\"fails\",outcome=\"success\"}", 1.0),
        ("overdue_heartbeat_runs_total{heartbeat=\"fails\",outcome=\"failure\"}", 1.0),
        ("overdue_heartbeat_consecutive_failures{heartbeat=\"fails\"}", 1.0),
        ("overdue_pings_total{kind=\"start\"}", 2.0),
        ("overdue_pings_total{kind=\"success\"}", 2.0),
        ("overdue_pings_total{kind=\"exit\"}", 1.0),
        ("overdue_pings_total{kind=\"log\"}", 1.0),
        ("overdue_pings_total{kind=\"ignored\"}", 1.0),
        ("overdue_alerts_total{type=\"opened\"}", 2.0),
        ("overdue_alerts_total{type=\"resolved\"}", 0.0),
        ("overdue_delivery_attempts_total{channel=\"ops\",outcome=\"delivered\"}", 2.0),
        ("overdue_delivery_attempts_total{channel=\"ops\",outcome=\"failed\"}", 0.0),
        ("overdue_deliveries_waiting{channel=\"ops\"}", 0.0),
        ("overdue_delivery_latency_seconds_count{channel=\"ops\"}", 2.0),
        ("overdue_journal_writable", 1.0),
        ("overdue_config_last_reload_successful", 1.0),
        ("overdue_config_problems", 0.0),
    ] {
        assert_eq!(value(&text, series), Some(wanted), "{series}");
    }
    for (series, field) in [
        ("overdue_heartbeat_last_ping_timestamp_seconds", "last_ping_at"),
        ("overdue_heartbeat_last_success_timestamp_seconds", "last_success_at"),
        ("overdue_heartbeat_next_due_timestamp_seconds", "next_due_at"),
    ] {
        let at: jiff::Timestamp = shown[field].as_str().unwrap().parse().unwrap();
        let told = value(&text, &format!("{series}{{heartbeat=\"fails\"}}")).unwrap();
        assert_eq!((told * 1_000.0).round() as i64, at.as_millisecond(), "{field}");
    }
    let duration = value(&text, "overdue_heartbeat_last_duration_seconds{heartbeat=\"fails\"}").unwrap();
    assert_eq!((duration * 1_000.0).round() as i64, shown["last_duration_ms"].as_i64().unwrap());
    for series in ["overdue_journal_fsync_seconds_count", "overdue_journal_append_seconds_count"] {
        assert!(value(&text, series).unwrap() >= 5.0, "{series}: each ping waited for one");
    }
    assert!(value(&text, "overdue_journal_records_total").unwrap() >= 10.0);
    assert!(value(&text, "overdue_loop_lag_seconds_count").unwrap() >= 1.0);
}

#[test]
fn a_receiver_that_fails_shows_until_it_is_given_up() {
    let receiver = Receiver::start();
    receiver.reply(Reply::Status(500));
    let channel = receiver.channel("ops");
    let daemon = Daemon::start(&format!(
        "{channel}retry_for = \"1d\"\n[heartbeats.a]\ninterval = \"1d\"\nchannels = [\"ops\"]\n"
    ));
    daemon.ping(&daemon.uuid("a"), "/fail");
    let failed = "overdue_delivery_attempts_total{channel=\"ops\",outcome=\"failed\"}";
    let text = wait_for_value(&daemon, failed, |failed| failed >= 1.0);
    assert_eq!(value(&text, "overdue_deliveries_waiting{channel=\"ops\"}"), Some(1.0));
    let now = jiff::Timestamp::now().as_millisecond() as f64 / 1_000.0;
    let since = value(&text, "overdue_deliveries_oldest_queued_timestamp_seconds").unwrap();
    assert!((0.0..60.0).contains(&(now - since)), "{since} at {now}");
    receiver.reply(Reply::Status(410));
    let given_up = "overdue_deliveries_ended_total{channel=\"ops\",status=\"given_up\"}";
    assert_eq!(value(&text, given_up), Some(0.0), "it is there before the first one");
    // What waits is asked for before what is counted is read.
    let waiting = "overdue_deliveries_waiting{channel=\"ops\"}";
    let text = wait_for_value(&daemon, waiting, |waiting| waiting < 1.0);
    assert_eq!(value(&text, given_up), Some(1.0));
    assert_eq!(
        value(&text, "overdue_delivery_attempts_total{channel=\"ops\",outcome=\"refused\"}"),
        Some(1.0)
    );
    assert_eq!(value(&text, "overdue_deliveries_oldest_queued_timestamp_seconds"), None);
    assert_eq!(value(&text, "overdue_delivery_latency_seconds_count{channel=\"ops\"}"), Some(0.0));
}

#[test]
fn counts_of_a_heartbeat_outlive_the_daemon_and_a_stop_is_a_blind_window() {
    let home = Home::new("[heartbeats.a]\ninterval = \"1d\"\n[state]\nkeep_runs = 1\n");
    let daemon = Daemon::start_in(&home);
    for _ in 0..3 {
        daemon.ping(&daemon.uuid("a"), "");
    }
    daemon.kill_9();
    let daemon = Daemon::start_in(&home);
    daemon.ping(&daemon.uuid("a"), "");
    let text = metrics(&daemon);
    let runs = "overdue_heartbeat_runs_total{heartbeat=\"a\",outcome=\"success\"}";
    assert_eq!(value(&text, runs), Some(4.0), "though one run is kept");
    assert_eq!(value(&text, "overdue_pings_total{kind=\"success\"}"), Some(1.0), "since the start");
    assert!(value(&text, "overdue_blind_seconds_total{why=\"not_running\"}").unwrap() > 0.0);
}

#[test]
fn a_config_with_problems_shows_and_the_limit_applies_live() {
    let heartbeats = "[heartbeats.a]\ninterval = \"1d\"\n[heartbeats.b]\ninterval = \"1d\"\n";
    let daemon = Daemon::start(heartbeats);
    let before = value(&metrics(&daemon), "overdue_config_last_reload_success_timestamp_seconds").unwrap();
    daemon.home.configure("[heartbeats.a]\nintervall = \"1d\"\n");
    let text = wait_for_value(&daemon, "overdue_config_last_reload_successful", |ok| ok < 1.0);
    assert_eq!(value(&text, "overdue_config_problems"), Some(2.0));
    assert_eq!(value(&text, "overdue_config_last_reload_success_timestamp_seconds"), Some(before));
    assert!(text.contains("overdue_heartbeat_up{heartbeat=\"b\"} 1"), "the old one goes on");
    daemon.home.configure(&format!("{heartbeats}[server]\nmetrics_heartbeats = 1\n"));
    let text = wait_for_value(&daemon, "overdue_config_last_reload_successful", |ok| ok > 0.0);
    assert!(value(&text, "overdue_config_last_reload_success_timestamp_seconds").unwrap() > before);
    assert_eq!(value(&text, "overdue_heartbeat_series_enabled"), Some(0.0));
    assert!(!text.contains("heartbeat=\""), "only sums above the limit");
    assert_eq!(value(&text, "overdue_heartbeats{status=\"new\"}"), Some(2.0));
}

#[test]
fn promtool_says_nothing_against_an_empty_daemon_or_a_full_one() {
    let empty = Daemon::start(EMPTY);
    assert_content(&checked(&empty));
    let (full, _receiver) = eventful();
    assert_content(&checked(&full));
    let answer = full.request("GET", "/metrics", &[OPEN], b"");
    assert_eq!(
        answer.header("content-type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    assert!(answer.text().ends_with("\n# EOF\n"));
}

#[test]
fn it_takes_a_key_of_the_config_where_there_is_one() {
    let keys =
        "[server]\n[[server.api_keys]]\nname = \"prometheus\"\nkey = \"0123456789abcdef\"\nrole = \"read\"\n";
    let daemon = Daemon::start(&format!("{keys}[heartbeats.a]\ninterval = \"1d\"\n"));
    let url = daemon.url("/metrics");
    let status = |more: &[&str]| {
        let all = [&["-o", "/dev/null", "-w", "%{http_code}"], more, &[&url]].concat();
        curl(&all).stdout
    };
    assert_eq!(status(&[]), "401");
    assert_eq!(status(&["-H", "Authorization: Bearer 0123456789abcdee"]), "401");
    assert_eq!(status(&["-H", "Authorization: Bearer 0123456789abcdef"]), "200");
    assert_eq!(status(&["-I", "-H", "X-Api-Key: 0123456789abcdef"]), "200");
    let wrong = daemon.get("/metrics");
    assert_eq!(wrong.json()["error"]["code"], "unauthorized");
    let open = Daemon::start(EMPTY);
    let foreign = open.request("GET", "/metrics", &[("Host", "overdue.example.org")], b"");
    assert_eq!((foreign.status, foreign.json()["error"]["code"].as_str()), (403, Some("forbidden")));
}

/// All names that the daemon ever shows.
fn names() -> BTreeSet<String> {
    let (daemon, receiver) = eventful();
    receiver.reply(Reply::Status(500));
    daemon.ping(&daemon.uuid("fails"), "");
    let text =
        wait_for_value(&daemon, "overdue_deliveries_waiting{channel=\"ops\"}", |waiting| waiting > 0.0);
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split(['{', ' ']).next().unwrap().to_owned()).collect()
}

/// The names of metrics in a text: every word that begins as ours do.
fn asked_for(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("overdue_")).map(str::to_owned).collect()
}

fn doc(name: &str) -> String {
    fs::read_to_string(root().join("docs").join(name)).unwrap()
}

#[test]
fn the_dashboard_the_rules_and_the_readme_ask_for_what_there_is() {
    let names = names();
    let mut shown = BTreeSet::new();
    for page in ["grafana.json", "alerts.yml"] {
        let asked = asked_for(&doc(page));
        assert!(asked.len() > 8, "{page}: {asked:?}");
        let missing: Vec<_> = asked.difference(&names).collect();
        assert!(missing.is_empty(), "{page} asks for what the daemon does not show: {missing:?}");
        shown.extend(asked);
    }
    for name in [
        "overdue_deliveries_oldest_queued_timestamp_seconds",
        "overdue_heartbeats_running",
        "overdue_pings_refused_total",
        "overdue_requests_refused_total",
        "overdue_snapshot_failures_total",
    ] {
        assert!(asked_for(&doc("grafana.json")).contains(name), "{name}");
    }
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let (_, rest) = readme.split_once("\n## Metrics\n").unwrap();
    let section = rest.split("\n## ").next().unwrap();
    let whole = |name: &str| {
        let name =
            ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        name.to_owned()
    };
    let families: BTreeSet<String> = names.iter().map(|name| whole(name)).collect();
    assert_eq!(asked_for(section), families, "the README's table has each, and no other");
}

#[test]
fn every_query_of_the_dashboard_is_one_and_every_panel_is_whole() {
    let dashboard: Value = serde_json::from_str(&doc("grafana.json")).unwrap();
    assert!(dashboard["schemaVersion"].as_u64().unwrap() >= 41);
    assert!(dashboard["id"].is_null(), "else an import would take another's place");
    assert_eq!(dashboard["__inputs"][0]["name"], "DS_PROMETHEUS");
    let source = json!({ "type": "prometheus", "uid": "${DS_PROMETHEUS}" });
    let mut rules = Vec::new();
    let mut ids = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{panel}");
        if panel["type"] == "row" {
            continue;
        }
        assert!(panel["description"].as_str().unwrap().ends_with('.'), "{panel}");
        assert_eq!(panel["datasource"], source);
        for target in panel["targets"].as_array().unwrap() {
            assert_eq!(target["datasource"], source);
            let query = target["expr"].as_str().unwrap().replace("$__rate_interval", "5m");
            rules.push(json!({ "record": format!("query:{}", rules.len()), "expr": query }));
        }
    }
    assert!(rules.len() > 20, "{}", rules.len());
    let home = Home::new(EMPTY);
    let path = home.path("queries.yml");
    // JSON is YAML.
    fs::write(&path, json!({ "groups": [{ "name": "queries", "rules": rules }] }).to_string()).unwrap();
    let ended = promtool(&["check", "rules", path.to_str().unwrap()]);
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
}

#[test]
fn the_rules_are_right_and_fire_when_they_should() {
    let path = |name: &str| root().join(name).to_str().unwrap().to_owned();
    let ended = promtool(&["check", "rules", &path("docs/alerts.yml")]);
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
    let ended = promtool(&["test", "rules", &path("tests/metrics/alerts.yml")]);
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
    // What is tried there is all that there is.
    let (rules, tried) = (doc("alerts.yml"), fs::read_to_string(path("tests/metrics/alerts.yml")).unwrap());
    let alerts: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() >= 10);
    for alert in &alerts {
        assert!(tried.contains(&format!("alertname=\"{alert}\"")), "{alert} is not tried");
    }
    for word in ["summary: ", "description: ", "severity: "] {
        assert_eq!(rules.matches(word).count(), alerts.len(), "{word}");
    }
}

#[test]
fn the_scrape_config_of_the_readme_is_one() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let (_, rest) = readme.split_once("scrape_configs:").unwrap();
    let block = format!("scrape_configs:{}", rest.split("```").next().unwrap());
    let home = Home::new(EMPTY);
    let write = |name: &str, text: &str| -> PathBuf {
        let path = home.path(name);
        fs::File::create(&path).unwrap().write_all(text.as_bytes()).unwrap();
        path
    };
    let key = write("overdue.key", "0123456789abcdef");
    let rules = root().join("docs/alerts.yml");
    let block = block.replace("/etc/prometheus/overdue.key", key.to_str().unwrap());
    let block = block.replace("/etc/prometheus/alerts.yml", rules.to_str().unwrap());
    let path = write("prometheus.yml", &block);
    let ended = promtool(&["check", "config", path.to_str().unwrap()]);
    assert_eq!(ended.code, 0, "{}{}\n{block}", ended.stdout, ended.stderr);
    assert!(ended.stdout.contains("11 rules found"), "the rules are loaded: {}", ended.stdout);
}

#[test]
fn pings_are_answered_beside_scrapes_of_thousands_of_heartbeats() {
    let mut config = "[server]\nmetrics_heartbeats = 2000\n".to_owned();
    for n in 0..2_000 {
        config += &format!("[heartbeats.job-{n:04}]\ninterval = \"1d\"\n");
    }
    let daemon = Daemon::start(&config);
    let uuid = daemon.uuid("job-0000");
    thread::scope(|scope| {
        let scrapers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..5 {
                        let text = metrics(&daemon);
                        assert_eq!(text.matches("\noverdue_heartbeat_up{").count(), 2_000);
                    }
                })
            })
            .collect();
        let mut pings = 0.0;
        while pings < 1.0 || scrapers.iter().any(|scraper| !scraper.is_finished()) {
            let began = Instant::now();
            daemon.ping(&uuid, "");
            assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
            pings += 1.0;
        }
        assert_eq!(
            value(&metrics(&daemon), "overdue_heartbeat_pings_total{heartbeat=\"job-0000\"}"),
            Some(pings)
        );
    });
}
