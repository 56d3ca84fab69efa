//! The story of one file, told with instants.

use super::*;
use std::io;
use std::path::{Path, PathBuf};

use crate::config::Sources;
use crate::model::schedule::Zones;
use crate::watch::reading::read;

struct Text(String);

impl Sources for Text {
    fn read(&self, _: &Path) -> io::Result<String> {
        Ok(self.0.clone())
    }
    fn glob(&self, _: &Path) -> Result<Vec<PathBuf>, String> {
        Ok(Vec::new())
    }
    fn env(&self, _: &str) -> Option<String> {
        None
    }
    fn credentials_directory(&self) -> Option<PathBuf> {
        None
    }
}

fn jobs(count: usize) -> String {
    let one = |n| format!("[heartbeats.job-{n}]\ninterval = \"1h\"\n");
    (0..count).map(one).collect::<Vec<_>>().concat()
}

fn reading(text: &str) -> Reading {
    read(Path::new("config.toml"), &Text(text.to_owned()), &Zones::bundled(), None)
}

/// A decider with a file beside it.
struct Story {
    decider: Decider,
    now: Instant,
}

impl Story {
    fn begin(text: &str) -> Self {
        let first = reading(text);
        let decider = Decider::new(
            First { config: &first.outcome.unwrap(), transcript: first.transcript, held: None },
            Timestamp::from_millis(1),
        );
        Self { decider, now: Instant::now() }
    }

    /// Waits for the next look, at which the file holds `text`. How long that took, and what was said.
    fn look(&mut self, text: &str) -> (Duration, Option<Loaded>) {
        let due = self.decider.due().expect("a look is due");
        let waited = due - self.now;
        self.now = due;
        let file = Text(text.to_owned());
        let known = self.decider.known().into_iter().find(|(transcript, _)| transcript.holds(&file));
        let look = known.map_or_else(|| Look::New(Box::new(reading(text))), |(_, look)| look);
        (waited, self.decider.looked(look, self.now, Timestamp::from_millis(2)))
    }

    fn change(&mut self, text: &str) -> (Duration, Option<Loaded>) {
        self.decider.changed(Step::Done, self.now);
        self.look(text)
    }
}

#[test]
fn a_change_is_read_after_a_moment_of_quiet_and_at_the_latest_after_3_s() {
    let mut story = Story::begin("");
    let begin = story.now;
    story.decider.changed(Step::Done, begin);
    assert_eq!(story.decider.due(), Some(begin + QUIET));
    story.decider.changed(Step::Done, begin + QUIET / 2);
    assert_eq!(story.decider.due(), Some(begin + QUIET / 2 + QUIET), "it was not quiet");
    for n in 0..100 {
        story.decider.changed(Step::Done, begin + QUIET / 2 * n);
    }
    assert_eq!(story.decider.due(), Some(begin + QUIET_MAX));
}

#[test]
fn a_file_that_is_being_written_is_given_more_time_than_one_that_was_closed() {
    let mut story = Story::begin("");
    let begin = story.now;
    story.decider.changed(Step::Done, begin);
    story.decider.changed(Step::Midst, begin);
    assert_eq!(story.decider.due(), Some(begin + QUIET_MIDST));
    story.decider.changed(Step::Done, begin + QUIET);
    assert_eq!(story.decider.due(), Some(begin + QUIET * 2), "and was closed at last");
}

#[test]
fn an_addition_applies_at_once() {
    let mut story = Story::begin(&jobs(2));
    let (waited, loaded) = story.change(&jobs(3));
    assert_eq!(waited, QUIET);
    let Some(Loaded::Accepted { config, change }) = loaded else { panic!("{loaded:?}") };
    assert_eq!((config.heartbeats.len(), change.removed), (3, 0));
    assert_eq!(story.decider.due(), None);
    let health = story.decider.health();
    assert!(health.ok && health.loaded_at == Timestamp::from_millis(2));
}

#[test]
fn the_same_bytes_are_not_parsed_again_unless_somebody_asks() {
    let mut story = Story::begin(&jobs(2));
    assert!(story.change(&jobs(2)).1.is_none());
    story.decider.ask(story.now);
    let (waited, loaded) = story.look(&jobs(2));
    assert_eq!(waited, Duration::ZERO, "who asks does not wait");
    assert!(matches!(loaded, Some(Loaded::Accepted { .. })));
}

#[test]
fn a_bad_file_is_told_once_and_the_old_text_heals_it() {
    let mut story = Story::begin(&jobs(2));
    let bad = "[heartbeats.a]\ninterval = 3";
    let Some(Loaded::Rejected { problems }) = story.change(bad).1 else { panic!("it is bad") };
    assert_eq!(story.decider.health().problems, problems);
    assert!(!story.decider.health().ok);
    assert!(story.change(bad).1.is_none(), "nothing new to say");
    assert!(matches!(story.change(&jobs(2)).1, Some(Loaded::Restored)), "it is what is in force");
    assert!(story.change(&jobs(2)).1.is_none(), "nothing new to say");
    assert!(story.decider.health().ok);
    assert_eq!(story.decider.health().loaded_at, Timestamp::from_millis(1), "nothing was applied");
}

#[test]
fn a_removal_applies_when_a_second_look_sees_the_same() {
    let mut story = Story::begin(&jobs(4));
    assert!(story.change(&jobs(3)).1.is_none());
    let (waited, loaded) = story.look(&jobs(3));
    assert_eq!(waited, SECOND_LOOK);
    let Some(Loaded::Accepted { change, .. }) = loaded else { panic!("{loaded:?}") };
    assert_eq!(change.removed, 1);
}

#[test]
fn a_half_written_file_is_not_a_wish() {
    let mut story = Story::begin(&jobs(8));
    assert!(story.change(&jobs(1)).1.is_none());
    let (_, loaded) = story.look(&jobs(9));
    let Some(Loaded::Accepted { config, .. }) = loaded else { panic!("{loaded:?}") };
    assert_eq!(config.heartbeats.len(), 9, "the whole file removes nothing");
    // Written on in pieces, each look sees another half: it waits on.
    assert!(story.change(&jobs(1)).1.is_none());
    for jobs_there in 2..7 {
        assert!(story.look(&jobs(jobs_there)).1.is_none());
    }
    // And back to what it was.
    assert!(story.look(&jobs(9)).1.is_none());
    assert!(story.decider.health().ok);
    assert_eq!(story.decider.due(), None);
}

#[test]
fn a_large_removal_is_held_back_until_it_is_confirmed() {
    let mut story = Story::begin(&jobs(10));
    assert!(story.change(&jobs(4)).1.is_none());
    let Some(Loaded::HeldBack { problem }) = story.look(&jobs(4)).1 else { panic!("it is held back") };
    assert!(problem.to_string().starts_with("config.toml:1:1: this config removes 6 of 10 heartbeats"));
    assert!(!story.decider.health().ok);
    assert!(story.change(&jobs(4)).1.is_none(), "it stays held back");
    story.decider.ask(story.now);
    let (waited, loaded) = story.look(&jobs(4));
    assert_eq!(waited, Duration::ZERO);
    assert!(matches!(loaded, Some(Loaded::Accepted { .. })));
    assert!(story.decider.health().ok);
}

#[test]
fn who_asks_for_a_large_removal_has_it_after_the_second_look() {
    let mut story = Story::begin(&jobs(10));
    story.decider.ask(story.now);
    assert!(story.look(&jobs(0)).1.is_none());
    let (waited, loaded) = story.look(&jobs(0));
    assert_eq!(waited, SECOND_LOOK);
    assert!(matches!(loaded, Some(Loaded::Accepted { .. })));
}

#[test]
fn a_confirmation_during_the_second_look_counts() {
    let mut story = Story::begin(&jobs(10));
    assert!(story.change(&jobs(1)).1.is_none());
    story.decider.ask(story.now);
    let (waited, loaded) = story.look(&jobs(1));
    assert_eq!(waited, SECOND_LOOK, "it does not come too early");
    assert!(matches!(loaded, Some(Loaded::Accepted { .. })));
}

#[test]
fn every_one_who_asks_is_answered() {
    for text in ["[[", "", &jobs(1), &jobs(7)] {
        let mut story = Story::begin(&jobs(6));
        story.decider.ask(story.now);
        let answered = (0..3).any(|_| story.decider.due().is_some() && story.look(text).1.is_some());
        assert!(answered, "{text}");
        // The second time too, when nothing is new.
        story.decider.ask(story.now);
        let answered = (0..3).any(|_| story.decider.due().is_some() && story.look(text).1.is_some());
        assert!(answered, "again {text}");
    }
}
