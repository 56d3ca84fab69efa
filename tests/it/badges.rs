//! Signing in with a real browser's cookies, and badges, with curl.

use std::fs;

use rustix::process::Signal;

use crate::harness::{Daemon, Home, LIMIT, curl, wait_until};

const KEY: &str = "write-key-0123456789";

fn config(heartbeats: &str) -> String {
    format!(
        "[server]\nstatus_pages = [\"db\"]\n[[server.api_keys]]\nname = \"ops\"\nkey = \"{KEY}\"\nrole = \"write\"\n\
         [defaults]\nchannels = [\"log\"]\n{heartbeats}"
    )
}

const BEFORE: &str = "[heartbeats.backup]\ninterval = \"1h\"\ntags = [\"db\"]\nhost = \"machine-7\"\n\
     uuid = \"67e55044-10b1-426f-9247-bb680e5fe0c8\"\n[heartbeats.rotate]\ninterval = \"1h\"\n";

fn addresses(daemon: &Daemon, query: &str) -> Vec<String> {
    let key = format!("X-Api-Key: {KEY}");
    let told = curl(&["-f", "-H", &key, &daemon.url(&format!("/api/v1/badges{query}"))]);
    let told: serde_json::Value = serde_json::from_str(&told.stdout).unwrap_or_else(|_| panic!("{told:?}"));
    ["svg", "json", "shields", "status_page"]
        .iter()
        .filter_map(|form| Some(told[form].as_str()?.to_owned()))
        .collect()
}

fn code(url: &str) -> String {
    curl(&["-o", "/dev/null", "-w", "%{http_code}", url]).stdout
}

#[test]
fn a_browser_signs_in_looks_and_signs_out() {
    let daemon = Daemon::start(&config(BEFORE));
    let jar = daemon.home.path("jar");
    let jar = ["-b", jar.to_str().unwrap(), "-c", jar.to_str().unwrap()];
    let go = |more: &[&str]| curl(&[&jar[..], more].concat());
    let wanted = daemon.url("/api/v1/heartbeats");
    assert_eq!(go(&["-o", "/dev/null", "-w", "%{http_code}", &wanted]).stdout, "401");
    let wrong = go(&["-w", "%{http_code}", "-d", "key=nobodys-key-0123456789", &daemon.url("/login")]);
    assert!(
        wrong.stdout.contains("No API key of the config is this one.") && wrong.stdout.ends_with("401"),
        "{wrong:?}"
    );
    let form = ["--data-urlencode", "next=/api/v1/heartbeats?tag=db", "-d"];
    let key = format!("key={KEY}");
    let right = go(&[&form[..], &[&key, "-L", &daemon.url("/login")]].concat());
    assert!(right.stdout.contains("\"slug\":\"backup\"") && !right.stdout.contains("rotate"), "{right:?}");
    let page = go(&["-f", &daemon.url("/")]).stdout;
    let (_, token) = page.split_once("name=\"csrf\" value=\"").unwrap_or_else(|| panic!("{page}"));
    let token = token.split('"').next().unwrap();
    for csrf in ["", "csrf=", "csrf=0000"] {
        let refused = go(&["-w", "%{http_code}", "-d", csrf, &daemon.url("/logout")]);
        assert!(refused.stdout.ends_with("403"), "{refused:?}");
        assert!(go(&["-f", &daemon.url("/")]).stdout.contains(token), "the page is unharmed");
    }
    let csrf = format!("csrf={token}");
    assert_eq!(
        go(&["-o", "/dev/null", "-w", "%{http_code}", "-d", &csrf, &daemon.url("/logout")]).stdout,
        "303"
    );
    assert_eq!(go(&["-o", "/dev/null", "-w", "%{http_code}", &wanted]).stdout, "401");
    assert!(!daemon.stderr().contains(KEY), "{}", daemon.stderr());
}

#[test]
fn a_session_lasts_over_a_restart_until_its_key_or_the_servers_leaves() {
    let home = Home::new(&config(BEFORE));
    let daemon = Daemon::start_in(&home);
    let jar = home.path("jar");
    let jar = jar.to_str().unwrap();
    let key = format!("key={KEY}");
    assert_eq!(
        curl(&["-o", "/dev/null", "-w", "%{http_code}", "-c", jar, "-d", &key, &daemon.url("/login")]).stdout,
        "303"
    );
    let status = |daemon: &Daemon| {
        curl(&["-o", "/dev/null", "-w", "%{http_code}", "-b", jar, &daemon.url("/api/v1/summary")]).stdout
    };
    assert_eq!(status(&daemon), "200");
    daemon.stop();
    let daemon = Daemon::start_in(&home);
    assert_eq!(status(&daemon), "200");
    home.configure(&config(BEFORE).replace("role = \"write\"", "role = \"read\""));
    daemon.signal(Signal::HUP);
    wait_until(LIMIT, "the session ends with the role", || status(&daemon) == "401");
    home.configure(&config(BEFORE));
    daemon.signal(Signal::HUP);
    wait_until(LIMIT, "the role is back", || status(&daemon) == "200");
    daemon.stop();
    fs::remove_file(home.state().join("server_key")).unwrap();
    assert_eq!(status(&Daemon::start_in(&home)), "401");
}

#[test]
fn addresses_last_over_restart_reload_and_a_new_name_until_the_servers_key_is_another() {
    let home = Home::new(&config(BEFORE));
    let daemon = Daemon::start_in(&home);
    let all: Vec<String> = ["", "?tag=db", "?heartbeat=backup", "?heartbeat=rotate"]
        .iter()
        .flat_map(|of| addresses(&daemon, of))
        .collect();
    assert_eq!(all.len(), 13, "one status page: {all:?}");
    for url in &all {
        let told = curl(&["-f", "-i", url]).stdout;
        for secret in ["backup", "rotate", "machine-7", "67e55044"] {
            assert!(url.contains("/status/") || !told.contains(secret), "{secret} is in {told}");
        }
    }
    assert_ne!(
        addresses(&daemon, "?heartbeat=backup")[0][..40],
        addresses(&daemon, "?heartbeat=rotate")[0][..40]
    );
    daemon.stop();
    let daemon = Daemon::start_in(&home);
    for url in &all {
        assert_eq!(code(url), "200", "after a restart: {url}");
    }
    let renamed =
        BEFORE.replace("heartbeats.backup", "heartbeats.dump").replace("[\"db\"]", "[\"db\", \"new\"]");
    home.configure(&config(&renamed));
    daemon.signal(Signal::HUP);
    wait_until(LIMIT, "the reload", || {
        daemon.try_get("/healthz").is_some() && {
            let key = format!("X-Api-Key: {KEY}");
            curl(&["-H", &key, &daemon.url("/api/v1/heartbeats/dump")]).stdout.contains("\"slug\":\"dump\"")
        }
    });
    for url in &all {
        assert_eq!(code(url), "200", "after a rename: {url}");
    }
    daemon.stop();
    fs::remove_file(home.state().join("server_key")).unwrap();
    let daemon = Daemon::start_in(&home);
    for url in &all {
        assert_eq!(code(url), "404", "with another key: {url}");
    }
    assert_eq!(addresses(&daemon, "?heartbeat=dump").len(), 3);
}
