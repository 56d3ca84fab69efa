//! `overdue status`: asks a running daemon how things stand, for a person or a script.

use std::fmt::Write as _;
use std::io::IsTerminal;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::cli::{complain, exit, print};

/// Monitoring plugins know these.
const LATE: u8 = 1;
const DOWN: u8 = 2;
const UNREACHABLE: u8 = 3;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
struct Page {
    heartbeats: Vec<Value>,
    next_cursor: Option<String>,
}

/// Asks the daemon at `url` for one heartbeat or for all.
pub(super) fn status(url: &str, json: bool, slug: Option<&str>) -> u8 {
    if let Some(slug) = slug.filter(|slug| !is_name(slug)) {
        complain(&format!("{slug:?} is not a slug or UUID: they are made of letters, digits, '-' and '_'"));
        return exit::USAGE;
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("cannot start: {error}"));
            return exit::INTERNAL;
        }
    };
    let url = url.trim_end_matches('/');
    let url = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
    let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    match runtime.block_on(ask(&url, slug)) {
        Ok(heartbeats) => {
            let shown = match (json, slug) {
                (true, Some(_)) => pretty(heartbeats.first().unwrap_or(&Value::Null)),
                (true, None) => pretty(&serde_json::json!({ "heartbeats": heartbeats })),
                (false, Some(_)) => heartbeats.iter().map(|beat| detail(beat, colour)).collect(),
                (false, None) => table(&heartbeats, colour),
            };
            let code = heartbeats.iter().map(|beat| code(text(beat, "status"))).max().unwrap_or(exit::OK);
            print(shown.as_bytes(), code)
        }
        Err(error) => {
            complain(&error);
            UNREACHABLE
        }
    }
}

fn code(status: &str) -> u8 {
    match status {
        "down" => DOWN,
        "late" => LATE,
        _ => exit::OK,
    }
}

/// Whether it can be a slug or a UUID, and so stand in a URL.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

async fn ask(url: &str, slug: Option<&str>) -> Result<Vec<Value>, String> {
    // An error means that one is installed already.
    rustls::crypto::ring::default_provider().install_default().ok();
    let client = reqwest::Client::builder()
        .timeout(PATIENCE)
        .no_proxy()
        .user_agent(concat!("overdue/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| format!("cannot make an HTTP client: {error}"))?;
    let Some(slug) = slug else {
        let mut all = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut address = format!("{url}/api/v1/heartbeats?limit=1000");
            if let Some(cursor) = &cursor {
                write!(address, "&cursor={cursor}").expect("writing to a string cannot fail");
            }
            let page: Page = serde_json::from_value(fetch(&client, url, &address).await?)
                .map_err(|error| format!("{url} did not answer as overdue does: {error}"))?;
            all.extend(page.heartbeats);
            match page.next_cursor {
                Some(next) => cursor = Some(next),
                None => return Ok(all),
            }
        }
    };
    fetch(&client, url, &format!("{url}/api/v1/heartbeats/{slug}")).await.map(|beat| vec![beat])
}

async fn fetch(client: &reqwest::Client, url: &str, address: &str) -> Result<Value, String> {
    let mut request = client.get(address);
    if let Ok(key) = std::env::var("OVERDUE_API_KEY") {
        request = request.bearer_auth(key);
    }
    let answer = request.send().await.map_err(|error| {
        let why = if error.is_connect() { "nothing listens there" } else { "no answer" };
        format!("cannot ask {url}: {why}. Is the daemon running (overdue serve)? Else give --url or set OVERDUE_URL")
    })?;
    let status = answer.status();
    let body: Value =
        answer.bytes().await.map_err(|error| format!("the answer of {url} broke off: {error}")).and_then(
            |bytes| {
                serde_json::from_slice(&bytes).map_err(|_| {
                    format!("{url} answered {status}, and not as overdue does: is it the right address?")
                })
            },
        )?;
    if status.is_success() {
        return Ok(body);
    }
    let why = body["error"]["message"].as_str().unwrap_or("no reason given");
    let hint =
        if status == 401 || status == 403 { " (an API key is taken from $OVERDUE_API_KEY)" } else { "" };
    Err(format!("{url} answered {status}: {why}{hint}"))
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

fn text<'a>(beat: &'a Value, key: &str) -> &'a str {
    beat[key].as_str().unwrap_or("-")
}

/// The status word, coloured as a traffic light.
fn coloured(status: &str, width: usize, colour: bool) -> String {
    let paint = match status {
        "up" => "32",
        "late" => "33",
        "down" => "1;31",
        "paused" => "2",
        _ => "36",
    };
    if colour { format!("\x1b[{paint}m{status:width$}\x1b[0m") } else { format!("{status:width$}") }
}

fn table(heartbeats: &[Value], colour: bool) -> String {
    if heartbeats.is_empty() {
        return "No heartbeats yet: declare one in the config, or POST one to /api/v1/heartbeats.\n"
            .to_owned();
    }
    let width = heartbeats.iter().map(|beat| text(beat, "slug").len()).max().unwrap_or(0).max(4);
    let mut out = format!("{:6}  {:width$}  {:24}  {:24}\n", "STATUS", "SLUG", "LAST PING", "NEXT DUE");
    for beat in heartbeats {
        let (slug, last, due) = (text(beat, "slug"), text(beat, "last_ping_at"), text(beat, "next_due_at"));
        let status = coloured(text(beat, "status"), 6, colour);
        writeln!(out, "{status}  {slug:width$}  {last:24}  {due:24}")
            .expect("writing to a string cannot fail");
    }
    out
}

fn detail(beat: &Value, colour: bool) -> String {
    let mut out = format!("{}: {}\n", text(beat, "name"), coloured(text(beat, "status"), 0, colour));
    let mut line = |label: &str, value: String| {
        if !value.is_empty() {
            writeln!(out, "  {label:12} {value}").expect("writing to a string cannot fail");
        }
    };
    let shown = |key: &str| match &beat[key] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => beat[key].to_string(),
    };
    line("slug", shown("slug"));
    line("ping URL", beat["ping_url"].as_str().unwrap_or("(shown only to a write key)").to_owned());
    line("schedule", [shown("schedule"), shown("timezone")].join(" ").trim_end().to_owned());
    line("grace", shown("grace"));
    line("max runtime", shown("max_runtime"));
    line("last ping", beat["last_ping_at"].as_str().unwrap_or("never").to_owned());
    line("next due", shown("next_due_at"));
    line("deadline", shown("next_deadline_at"));
    line("running", shown("current_run_started_at"));
    line("last took", beat["last_duration_ms"].as_i64().map(|ms| format!("{ms} ms")).unwrap_or_default());
    line("last exit", shown("last_exit_code"));
    if beat["incident"].is_object() {
        let incident = &beat["incident"];
        line("incident", format!("{} since {}", text(incident, "cause"), text(incident, "opened_at")));
        line("failures", shown("consecutive_failures"));
    }
    out
}
