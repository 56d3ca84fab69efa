//! How a world's daemon begins, reads its config, dies, and what it finds when it comes back.

use std::sync::Arc;

use overdue::machine::Machine;
use overdue::machine::event::{Event, Reload};
use overdue::machine::record::Record;
use overdue::machine::state::State;
use overdue::model::channel::{Channel, ChannelName};
use overdue::model::heartbeat::Declaration;
use overdue::model::id::Life;
use overdue::model::schedule::Zones;
use overdue::model::settings::Settings;
use overdue::model::time::{Boot, Span};
use uuid::Uuid;

use crate::disk::{Disk, Start, assert_starts};
use crate::ears::Ears;
use crate::model::Model;
use crate::rules::Ms;
use crate::world::{Batch, World, at, declaration, ms};

impl World {
    /// The process begins and reads its config; it does not listen yet.
    pub(crate) fn begin(&mut self) {
        self.lives += 1;
        self.began = self.now;
        // Low bits as chance may draw them.
        let life = Life(Uuid::from_u128(self.lives << 64 | 0xA5A5));
        let boot = Boot { id: Uuid::from_u128(self.boot), at: at(self.set) };
        if let Some(mark) = self.mark() {
            let known = self.known_boot().filter(|known| known.id == boot.id);
            let step = match known {
                // Two clocks cannot be read at the same instant.
                Some(known) if (ms(boot.at) - ms(known.at)).abs() < 10 => 0,
                Some(known) => ms(boot.at) - ms(known.at),
                None => (self.now - mark).min(0),
            };
            self.now -= step;
            self.blind(mark, self.now);
            if step != 0 {
                self.know_step(step);
            }
        }
        self.handle(Event::Began { life, version: "sim".to_owned(), boot: Some(boot) });
        self.reload();
    }

    /// What the journal knows of the start of the machine.
    fn known_boot(&self) -> Option<Boot> {
        let mut known: Option<Boot> = None;
        for record in &self.records {
            match record.as_ref() {
                Record::Began { boot, .. } => known = *boot,
                Record::Stepped { by, .. } => known = known.map(|boot| Boot { at: boot.at + *by, ..boot }),
                _ => {}
            }
        }
        known
    }

    /// The last instant at which the journal proves that pings were heard.
    fn mark(&self) -> Option<Ms> {
        let (mut mark, mut deaf) = (None, false);
        for record in &self.records {
            if let Record::Stepped { by, .. } = record.as_ref() {
                mark = mark.map(|mark| mark + by.as_millis());
            }
            deaf = match record.as_ref() {
                Record::Alive { .. } | Record::Blind { .. } => false,
                Record::Began { .. } | Record::Stopped { .. } => {
                    mark = if deaf { mark } else { mark.max(Some(ms(record.at()))) };
                    true
                }
                _ => deaf,
            };
            if !deaf {
                mark = mark.max(Some(ms(record.at())));
            }
        }
        mark
    }

    pub(crate) fn hear(&mut self) {
        self.hearing = true;
        if self.began < self.now {
            self.blind(self.began, self.now);
        }
        self.handle(Event::Hearing);
        self.pass(self.now);
    }

    /// The config is read again.
    pub(crate) fn reload(&mut self) {
        let heartbeats: Vec<Arc<Declaration>> = self
            .rules
            .iter()
            .enumerate()
            .filter_map(|(number, rules)| {
                rules.map(|rules| Arc::new(declaration(number, &rules, &self.channels)))
            })
            .collect();
        let channels: Vec<Channel> = self
            .channels
            .iter()
            .map(|name| Channel {
                name: ChannelName::new(name),
                template: None,
                retry_for: Span::from_secs(86_400),
            })
            .collect();
        let reload = Reload {
            settings: Settings::default(),
            channels: channels.into(),
            heartbeats: heartbeats.into(),
        };
        self.handle(Event::Reloaded(Box::new(reload)));
        while self.machine.is_reloading() {
            self.handle(Event::Tick);
        }
        let (now, ears) = (self.now, self.ears.clone());
        for (model, rules) in self.models.iter_mut().zip(&self.rules) {
            match (model, rules) {
                (Some(model), Some(rules)) if model.is_removed() || model.rules != *rules => {
                    model.declare(*rules, now);
                }
                (model @ None, Some(rules)) => *model = Some(Model::declared(*rules, now, &ears)),
                (Some(model), None) => model.remove(now),
                _ => {}
            }
        }
    }

    /// The process is killed; of what was not synced, so many batches survive by luck, and of the others
    /// what the disk brings back.
    pub(crate) fn kill(&mut self, lucky: usize) {
        let (Batch { records, models }, state) = match self.disk.take() {
            None => self.luck(lucky),
            Some(mut disk) => {
                let found = self.die(&mut disk, lucky);
                self.disk = Some(disk);
                found
            }
        };
        self.records.truncate(records);
        self.models = models;
        for model in self.models.iter_mut().flatten() {
            model.heard = None;
        }
        self.machine = Machine::restore(state, Zones::bundled());
        self.hearing = false;
        self.held.clear();
        self.in_flight.clear();
        self.unsynced.clear();
        self.steps.clear();
        self.alerts.iter_mut().for_each(Vec::clear);
        for record in self.records.clone() {
            self.tell(&record);
        }
        self.ears = Arc::new(ears_of(&self.records));
        self.models.iter_mut().flatten().for_each(|model| model.ears = self.ears.clone());
        self.synced = Batch { records, models: self.models.clone() };
    }

    fn luck(&self, lucky: usize) -> (Batch, State) {
        let last = lucky
            .checked_sub(1)
            .and_then(|i| self.unsynced.get(i.min(self.unsynced.len().saturating_sub(1))));
        let batch = last.unwrap_or(&self.synced).clone();
        let (told, mut state) = self.checkpoint.clone();
        for record in &self.records[told..batch.records] {
            state.apply(record);
        }
        (batch, state)
    }

    /// The disk may tear a batch anywhere, but the models know only whole steps. A daemon must be able to start
    /// from the torn one; this life goes on as if the rest of the step had come through as well.
    fn die(&self, disk: &mut Disk, lucky: usize) -> (Batch, State) {
        let Start { mut state, records } = disk.die(&self.records, &self.ends(), self.machine.state(), lucky);
        let present = self.present();
        let whole = [&self.synced].into_iter().chain(&self.steps).chain([&present]);
        let batch = whole.filter(|step| step.records >= records).min_by_key(|step| step.records);
        let batch = batch.expect("no more is found than was written").clone();
        if records < batch.records {
            assert_starts(state.clone(), self.now);
            for record in &self.records[records..batch.records] {
                state.apply(record);
            }
            disk.sync(&self.records[..batch.records], &[batch.records], &state);
        }
        (batch, state)
    }
}

fn ears_of(records: &[Arc<Record>]) -> Ears {
    let mut ears = Ears::default();
    for record in records {
        match record.as_ref() {
            Record::Blind { window, .. } => ears.blind(ms(window.from), ms(window.to)),
            Record::Stepped { at, by, .. } => ears.step(by.as_millis(), ms(*at - *by)),
            _ => {}
        }
    }
    ears
}
