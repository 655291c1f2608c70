//! Simulations of many seeds: nothing acknowledged is lost, no answer is wrong, and everything heals.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

use simulation::{Bug, Kind};
use std::{
    env,
    process::{Command, Output},
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

/// One simulation, in a process of its own.
fn simulate(kind: Kind, seed: u64, bug: Option<Bug>) -> Output {
    let (name, _) = Kind::ALL.into_iter().find(|(_, known)| *known == kind).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_simulation"));
    command.args([name, &seed.to_string()]).args(bug.map(|bug| format!("{bug:?}")));
    command.output().unwrap()
}

/// The lines of the verdict, which follow the history.
fn verdict(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.find("\nseed ").map_or_else(|| format!("{output:?}"), |at| text[at + 1..].to_owned())
}

/// Does something for each seed, on all processors.
fn for_each(seeds: u64, work: impl Fn(u64) -> Option<String> + Sync) -> Vec<String> {
    let (next, work) = (AtomicU64::new(0), &work);
    let threads = thread::available_parallelism().map_or(1, |n| n.get());
    thread::scope(|scope| {
        let share = || {
            let mine = std::iter::from_fn(|| Some(next.fetch_add(1, Ordering::Relaxed)));
            mine.take_while(|seed| *seed < seeds).filter_map(work).collect::<Vec<_>>()
        };
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(share)).collect();
        running.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

/// As many seeds as asked for, or as these.
fn seeds(usual: u64) -> u64 {
    env::var("YAGURA_SIM_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(usual)
}

fn check(kind: Kind, usual: u64) {
    let wrong = for_each(seeds(usual), |seed| {
        let output = simulate(kind, seed, None);
        (!output.status.success()).then(|| verdict(&output))
    });
    let (name, _) = Kind::ALL.into_iter().find(|(_, known)| *known == kind).unwrap();
    for verdict in &wrong {
        println!("{verdict}to see it: cargo run --package simulation -- {name} and the seed\n");
    }
    assert!(wrong.is_empty(), "{} simulations went wrong", wrong.len());
}

#[test]
fn everything_at_once() {
    check(Kind::Everything, 130);
}

#[test]
fn power_losses_everywhere() {
    check(Kind::Power, 100);
}

#[test]
fn partitions() {
    check(Kind::Partitions, 40);
}

#[test]
fn clocks_that_jump() {
    check(Kind::Clocks, 30);
}

/// Row 22: no two rulers ever write for one group and time, a fault costs a group one evaluation at most, and no
/// alert that fires ever seems to be over or to be a new one.
#[test]
fn rulers() {
    check(Kind::Rulers, 60);
}

#[test]
fn the_same_seed_gives_the_same_history() {
    let differ = for_each(6, |seed| {
        let (first, second) =
            (simulate(Kind::Everything, seed, None), simulate(Kind::Everything, seed, None));
        assert!(first.stdout.len() > 10_000, "{first:?}");
        (first.stdout != second.stdout).then(|| format!("{}\n{}", verdict(&first), verdict(&second)))
    });
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

/// Whatever breaks one of the promises is found by one of the first seeds.
#[test]
fn planted_bugs_are_found() {
    let most = seeds(60).max(60);
    let unfound = for_each(Bug::ALL.len() as u64, |number| {
        let bug = Bug::ALL[number as usize];
        let found = (0..most).find(|&seed| !simulate(bug.found_by(), seed, Some(bug)).status.success());
        println!("{bug:?}: found by seed {found:?}");
        found.is_none().then(|| format!("{bug:?}"))
    });
    assert!(unfound.is_empty(), "not found by {most} seeds: {}", unfound.join(", "));
}
