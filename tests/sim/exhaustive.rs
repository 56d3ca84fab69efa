//! Every sequence of five steps, on a few heartbeats: what chance would need a million tries to find.
//! For speed these worlds keep a list in place of the real store: a restart in them loses nothing that was synced.

use crate::rules::{Ms, Rules, Says, Timing};
use crate::world::World;

const SECOND: Ms = 1_000;
const MINUTE: Ms = 60 * SECOND;

#[derive(Debug, Clone, Copy)]
enum Step {
    Ping(Says, Option<u8>),
    /// One millisecond before the next thing that passes.
    AlmostPass,
    /// Till the next thing that passes.
    Pass,
    PauseOrResume,
    Restart,
}

const STEPS: [Step; 10] = [
    Step::Ping(Says::Success, None),
    Step::Ping(Says::Start, None),
    Step::Ping(Says::Fail, None),
    Step::Ping(Says::Exit(3), None),
    Step::Ping(Says::Start, Some(1)),
    Step::Ping(Says::Success, Some(1)),
    Step::AlmostPass,
    Step::Pass,
    Step::PauseOrResume,
    Step::Restart,
];

const DEPTH: usize = 5;

fn take(world: &mut World, step: Step) {
    match step {
        Step::Ping(says, rid) => world.ping(0, says, rid),
        Step::AlmostPass | Step::Pass => {
            let model = world.models[0].as_ref().expect("it is declared");
            let before = Ms::from(matches!(step, Step::AlmostPass));
            let to = model.next_passing().map_or(world.now + MINUTE, |at| at - before);
            world.pass(to.max(world.now));
        }
        Step::PauseOrResume => {
            let rules = world.rules[0].as_mut().expect("it is declared");
            rules.paused = !rules.paused;
            world.reload();
        }
        Step::Restart => {
            world.sync();
            world.kill(0);
            world.now += 30 * SECOND;
            world.begin();
            world.now += SECOND;
            world.hear();
        }
    }
    world.sync();
}

/// Walks all sequences, each prefix once.
fn walk(world: &World, steps: &[Step], path: &mut Vec<Step>, told: &Told) -> usize {
    if path.len() == DEPTH {
        world.check_replay(false);
        return 1;
    }
    let mut count = 0;
    for &step in steps {
        path.push(step);
        told.0.borrow_mut().clone_from(path);
        let mut next = world.clone();
        next.now += told.1;
        next.pass(next.now);
        take(&mut next, step);
        next.check();
        count += walk(&next, steps, path, told);
        path.pop();
    }
    count
}

/// The path under way, to be told when a check fails; and the time between two steps.
struct Told(std::cell::RefCell<Vec<Step>>, Ms);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the sequence, {} ms apart: {:?}", self.1, self.0.borrow());
        }
    }
}

/// The plain heartbeat has every step; the others have the steps that matter to them, and in the long form
/// (`OVERDUE_SIM_SEEDS`) every step too.
fn all_sequences(rules: Rules, apart: Ms, steps: &[usize]) {
    let long = std::env::var_os("OVERDUE_SIM_SEEDS").is_some();
    let some: Vec<Step> = steps.iter().map(|step| STEPS[*step]).collect();
    let steps = if long { STEPS.to_vec() } else { some };
    let world = World::new(&[rules], &[]);
    world.check();
    let told = Told(std::cell::RefCell::default(), apart);
    let count = walk(&world, &steps, &mut Vec::new(), &told);
    assert_eq!(count, steps.len().pow(DEPTH as u32));
}

const PLAIN: Rules = Rules {
    timing: Timing::Interval(60 * SECOND),
    grace: 20 * SECOND,
    max_runtime: 45 * SECOND,
    paused: false,
    await_first_ping: false,
    resume_on_ping: false,
    remind_every: None,
};

#[test]
fn all_sequences_of_five_steps_on_an_interval() {
    all_sequences(PLAIN, 0, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
}

#[test]
fn all_sequences_of_five_steps_on_a_cron_line_with_long_runs() {
    let timing = Timing::Minutes(10);
    all_sequences(
        Rules { timing, grace: MINUTE, max_runtime: 15 * MINUTE, ..PLAIN },
        SECOND,
        &[0, 1, 4, 5, 6, 7, 9],
    );
}

#[test]
fn all_sequences_of_five_steps_when_pings_resume_and_the_first_is_awaited() {
    all_sequences(
        Rules {
            await_first_ping: true,
            resume_on_ping: true,
            remind_every: Some(70 * SECOND),
            max_runtime: 100 * SECOND,
            ..PLAIN
        },
        SECOND,
        &[0, 1, 2, 6, 7, 8, 9],
    );
}
