//! Random queries over random data, answered by the engine and by a plain reference: both must agree.
//!
//! The engine plans, computes whole series at once and spreads them over threads. The reference does none of
//! that. `YAGURA_EXPRESSIONS` says how many queries to ask, `YAGURA_SEED` with which seed to begin.

// Tests may fail by panicking.
#![allow(clippy::unwrap_used)]

mod reference {
    pub mod answer;
    pub mod data;
    pub mod engine;
    pub mod generate;
    pub mod oracle;
    pub mod random;
    pub mod run;
    pub mod shrink;
    pub mod storage;
    pub mod tally;
}

use reference::{run::run, tally::Tally};

const EXPRESSIONS: usize = 10_000;

/// Queries that are asked of the same data.
const OF_ONE_SEED: usize = 25;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn the_engine_answers_as_the_reference() {
    let expressions = number("YAGURA_EXPRESSIONS").map_or(EXPRESSIONS, |n| n as usize);
    let first = number("YAGURA_SEED").unwrap_or(1);
    let mut tally = Tally::default();
    let mut seed = first;
    while tally.asked() < expressions {
        run(seed, OF_ONE_SEED.min(expressions - tally.asked()), &mut tally);
        seed += 1;
    }
    println!("{tally}");
    tally.judge();
}
