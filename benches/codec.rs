//! What a record costs on its way to the journal and back: nanoseconds for each, alone and in a batch, and how many
//! bytes it is. `cargo bench --bench codec`; with `-- short` in fewer rounds.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a benchmark reads the clock")]
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark may stop at the first surprise")]

use std::hint::black_box;
use std::time::Instant;

use overdue::machine::record::Record;
use overdue::model::id::Seq;
use overdue::store::codec::{decode, encode};

use crate::sample::records;

mod sample;

/// Rounds of which the best counts: what else runs on the machine only ever adds.
const ROUNDS: usize = 200;
/// Records of a batch.
const BATCH: usize = 256;

fn main() {
    let rounds = if std::env::args().any(|argument| argument == "short") { ROUNDS / 10 } else { ROUNDS };
    println!("ns for each record, best of {rounds} rounds");
    println!("{:<24} {:>8} {:>8} {:>8}", "", "encode", "decode", "bytes");
    let batch = records(BATCH);
    let success = batch.iter().position(|record| matches!(record, Record::Pinged(_))).unwrap();
    for (name, records) in [("a success ping", &batch[success..=success]), ("a batch of 256", &batch[..])] {
        let mut out = Vec::new();
        write(records, &mut out);
        let lines: Vec<&[u8]> = out.split_inclusive(|byte| *byte == b'\n').collect();
        let decoded = best(rounds, records.len(), || {
            for line in &lines {
                black_box(decode(black_box(line)).unwrap());
            }
        });
        let bytes = out.len() / records.len();
        let encoded = best(rounds, records.len(), || write(black_box(records), &mut out));
        println!("{name:<24} {encoded:>8.0} {decoded:>8.0} {bytes:>8}");
    }
}

/// As the journal writes a batch.
fn write(records: &[Record], out: &mut Vec<u8>) {
    out.clear();
    let end = Seq(records.len() as u64);
    for (n, record) in (1..).zip(records) {
        encode(out, Seq(n), Seq(0), end, record).unwrap();
    }
    black_box(out);
}

fn best(rounds: usize, records: usize, mut run: impl FnMut()) -> f64 {
    /// So that the clock does not count.
    const TIMES: usize = 2_560;
    let times = TIMES / records;
    let round = |_| {
        let began = Instant::now();
        (0..times).for_each(|_| run());
        began.elapsed().as_nanos() as f64 / (times * records) as f64
    };
    (0..rounds).map(round).fold(f64::INFINITY, f64::min)
}
