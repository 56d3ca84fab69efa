//! The files of `tests/fixtures/config` and the example give what they say.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "the fixtures are files")]
#![allow(clippy::unwrap_used, reason = "a fixture that cannot be read fails the test")]

use std::path::{Path, PathBuf};
use std::time::Instant;
use std::{fs, io};

use overdue::config::channel::ChannelConfig;
use overdue::config::problem::Problem;
use overdue::config::{Config, Sources};
use overdue::model::schedule::Zones;

/// One text and nothing else.
struct Text<'t>(&'t str);

impl Text<'_> {
    fn read(text: &str) -> Result<Config, Vec<Problem>> {
        Config::read(Path::new("config.toml"), &Text(text), &Zones::bundled())
    }
}

impl Sources for Text<'_> {
    fn read(&self, _path: &Path) -> io::Result<String> {
        Ok(self.0.to_owned())
    }
    fn glob(&self, _pattern: &Path) -> Result<Vec<PathBuf>, String> {
        Ok(Vec::new())
    }
    fn env(&self, _name: &str) -> Option<String> {
        None
    }
    fn credentials_directory(&self) -> Option<PathBuf> {
        None
    }
}

/// The files of this repository, with one variable and one credential.
struct Repository;

impl Sources for Repository {
    fn read(&self, path: &Path) -> io::Result<String> {
        fs::read_to_string(path)
    }
    fn glob(&self, pattern: &Path) -> Result<Vec<PathBuf>, String> {
        let paths = glob::glob(&pattern.to_string_lossy()).map_err(|error| error.to_string())?;
        paths.collect::<Result<_, _>>().map_err(|error| error.to_string())
    }
    fn env(&self, name: &str) -> Option<String> {
        match name {
            "OVERDUE_TEST_KEY" => Some("0123456789abcdef".to_owned()),
            "OVERDUE_TEST_EMPTY" => Some("\n".to_owned()),
            _ => None,
        }
    }
    fn credentials_directory(&self) -> Option<PathBuf> {
        Some(root().join("tests/fixtures/config/secrets"))
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn fixtures(folder: &str) -> Vec<PathBuf> {
    let folder = root().join("tests/fixtures/config").join(folder);
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "toml")).collect();
    files.sort();
    files
}

fn read(path: &Path) -> Result<Config, Vec<Problem>> {
    Config::read(path, &Repository, &Zones::bundled())
}

fn told(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("  {problem}")).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_valid_file_is_taken() {
    let files = fixtures("valid");
    assert!(files.len() >= 5, "only {} files", files.len());
    for file in files {
        if let Err(problems) = read(&file) {
            panic!("{}:\n{}", file.display(), told(&problems));
        }
    }
}

/// `# problem: LINE:COLUMN: TEXT` at the top of a file, or `# problem: FILE:LINE:COLUMN: TEXT` when it is
/// about an included one. All must be given, and nothing else.
#[test]
fn every_invalid_file_gives_the_problems_that_it_begins_with() {
    let files = fixtures("invalid");
    assert!(files.len() >= 30, "only {} files", files.len());
    let mut failures = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let expected: Vec<&str> = text.lines().map_while(|line| line.strip_prefix("# problem: ")).collect();
        assert!(!expected.is_empty(), "{} does not say what is wrong with it", file.display());
        let problems = read(&file).expect_err(&format!("{} is taken", file.display()));
        let given = |line: &&str| {
            problems.iter().any(|problem| {
                let name = problem.file.rsplit('/').next().unwrap();
                let own = file.file_name().unwrap().to_str() == Some(name);
                let problem_text = problem.to_string();
                let rest = &problem_text[problem.file.len() + 1..];
                let full = if own { rest.to_owned() } else { format!("{name}:{rest}") };
                let (place, words) = line.split_once(": ").unwrap();
                full.strip_prefix(place).is_some_and(|after| after.starts_with(": ") && after.contains(words))
            })
        };
        let missing: Vec<_> = expected.iter().filter(|line| !given(line)).collect();
        if !missing.is_empty() || problems.len() != expected.len() {
            failures.push(format!("{}: missing {missing:#?}, given:\n{}", file.display(), told(&problems)));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn the_example_is_taken_and_stays_on_this_machine() {
    let config =
        read(&root().join("config.example.toml")).unwrap_or_else(|problems| panic!("{}", told(&problems)));
    assert!(config.heartbeats.len() >= 2);
    assert!(config.channels.values().all(|channel| *channel == ChannelConfig::Log));
    assert_eq!(config.server.alive_url, None);
    assert!(config.server.listen.iter().all(|listen| listen.to_string().starts_with("127.0.0.1")));
}

#[test]
fn the_example_says_every_key() {
    let example = fs::read_to_string(root().join("config.example.toml")).unwrap();
    let stands = |key: &str| {
        example.lines().any(|line| {
            let line = line.trim_start_matches(['#', ' ', '[']);
            line.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with(['=', '.', ']']))
        })
    };
    let keys = Config::keys();
    assert!(keys.len() > 40);
    let missing: Vec<_> =
        keys.into_iter().filter(|key| !stands(key) && !stands(&format!("server.{key}"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// What the example calls the default is the default: with every commented key written out, nothing of an
/// otherwise empty config changes.
#[test]
fn the_defaults_of_the_example_are_the_built_in_ones() {
    let example = fs::read_to_string(root().join("config.example.toml")).unwrap();
    let section = |name: &str| {
        let from = example.find(&format!("\n[{name}]")).unwrap() + 1;
        let until = example[from..].find("\n# ----").map_or(example.len(), |until| from + until);
        let lines = example[from..until].lines().map(|line| line.strip_prefix("#= ").unwrap_or(line));
        lines.collect::<Vec<_>>().join("\n")
    };
    let text = format!("{}\n{}\n", section("server"), section("state"));
    let written = Text::read(&text).unwrap_or_else(|problems| panic!("{}", told(&problems)));
    let built_in = Text::read("").unwrap();
    assert_eq!(written.server, built_in.server);
    assert_eq!(written.state, built_in.state);
    assert!(text.lines().filter(|line| line.contains(" = ")).count() >= 12, "{text}");
}

#[test]
fn the_time_to_read_grows_with_the_file_and_not_with_its_square() {
    let text = |count: usize| {
        let one = |n| format!("[heartbeats.job-{n}]\ninterval = \"1h\"\nchannels = [\"log\"]\n");
        (0..count).map(one).collect::<Vec<_>>().concat()
    };
    let time = |text: &str| {
        let begin = Instant::now();
        assert!(!Text::read(text).unwrap().heartbeats.is_empty());
        begin.elapsed()
    };
    let (small, large) = (text(1_000), text(16_000));
    let ratio =
        (0..3).map(|_| time(&large).as_secs_f64() / time(&small).as_secs_f64()).fold(f64::MAX, f64::min);
    assert!(ratio < 100.0, "16 times the text took {ratio:.0} times as long");
}
