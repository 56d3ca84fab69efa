//! Long lives by chance, on a disk that loses all it may lose: shrunk by proptest when they are short, told by their seed when they are long.

use std::collections::BTreeSet;

use overdue::machine::record::{Next, Record};
use overdue::machine::state::State;
use overdue::model::delivery::Verdict;
use proptest::prelude::*;

use crate::acts::{Act, heartbeats};
use crate::chance::Chance;
use crate::disk::{Seen, assert_starts};
use crate::rules::Ms;
use crate::world::World;

const DAY: Ms = 86_400_000;

fn any_act(chance: &mut Chance) -> Act {
    let [what, who, how, _, a, b, ..] = chance.draw().to_be_bytes();
    Act { what, who, how, long: u16::from_be_bytes([a, b]) }
}

/// Tells where a life came to grief.
struct Told {
    seed: u64,
    step: usize,
}

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {}, step {}", self.seed, self.step);
        }
    }
}

fn live(seed: u64, steps: usize) -> World {
    let mut chance = Chance(seed);
    let mut world = World::on_disk(&heartbeats(), &["a", "b"], !seed);
    let mut told = Told { seed, step: 0 };
    for step in 0..steps {
        told.step = step;
        world.act(any_act(&mut chance));
        world.check();
    }
    world.check_replay(true);
    world
}

/// All receivers are well again: everything that was to be told is delivered, or given up in plain sight. Gives how
/// many deliveries that were.
fn assert_nothing_was_lost(world: &mut World) -> usize {
    world.written();
    world.sync();
    let end = world.now + 2 * DAY;
    while !world.machine.state().core.outbox.is_empty() {
        while !world.in_flight.is_empty() {
            world.answer(0, Verdict::Delivered { status: Some(200) });
            world.sync();
        }
        let wake = world.machine.next_wakeup().map_or(end, |wake| crate::world::ms(wake).max(world.now));
        assert!(wake <= end, "something waits for ever: {:?}", world.machine.state().core.outbox);
        world.pass(wake);
        world.sync();
    }
    let mut queued = BTreeSet::new();
    let mut given_up = BTreeSet::new();
    for record in &world.records {
        match record.as_ref() {
            Record::Alerted(alerted) => queued.extend(alerted.deliveries.iter().map(|queued| queued.number)),
            Record::Attempted { number, next: Next::GivenUp, .. } => drop(given_up.insert(*number)),
            _ => {}
        }
    }
    assert!(!queued.is_empty(), "a life without an alert tests nothing");
    let lost: Vec<&u64> =
        queued.iter().filter(|n| !world.received.contains(n) && !given_up.contains(n)).collect();
    assert!(lost.is_empty(), "neither delivered nor given up: {lost:?}");
    queued.len()
}

/// A daemon can start from the journal cut after any record.
fn assert_every_prefix_starts(world: &World) {
    let mut state = State::default();
    for (i, record) in world.records.iter().enumerate() {
        state.apply(record);
        if i % 16 == 0 {
            assert_starts(state.clone(), world.now + DAY);
        }
    }
}

#[test]
fn long_lives_with_faults_lose_nothing_and_say_what_the_model_says() {
    let long = std::env::var("OVERDUE_SIM_SEEDS").ok().and_then(|n| n.parse::<u64>().ok());
    let (seeds, steps) = long.map_or((4, 700), |seeds| (seeds, 5_000));
    let (mut seen, mut deliveries) = (Seen::default(), 0);
    for seed in 0..seeds {
        let mut world = live(seed, steps);
        seen.add(world.seen());
        deliveries += assert_nothing_was_lost(&mut world);
        if seed == 0 {
            assert_every_prefix_starts(&world);
        }
    }
    println!("{seeds} lives of {steps} steps: {deliveries} deliveries, none lost; {seen:?}");
    assert!(seen.has_everything(), "the disks were too kind: {seen:?}");
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = (any::<u8>(), any::<u8>(), any::<u8>(), any::<u16>());
    let act = act.prop_map(|(what, who, how, long)| Act { what, who, how, long });
    prop::collection::vec(act, 1..120)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn whatever_happens_machine_and_model_agree(acts in acts(), seed in any::<u64>()) {
        let mut world = World::on_disk(&heartbeats(), &["a", "b"], seed);
        for act in acts {
            world.act(act);
            world.check();
        }
        world.check_replay(true);
    }
}
