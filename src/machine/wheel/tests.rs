//! The wheel beside a sorted set that does the same in the plainest way.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone, Copy)]
enum Step {
    Arm(u32, i64),
    Disarm(u32),
    Pop(i64),
    SetBack,
}

/// Steps of the wheel, each compared with the model in every answer that it gives.
struct Both {
    wheel: Wheel,
    model: BTreeMap<u32, Timestamp>,
    base: i64,
}

impl Both {
    fn new(base: i64) -> Self {
        Self { wheel: Wheel::new(Timestamp::from_millis(base)), model: BTreeMap::new(), base }
    }

    fn time(&self, offset: i64) -> Timestamp {
        Timestamp::from_millis(self.base.saturating_add(offset))
    }

    fn earliest(&self) -> Option<(Timestamp, u32)> {
        self.model.iter().map(|(id, at)| (*at, *id)).min()
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Arm(id, at) => {
                self.wheel.arm(id, self.time(at));
                self.model.insert(id, self.time(at));
            }
            Step::Disarm(id) => {
                self.wheel.disarm(id);
                self.model.remove(&id);
            }
            Step::Pop(now) => {
                let now = self.time(now);
                let due = self.earliest().filter(|(at, _)| *at <= now).map(|(_, id)| id);
                assert_eq!(self.wheel.pop_due(now), due);
                due.map(|id| self.model.remove(&id));
            }
            Step::SetBack => {
                self.wheel.set_back();
                self.wheel.settle();
            }
        }
        assert_eq!(self.wheel.next_due(), self.earliest().map(|(at, _)| at));
    }

    /// Pops all, and looks at each arming first.
    fn drain(mut self) {
        for id in 0..16 {
            assert_eq!(self.wheel.armed_at(id), self.model.get(&id).copied());
        }
        while let Some((at, id)) = self.earliest() {
            if at > Timestamp::MIN {
                assert_eq!(self.wheel.pop_due(at - Span::from_millis(1)), None);
            }
            assert_eq!(self.wheel.pop_due(at), Some(id));
            self.model.remove(&id);
        }
        assert_eq!(self.wheel.pop_due(Timestamp::MAX), None);
        assert_eq!(self.wheel.next_due(), None);
    }
}

fn offset() -> impl Strategy<Value = i64> {
    prop_oneof![
        -3..3_i64,
        -200..200_i64,
        0..(1_i64 << 20),
        0..(1_i64 << 40),
        (0..50_u32, -1..2_i64).prop_map(|(bit, by)| (1_i64 << bit) + by),
        Just(i64::MAX),
        Just(i64::MIN),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..12_u32, offset()).prop_map(|(id, at)| Step::Arm(id, at)),
        2 => (0..14_u32).prop_map(Step::Disarm),
        4 => offset().prop_map(Step::Pop),
        1 => Just(Step::SetBack),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn it_agrees_with_a_sorted_set_whatever_is_done(
        base in prop_oneof![Just(0), Just(1_795_316_400_000), -100_000..100_000_i64, Just(i64::MIN), Just(i64::MAX)],
        steps in prop::collection::vec(step(), 0..80),
    ) {
        let mut both = Both::new(base);
        for step in steps {
            both.take(step);
        }
        both.drain();
    }
}

#[test]
fn it_agrees_with_a_sorted_set_in_all_sequences_of_five_steps() {
    let mut steps = vec![Step::SetBack, Step::Disarm(0), Step::Disarm(1)];
    for at in [0, 1, 64] {
        steps.extend([Step::Arm(0, at), Step::Arm(1, at)]);
    }
    steps.extend([-1, 64].map(Step::Pop));
    let n = steps.len();
    for sequence in 0..n.pow(5) {
        let mut both = Both::new(4_095);
        for place in 0..5 {
            both.take(steps[sequence / n.pow(place) % n]);
        }
        both.drain();
    }
}

#[test]
fn timers_of_one_instant_come_in_the_order_of_their_ids() {
    let mut wheel = Wheel::new(Timestamp::from_millis(0));
    let at = Timestamp::from_millis(60_000);
    for id in (0..500).rev() {
        wheel.arm(id * 7 % 500, at);
    }
    let popped: Vec<u32> = std::iter::from_fn(|| wheel.pop_due(at)).collect();
    assert_eq!(popped, (0..500).collect::<Vec<_>>());
}

#[test]
fn a_clock_that_goes_back_pops_nothing_that_is_later_than_it() {
    let mut wheel = Wheel::new(Timestamp::from_millis(1_000_000));
    wheel.arm(1, Timestamp::from_millis(1_500_000));
    wheel.arm(2, Timestamp::from_millis(2_000_000));
    assert_eq!(wheel.pop_due(Timestamp::from_millis(1_600_000)), Some(1));
    wheel.arm(3, Timestamp::from_millis(500_000));
    assert_eq!(wheel.pop_due(Timestamp::from_millis(400_000)), None);
    assert_eq!(wheel.next_due(), Some(Timestamp::from_millis(500_000)));
    assert_eq!(wheel.pop_due(Timestamp::from_millis(500_000)), Some(3));
    assert_eq!(wheel.pop_due(Timestamp::from_millis(1_999_999)), None);
    assert_eq!(wheel.pop_due(Timestamp::from_millis(2_000_000)), Some(2));
}

#[test]
fn many_timers_armed_each_before_the_last_leave_a_small_front() {
    let mut wheel = Wheel::new(Timestamp::from_millis(0));
    for id in 0..20_000_u32 {
        wheel.arm(id, Timestamp::from_millis(1_000_000_000 - i64::from(id) * 1_000));
        assert!(wheel.front.len() <= 2 + EARLY_MIN.max(wheel.nodes.len() / 8));
    }
    for id in (0..20_000_u32).rev() {
        assert_eq!(wheel.pop_due(Timestamp::MAX), Some(id));
    }
}

#[test]
fn the_first_and_the_last_instant_of_the_calendar_fit() {
    for now in [Timestamp::MIN, Timestamp::from_millis(0), Timestamp::MAX] {
        let mut wheel = Wheel::new(now);
        wheel.arm(0, Timestamp::MAX);
        wheel.arm(1, Timestamp::MIN);
        assert_eq!(wheel.armed_at(0), Some(Timestamp::MAX));
        assert_eq!(wheel.pop_due(Timestamp::MIN), Some(1));
        assert_eq!(wheel.next_due(), Some(Timestamp::MAX));
        assert_eq!(wheel.pop_due(Timestamp::MAX), Some(0));
    }
}

#[test]
fn an_id_that_was_never_armed_can_be_disarmed() {
    let mut wheel = Wheel::new(Timestamp::from_millis(0));
    wheel.disarm(u32::MAX);
    assert_eq!(wheel.armed_at(u32::MAX), None);
    assert_eq!(wheel.next_due(), None);
}
