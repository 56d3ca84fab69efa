//! How blind a start says that the last life was: since the last mark on the disk, which is never older than a life that was
//! well lets it become.

use overdue::model::incident::{BlindWindow, Blindness};

use crate::house::audit::BUSY_DISK;
use crate::house::witness::Witness;
use crate::rules::Ms;
use crate::world::ms;

impl Witness {
    /// Nothing was heard for a while, as a record says.
    pub(crate) fn audit_blind(&mut self, window: BlindWindow, now: Ms) {
        let Some(heard_until) = self.heard_until.filter(|_| window.why == Blindness::NotRunning) else {
            return;
        };
        if self.steps.iter().any(|set| !set.known && set.real >= heard_until - BUSY_DISK) {
            return;
        }
        let from = now - (ms(window.to) - ms(window.from));
        assert!(
            from + BUSY_DISK >= heard_until,
            "it was blind since {from}, and had heard until {heard_until}"
        );
        self.seen.saw("blind windows no longer than they were");
    }
}
