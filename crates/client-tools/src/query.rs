//! `yagura query`: asks a server in either language and prints what it answers.

mod answer;
mod csv;
mod print;

pub use print::Output;

use crate::{Outcome, server::Server, times};
use anyhow::{Context, Result, anyhow, bail};
use model::{METRIC_NAME, NANOS_A_MILLI};
use runtime::Clock;
use serde_json::Value;
use std::{io::Write, sync::Arc};

/// Points of a range query whose step is not said.
const POINTS: i64 = 250;

pub struct QueryOptions {
    pub expr: String,
    /// The expression is LogQL; else that is found out.
    pub logs: bool,
    pub time: Option<String>,
    pub start: Option<String>,
    pub end: Option<String>,
    pub step: Option<String>,
    /// Lines that are wanted at most.
    pub limit: u64,
    /// Oldest lines first.
    pub forward: bool,
    pub output: Output,
    pub clock: Arc<dyn Clock>,
}

/// What is asked for that is no expression.
pub enum Names {
    Labels,
    LabelValues(String),
    Series,
}

/// Warnings go to `notes`.
///
/// # Errors
/// The expression cannot be read, or the server does not answer it.
pub async fn query(
    server: &Server,
    options: &QueryOptions,
    out: &mut dyn Write,
    notes: &mut dyn Write,
) -> Result<Outcome> {
    let is_logs = is_logql(&options.expr, options.logs)?;
    let range = is_range(options, &options.expr, is_logs)?;
    let mut parameters = vec![("query", options.expr.clone())];
    let now = options.clock.now_ms();
    let time = |text: &str| times::relative(text, now).map_err(|e| anyhow!(e));
    let form = |nanos: i64| {
        if is_logs { nanos.to_string() } else { (nanos as f64 / 1e9).to_string() }
    };
    if range {
        let end = time(options.end.as_deref().unwrap_or("now"))?;
        let start = match &options.start {
            Some(start) => time(start)?,
            None => end.saturating_sub(3_600_000 * NANOS_A_MILLI),
        };
        if end < start {
            bail!("--end is before --start");
        }
        let step = match &options.step {
            Some(step) => step.clone(),
            None => format!("{}s", ((end - start) / 1_000_000_000 / POINTS).max(1)),
        };
        parameters.extend([("start", form(start)), ("end", form(end)), ("step", step)]);
    } else {
        parameters.push(("time", form(time(options.time.as_deref().unwrap_or("now"))?)));
    }
    if is_logs {
        let direction = if options.forward { "forward" } else { "backward" };
        parameters.extend([("limit", options.limit.to_string()), ("direction", direction.to_owned())]);
    }
    let name = if range { "query_range" } else { "query" };
    let prefix: &[&str] = if is_logs { &["loki", "api", "v1"] } else { &["api", "v1"] };
    let url = server.url(prefix.iter().copied().chain([name]))?;
    let body = server.post_form(url, &parameters).await?.good()?;
    print::answer(&data(&body.text, notes)?, options.forward, options.output, out)?;
    Ok(Outcome::Good)
}

/// Names of labels, their values, or series that a selector matches.
///
/// # Errors
/// The server does not answer.
pub async fn names(
    server: &Server,
    names: &Names,
    options: &QueryOptions,
    out: &mut dyn Write,
    notes: &mut dyn Write,
) -> Result<Outcome> {
    let prefix: &[&str] = if options.logs { &["loki", "api", "v1"] } else { &["api", "v1"] };
    let last: Vec<&str> = match names {
        Names::Labels => vec!["labels"],
        Names::LabelValues(name) => vec!["label", name, "values"],
        Names::Series => vec!["series"],
    };
    let mut url = server.url(prefix.iter().copied().chain(last))?;
    let now = options.clock.now_ms();
    let mut pairs = Vec::new();
    if !options.expr.is_empty() {
        pairs.push((
            if options.logs && !matches!(names, Names::Series) { "query" } else { "match[]" },
            options.expr.clone(),
        ));
    }
    for (name, text) in [("start", &options.start), ("end", &options.end)] {
        if let Some(text) = text {
            let nanos = times::relative(text, now).map_err(|e| anyhow!(e))?;
            pairs.push((
                name,
                if options.logs { nanos.to_string() } else { (nanos as f64 / 1e9).to_string() },
            ));
        }
    }
    if !pairs.is_empty() {
        url.query_pairs_mut().extend_pairs(&pairs);
    }
    let answer = server.get(url).await?.good()?;
    print::names(&data(&answer.text, notes)?, options.output, out)?;
    Ok(Outcome::Good)
}

/// The answer without what tells that it is one.
fn data(text: &str, notes: &mut dyn Write) -> Result<Value> {
    let mut answer: Value =
        serde_json::from_str(text).context("the answer is no JSON: is that a Yagura server?")?;
    for warning in answer.get("warnings").and_then(Value::as_array).into_iter().flatten() {
        writeln!(notes, "warning: {}", warning.as_str().unwrap_or_default())?;
    }
    if let Some(data) = answer.get_mut("data") {
        return Ok(data.take());
    }
    // Loki gives no data where there is none.
    if answer.get("status").is_none() {
        bail!("the answer has no data: is that a Yagura server?");
    }
    Ok(Value::Null)
}

/// Which language it is. What parses as both is PromQL, unless it begins as a stream does: with braces that name no
/// metric.
fn is_logql(expr: &str, said: bool) -> Result<bool> {
    if said {
        return Ok(true);
    }
    let promql = promql::parse(expr, promql::ParseOptions::all_features());
    match (promql, logql::parse(expr)) {
        (Ok(_), Ok(_)) => Ok(expr.trim_start().starts_with('{') && !expr.contains(METRIC_NAME)),
        (Ok(_), Err(_)) => Ok(false),
        (Err(_), Ok(_)) => Ok(true),
        (Err(_), Err(of_logql)) if looks_like_logql(expr) => bail!("this is no LogQL: {of_logql}"),
        (Err(of_promql), Err(_)) => bail!("this is no PromQL: {of_promql}"),
    }
}

fn looks_like_logql(expr: &str) -> bool {
    let signs = ["|=", "|~", "|>", "| json", "| logfmt", "|json", "|logfmt", "_over_time({", "rate({"];
    signs.iter().any(|sign| expr.contains(sign))
}

fn is_range(options: &QueryOptions, expr: &str, is_logs: bool) -> Result<bool> {
    let wants_range = options.start.is_some() || options.end.is_some() || options.step.is_some();
    if wants_range && options.time.is_some() {
        bail!("--time is for one time, and --start, --end and --step are for many: take either");
    }
    // Lines are always of a range.
    Ok(wants_range || (is_logs && matches!(logql::parse(expr), Ok(logql::ast::Expr::Logs(_)))))
}

#[cfg(test)]
mod tests;
