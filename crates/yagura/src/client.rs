//! `yagura rules`, `yagura query` and `yagura push`: from what was typed to what `client-tools` does.

use crate::{
    args::{PushArgs, PushCommand, QueryArgs, ReadingArgs, RulesCommand, ServerArgs, SyncArgs},
    async_runtime,
};
use anyhow::{Context, Result, anyhow};
use client_tools::{
    CheckOptions, DeleteOptions, GetOptions, Names, Outcome, Output, PushLogsOptions, PushMetricsOptions,
    QueryOptions, Server, ServerOptions, SyncOptions, TestOptions, check_rules, delete_rules, diff_rules,
    get_rules, list_rules, names, push_logs, push_metrics, query, sync_rules, test_rules,
};
use promql::Features;
use regex::Regex;
use runtime::{Clock, SystemClock};
use service_api::RuleLanguage;
use std::{
    io::{self, BufWriter, IsTerminal, Write},
    sync::Arc,
};

pub enum ClientCommand {
    Rules(RulesCommand),
    Query(QueryArgs),
    Push(PushCommand),
}

pub fn run(command: ClientCommand) -> Result<Outcome> {
    let runtime = async_runtime()?;
    let mut out = BufWriter::new(io::stdout());
    let done = runtime.block_on(dispatch(command, &mut out));
    let flushed = out.flush();
    // Whoever waits for standard input must not keep the process.
    runtime.shutdown_background();
    match flushed {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        _ => done,
    }
}

async fn dispatch(command: ClientCommand, out: &mut dyn Write) -> Result<Outcome> {
    match command {
        ClientCommand::Rules(command) => rules(command, out).await,
        ClientCommand::Query(args) => ask(args, out).await,
        ClientCommand::Push(PushCommand::Metrics(args)) => {
            let PushArgs { file, labels, server: to } = args;
            push_metrics(&server(to)?, &PushMetricsOptions { file, labels, clock: clock() }, out).await
        }
        ClientCommand::Push(PushCommand::Logs(args)) => {
            let PushArgs { file, labels, server: to } = args;
            push_logs(&server(to)?, &PushLogsOptions { file, labels, clock: clock() }, out).await
        }
    }
}

async fn rules(command: RulesCommand, out: &mut dyn Write) -> Result<Outcome> {
    match command {
        RulesCommand::Check { files, reading: how, lint_fatal } => {
            let (lang, features) = reading(&how)?;
            check_rules(&CheckOptions { files, lang, features, lint_fatal }, out)
        }
        RulesCommand::Test { files, run, diff, reading: how } => {
            let (lang, features) = reading(&how)?;
            let run =
                run.map(|run| Regex::new(&run)).transpose().context("--run wants a regular expression")?;
            test_rules(&TestOptions { files, run, diff, lang, features, clock: clock() }, out).await
        }
        RulesCommand::List { server: at, namespaces } => list_rules(&server(at)?, &namespaces, out).await,
        RulesCommand::Get { namespace, group, server: at } => {
            get_rules(&server(at)?, &GetOptions { namespace, group }, out).await
        }
        RulesCommand::Diff(args) => {
            let (to, options) = sync(args, true)?;
            diff_rules(&to, &options, out).await
        }
        RulesCommand::Sync { sync: args, dry_run } => {
            let (to, options) = sync(args, dry_run)?;
            sync_rules(&to, &options, out).await
        }
        RulesCommand::Delete { namespace, group, server: at } => {
            delete_rules(&server(at)?, &DeleteOptions { namespace, group }, out).await
        }
    }
}

fn sync(args: SyncArgs, dry_run: bool) -> Result<(Server, SyncOptions)> {
    let SyncArgs { files, reading: how, server: at, namespaces, prune } = args;
    let (lang, features) = reading(&how)?;
    Ok((server(at)?, SyncOptions { files, lang, features, namespaces, prune, dry_run }))
}

async fn ask(args: QueryArgs, out: &mut dyn Write) -> Result<Outcome> {
    let QueryArgs {
        expr,
        logs,
        time,
        start,
        end,
        step,
        limit,
        forward,
        output,
        labels,
        label_values,
        series,
        server: at,
    } = args;
    let by_default = if io::stdout().is_terminal() { Output::Table } else { Output::Json };
    let options = QueryOptions {
        expr: expr.unwrap_or_default(),
        logs,
        time,
        start,
        end,
        step,
        limit,
        forward,
        output: output.map_or(by_default, Into::into),
        clock: clock(),
    };
    let wanted = match label_values {
        Some(name) => Some(Names::LabelValues(name)),
        None if labels => Some(Names::Labels),
        None if series => Some(Names::Series),
        None => None,
    };
    let (server, notes) = (server(at)?, &mut io::stderr());
    match wanted {
        Some(wanted) => names(&server, &wanted, &options, out, notes).await,
        None => query(&server, &options, out, notes).await,
    }
}

fn server(args: ServerArgs) -> Result<Server> {
    let ServerArgs { address, tenant, token, tls_ca } = args;
    Server::new(&ServerOptions { address, tenant, token, tls_ca })
}

fn reading(args: &ReadingArgs) -> Result<(Option<RuleLanguage>, Features)> {
    let features = Features::parse(&args.features).map_err(|e| anyhow!(e))?;
    Ok((args.lang.map(Into::into), features))
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::new())
}
