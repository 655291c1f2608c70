//! Runs a parsed query and writes what comes out.

use super::{
    Options, Times, kept,
    series::Unwritten,
    slots::Place,
    statistics::{Stats, write_explain, write_stats},
};
use crate::{
    answer::{self, Notes},
    json,
    params::invalid,
    state::Deps,
};
use axum::response::Response;
use model::{Labels, Timestamp};
use promql::engine::{Engine, Observed, Query, QueryResult, Statistics, Value};
use service_api::{Code, ReadContext, Result};
use std::time::Duration;
use vectors::{Sample, Steps};

/// A query's value and what goes with it.
pub struct Found {
    value: Value,
    statistics: Statistics,
    observed: Option<Observed>,
    pub notes: Notes,
}

pub async fn evaluate(
    deps: &Deps,
    ctx: &ReadContext,
    query: Query<'_>,
    times: &Times,
    options: &Options,
) -> Result<Found> {
    let own = (options.lookback.is_some() || options.downsampling.is_some()).then(|| {
        let mut config = deps.engine.config().clone();
        if let Some(lookback) = options.lookback {
            config.lookback_ms = i64::try_from(lookback.as_millis()).unwrap_or(i64::MAX);
        }
        config.downsampling = options.downsampling.unwrap_or(config.downsampling);
        Engine::new(config)
    });
    let engine = own.as_ref().unwrap_or(&deps.engine);
    let result = match times.step {
        None => engine.instant(ctx, &*deps.reader, query, times.start).await,
        Some(step) => kept::range(deps, engine, ctx, query, (times, step), options.keeps).await,
    };
    // What the engine finds wrong with the query itself Prometheus reports of its parameter.
    let result = result.map_err(|e| if e.code == Code::BadRequest { invalid("query", e) } else { e })?;
    let QueryResult { value, warnings, infos, statistics, observed } = result;
    Ok(Found { value, statistics, observed, notes: Notes { warnings, infos } })
}

/// What is told beside the answer.
pub struct Told {
    pub stats: Stats,
    /// Steps whose samples are told one by one.
    pub steps: Option<Steps>,
}

impl Found {
    /// The answer; it keeps the query's place until its last piece is made.
    pub fn into_response(self, limit: Option<usize>, told: Told, took: Duration, place: Place) -> Response {
        let Self { value, statistics, observed, mut notes } = self;
        let mut close = Vec::new();
        if let Some(observed) = &observed {
            if told.stats != Stats::No {
                write_stats(&mut close, &statistics, observed, took, told.steps);
            }
            if let Some(plan) = &observed.plan {
                write_explain(&mut close, plan);
            }
        }
        close.push(b'}');
        match value {
            Value::Scalar { time, value } => whole(
                r#"{"resultType":"scalar","result":"#,
                |out| json::scalar(out, time, value),
                &close,
                &notes,
            ),
            Value::String { time, value } => {
                let write = |out: &mut Vec<u8>| {
                    out.push(b'[');
                    json::seconds(out, time);
                    out.push(b',');
                    json::string(out, &value);
                    out.push(b']');
                };
                whole(r#"{"resultType":"string","result":"#, write, &close, &notes)
            }
            Value::Vector { time, mut samples } => {
                notes.truncate(&mut samples, limit);
                let each = move |out: &mut Vec<u8>, (labels, value): (Labels, Sample)| {
                    let _held = &place;
                    sample(out, &labels, time, &value);
                };
                close.insert(0, b']');
                answer::array(r#"{"resultType":"vector","result":["#, samples, each, &close, &notes)
            }
            Value::Matrix(mut series) => {
                notes.truncate(&mut series, limit);
                let part = move |out: &mut Vec<u8>, series: &mut Unwritten| {
                    let _held = &place;
                    series.write(out)
                };
                close.insert(0, b']');
                let series = series.into_iter().map(Unwritten::new);
                answer::array_in_parts(r#"{"resultType":"matrix","result":["#, series, part, &close, &notes)
            }
        }
    }
}

fn whole(open: &str, write: impl FnOnce(&mut Vec<u8>), close: &[u8], notes: &Notes) -> Response {
    let write = |out: &mut Vec<u8>| {
        out.extend_from_slice(open.as_bytes());
        write(out);
        out.extend_from_slice(close);
    };
    answer::data(write, notes)
}

fn sample(out: &mut Vec<u8>, labels: &Labels, time: Timestamp, value: &Sample) {
    out.extend_from_slice(br#"{"metric":"#);
    json::labels(out, labels);
    match value {
        Sample::Float(value) => {
            out.extend_from_slice(br#","value":"#);
            json::point(out, time, *value);
        }
        Sample::Histogram(histogram) => {
            out.extend_from_slice(br#","histogram":"#);
            json::histogram_point(out, time, histogram);
        }
    }
    out.push(b'}');
}
