//! Starts Yagura: configuration, then build, then run, then drain.

mod app;
mod args;
mod bucket;
mod client;
mod config;
mod data_dir;
mod limits;
mod ready;
mod reread;
mod server;
mod starting;
mod target;
mod tls;
mod tokens;
mod vitals;

use anyhow::Context;
use app::{App, Running};
use args::{Args, Command};
use bucket_tools::Outcome;
use clap::Parser;
use client::ClientCommand;
use config::{Config, Layers};
use runtime::{Clock, OwnLines, Signal, Signals, SystemClock, Telemetry};
use std::{process::ExitCode, sync::Arc, time::Duration};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// From the signal to stop to the end of the process. A service manager waits longer.
const DRAIN_WITHIN: Duration = Duration::from_secs(30);

/// Exit codes: 1 for what happened, 2 for what was asked (as for a wrong flag).
const FAILED: u8 = 1;
const BAD_CONFIG: u8 = 2;
/// As promtool: nothing is wrong, but something should be another way.
const DOUBTFUL: u8 = 3;

fn main() -> ExitCode {
    let args = Args::parse();
    if args.print_config_docs {
        print!("{}", config::reference_page());
        return ExitCode::SUCCESS;
    }
    let command = match args.command {
        // What asks a server needs no configuration of one.
        Some(Command::Rules(command)) => return ask(ClientCommand::Rules(command)),
        Some(Command::Query(args)) => return ask(ClientCommand::Query(args)),
        Some(Command::Push(command)) => return ask(ClientCommand::Push(command)),
        Some(Command::Ready { address: Some(address) }) => return exit_code(ready::ask(&address)),
        command => command,
    };
    let env = std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
    let layers = Layers { file: args.config_file, env: env.collect(), set: args.set };
    let config = match config::load(layers) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("the configuration is not good:\n  {}", error.0.join("\n  "));
            return ExitCode::from(BAD_CONFIG);
        }
    };
    let done = match command {
        Some(Command::Bucket(command)) => match bucket::run(&config, command) {
            Ok(Outcome::Good) => Ok(()),
            // What is wrong has been said.
            Ok(Outcome::Bad) => return ExitCode::from(FAILED),
            Err(error) => Err(error),
        },
        Some(Command::Ready { .. }) => ready::ask(&config.http.listen),
        _ if args.print_config => config.to_yaml().map(|yaml| print!("{yaml}")),
        _ if args.check_config => {
            println!("the configuration is good");
            Ok(())
        }
        _ => serve(config),
    };
    exit_code(done)
}

fn exit_code(done: anyhow::Result<()>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn ask(command: ClientCommand) -> ExitCode {
    match client::run(command) {
        Ok(client_tools::Outcome::Good) => ExitCode::SUCCESS,
        // What is wrong has been said.
        Ok(client_tools::Outcome::Bad) => ExitCode::from(FAILED),
        Ok(client_tools::Outcome::Doubtful) => ExitCode::from(DOUBTFUL),
        Err(error) => failed(&error),
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("yagura: {error:#}");
    ExitCode::from(FAILED)
}

fn serve(config: Config) -> anyhow::Result<()> {
    let runtime = async_runtime()?;
    let served = runtime.block_on(async {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let own_lines = config.own_tenant().map(|_| OwnLines::new(Arc::clone(&clock)));
        let telemetry = Telemetry::install("yagura", &config.log, &config.tracing, own_lines.clone())?;
        let served = run(&config, clock, own_lines).await;
        tokio::task::spawn_blocking(|| telemetry.shutdown()).await?;
        served
    });
    // What still blocks a thread after the drain must not keep the process.
    runtime.shutdown_background();
    served
}

/// What reaches the network needs: threads, and a TLS provider for the whole process.
fn async_runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok()
        .context("a TLS provider was set up twice")?;
    tokio::runtime::Runtime::new().context("cannot start the async runtime")
}

/// Builds, runs until a signal or a failure, drains.
async fn run(config: &Config, clock: Arc<dyn Clock>, own_lines: Option<Arc<OwnLines>>) -> anyhow::Result<()> {
    let mut signals = Signals::listen().context("cannot listen for signals")?;
    let Running { mut services, reread, departure, stop } = tokio::select! {
        built = App::build(config, clock, own_lines) => built?.spawn(),
        signal = signals.terminate() => {
            tracing::info!(signal, "stopped while starting");
            let leaves = app::leaves_when_stopped(&config.data_dir);
            anyhow::ensure!(!leaves, "was to leave the ring, and had not read its log yet: what is in the data \
                folder may be nowhere else; start it once more, and stop it when it is ready");
            return Ok(());
        }
    };
    let failure = loop {
        tokio::select! {
            failure = services.failure() => break Some(failure),
            () = stop.cancelled() => {
                tracing::info!("draining, as was asked for");
                break None;
            }
            signal = signals.next() => match signal {
                Signal::Terminate(signal) => {
                    tracing::info!(signal, "draining");
                    let Some(departure) = &departure else { break None };
                    tokio::select! {
                        () = departure.before_the_end() => break None,
                        failure = services.failure() => break Some(failure),
                        signal = signals.terminate() => {
                            tracing::warn!(signal, "not left: what is not in the bucket stays in the data folder");
                            break None;
                        }
                    }
                }
                // What is wrong with the file is logged there.
                Signal::Reload => drop(reread.reload()),
            },
        }
    };
    if let Some(failure) = &failure {
        tracing::error!(error = %failure, "stopping");
    }
    tokio::select! {
        drained = services.drain(DRAIN_WITHIN) => drained?,
        signal = signals.terminate() => tracing::warn!(signal, "stopped before the drain was over"),
    }
    tracing::info!("stopped");
    failure.map_or(Ok(()), |failure| Err(failure.into()))
}
