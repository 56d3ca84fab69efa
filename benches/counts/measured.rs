//! What is counted. Only what happens below a function whose name begins with `counted_` is; what comes before it makes
//! ready.

use std::hint::black_box;

use overdue::machine::Machine;
use overdue::machine::event::Event;
use overdue::machine::record::Record;
use overdue::model::id::Seq;
use overdue::model::time::{Span, Timestamp};
use overdue::store::codec::{decode, encode};

use crate::sample::{Lot, START, machine, pings, records};

/// Names, how often each is done, and the doing.
pub(crate) const MEASURED: [(&str, u64, fn()); 5] = [
    ("handle a ping", PINGS, ping),
    ("encode a record", RECORDS, encode_one),
    ("decode a record", RECORDS, decode_one),
    ("encode a batch of 256", 1, encode_batch),
    ("decode a batch of 256", 1, decode_batch),
];

const HEARTBEATS: u64 = 1_000;
const PINGS: u64 = 1_000;
const RECORDS: u64 = 100;
const BATCH: usize = 256;

fn ping() {
    let mut machine = machine(HEARTBEATS);
    let mut lot = Lot::new();
    // Some rounds before, so that most have a history and its room has grown.
    for round in 0..8 {
        let from = START + Span::from_secs(round * 60);
        for (now, ping) in pings(&mut lot, from, HEARTBEATS, HEARTBEATS) {
            machine.handle(ping, now);
        }
    }
    let from = START + Span::from_secs(3_600);
    let pings = pings(&mut lot, from, PINGS, HEARTBEATS);
    counted_pings(&mut machine, pings);
}

#[inline(never)]
fn counted_pings(machine: &mut Machine, pings: Vec<(Timestamp, Event)>) {
    for (now, ping) in pings {
        black_box(machine.handle(ping, now));
    }
}

/// The record of a success ping, again and again.
fn one() -> Vec<Record> {
    let mut one = records(8);
    one.retain(|record| matches!(record, Record::Pinged(_)));
    one.truncate(1);
    (0..RECORDS).map(|_| one[0].clone()).collect()
}

fn encode_one() {
    counted_encode(&one());
}

fn encode_batch() {
    counted_encode(&records(BATCH));
}

fn decode_one() {
    counted_decode(&written(&one()));
}

fn decode_batch() {
    counted_decode(&written(&records(BATCH)));
}

#[inline(never)]
fn counted_encode(records: &[Record]) {
    black_box(written(records));
}

#[inline(never)]
fn counted_decode(lines: &[u8]) {
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        black_box(decode(line).unwrap());
    }
}

/// As the journal writes a batch.
fn written(records: &[Record]) -> Vec<u8> {
    let mut out = Vec::with_capacity(records.len() * 1_024);
    let end = Seq(records.len() as u64);
    for (n, record) in (1..).zip(records) {
        encode(&mut out, Seq(n), Seq(0), end, record).unwrap();
    }
    out
}
