//! What throws bytes at a reader until it stumbles, for tests alone. It knows seeds, mutations and how to tell of a
//! failure, and never what is read.
//!
//! A target's seeds are the files of `tests/fixtures/fuzz/<target>/`: each is tried as it is, then changed. An input
//! that comes to something new joins the seeds, so that errors and answers lead on to others, as coverage would.
//!
//! Every run is the same by itself. `OVERDUE_FUZZ_SECONDS` gives each target so many seconds and another start, which
//! is told on failure and goes into `OVERDUE_FUZZ_SEED` to come again.
#![allow(clippy::disallowed_methods, reason = "seeds are files, time is measured, and a reader may hang")]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// No input may take longer. What is fast takes a thousandth of it.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of an input at the most.
const INPUT_MAX: usize = 16 * 1024;
/// How much of an input and of a broken promise is told.
const TOLD_MAX: usize = 2_000;
/// Seeds that a run gathers beside the files.
const GATHERED_MAX: usize = 2_000;

/// A reader under attack.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    /// Its folder in `tests/fixtures/fuzz`.
    pub name: &'static str,
    /// Inputs of a run without a time of its own.
    pub inputs: u64,
    /// Words that mean something to it.
    pub dictionary: &'static [&'static str],
    /// Reads an input, panics when a promise is broken, and says in a word what it came to.
    pub check: fn(&[u8]) -> String,
}

impl Target {
    /// Attacks it.
    pub(crate) fn attack(&self) {
        let mut seeds = self.seeds();
        let seconds: Option<u64> = number("OVERDUE_FUZZ_SECONDS");
        let started = Instant::now();
        let seed =
            number("OVERDUE_FUZZ_SEED").unwrap_or_else(|| if seconds.is_some() { any_seed() } else { 1 });
        let mut reader = Reader::start(self.check);
        let mut outcomes = BTreeSet::new();
        for input in &seeds {
            outcomes.insert(self.try_one(&mut reader, input, seed));
        }
        let files = seeds.len();
        let mut chance = Chance(seed);
        let mut tried: u64 = 0;
        while seconds.map_or(tried < self.inputs, |seconds| started.elapsed() < Duration::from_secs(seconds))
        {
            let input = mutated(&seeds, self.dictionary, &mut chance);
            tried += 1;
            let is_new = outcomes.insert(self.try_one(&mut reader, &input, seed));
            if is_new && seeds.len() < files + GATHERED_MAX {
                seeds.push(input);
            }
        }
        println!(
            "{}: {files} files and {tried} inputs in {:.1?} came to {} outcomes (OVERDUE_FUZZ_SEED={seed})",
            self.name,
            started.elapsed(),
            outcomes.len()
        );
    }

    fn folder(&self) -> PathBuf {
        [env!("CARGO_MANIFEST_DIR"), "tests/fixtures/fuzz", self.name].iter().collect()
    }

    fn seeds(&self) -> Vec<Vec<u8>> {
        let folder = self.folder();
        let entries = std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        assert!(!paths.is_empty(), "{} has no seeds", folder.display());
        paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
    }

    fn try_one(&self, reader: &mut Reader, input: &[u8], seed: u64) -> String {
        match reader.read(input) {
            Ok(outcome) => outcome,
            Err(how) => {
                let file = format!("overdue-fuzz-{}-{:08x}", self.name, crc32fast::hash(input));
                let path = std::env::temp_dir().join(file);
                std::fs::write(&path, input).unwrap();
                panic!(
                    "{}: an input {how}; it is in {} (OVERDUE_FUZZ_SEED={seed}). Keep it in {}:\n{}",
                    self.name,
                    path.display(),
                    self.folder().display(),
                    String::from_utf8_lossy(&input[..input.len().min(TOLD_MAX)])
                );
            }
        }
    }
}

/// A thread that reads, so that one that never comes back is noticed.
struct Reader {
    inputs: Option<SyncSender<Vec<u8>>>,
    outcomes: Receiver<String>,
    thread: Option<JoinHandle<()>>,
}

impl Reader {
    fn start(check: fn(&[u8]) -> String) -> Self {
        let (inputs, given) = sync_channel::<Vec<u8>>(1);
        let (told, outcomes) = sync_channel(1);
        let thread = std::thread::spawn(move || {
            for input in given {
                if told.send(check(&input)).is_err() {
                    return;
                }
            }
        });
        Self { inputs: Some(inputs), outcomes, thread: Some(thread) }
    }

    /// What an input came to, or how it failed.
    fn read(&mut self, input: &[u8]) -> Result<String, String> {
        let given = self.inputs.as_ref().is_some_and(|inputs| inputs.send(input.to_vec()).is_ok());
        assert!(given, "a reader that stumbled is not asked again");
        match self.outcomes.recv_timeout(PATIENCE) {
            Ok(outcome) => Ok(outcome),
            Err(RecvTimeoutError::Timeout) => Err(format!("took longer than {PATIENCE:?}")),
            Err(RecvTimeoutError::Disconnected) => {
                self.inputs = None;
                let panicked = self.thread.take().and_then(|thread| thread.join().err());
                let text = panicked.and_then(|panic| match panic.downcast::<String>() {
                    Ok(text) => Some(*text),
                    Err(other) => other.downcast_ref::<&str>().map(|text| (*text).to_owned()),
                });
                let text: String = text.unwrap_or_default().chars().take(TOLD_MAX).collect();
                Err(format!("broke a promise ({text})"))
            }
        }
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is a number, not {text:?}")))
}

fn any_seed() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_nanos() as u64)
}

/// What a message says without the words that it repeats from its input: one word for all that are alike.
pub(crate) fn kind_of(message: &str) -> String {
    let mut kind = String::new();
    let mut quoted = false;
    for letter in message.chars() {
        match letter {
            '"' | '`' => quoted = !quoted,
            _ if quoted || letter.is_ascii_digit() => {}
            letter => kind.push(letter),
        }
    }
    kind
}

/// Numbers that look random and are the same for the same seed (`SplitMix64`).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to `n` - 1; 0 when `n` is 0.
    fn below(&mut self, n: usize) -> usize {
        (self.next() % (n as u64).max(1)) as usize
    }

    fn one_of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        let at = self.below(all.len());
        all.get(at)
    }

    /// A stretch of so many bytes, mostly a short one.
    fn stretch(&mut self, len: usize) -> std::ops::Range<usize> {
        let from = self.below(len + 1);
        let longest = if self.below(4) == 0 { len - from } else { (len - from).min(8) };
        from..from + self.below(longest + 1)
    }
}

/// One of the seeds with one to eight changes.
fn mutated(seeds: &[Vec<u8>], dictionary: &[&str], chance: &mut Chance) -> Vec<u8> {
    let mut input = chance.one_of(seeds).cloned().unwrap_or_default();
    for _ in 0..=chance.below(3) * chance.below(4) {
        mutate(&mut input, seeds, dictionary, chance);
    }
    input.truncate(INPUT_MAX);
    input
}

fn mutate(input: &mut Vec<u8>, seeds: &[Vec<u8>], dictionary: &[&str], chance: &mut Chance) {
    let stretch = chance.stretch(input.len());
    let at = stretch.start;
    let word = chance.one_of(dictionary).copied().unwrap_or_default().bytes();
    match chance.below(12) {
        0 => drop(input.drain(stretch)),
        1 => input.truncate(at),
        2 => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << chance.below(8);
            }
        }
        3 => {
            if let Some(byte) = input.get_mut(at) {
                *byte = chance.next() as u8;
            }
        }
        4 => {
            let piece = input[stretch].to_vec();
            let times = 1 + chance.below(3) * chance.below(40);
            drop(input.splice(at..at, piece.repeat(times.min(INPUT_MAX / piece.len().max(1)))));
        }
        5 | 6 => drop(input.splice(at..at, word)),
        7 => drop(input.splice(stretch, word)),
        8 => {
            let other = chance.one_of(seeds).cloned().unwrap_or_default();
            let piece = other[chance.stretch(other.len())].to_vec();
            drop(input.splice(stretch, piece));
        }
        9 => {
            let other = chance.one_of(seeds).cloned().unwrap_or_default();
            input.truncate(at);
            input.extend_from_slice(&other[chance.below(other.len() + 1)..]);
        }
        10 => another_number(input, at, chance),
        _ => another_line(input, at, chance),
    }
}

/// Puts another number in the place of the one that stands there or comes next.
fn another_number(input: &mut Vec<u8>, at: usize, chance: &mut Chance) {
    const NUMBERS: [&str; 14] = [
        "0",
        "1",
        "-1",
        "7",
        "24",
        "59",
        "60",
        "255",
        "256",
        "366",
        "65536",
        "4294967296",
        "9223372036854775807",
        "18446744073709551616",
    ];
    let Some(from) = input[at..].iter().position(u8::is_ascii_digit).map(|n| at + n) else { return };
    let digits = input[from..].iter().take_while(|c| c.is_ascii_digit()).count();
    let number = chance.one_of(&NUMBERS).copied().unwrap_or_default();
    drop(input.splice(from..from + digits, number.bytes()));
}

/// Takes the line that stands there away, or writes it twice.
fn another_line(input: &mut Vec<u8>, at: usize, chance: &mut Chance) {
    let from = input[..at].iter().rposition(|c| *c == b'\n').map_or(0, |n| n + 1);
    let to = input[at..].iter().position(|c| *c == b'\n').map_or(input.len(), |n| at + n + 1);
    let line = input[from..to].to_vec();
    if chance.below(2) == 0 {
        input.drain(from..to);
    } else {
        drop(input.splice(from..from, line));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_breaks_a_promise_or_never_ends_is_found_with_its_words() {
        let mut reader = Reader::start(|input| {
            assert!(input.len() < 3, "{} bytes", input.len());
            "good".to_owned()
        });
        assert_eq!(reader.read(b"ab"), Ok("good".to_owned()));
        assert_eq!(reader.read(b"abc"), Err("broke a promise (3 bytes)".to_owned()));
    }

    #[test]
    fn mutations_are_the_same_for_the_same_seed_and_leave_nothing_as_it_is() {
        let seeds = [b"one 1\ntwo 2\n".to_vec(), b"three 33\n".to_vec()];
        let all = |seed| {
            let mut chance = Chance(seed);
            (0..1_000).map(|_| mutated(&seeds, &["word"], &mut chance)).collect::<BTreeSet<_>>()
        };
        assert_eq!(all(7), all(7));
        assert_ne!(all(7), all(8));
        assert!(all(7).len() > 500, "{}", all(7).len());
        assert!(all(7).iter().any(|input| input.windows(4).any(|piece| piece == b"word")));
    }

    #[test]
    fn messages_that_differ_in_what_they_repeat_are_of_one_kind() {
        assert_eq!(kind_of("line 17: \"abc\" is no `key`"), kind_of("line 4: \"x\" is no `other`"));
        assert_ne!(kind_of("one is missing"), kind_of("two are missing"));
    }
}
