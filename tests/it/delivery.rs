//! What becomes of alerts when receivers hang, fail, ask for patience, are gone or come back.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::harness::{Daemon, Home, LIMIT, free_port, wait_for, wait_until};
use crate::receiver::{Received, Receiver, Reply};

const PING_KEY: &str = "a-key-of-these-tests-alone";

/// A home with a ping key, this config and one heartbeat that pings once a day.
fn home(config: &str) -> Home {
    Home::new(&format!("[server]\nping_key = \"{PING_KEY}\"\n{config}\n[heartbeats.a]\ninterval = \"1d\"\n"))
}

fn ping(daemon: &Daemon, what: &str) {
    let answer = daemon.get(&format!("/ping/{PING_KEY}/{what}"));
    assert_eq!(answer.status, 200, "{}", answer.text());
}

fn kinds(received: &[Received]) -> Vec<String> {
    received.iter().map(Received::kind).collect()
}

fn lines<'a>(log: &'a str, level: &str, text: &str) -> Vec<&'a str> {
    log.lines().filter(|line| line.contains(level) && line.contains(text)).collect()
}

#[test]
fn a_hung_receiver_delays_no_other_receiver() {
    let (good, hung) = (Receiver::start(), Receiver::start());
    hung.reply(Reply::Hang);
    let mut config = format!(
        "{}{}timeout = \"1m\"\n[defaults]\nchannels = [\"hung\", \"good\"]\n",
        good.channel("good"),
        hung.channel("hung"),
    );
    let slugs: Vec<String> = (0..300).map(|i| format!("job-{i}")).collect();
    for slug in &slugs {
        config.push_str(&format!("[heartbeats.{slug}]\ninterval = \"1d\"\n"));
    }
    let daemon = Daemon::start_in(&home(&config));
    for slug in &slugs {
        ping(&daemon, &format!("{slug}/fail"));
        ping(&daemon, slug);
    }
    let received = good.wait_for(2 * slugs.len());
    for kind in ["incident.opened", "incident.resolved"] {
        let told: BTreeSet<String> =
            received.iter().filter(|one| one.kind() == kind).map(Received::slug).collect();
        assert_eq!(told.len(), slugs.len(), "{kind}");
    }
    wait_until(LIMIT, "the hung one was asked", || hung.received().len() >= 8);
    let under_way = hung.received();
    assert_eq!(under_way.len(), 8, "eight places, and each still hangs");
    assert_eq!(under_way.iter().map(Received::slug).collect::<BTreeSet<_>>().len(), 8);
    println!("{} alerts beside {} that hang: 0 lost", received.len(), under_way.len());
}

#[test]
fn a_failed_delivery_is_tried_again_with_growing_waits_and_the_same_id() {
    let receiver = Receiver::start();
    let calls = std::sync::atomic::AtomicUsize::new(0);
    receiver.reply_with(move |_| match calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
        0 | 1 => Reply::Status(500),
        _ => Reply::Status(200),
    });
    let home = home(&format!("{}[defaults]\nchannels = [\"hook\"]\n", receiver.channel("hook")));
    let daemon = Daemon::start_in(&home);
    ping(&daemon, "a/fail");
    ping(&daemon, "a");
    let received = receiver.wait_for(4);
    assert_eq!(
        kinds(&received),
        ["incident.opened", "incident.opened", "incident.opened", "incident.resolved"],
        "the end does not overtake the beginning"
    );
    let wait = |n: usize| received[n + 1].at - received[n].at;
    assert!(wait(0) >= Duration::from_millis(700), "1 s, less a fifth at most: {:?}", wait(0));
    assert!(wait(1) >= Duration::from_millis(1_500), "2 s, less a fifth at most: {:?}", wait(1));
    let ids: Vec<&str> = received.iter().map(|one| one.header("webhook-id")).collect();
    assert_eq!((ids[1], ids[2]), (ids[0], ids[0]));
    assert_ne!(ids[3], ids[0]);
    assert_eq!(received[1].body, received[0].body);
}

#[test]
fn a_receiver_that_asks_for_time_gets_it() {
    let receiver = Receiver::start();
    let calls = std::sync::atomic::AtomicUsize::new(0);
    receiver.reply_with(move |_| match calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
        0 => Reply::With(429, "Retry-After", "3".to_owned()),
        _ => Reply::Status(200),
    });
    let home = home(&format!("{}[defaults]\nchannels = [\"hook\"]\n", receiver.channel("hook")));
    let daemon = Daemon::start_in(&home);
    ping(&daemon, "a/fail");
    let received = receiver.wait_for(2);
    let wait = received[1].at - received[0].at;
    assert!(wait >= Duration::from_millis(2_900), "of its own it would have come after a second: {wait:?}");
    assert_eq!(received[1].header("webhook-id"), received[0].header("webhook-id"));
}

#[test]
fn a_receiver_that_is_gone_for_good_is_given_up_at_once_and_in_plain_sight() {
    let receiver = Receiver::start();
    receiver.reply(Reply::Status(410));
    let home = home(&format!("{}[defaults]\nchannels = [\"hook\"]\n", receiver.channel("hook")));
    let daemon = Daemon::start_in(&home);
    ping(&daemon, "a/fail");
    let error = wait_for(LIMIT, "the log says that it was given up", || {
        lines(&daemon.stderr(), "ERROR", "given up").first().map(ToString::to_string)
    });
    assert!(error.contains("heartbeat=a") && error.contains("410"), "{error}");
    ping(&daemon, "a");
    assert_eq!(
        kinds(&receiver.wait_for(2)),
        ["incident.opened", "incident.resolved"],
        "it is not tried again"
    );
}

#[test]
fn a_dead_receiver_that_comes_back_gets_everything_in_order() {
    let port = free_port();
    let slugs: Vec<String> = (0..5).map(|i| format!("job-{i}")).collect();
    let mut config = format!(
        "[channels.hook]\ntype = \"webhook\"\nurl = \"http://127.0.0.1:{port}/\"\n[defaults]\nchannels = [\"hook\"]\n"
    );
    for slug in &slugs {
        config.push_str(&format!("[heartbeats.{slug}]\ninterval = \"1d\"\n"));
    }
    let home = home(&config);
    let mut command = home.command(&["serve", "--config", "config.toml"]);
    let daemon = Daemon::start_as(&home, command.env("OVERDUE_LOG", "debug"));
    for slug in &slugs {
        ping(&daemon, &format!("{slug}/fail"));
        ping(&daemon, slug);
    }
    wait_until(LIMIT, "each has been tried in vain", || {
        lines(&daemon.stderr(), "DEBUG", "a delivery was tried").len() >= slugs.len()
    });
    let receiver = Receiver::start_on(port);
    let received = receiver.wait_for(2 * slugs.len());
    for slug in &slugs {
        let of: Vec<Received> = received.iter().filter(|one| one.slug() == *slug).cloned().collect();
        assert_eq!(kinds(&of), ["incident.opened", "incident.resolved"], "{slug}");
    }
    println!("{} alerts to a receiver that was dead and came back: 0 lost", received.len());
}

#[test]
fn a_channel_that_leaves_the_config_gives_up_what_waits_in_plain_sight() {
    let receiver = Receiver::start();
    receiver.reply(Reply::With(503, "Retry-After", "3600".to_owned()));
    let home = home(&format!("{}[defaults]\nchannels = [\"hook\"]\n", receiver.channel("hook")));
    let daemon = Daemon::start_in(&home);
    ping(&daemon, "a/fail");
    receiver.wait_for(1);
    home.configure(&format!("[server]\nping_key = \"{PING_KEY}\"\n[heartbeats.a]\ninterval = \"1d\"\n"));
    let error = wait_for(LIMIT, "the log says that it was given up", || {
        lines(&daemon.stderr(), "ERROR", "given up").first().map(ToString::to_string)
    });
    assert!(error.contains("heartbeat=a") && error.contains("channel=hook"), "{error}");
    assert_eq!(receiver.received().len(), 1);
}

#[test]
fn a_template_makes_the_body_and_the_log_is_a_channel() {
    let receiver = Receiver::start();
    let home = home(&format!(
        "{}body = '{{\"text\": {{{{ summary | tojson }}}}}}'\n[channels.journal]\ntype = \"log\"\n\
         [defaults]\nchannels = [\"hook\", \"journal\"]\n",
        receiver.channel("hook")
    ));
    let daemon = Daemon::start_in(&home);
    ping(&daemon, "a/3");
    let json = receiver.wait_for(1)[0].json();
    let summary = json["text"].as_str().unwrap();
    assert!(summary.contains('3') && json.as_object().unwrap().len() == 1, "{json}");
    let warned = wait_for(LIMIT, "the log has the alert", || {
        lines(&daemon.stderr(), "WARN", summary).first().map(ToString::to_string)
    });
    assert!(warned.contains("incident.opened") && warned.contains("heartbeat=a"), "{warned}");
}

#[test]
fn an_incident_is_told_again_until_it_ends() {
    let receiver = Receiver::start();
    let config =
        format!("{}[defaults]\nchannels = [\"hook\"]\nremind_every = \"1s\"\n", receiver.channel("hook"));
    let daemon = Daemon::start_in(&home(&config));
    ping(&daemon, "a/fail");
    receiver.wait_for(3);
    ping(&daemon, "a");
    receiver.wait_for_alert("incident.resolved", "a");
    let received = receiver.received();
    let (last, before) = received.split_last().unwrap();
    assert_eq!(last.kind(), "incident.resolved");
    assert_eq!(before[0].kind(), "incident.opened");
    assert!(before[1..].iter().all(|one| one.kind() == "incident.reminder"), "{:?}", kinds(before));
    let ids: BTreeSet<&str> = received.iter().map(|one| one.header("webhook-id")).collect();
    assert_eq!(ids.len(), received.len(), "each alert has an id of its own");
}

#[test]
fn who_watches_the_watcher_is_called() {
    let receiver = Receiver::start();
    let config = format!("alive_url = {:?}\n", receiver.url("/alive"));
    let _daemon = Daemon::start_in(&home(&config));
    let call = receiver.wait_for(1).remove(0);
    assert_eq!((call.method.as_str(), call.path.as_str()), ("GET", "/alive"));
}
