//! When a daemon could hear, and how its wall clock was set, as the contract says it: slow, simple, with nothing
//! forgotten. It must never be mended to agree with the machine but by the contract's words.

use crate::rules::Ms;

/// The longest settling time: five minutes.
const SETTLE_MAX: Ms = 300_000;
/// What a step must exceed to be a blind window.
const TOLD: Ms = 2_000;

/// All of it, in real time: what the wall clock would show had nobody ever set it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ears {
    /// From, to, and whether it is a step, which hides nothing.
    windows: Vec<(Ms, Ms, bool)>,
    /// From when on the wall clock showed how much more than real time.
    frames: Vec<(Ms, Ms)>,
}

impl Ears {
    /// How much the wall clock shows more than real time.
    pub(crate) fn set(&self) -> Ms {
        self.frames.last().map_or(0, |(_, set)| *set)
    }

    /// Nothing could be heard between these instants of the wall clock as it is set now.
    pub(crate) fn blind(&mut self, from: Ms, to: Ms) {
        if from < to {
            self.windows.push((from - self.set(), to - self.set(), false));
        }
    }

    /// The wall clock was set by so much when it showed this.
    pub(crate) fn step(&mut self, by: Ms, showed: Ms) {
        let real = showed - self.set();
        self.frames.push((real, self.set() + by));
        if by.abs() > TOLD {
            self.windows.push((real, real, true));
        }
    }

    /// Where a deadline moves that is a distance from something.
    pub(crate) fn moved_distance(&self, deadline: Ms, settle: Ms) -> Ms {
        self.moved(deadline - self.set(), settle, false).map_or(deadline, |real| real + self.set())
    }

    /// Where a deadline moves that has its place on the wall clock.
    pub(crate) fn moved_place(&self, deadline: Ms, settle: Ms) -> Ms {
        self.moved(self.passes(deadline), settle, true).map_or(deadline, |real| real + self.set())
    }

    /// When the wall clock last showed this, or jumped over it; if it never did, when it will.
    fn passes(&self, wall: Ms) -> Ms {
        let mut later_frame = None;
        for (i, &(from, set)) in self.frames.iter().enumerate().rev() {
            let before = i.checked_sub(1).map_or(0, |i| self.frames[i].1);
            if wall >= from + set {
                // It showed it in this frame, if that lasted so long; else it jumped back before.
                let shown = wall - set;
                if later_frame.is_none_or(|until| shown < until) {
                    return shown;
                }
            } else if wall >= from + before {
                return from;
            }
            later_frame = Some(from);
        }
        wall
    }

    fn moved(&self, at: Ms, settle: Ms, steps: bool) -> Option<Ms> {
        let settle = settle.min(SETTLE_MAX);
        let counts = |window: &&(Ms, Ms, bool)| steps || !window.2;
        let not_over = self.windows.partition_point(|(_, to, _)| to + settle <= at);
        let windows: Vec<_> = self.windows[not_over..].iter().filter(counts).collect();
        let touching = windows.iter().position(|(from, ..)| *from <= at)?;
        // It has to be heard for the settling time, from here on, in all.
        let (mut t, mut still) = (windows[touching].1, settle);
        for &&(from, to, _) in &windows[touching + 1..] {
            if from - t >= still {
                break;
            }
            still -= from - t;
            t = to;
        }
        Some(t + still)
    }
}
