//! What jobs did and what they were told, over many lives of a daemon: every ping with its answer, every alert with
//! its id. In the end it is held against what the daemon has kept.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use uuid::Uuid;

use crate::client::try_request;
use crate::harness::{Home, LIMIT, wait_until};
use crate::receiver::{Receiver, Reply};

pub(crate) const PING_KEY: &str = "a-key-of-these-tests-alone";

/// A ping by slug; whether it was answered 200. Anything else may have been taken or not.
pub(crate) fn ping(port: u16, what: &str, body: &str) -> bool {
    let answer = try_request(port, "POST", &format!("/ping/{PING_KEY}/{what}"), &[], body.as_bytes());
    answer.is_some_and(|answer| answer.status == 200)
}

/// Incidents that a job may be ahead of who is told of them.
const AHEAD: usize = 10;

/// What the jobs did so far, over all lives of the daemon.
#[derive(Default)]
pub(crate) struct Ledger {
    /// Slug, kind and `rid` of each ping that was answered 200, and of each that was sent at all.
    pub(crate) acknowledged: Mutex<BTreeSet<(String, String, Uuid)>>,
    sent: Mutex<BTreeSet<(String, String, Uuid)>>,
    /// Per failing or silent heartbeat: how often it went down and came back, as far as it knows.
    cycles: Mutex<BTreeMap<String, usize>>,
    alerts: Mutex<Vec<Alert>>,
    pub(crate) enough: AtomicBool,
}

/// An alert as the receiver got it; again after each attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Alert {
    id: String,
    slug: String,
    incident: String,
    kind: String,
}

impl Ledger {
    /// Pings, again with another `rid` until it is answered. Says whether it was: at the end of a test that
    /// failed nobody answers any more.
    fn ping_until_taken(&self, port: u16, slug: &str, kind: &str, suffix: &str) -> bool {
        let mut since_enough = 0;
        while since_enough < 1_000 {
            if self.ping(port, slug, kind, suffix, Uuid::new_v4()) {
                return true;
            }
            since_enough += usize::from(self.enough.load(Ordering::SeqCst));
        }
        false
    }

    fn ping(&self, port: u16, slug: &str, kind: &str, suffix: &str, rid: Uuid) -> bool {
        let marker = (slug.to_owned(), kind.to_owned(), rid);
        self.sent.lock().unwrap().insert(marker.clone());
        let taken = ping(port, &format!("{slug}{suffix}?rid={rid}"), &format!("{kind} {rid}"));
        if taken {
            self.acknowledged.lock().unwrap().insert(marker);
        } else {
            // The daemon is gone for a moment; a busy loop of refusals would only slow its return.
            thread::sleep(Duration::from_millis(2));
        }
        taken
    }

    /// Waits until so many more pings are answered.
    pub(crate) fn wait_for_pings(&self, more: usize) {
        let taken = || self.acknowledged.lock().unwrap().len();
        let before = taken();
        wait_until(LIMIT, "pings are answered", || taken() > before + more);
    }

    /// A job with runs: a start and its end, or an end alone.
    pub(crate) fn work(&self, port: u16, slug: &str) {
        while !self.enough.load(Ordering::SeqCst) {
            let rid = Uuid::new_v4();
            self.ping(port, slug, "start", "/start", rid);
            self.ping(port, slug, "exit", "/0", rid);
            self.ping(port, slug, "success", "", Uuid::new_v4());
        }
    }

    /// A job that fails, recovers, and fails again; a few alerts ahead of who is told, and no more: they go one by one,
    /// and the end would have to wait for all of them.
    pub(crate) fn fail(&self, port: u16, slug: &str) {
        for cycle in 0.. {
            wait_until(LIMIT, &format!("{slug} is told as failed"), || {
                self.opened(slug) + AHEAD > cycle || self.enough.load(Ordering::SeqCst)
            });
            if self.enough.load(Ordering::SeqCst) {
                return;
            }
            // A failure that was taken but not answered is said again: still one incident.
            if self.ping_until_taken(port, slug, "fail", "/fail")
                && self.ping_until_taken(port, slug, "success", "")
            {
                *self.cycles.lock().unwrap().entry(slug.to_owned()).or_default() += 1;
            }
        }
    }

    /// A job that pings only once somebody has been told that it does not.
    pub(crate) fn be_silent(&self, port: u16, slug: &str) {
        for cycle in 0.. {
            wait_until(LIMIT, &format!("{slug} is missed for the {cycle}. time"), || {
                self.opened(slug) > cycle || self.enough.load(Ordering::SeqCst)
            });
            if self.enough.load(Ordering::SeqCst) || !self.ping_until_taken(port, slug, "success", "") {
                return;
            }
            *self.cycles.lock().unwrap().entry(slug.to_owned()).or_default() += 1;
        }
    }

    fn opened(&self, slug: &str) -> usize {
        let alerts = self.alerts.lock().unwrap();
        let opened = alerts.iter().filter(|alert| alert.slug == slug && alert.kind == "incident.opened");
        opened.map(|alert| &alert.id).collect::<BTreeSet<_>>().len()
    }

    /// Listens to a receiver, which takes most alerts at the first attempt and a few at a later one.
    pub(crate) fn listen(self: &Arc<Self>, receiver: &Receiver) {
        let (ledger, calls) = (Arc::clone(self), AtomicUsize::new(0));
        receiver.reply_with(move |received| {
            let json = received.json();
            let incident = json["data"]["incident"]["id"].as_str().unwrap().to_owned();
            let id = received.header("webhook-id").to_owned();
            let alert = Alert { id, slug: received.slug(), incident, kind: received.kind() };
            ledger.alerts.lock().unwrap().push(alert);
            let call = calls.fetch_add(1, Ordering::SeqCst);
            Reply::Status(if call % 50 == 6 { 500 } else { 200 })
        });
    }

    /// Waits as long as alerts come in: those of one heartbeat go one after the other, so a fast machine has many of
    /// them still to send when the jobs end.
    pub(crate) fn wait_until_told(&self) {
        while !self.is_told() {
            let before = self.alerts.lock().unwrap().len();
            wait_until(LIMIT, "every alert that was due arrives", || {
                self.alerts.lock().unwrap().len() > before || self.is_told()
            });
        }
    }

    fn is_told(&self) -> bool {
        let alerts = self.alerts.lock().unwrap();
        let told = |slug: &String, kind| {
            let of = alerts.iter().filter(|alert| alert.slug == *slug && alert.kind == kind);
            of.map(|alert| &alert.id).collect::<BTreeSet<_>>().len()
        };
        self.cycles.lock().unwrap().iter().all(|(slug, cycles)| told(slug, "incident.resolved") >= *cycles)
    }

    /// What has been checked, once it has been.
    pub(crate) fn told(&self) -> String {
        let alerts = self.alerts.lock().unwrap();
        let ids: BTreeSet<&String> = alerts.iter().map(|alert| &alert.id).collect();
        format!(
            "{} pings answered 200 of {} sent, none of them lost; {} alerts, none lost, {} of them told again",
            self.acknowledged.lock().unwrap().len(),
            self.sent.lock().unwrap().len(),
            ids.len(),
            alerts.len() - ids.len()
        )
    }

    /// One id for one alert, no matter how often it was tried, and no id for two of them. Opened, resolved,
    /// opened: per heartbeat in this order, and nothing comes again once the next has come.
    pub(crate) fn check_alerts(&self) {
        let alerts = self.alerts.lock().unwrap();
        let mut of_id = BTreeMap::new();
        let mut of_alert = BTreeMap::new();
        let mut last: BTreeMap<&str, &Alert> = BTreeMap::new();
        let mut met = BTreeSet::new();
        for alert in alerts.iter() {
            let what = (&alert.slug, &alert.incident, &alert.kind);
            assert_eq!(*of_id.entry(&alert.id).or_insert(what), what, "one id for two alerts");
            assert_eq!(*of_alert.entry(what).or_insert(&alert.id), &alert.id, "two ids for one alert");
            if let Some(before) = last.insert(&alert.slug, alert)
                && before != alert
            {
                let opens = alert.kind == "incident.opened";
                assert_eq!(before.kind == "incident.opened", !opens, "{before:?} then {alert:?}");
                assert_eq!(before.incident == alert.incident, !opens, "{before:?} then {alert:?}");
                assert!(met.insert(&alert.id), "it comes again after the next one: {alert:?}");
            }
        }
        for (slug, cycles) in self.cycles.lock().unwrap().iter() {
            let resolved =
                of_alert.keys().filter(|(of, _, kind)| *of == slug && *kind == "incident.resolved");
            let opened = of_alert.keys().filter(|(of, _, kind)| *of == slug && *kind == "incident.opened");
            let (opened, resolved) = (opened.count(), resolved.count());
            // A silent one whose ping was taken but not answered can be missed again before it repeats it.
            let exact = slug.starts_with("failing");
            assert!(
                resolved == *cycles || !exact && resolved > *cycles,
                "{slug}: {resolved} of {cycles} ended"
            );
            assert!(
                opened == resolved || !exact && opened == resolved + 1,
                "{slug}: {opened}, {resolved} ended"
            );
        }
    }

    /// Everything that was answered is in the state, once; and nothing that was not sent.
    pub(crate) fn check_pings(&self, home: &Home) {
        let kept = pings_in_snapshot(home);
        let acknowledged = self.acknowledged.lock().unwrap();
        let sent = self.sent.lock().unwrap();
        let lost: Vec<_> = acknowledged.iter().filter(|ping| !kept.contains_key(ping)).collect();
        assert!(lost.is_empty(), "{} of {} pings are lost: {lost:?}", lost.len(), acknowledged.len());
        let twice: Vec<_> = kept.iter().filter(|(_, count)| **count > 1).collect();
        assert!(twice.is_empty(), "on record twice: {twice:?}");
        assert!(kept.keys().all(|ping| sent.contains(ping)), "a ping on record that nobody sent");
        assert!(acknowledged.len() > 100, "only {} pings: that is no load", acknowledged.len());
    }
}

/// Every ping in the snapshot that a clean stop leaves behind, and how often it is there.
pub(crate) fn pings_in_snapshot(home: &Home) -> BTreeMap<(String, String, Uuid), usize> {
    let text = std::fs::read_to_string(home.state().join("snapshot.json")).unwrap();
    let snapshot: Value = serde_json::from_str(&text).unwrap();
    let mut kept = BTreeMap::new();
    for beat in snapshot["heartbeats"].as_array().unwrap() {
        let slug = beat["heartbeat"]["slug"].as_str().unwrap();
        let pings = beat["history"]["pings"].as_array().map_or(&[][..], Vec::as_slice);
        assert_eq!(beat["pings_total"], pings.len(), "pings of {slug}");
        for ping in pings {
            let kind = ping["kind"].as_str().unwrap_or("exit").to_owned();
            let rid = ping["rid"].as_str().unwrap().parse().unwrap();
            *kept.entry((slug.to_owned(), kind, rid)).or_default() += 1;
        }
    }
    kept
}

/// Ends the jobs of a ledger, also when a test fails.
pub(crate) struct Enough<'a>(pub(crate) &'a Ledger);

impl Drop for Enough<'_> {
    fn drop(&mut self) {
        self.0.enough.store(true, Ordering::SeqCst);
    }
}
