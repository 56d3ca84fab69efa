//! The PowerShell of a heartbeat's page: read by a parser, and run where there is a `pwsh`, also under a caller that is
//! strict about everything. Where either is missing, the test says so.

use std::fs;

use serde_json::json;

use crate::harness::{Ended, LIMIT, not_tried, run};
use crate::snippets::{ENDS, Place, python};

/// The job that the page names.
const JOB: &str = "'C:\\jobs\\backup.exe'";

/// What a parser says of each file: its name, and the lines that it cannot read.
const PARSE: &str = "
import sys, tree_sitter, tree_sitter_powershell
parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language()))
def faults(node):
    own = [str(node.start_point.row + 1)] if node.is_error or node.is_missing else []
    return own + [line for child in node.children for line in faults(child)]
for name in sys.argv[1:]:
    print(name, *faults(parser.parse(open(name, 'rb').read()).root_node))
";

/// A PowerShell: the one that is named, else the one that is installed.
fn pwsh(place: &Place) -> Option<String> {
    let named = std::env::var("OVERDUE_PWSH").ok();
    let path = named.clone().unwrap_or_else(|| "pwsh".to_owned());
    let found = place.run("/bin/sh", &["-c", "command -v \"$0\"", &path]).code == 0;
    assert!(found || named.is_none(), "OVERDUE_PWSH names {path}, which is not there");
    found.then_some(path)
}

/// Runs it as a scheduled task does: `-File`, and nobody to answer questions.
fn go(place: &Place, pwsh: &str) -> Ended {
    let mut command = place.command(pwsh, &["-NoProfile", "-NonInteractive", "-File", "job.ps1"]);
    command.env("HOME", place.home.path("")).env("DOTNET_SYSTEM_GLOBALIZATION_INVARIANT", "1");
    command.env("POWERSHELL_TELEMETRY_OPTOUT", "1").env("POWERSHELL_UPDATECHECK", "Off");
    run(&mut command, LIMIT)
}

#[test]
fn the_powershell_job_tells_how_it_ends_and_runs_when_nobody_listens() {
    for strict in [
        "",
        "Set-StrictMode -Version Latest\n$ErrorActionPreference = 'Stop'\n$PSNativeCommandUseErrorActionPreference = $true\n",
    ] {
        let mut place = Place::start();
        let Some(pwsh) = pwsh(&place) else {
            not_tried(
                "the page's PowerShell, since there is no pwsh to run it with (OVERDUE_PWSH can name one)",
            );
            return;
        };
        let job = format!("'{}'", place.home.path("bin/backup.sh").display());
        let text = place.snippet("powershell").replace(JOB, &job);
        assert!(text.contains(&job), "{text}");
        fs::write(place.home.path("job.ps1"), format!("{strict}{text}")).unwrap();

        for (script, code) in ENDS {
            place.job(script);
            let before = place.pings().len();
            let ended = go(&place, &pwsh);
            let printed = script.split('\'').nth(1).unwrap();
            assert_eq!((ended.code, ended.stdout.trim_end()), (i32::from(code), printed), "{ended:?}");
            place.told(before, code, script);
        }
        fs::remove_file(place.home.path("bin/backup.sh")).unwrap();
        let before = place.pings().len();
        let ended = go(&place, &pwsh);
        assert_eq!(ended.code, 1, "a program that is not there: {ended:?}");
        place.told(before, 1, "a program that is not there");

        place.stop_daemon();
        place.job("touch ran; exit 3");
        let ended = go(&place, &pwsh);
        assert_eq!(ended.code, 3, "when nobody listens: {ended:?}");
        assert!(place.home.path("ran").exists(), "{ended:?}");
        assert!(ended.stdout.contains("overdue: "), "it says so: {ended:?}");
    }
}

#[test]
fn the_powershell_is_read_by_a_parser_without_a_fault_and_with_any_brace_missing_with_one() {
    let place = Place::start();
    let python = python();
    if place.run(&python, &["-c", "import tree_sitter, tree_sitter_powershell"]).code != 0 {
        not_tried(
            "reading the page's PowerShell, since this Python has no parser of it (tests/run sets one up)",
        );
        return;
    }
    let text = place.snippet("powershell");
    let ends = text.char_indices().filter(|(_, letter)| "{})".contains(*letter));
    let broken = ends.map(|(at, _)| format!("{}{}", &text[..at], &text[at + 1..]));
    let mut names = Vec::new();
    for (number, text) in std::iter::once(text.clone()).chain(broken).enumerate() {
        names.push(format!("{number}.ps1"));
        fs::write(place.home.path(&names[number]), text).unwrap();
    }
    let mut arguments = vec!["-c", PARSE];
    arguments.extend(names.iter().map(String::as_str));
    let ended = place.run(&python, &arguments);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{ended:?}");
    let said: Vec<&str> = ended.stdout.lines().collect();
    assert!(said.len() == names.len() && said.len() > 40, "{said:?}");
    assert_eq!(said[0], "0.ps1", "it has faults in these lines: {text}");
    for (name, said) in names.iter().zip(&said).skip(1) {
        assert!(said.starts_with(&format!("{name} ")), "a brace too few is not found: {said}");
    }
}

/// What PowerShell takes for itself in a string in quotes is not in the URL.
#[test]
fn the_powershell_names_the_ping_url_and_ends_as_its_job() {
    let place = Place::start();
    let url = place.heartbeat()["ping_url"].clone();
    let text = place.snippet("powershell");
    let first = text.lines().next().unwrap().strip_prefix("$ping = '").unwrap();
    assert_eq!(json!(first.strip_suffix('\'').unwrap()), url);
    for said in [
        "    Set-StrictMode -Off\n",
        "Send-Ping 'start'\n",
        &format!("    & {JOB} | Write-Output"),
        "$again = $status -in 408, 429 -or $status -ge 500 -or ($status -eq 0 -and -not $start)",
        "} finally {\n",
        "if ($code -ge 0 -and $code -le 255) { Send-Ping \"$code\" } else { Send-Ping 'fail' }\n",
        "\nexit $code",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
}
