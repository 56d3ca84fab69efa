//! A heartbeat that is made, changed and deleted by the API, and what the witness knows of it: what was answered is so
//! after every death, and what was not answered is so or not, but nothing else.

use overdue::engine::handle::Refused;
use overdue::machine::event::{Conflict, Edition, Expected, Reply, Request};
use overdue::machine::state::State;
use overdue::model::heartbeat::Source;
use overdue::model::id::Slug;
use overdue::model::ping::Target;
use uuid::Uuid;

use crate::house::duty::{Duty, Every, HOUR};
use crate::house::life::Living;
use crate::house::witness::{Witness, beat_of};
use crate::house::{House, JOBS};
use crate::rules::Ms;
use crate::world::slug_of;

/// The job whose heartbeat the API makes.
pub(crate) const MADE: usize = JOBS;

/// What is known of that heartbeat; nothing is said of one that is not there.
#[derive(Debug)]
pub(crate) struct Made {
    /// What is said of it in the process that lives.
    now: Option<Duty>,
    /// What a start may find: the last that was answered 200, and all that was wanted since.
    may_be: Vec<Option<Duty>>,
    /// All that was ever said: after a lie of the disk any of it may be found.
    ever: Vec<(Ms, Option<Duty>)>,
    /// The last record that says something of it.
    seq: u64,
}

impl Default for Made {
    fn default() -> Self {
        Self { now: None, may_be: vec![None], ever: vec![(0, None)], seq: 0 }
    }
}

impl Made {
    /// A record says something of a job's heartbeat.
    pub(crate) fn tells(&mut self, job: usize, seq: u64) {
        if job == MADE {
            self.seq = seq;
        }
    }
}

impl Witness {
    /// Somebody wants it to be so.
    fn wishes(&mut self, duty: Option<Duty>, now: Ms) {
        self.declared[MADE].push((now, duty));
        self.made.may_be.push(duty);
        self.made.ever.push((now, duty));
        self.kept.remove(&MADE);
        self.silences.changes(MADE);
    }

    /// That was answered 200.
    fn granted(&mut self, duty: Option<Duty>, now: Ms) {
        let (seq, sure) = (self.made.seq, self.shadow.sure);
        assert!(
            seq <= sure,
            "a change was answered 200 before the disk had it: record {seq}, sure to {sure}"
        );
        self.made.may_be = vec![duty];
        self.silences.changed(MADE..MADE + 1, now);
        // What is said of it says whether it is paused.
        self.silences.presses(MADE, true, now);
    }

    /// A start found it so.
    pub(crate) fn find_made(&mut self, state: &State, doubt: bool, now: Ms) {
        let beat = beat_of(state, MADE).filter(|beat| beat.removed_at.is_none());
        let found = beat.map(|beat| (beat.source, beat.draft.as_deref().cloned()));
        let is_found = |duty: &Option<Duty>| found == duty.map(|duty| (Source::Api, Some(duty.draft(MADE))));
        let duty = if doubt {
            self.made.ever.iter().map(|(_, duty)| *duty).rfind(is_found)
        } else {
            self.made.may_be.iter().copied().rfind(is_found)
        };
        let made = &self.made;
        let duty = duty.unwrap_or_else(|| panic!("the API was told {made:?}, and found is {found:?}"));
        if self.declared[MADE].last().map(|(_, last)| *last) != Some(duty) {
            // One that was deleted is kept from when that was said.
            let deleted = self.made.ever.iter().find(|(_, ever)| ever.is_none()).map(|(at, _)| *at);
            let since = if duty.is_none() && doubt { deleted.unwrap_or(now) } else { now };
            self.declared[MADE].push((since, duty));
        }
        (self.made.now, self.made.may_be) = (duty, vec![duty]);
        // What a lie lost of it has left its numbers to others.
        self.made.seq = self.made.seq.min(self.shadow.last());
        self.silences.changed(MADE..MADE + 1, now);
    }
}

impl House {
    /// What is expected of a job.
    pub(crate) fn duty(&self, job: usize) -> Option<Duty> {
        if job == MADE { self.told.lock().made.now } else { self.config.duties[job] }
    }

    /// The slug of a job's heartbeat.
    pub(crate) fn name_of(&self, job: usize) -> Slug {
        if job == MADE { slug_of(MADE) } else { self.config.names[job].clone() }
    }

    /// Somebody makes, changes or deletes a heartbeat by the API, or wants what cannot be.
    pub(crate) async fn use_api(&mut self, living: &Living) {
        let (target, slug) = (Target::Slug(slug_of(MADE)), slug_of(MADE));
        let (made, duty) = (self.duty(MADE), self.draw_duty());
        let draft = duty.draft(MADE);
        let made_or = |reply| if made.is_none() { Reply::Created(slug.clone()) } else { reply };
        let changed = Reply::Changed(slug.clone());
        let (request, expected, to) = match self.chance.below(10) {
            0 => {
                let request = Request::Create { slug: slug.clone(), draft };
                (request, made_or(Reply::Conflict(Conflict::Slug)), Some(duty))
            }
            1..=3 => {
                let request = Request::Replace { target, draft, expected: Expected::Anything };
                (request, made_or(changed), Some(duty))
            }
            4 => {
                let request = Request::Replace { target, draft, expected: Expected::Nothing };
                (request, made_or(Reply::Conflict(Conflict::Stale)), Some(duty))
            }
            5 | 6 => {
                let stale = self.chance.one_in(3);
                let name = slug.as_str().to_owned();
                let asked = living.handle.ask(move |view| view.edition(&name).map(|(_, edition)| edition));
                let Some(Ok(edition)) = living.process.while_alive(asked).await else { return };
                assert_eq!(edition.is_some(), made.is_some(), "what was made is there");
                let edition = edition.filter(|_| !stale).unwrap_or(Edition(Uuid::nil()));
                let expected = match made {
                    None => Reply::Unknown,
                    Some(_) if stale => Reply::Conflict(Conflict::Stale),
                    Some(_) => changed,
                };
                (Request::Amend { target, draft, edition, pauses: true }, expected, Some(duty))
            }
            _ => {
                let expected = if made.is_some() { Reply::Deleted } else { Reply::Unknown };
                (Request::Delete { target, expected: Expected::Anything }, expected, None)
            }
        };
        self.wish(living, request, &expected, to).await;
    }

    /// It is there, and nothing keeps it from being told as down.
    pub(crate) async fn make_for_the_end(&mut self, living: &Living) {
        let duty = self.duty(MADE).unwrap_or(crate::house::first_duty(MADE));
        let duty = Duty { paused: false, await_first_ping: false, ..duty };
        let slug = slug_of(MADE);
        let expected = if self.duty(MADE).is_none() {
            Reply::Created(slug.clone())
        } else {
            Reply::Changed(slug.clone())
        };
        let (target, draft) = (Target::Slug(slug), duty.draft(MADE));
        let request = Request::Replace { target, draft, expected: Expected::Anything };
        let answer = self.wish(living, request, &expected, Some(duty)).await;
        assert_eq!(answer, Some(Ok(expected)), "on a good disk it is done");
    }

    /// Something is wanted of the API, which must answer so, if the disk lets it.
    async fn wish(
        &mut self,
        living: &Living,
        request: Request,
        expected: &Reply,
        to: Option<Duty>,
    ) -> Option<Result<Reply, Refused>> {
        let does = match expected {
            Reply::Created(_) => "heartbeats made by the API",
            Reply::Changed(_) => "heartbeats changed by the API",
            Reply::Deleted => "heartbeats deleted by the API",
            _ => "wishes of the API in conflict",
        };
        self.told.saw(does);
        let changes = expected.claims();
        if changes {
            let now = self.real();
            self.told.lock().wishes(to, now);
        }
        let answer = self.want(living, request).await;
        let now = self.real();
        let mut told = self.told.lock();
        match &answer {
            None => told.seen.saw("wishes of the API without an answer"),
            Some(Err(_)) => told.seen.saw("wishes of the API that were not durable"),
            Some(Ok(reply)) => {
                assert_eq!(reply, expected, "that is answered otherwise");
                if changes {
                    told.granted(to, now);
                }
            }
        }
        if changes && answer.is_some() {
            told.made.now = to;
        }
        answer
    }

    fn draw_duty(&mut self) -> Duty {
        let long = HOUR + Ms::from(self.chance.below((20 * HOUR) as u32));
        let every = if self.chance.one_in(2) { Every::Span(long) } else { Every::Day(long / HOUR, 40) };
        Duty {
            every,
            grace: long / 4,
            max_runtime: long / 3,
            paused: self.chance.one_in(6),
            await_first_ping: self.chance.one_in(4),
            resume_on_ping: false,
            remind_every: self.chance.one_in(4).then_some(30 * HOUR),
        }
    }
}
