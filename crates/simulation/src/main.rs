//! Runs one simulation and shows it: `simulation KIND SEED [BUG]`.

use simulation::{Bug, Kind, run};
use std::{env, process::ExitCode};

fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    tracing_subscriber::fmt().without_time().with_writer(std::io::stderr).with_env_filter(filter).init();
    let arguments: Vec<String> = env::args().skip(1).collect();
    let Some((kind, seed, bug)) = parse(&arguments) else {
        let kinds = Kind::ALL.map(|(name, _)| name).join("|");
        eprintln!("usage: simulation {kinds} SEED [{}]", Bug::ALL.map(|bug| format!("{bug:?}")).join("|"));
        return ExitCode::from(2);
    };
    let verdict = run(seed, &kind.plan(seed, bug));
    for event in &verdict.history {
        println!("{event}");
    }
    println!("{verdict}");
    if verdict.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn parse(arguments: &[String]) -> Option<(Kind, u64, Option<Bug>)> {
    let (_, kind) = Kind::ALL.into_iter().find(|(name, _)| Some(*name) == arguments.first().map(|a| &**a))?;
    let seed = arguments.get(1)?.parse().ok()?;
    let bug = match arguments.get(2) {
        None => None,
        Some(name) => Some(Bug::ALL.into_iter().find(|bug| format!("{bug:?}") == *name)?),
    };
    Some((kind, seed, bug))
}
