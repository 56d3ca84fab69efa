//! Asks cronsim, all in one process. Knows its answers, never what is right.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// What is asked: the first time of an expression after an instant, in seconds since the epoch.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) zone: &'static str,
    pub(super) expression: String,
    pub(super) after: i64,
}

/// Its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Refused,
    Never,
    /// It was still looking when its time was over.
    Endless,
    /// The first that it names, the first after the instant, and whether the first is not on the clock.
    Next {
        first: i64,
        later: i64,
        imaginary: bool,
    },
}

/// Asks all of it.
pub(super) fn ask(asked: &[Asked]) -> Vec<Answer> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/calendars/cronsim_next.py");
    let mut cronsim = Command::new(python())
        .arg(script)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python starts");
    let mut lines = cronsim.stdin.take().expect("it is piped");
    let text = asked.iter().map(|one| format!("{}\t{}\t{}", one.zone, one.expression, one.after));
    let text = text.collect::<Vec<_>>().join("\n");
    let output = std::thread::scope(|scope| {
        scope.spawn(move || lines.write_all(text.as_bytes()));
        cronsim.wait_with_output().expect("python runs")
    });
    assert!(output.status.success(), "cronsim_next.py ended with {}", output.status);
    let answers: Vec<Answer> = String::from_utf8(output.stdout).unwrap().lines().map(read).collect();
    assert_eq!(answers.len(), asked.len(), "each question has an answer");
    answers
}

fn read(line: &str) -> Answer {
    match line {
        "refused" => return Answer::Refused,
        "never" => return Answer::Never,
        "endless" => return Answer::Endless,
        _ => {}
    }
    let numbers: Vec<i64> = line.split(' ').map(|number| number.parse().unwrap()).collect();
    let [first, later, imaginary] = numbers[..] else { panic!("cronsim_next.py says {line:?}") };
    Answer::Next { first, later, imaginary: imaginary == 1 }
}

/// The Python that `tests/run` made ready, else one that has cronsim.
fn python() -> String {
    if let Ok(python) = std::env::var("OVERDUE_CRONSIM_PYTHON") {
        return python;
    }
    let has = Command::new("python3").args(["-c", "import cronsim, tzdata"]).stderr(Stdio::null()).status();
    assert!(
        has.is_ok_and(|status| status.success()),
        "there is no Python with cronsim, which cron expressions are held against. `tests/run` sets one up; by hand:\n\
         \x20   python3 -m venv target/cronsim\n\
         \x20   target/cronsim/bin/pip install -r tests/calendars/requirements.txt\n\
         \x20   export OVERDUE_CRONSIM_PYTHON=$PWD/target/cronsim/bin/python"
    );
    "python3".to_owned()
}
