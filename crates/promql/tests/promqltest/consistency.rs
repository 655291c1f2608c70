//! A range query answers at each step what an instant query answers at that time. Every
//! expression of the scripts is asked both ways, over many steps that fall between samples.

use crate::{
    compare::same_sample,
    engine::{Answer, Engine},
    script::{self, Command, Eval, When},
    storage::Memory,
};
use model::{Labels, Timestamp};
use std::collections::BTreeMap;
use vectors::Sample;

const STEPS: i64 = 12;
/// No multiple of any usual scrape interval.
const STEP: i64 = 97_003;

/// Where a range query answers otherwise, in Prometheus too: with names dropped late, whether a group has
/// lost its name is one thing for all of its steps.
const DIFFER: [&str; 2] = [
    r#"sum by (__name__) (metric_total{env="1"} or rate(metric_total{env="2"}[5m]))"#,
    r#"sum by (__name__) (rate(metric_total{env="2"}[5m]) or metric_total{env="1"})"#,
];

type Values = BTreeMap<Labels, Sample>;

/// How many expressions of a script were compared, and how each other one differed.
pub fn check(text: &str, engine: &Engine, seed: u64) -> Result<(usize, Vec<String>), String> {
    let (mut data, mut compared, mut differences) = (Memory::new(seed), 0, Vec::new());
    for command in script::parse(text)? {
        match command {
            Command::Clear => data.clear(),
            Command::Load(load) => data.load(&load)?,
            Command::Eval(eval) if applies(&eval) => match compare(&eval, &data, engine) {
                Ok(()) => compared += 1,
                Err(difference) => {
                    differences.push(format!("line {}: {}: {difference}", eval.line, eval.expr))
                }
            },
            Command::Eval(_) => {}
        }
    }
    Ok((compared, differences))
}

fn applies(eval: &Eval) -> bool {
    // Durations may name functions in capitals.
    let has_range_form = eval.has_range_form(&eval.expr.to_ascii_lowercase());
    eval.expect.fail.is_none() && has_range_form && !DIFFER.contains(&eval.expr.as_str())
}

fn compare(eval: &Eval, data: &Memory, engine: &Engine) -> Result<(), String> {
    let middle = match eval.when {
        When::Instant(at) => at,
        When::Range { start, end, .. } => (start + end) / 2,
    };
    let start = middle - STEPS / 2 * STEP;
    let end = start + (STEPS - 1) * STEP;
    // Series that are distinct at each step may still collide over all of them.
    let Ok(ranged) = engine.range(data, &eval.expr, start, end, STEP) else { return Ok(()) };
    let Answer::Matrix(series) = ranged.answer else { return Err("no matrix came".to_owned()) };
    let mut by_time: BTreeMap<Timestamp, Values> = BTreeMap::new();
    for series in series {
        for (time, sample) in series.points {
            by_time.entry(time).or_default().insert(series.labels.clone(), sample);
        }
    }
    for time in (0..STEPS).map(|i| start + i * STEP) {
        let outcome =
            engine.instant(data, &eval.expr, time).map_err(|f| format!("at {time}: {}", f.message))?;
        let instant: Values = match outcome.answer {
            Answer::Scalar(value) => BTreeMap::from([(Labels::empty(), Sample::Float(value))]),
            Answer::Vector(samples) => samples.into_iter().collect(),
            other => return Err(format!("at {time}: {other:?}")),
        };
        let ranged = by_time.remove(&time).unwrap_or_default();
        let same = instant.len() == ranged.len()
            && instant.iter().zip(&ranged).all(|(a, b)| a.0 == b.0 && same_sample(a.1, b.1));
        if !same {
            return Err(format!("at {time} ms an instant query gives {instant:?}, a range query {ranged:?}"));
        }
    }
    if by_time.is_empty() { Ok(()) } else { Err(format!("values between steps: {by_time:?}")) }
}
