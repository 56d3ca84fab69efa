//! How a job pings, written for the heartbeat it belongs to: the forms of the README's "Pings", each with start,
//! exit code, time limit and retries, and none with a way to fail the job. Knows how each language quotes; never
//! asks the engine.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::machine::view::HeartbeatView;
use crate::model::id::Slug;

/// Quiet when all is well, loud otherwise. A watcher that takes connections and never answers holds the job up for 11 s.
const START: &str = "curl -fsS -m 5 --retry 1 -o /dev/null";
/// The same for the end: it matters more and holds nothing up but what comes after the job, for 70 s at the most.
/// systemd stops a unit that takes 90.
const END: &str = "curl -fsS -m 10 --retry 5 --retry-max-time 60 -o /dev/null";
/// When a job runs of which overdue does not know a crontab's line.
const SOME_TIME: &str = "30 2 * * *";
/// Letters of a name of Kubernetes for a job by the clock.
const CRON_JOB_MAX: usize = 52;

/// Names for times that every cron understands.
const NICKNAMES: [&str; 7] =
    ["@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually"];

/// What of a heartbeat matters here.
#[derive(Debug, Clone, Copy)]
pub(super) struct Job<'a> {
    slug: &'a Slug,
    cron: Option<&'a [String]>,
    timezone: Option<&'a str>,
}

impl<'a> From<&'a HeartbeatView> for Job<'a> {
    fn from(heartbeat: &'a HeartbeatView) -> Self {
        Self {
            slug: &heartbeat.slug,
            cron: heartbeat.cron.as_deref(),
            timezone: heartbeat.timezone.as_deref(),
        }
    }
}

/// A piece of text to copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Snippet {
    /// What it is for, as an id in the page too.
    pub(super) id: &'static str,
    /// The heading over it.
    pub(super) title: &'static str,
    /// What people must know beside it.
    pub(super) note: Cow<'static, str>,
    /// Its language, as Markdown calls it.
    pub(super) language: &'static str,
    /// What to copy.
    pub(super) text: Cow<'static, str>,
}

/// All of them, for a ping URL that the one who looks may see.
pub(super) fn snippets(ping_url: &str, job: &Job<'_>) -> Vec<Snippet> {
    let url = &plain(ping_url);
    vec![
        Snippet {
            id: "cron",
            title: "cron",
            note: cron_note(job).into(),
            language: "crontab",
            text: cron(url, job, false).into(),
        },
        Snippet {
            id: "cron-output",
            title: "cron, with what the job printed",
            note: "% is a newline in a crontab, so it is written \\%. cron has nothing left to mail.".into(),
            language: "crontab",
            text: cron(url, job, true).into(),
        },
        Snippet {
            id: "bash",
            title: "A bash script",
            note: "The trap runs however the script ends, with the code it ends with.".into(),
            language: "bash",
            text: bash(url).into(),
        },
        Snippet {
            id: "systemd",
            title: "systemd: a drop-in for the service",
            note: "systemctl edit the service, and put the script below beside it.".into(),
            language: "ini",
            text: systemd(url).into(),
        },
        Snippet {
            id: "systemd-end",
            title: "systemd: /usr/local/bin/overdue-end",
            note:
                "Mode 755. EXIT_STATUS can be the name of a signal, or 0 after a timeout: hence the script."
                    .into(),
            language: "sh",
            text: SYSTEMD_END.into(),
        },
        Snippet {
            id: "compose",
            title: "Docker Compose",
            note: local_note(url, &format!("Compose takes $ for itself, so it is written $$. {STOPPED}"))
                .into(),
            language: "yaml",
            text: compose(url).into(),
        },
        Snippet {
            id: "kubernetes",
            title: "Kubernetes CronJob",
            note: local_note(url, &kubernetes_note(job)).into(),
            language: "yaml",
            text: kubernetes(url, job).into(),
        },
        Snippet {
            id: "python",
            title: "Python",
            note: "With the standard library only.".into(),
            language: "python",
            text: PYTHON.replace("URL", url).into(),
        },
        Snippet {
            id: "powershell",
            title: "PowerShell",
            note: POWERSHELL_NOTE.into(),
            language: "powershell",
            text: POWERSHELL.replace("URL", url).into(),
        },
    ]
}

/// The URL with every letter in percent that means something to a shell, a string or YAML. `base_url` may hold what
/// a URL parser lets pass.
pub(super) fn plain(url: &str) -> String {
    let mut written = String::with_capacity(url.len());
    for byte in url.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:/@%[]".contains(&byte) {
            written.push(char::from(byte));
        } else {
            write!(written, "%{byte:02X}").expect("writing to a string cannot fail");
        }
    }
    written
}

/// The lines of its crontab, when it is one that every cron understands.
fn lines<'a>(job: &Job<'a>) -> Option<Vec<&'a str>> {
    let lines: Vec<&str> = job.cron?.iter().map(String::as_str).collect();
    let field = |field: &str| {
        field.bytes().all(|c| c.is_ascii_alphanumeric() || b"*,-/".contains(&c))
            // Of letters only the names of months and days: not L and W.
            && field.split(|c: char| !c.is_ascii_alphabetic()).all(|word| word.is_empty() || word.len() == 3)
    };
    let known = |line: &&str| {
        let fields: Vec<&str> = line.split(' ').collect();
        NICKNAMES.contains(line) || (fields.len() == 5 && fields.into_iter().all(field))
    };
    lines.iter().all(known).then_some(lines)
}

fn cron(url: &str, job: &Job<'_>, output: bool) -> String {
    let command = if output {
        format!(
            "{START} \"$PING/start\"; out=$(backup.sh 2>&1); code=$?; printf \\%s \"$out\" | tail -c 10000 | \
             {END} --data-binary @- \"$PING/$code\"; exit $code"
        )
    } else {
        format!("{START} \"$PING/start\"; backup.sh; code=$?; {END} \"$PING/$code\"; exit $code")
    };
    let mut text = format!("PING={url}\n");
    for line in lines(job).unwrap_or_else(|| vec![SOME_TIME]) {
        writeln!(text, "{line}  {command}").expect("writing to a string cannot fail");
    }
    text
}

fn cron_note(job: &Job<'_>) -> String {
    let what = "Put the job in the place of backup.sh.";
    match (lines(job), job.timezone) {
        (Some(_), Some(zone)) => {
            format!("{what} cron goes by the clock of its machine; overdue expects it in {zone}.")
        }
        (Some(_), None) => what.to_owned(),
        (None, _) => format!("{what} Put its own times in the place of {SOME_TIME}."),
    }
}

/// What a container does when it is stopped. The first process of one hears no signal that it has no trap for.
const STOPPED: &str = "When it is stopped, the job is too, and the end is told as 143.";

/// In a container, this machine is the container.
fn local_note(url: &str, note: &str) -> String {
    let host = url.split_once("://").map_or("", |(_, rest)| rest);
    if ["127.", "localhost", "[::1]"].iter().any(|local| host.starts_with(local)) {
        format!(
            "{note} In a container this address is the container itself: set base_url to one that it reaches."
        )
    } else {
        note.to_owned()
    }
}

fn bash(url: &str) -> String {
    format!(
        r#"#!/usr/bin/env bash
set -euo pipefail
PING="{url}"
rid=$(cat /proc/sys/kernel/random/uuid)

tell() {{ curl -fsS "${{@:2}}" -o /dev/null "$PING/$1?rid=$rid" || true; }}
trap 'tell "$?" -m 10 --retry 5 --retry-max-time 60' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
tell start -m 5 --retry 1

backup.sh
"#
    )
}

fn systemd(url: &str) -> String {
    // A % begins a specifier.
    let url = url.replace('%', "%%");
    format!(
        "[Service]\nEnvironment=PING={url}\nExecStartPre=-/usr/bin/{START} ${{PING}}/start\n\
         ExecStopPost=-/usr/local/bin/overdue-end\n"
    )
}

const SYSTEMD_END: &str = r#"#!/bin/sh
# For ExecStopPost=. systemd sets SERVICE_RESULT and EXIT_STATUS, the unit sets PING.
case ${SERVICE_RESULT-}:${EXIT_STATUS-} in
  success:*) end=0 ;;
  exit-code:[1-9]*) end=$EXIT_STATUS ;;
  *) end=fail ;;
esac
exec curl -fsS -m 10 --retry 5 --retry-max-time 60 -o /dev/null "$PING/$end"
"#;

fn compose(url: &str) -> String {
    format!(
        r#"services:
  backup:
    image: example/backup
    environment:
      PING: "{url}"
    entrypoint: ["/bin/sh", "-c"]
    command:
      - |
        end() {{ {END} "$$PING/$$1"; exit "$$1"; }}
        trap 'end 143' TERM
        {START} "$$PING/start"
        backup.sh &
        trap 'kill $$!; wait $$!; end 143' TERM
        wait $$!
        end $$?
"#
    )
}

/// The lines of its crontab, when Kubernetes takes them all.
fn kubernetes_lines<'a>(job: &Job<'a>) -> Option<Vec<&'a str>> {
    // It knows Sunday as 0 only.
    let day_7 = |line: &&str| line.rsplit(' ').next().is_some_and(|days| days.contains('7'));
    lines(job).filter(|lines| !lines.iter().any(day_7))
}

fn kubernetes_note(job: &Job<'_>) -> String {
    let times = match kubernetes_lines(job).map(|lines| lines.len()) {
        Some(1) => String::new(),
        Some(_) => " It has the first of its lines: make one CronJob for each line.".to_owned(),
        None => format!(" Put its own times in the place of {SOME_TIME}."),
    };
    format!("The image needs curl.{times} {STOPPED}")
}

fn kubernetes(url: &str, job: &Job<'_>) -> String {
    let name: String = job.slug.as_str().replace('_', "-").chars().take(CRON_JOB_MAX).collect();
    let name = name.trim_matches('-');
    let zone = job.timezone.unwrap_or("UTC");
    let zone = if zone == "UTC" { "Etc/UTC" } else { zone };
    let line = kubernetes_lines(job).and_then(|lines| lines.first().copied()).unwrap_or(SOME_TIME);
    format!(
        r#"apiVersion: batch/v1
kind: CronJob
metadata:
  name: "{name}"
spec:
  schedule: "{line}"
  timeZone: "{zone}"
  concurrencyPolicy: Forbid
  jobTemplate:
    spec:
      backoffLimit: 0
      template:
        spec:
          restartPolicy: Never
          containers:
            - name: job
              image: example/backup
              env:
                - name: PING
                  value: "{url}"
              command: ["/bin/sh", "-c"]
              args:
                - |
                  end() {{ {END} "$PING/$1"; exit "$1"; }}
                  trap 'end 143' TERM
                  {START} "$PING/start"
                  backup.sh &
                  trap 'kill $!; wait $!; end 143' TERM
                  wait $!
                  end $?
"#
    )
}

const PYTHON: &str = r#"import contextlib, signal, sys, time, traceback, urllib.request

PING = "URL"

def ping(end, text=""):
    body = text.encode(errors="replace")[-10000:] or None
    limit, timeout = (10, 5) if end == "start" else (60, 10)
    began = time.monotonic()
    for pause in (1, 2, 4, 8, 16, None):
        try:
            urllib.request.urlopen(f"{PING}/{end}", data=body, timeout=timeout).close()
            return
        except Exception as error:  # a watcher that is away must not fail the job
            late = isinstance(getattr(error, "reason", error), TimeoutError)
            code = getattr(error, "code", 0)
            over = pause is None or time.monotonic() - began + pause > limit
            if over or not (late or code in (408, 429) or code >= 500):
                print(f"overdue: {error}", file=sys.stderr)
                return
        time.sleep(pause)

@contextlib.contextmanager
def watched():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    ping("start")
    try:
        yield
    except SystemExit as end:
        ping(end.code & 255 if isinstance(end.code, int) else int(end.code is not None))
        raise
    except BaseException:
        ping("fail", traceback.format_exc())
        raise
    ping(0)

with watched():
    import backup
"#;

const POWERSHELL_NOTE: &str = "For Windows PowerShell 5.1 and PowerShell 7. A cmdlet, or a .ps1 without exit, in the \
    place of backup.exe sets no exit code of its own: what counts is 0, or that of the last program which it ran.";

const POWERSHELL: &str = r#"$ping = 'URL'

function Send-Ping([string] $End) {
    Set-StrictMode -Off
    # Windows PowerShell may not speak TLS 1.2 unless it is told to. 0 is whatever Windows speaks.
    $net = [Net.ServicePointManager]
    try {
        if ([int] $net::SecurityProtocol -ne 0) {
            $net::SecurityProtocol = $net::SecurityProtocol -bor [Net.SecurityProtocolType]::Tls12
        }
    } catch { }
    # The start must not hold the job up: only what overdue answers is tried again, and not for long.
    $start = $End -eq 'start'
    $limit = if ($start) { 10 } else { 60 }
    $timeout = if ($start) { 5 } else { 10 }
    $began = Get-Date
    foreach ($pause in 1, 2, 4, 8, 16, 0) {
        try {
            $null = Invoke-WebRequest -UseBasicParsing -Uri "$ping/$End" -TimeoutSec $timeout -ErrorAction Stop
            return
        } catch {
            # A watcher that is away must not fail the job; what it refuses for good is not tried again.
            $status = [int] $_.Exception.Response.StatusCode  # 0 without an answer
            $again = $status -in 408, 429 -or $status -ge 500 -or ($status -eq 0 -and -not $start)
            $over = $pause -eq 0 -or ((Get-Date) - $began).TotalSeconds + $pause -gt $limit
            if ($over -or -not $again) {
                Write-Warning "overdue: $($_.Exception.Message)" -WarningAction Continue
                return
            }
            Start-Sleep -Seconds $pause
        }
    }
}

Send-Ping 'start'
$code = 1
$global:LASTEXITCODE = 0
$PSNativeCommandUseErrorActionPreference = $false  # an exit code is told as it is
try {
    & 'C:\jobs\backup.exe' | Write-Output  # without the pipe, a program with a window is not waited for
    $code = $LASTEXITCODE
} finally {
    # A ping takes 0 to 255; Windows has other codes too.
    if ($code -ge 0 -and $code -le 255) { Send-Ping "$code" } else { Send-Ping 'fail' }
}
exit $code
"#;

#[cfg(test)]
mod tests;
