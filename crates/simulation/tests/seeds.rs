//! Simulations of many seeds: nothing acknowledged is lost, no answer is wrong, and everything heals.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

use simulation::{Bug, Fault, Plan, Shape, Verdict, run};
use std::{
    env,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};

const SMALL: Shape = Shape { ingesters: 3, zones: 0, distributors: 2, queriers: 2, bug: None };
const ZONES: Shape = Shape { ingesters: 6, zones: 3, ..SMALL };

fn shape(seed: u64) -> Shape {
    if seed % 3 == 0 { ZONES } else { Shape { ingesters: 3 + (seed % 2) as usize, ..SMALL } }
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}

/// Runs the seeds on all processors; returns those that went wrong.
fn wrong(seeds: std::ops::Range<u64>, plan: impl Fn(u64) -> Plan + Sync) -> Vec<Verdict> {
    let (next, plan) = (AtomicU64::new(seeds.start), &plan);
    let threads = thread::available_parallelism().map_or(1, |n| n.get());
    thread::scope(|scope| {
        let work = || {
            let mut wrong = Vec::new();
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= seeds.end {
                    return wrong;
                }
                let verdict = run(seed, &plan(seed));
                if !verdict.violations.is_empty() {
                    wrong.push(verdict);
                }
            }
        };
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        running.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

fn check(name: &str, seeds: u64, plan: impl Fn(u64) -> Plan + Sync) {
    if number("YAGURA_SIM_SEED").is_some() {
        let filter = tracing_subscriber::EnvFilter::from_default_env();
        let _ = tracing_subscriber::fmt().without_time().with_env_filter(filter).try_init();
    }
    let seeds = match number("YAGURA_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("YAGURA_SIM_SEEDS").unwrap_or(seeds),
    };
    let wrong = wrong(seeds, plan);
    for verdict in &wrong {
        if number("YAGURA_SIM_SEED").is_some() {
            println!("{}", verdict.history.join("\n"));
        }
        println!("{verdict:?}to see it: YAGURA_SIM_SEED={} cargo test -p simulation {name}\n", verdict.seed);
    }
    assert!(wrong.is_empty(), "{} seeds went wrong", wrong.len());
}

#[test]
fn everything_at_once() {
    check("everything_at_once", 100, |seed| Plan::everything(shape(seed)));
}

#[test]
fn power_losses_everywhere() {
    let faults = vec![Fault::PowerLoss, Fault::AllPowerLoss, Fault::DiskMidway, Fault::Flush];
    let plan = |seed| Plan { shape: shape(seed), faulty: Duration::from_secs(30), faults: faults.clone() };
    check("power_losses_everywhere", 40, plan);
}

#[test]
fn partitions() {
    let faults = vec![Fault::Partition, Fault::Isolation, Fault::StoreAway];
    let plan = |seed| Plan { shape: shape(seed), faulty: Duration::from_secs(30), faults: faults.clone() };
    check("partitions", 30, plan);
}

#[test]
fn clocks_that_jump() {
    let plan = |seed| Plan { shape: shape(seed), faulty: Duration::from_secs(20), faults: vec![Fault::Clock] };
    check("clocks_that_jump", 20, plan);
}

#[test]
fn the_same_seed_gives_the_same_history() {
    for seed in 0..6 {
        let plan = Plan::everything(shape(seed));
        let (first, second) = (run(seed, &plan), run(seed, &plan));
        let differs = first.history.iter().zip(&second.history).find(|(a, b)| a != b);
        assert_eq!((first.hash, differs), (second.hash, None), "seed {seed}");
    }
}

#[test]
fn planted_bugs_are_found() {
    let most = number("YAGURA_SIM_SEEDS").unwrap_or(60);
    for bug in Bug::ALL {
        let found = (0..most).find(|&seed| {
            let plan = Plan::everything(Shape { bug: Some(bug), ..shape(seed) });
            !run(seed, &plan).violations.is_empty()
        });
        println!("{bug:?}: found by seed {found:?}");
        assert!(found.is_some(), "{bug:?} is not found by {most} seeds");
    }
}
