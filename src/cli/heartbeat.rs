//! `overdue heartbeat`: makes, removes, pauses and resumes heartbeats of a running daemon over its API. Knows the
//! words of the config as flags; whether they make sense is for the daemon to say.

use clap::{Args, Subcommand};
use reqwest::Method;
use serde::Serialize;
use serde_json::{Value, json};

use crate::cli::answer::Beat;
use crate::cli::ask::{Daemon, Fault, Where, is_name, run};
use crate::cli::paint::plain;
use crate::cli::status::plugin::sentence;
use crate::cli::{complain, exit, print};
use crate::engine::clock::{Clock as _, SystemClock};

/// The daemon will not.
const REFUSED: u8 = 1;
/// Nobody answers, or somebody else.
const UNREACHABLE: u8 = 3;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    wish: Wish,
}

const CODES: &str = "Exit codes: 0 done, 1 refused by the daemon, 3 not reachable, 64 usage.";

#[derive(Debug, Subcommand)]
enum Wish {
    /// Make a heartbeat, and print its ping URL
    ///
    /// The flags are the keys of the config, where they are explained. What is not given is as its defaults say.
    #[command(after_help = CODES)]
    Add(Box<Add>),
    /// Remove a heartbeat
    #[command(after_help = CODES)]
    Rm(One),
    /// Expect nothing from a heartbeat, for a while or until it is resumed
    #[command(after_help = CODES)]
    Pause {
        /// For how long, such as 2h; else until it is resumed
        #[arg(long = "for", value_name = "DURATION")]
        span: Option<String>,
        #[command(flatten)]
        one: One,
    },
    /// Expect something of a paused heartbeat again
    #[command(after_help = CODES)]
    Resume(One),
}

#[derive(Debug, Args)]
struct How {
    #[command(flatten)]
    daemon: Where,
    /// Print the API's answer
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct One {
    /// The heartbeat, by slug or UUID
    slug: String,
    #[command(flatten)]
    how: How,
}

/// The fields are the API's. `None` is not sent.
#[derive(Debug, Args, Serialize)]
struct Add {
    /// Its name in URLs: a-z, 0-9, '-' and '_'
    slug: String,
    #[command(flatten)]
    timing: Timing,
    /// The time zone of cron and on_calendar, such as Europe/Berlin
    #[arg(long, value_name = "ZONE")]
    timezone: Option<String>,
    /// When nothing is expected: 2026-12-25, Sat,Sun, and what else the config knows; the flag may be repeated
    #[arg(long, value_name = "DATE")]
    exclude: Option<Vec<String>>,
    /// How long before a time of cron or on_calendar it counts for that time, such as 10m
    #[arg(long, value_name = "DURATION")]
    early: Option<String>,
    /// How long after due it may still come, such as 30m
    #[arg(long, value_name = "DURATION")]
    grace: Option<String>,
    /// How long a run may take, such as 2h
    #[arg(long, alias = "max_runtime", value_name = "DURATION")]
    max_runtime: Option<String>,
    /// Its name for people; else the slug
    #[arg(long)]
    name: Option<String>,
    /// What the job does, and for whom
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Tags, with commas between them or the flag repeated
    #[arg(long, value_name = "TAG", value_delimiter = ',')]
    tags: Option<Vec<String>>,
    /// The machine that it runs on
    #[arg(long)]
    host: Option<String>,
    /// The channels that are told, with commas between them or the flag repeated
    #[arg(long, value_name = "CHANNEL", value_delimiter = ',')]
    channels: Option<Vec<String>>,
    /// The secret of its ping URL; else derived from the slug
    #[arg(long)]
    uuid: Option<String>,
    /// Expect nothing yet
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    paused: Option<bool>,
    /// Expect nothing before the first ping
    #[arg(
        long,
        alias = "await_first_ping",
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    await_first_ping: Option<bool>,
    /// While it is paused, a ping resumes it
    #[arg(
        long,
        alias = "resume_on_ping",
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    resume_on_ping: Option<bool>,
    /// The methods that count as a ping: GET, HEAD, POST
    #[arg(long, value_name = "METHOD", value_delimiter = ',')]
    methods: Option<Vec<String>>,
    /// Tell again while it is down, such as 24h
    #[arg(long, alias = "remind_every", value_name = "DURATION")]
    remind_every: Option<String>,
    #[command(flatten)]
    #[serde(skip)]
    how: How,
}

#[derive(Debug, Args, Serialize)]
#[group(required = true, multiple = false)]
struct Timing {
    /// It is expected this long after the last time, such as 24h
    #[arg(long, value_name = "DURATION")]
    interval: Option<String>,
    /// It is expected at these times, as a crontab has them: '30 2 * * *'; the flag may be repeated
    #[arg(long, value_name = "FIELDS")]
    cron: Option<Vec<String>>,
    /// It is expected at these times, as OnCalendar= of systemd has them; the flag may be repeated
    #[arg(long, alias = "on_calendar", value_name = "EXPRESSION")]
    on_calendar: Option<Vec<String>>,
}

/// Does what is wished. The exit code.
pub(super) fn heartbeat(arguments: &Arguments) -> u8 {
    let (how, slug) = match &arguments.wish {
        Wish::Add(add) => (&add.how, None),
        Wish::Rm(one) | Wish::Pause { one, .. } | Wish::Resume(one) => (&one.how, Some(&one.slug)),
    };
    if slug.is_some_and(|slug| !is_name(slug)) {
        return exit::USAGE;
    }
    run(async {
        match fulfil(&arguments.wish, how).await {
            Ok(told) => print(told.as_bytes(), exit::OK),
            Err(fault) => {
                complain(&fault.to_string());
                match fault {
                    Fault::Refused(_) => REFUSED,
                    Fault::Unreachable(_) => UNREACHABLE,
                }
            }
        }
    })
}

/// Asks for it, and gives what there is to say of it.
async fn fulfil(wish: &Wish, how: &How) -> Result<String, Fault> {
    let daemon = Daemon::at(&how.daemon.url)?;
    let (method, path, body) = match wish {
        Wish::Add(add) => (Method::POST, "heartbeats".to_owned(), Some(add.body())),
        Wish::Rm(one) => (Method::DELETE, format!("heartbeats/{}", one.slug), None),
        Wish::Pause { span, one } => {
            let body = span.as_ref().map(|span| json!({ "for": span }));
            (Method::POST, format!("heartbeats/{}/pause", one.slug), body)
        }
        Wish::Resume(one) => (Method::POST, format!("heartbeats/{}/resume", one.slug), None),
    };
    let answer = daemon.send(method, &path, body.as_ref()).await?;
    Ok(match wish {
        // There is nothing in the answer to a removal.
        _ if how.json => {
            if answer.is_null() {
                String::new()
            } else {
                format!("{answer:#}\n")
            }
        }
        Wish::Add(_) => made(&daemon.read(&answer)?),
        Wish::Rm(one) => format!("{} is removed: its ping URL answers 404 from now on.\n", one.slug),
        Wish::Pause { .. } | Wish::Resume(_) => {
            format!("{}.\n", sentence(&daemon.read::<Beat>(&answer)?, SystemClock.now()))
        }
    })
}

impl Add {
    fn body(&self) -> Value {
        let mut body = json!(self);
        let timing = body["timing"].take();
        if let (Value::Object(body), Value::Object(timing)) = (&mut body, timing) {
            body.remove("timing");
            body.extend(timing);
            body.retain(|_, value| !value.is_null());
            // The API wants a name.
            let slug = body["slug"].clone();
            body.entry("name").or_insert(slug);
            for field in ["cron", "on_calendar"] {
                if let Some([one]) = body.get(field).and_then(Value::as_array).map(Vec::as_slice) {
                    let one = one.clone();
                    body.insert(field.to_owned(), one);
                }
            }
            for list in body.values_mut().filter_map(Value::as_array_mut) {
                // `--channels ""` is a list of none.
                list.retain(|word| word != "");
            }
        }
        body
    }
}

/// Its URL on a line of its own, for a script, and what to do with it.
fn made(beat: &Beat) -> String {
    let Some(url) = beat.ping_url.as_deref().map(plain) else {
        return format!("{} is made, but the daemon does not show its ping URL.\n", plain(&beat.slug));
    };
    format!(
        "{url}\nLet the job request it when it is done, with its exit code: \
         curl -fsS -m 10 --retry 5 -o /dev/null {url}/$?\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn body(flags: &[&str]) -> Result<Value, clap::Error> {
        let line = Line::try_parse_from([&["overdue", "add", "db"], flags].concat())?;
        match line.arguments.wish {
            Wish::Add(add) => Ok(add.body()),
            other @ (Wish::Rm(_) | Wish::Pause { .. } | Wish::Resume(_)) => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_what_is_given_is_sent() {
        assert_eq!(
            body(&["--interval", "24h"]).unwrap(),
            json!({ "slug": "db", "name": "db", "interval": "24h" })
        );
    }

    #[test]
    fn every_key_of_the_config_is_a_flag_in_both_spellings() {
        let all = json!({
            "slug": "db", "cron": "30 2 * * *", "timezone": "Europe/Berlin",
            "exclude": ["2026-12-25", "Sat,Sun"], "early": "10m", "grace": "30m", "max_runtime": "2h",
            "name": "Data", "description": "Dumps.", "tags": ["a", "b", "c"], "host": "db1",
            "channels": ["ops", "log"], "uuid": "b2cdb556-4098-5c78-84b3-7d48074f605c", "paused": true,
            "await_first_ping": true, "resume_on_ping": false, "methods": ["GET", "POST"], "remind_every": "1d",
        });
        let flags = "--timezone Europe/Berlin --exclude 2026-12-25 --exclude Sat,Sun --early 10m --grace 30m --max_runtime 2h --name Data --description Dumps. \
                     --tags a,b --tags c --host db1 --channels ops,log \
                     --uuid b2cdb556-4098-5c78-84b3-7d48074f605c --paused --await_first_ping \
                     --resume_on_ping=false --methods GET,POST --remind_every 1d";
        let mut flags: Vec<&str> = flags.split_whitespace().collect();
        flags.extend(["--cron", "30 2 * * *"]);
        assert_eq!(body(&flags).unwrap(), all);
        let hyphens: Vec<String> = flags
            .iter()
            .map(|flag| if flag.starts_with("--") { flag.replace('_', "-") } else { (*flag).to_owned() })
            .collect();
        assert_eq!(body(&hyphens.iter().map(String::as_str).collect::<Vec<_>>()).unwrap(), all);
        assert_eq!(body(&["--on_calendar", "daily"]).unwrap()["on_calendar"], "daily");
        let two = ["--cron", "0 2 * * *", "--cron", "0 14 * * *"];
        assert_eq!(body(&two).unwrap()["cron"], json!(["0 2 * * *", "0 14 * * *"]));
    }

    #[test]
    fn an_empty_list_is_sent_as_one() {
        assert_eq!(body(&["--interval", "1h", "--channels", ""]).unwrap()["channels"], json!([]));
    }

    #[test]
    fn exactly_one_schedule_is_needed() {
        assert!(body(&[]).is_err());
        assert!(body(&["--interval", "1h", "--cron", "* * * * *"]).is_err());
    }
}
