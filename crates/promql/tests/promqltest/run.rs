//! Runs a script, one outcome for each `eval`.

use crate::{
    compare,
    engine::{Answer, Engine},
    pinned,
    script::{self, Command, Eval, When},
    storage::Memory,
};
use model::Timestamp;
use promql::ast::Expr;
use std::fmt;

/// What became of one `eval`.
pub enum Verdict {
    Passed,
    Failed(String),
}

/// What became of a script.
pub struct Report {
    pub file: String,
    /// By line, from 1.
    pub verdicts: Vec<(usize, Verdict)>,
}

const MINUTE: i64 = 60_000;

/// Runs a whole script; the error says why it cannot be read or loaded.
pub fn script(file: &str, text: &str, engine: &Engine, seed: u64) -> Result<Report, String> {
    let in_file = |e: String| format!("{file}: {e}");
    let mut data = Memory::new(seed);
    let mut verdicts = Vec::new();
    for command in script::parse(text).map_err(in_file)? {
        match command {
            Command::Clear => data.clear(),
            Command::Load(load) => data.load(&load).map_err(in_file)?,
            Command::Eval(eval) => verdicts.push((eval.line, judge(&eval, &data, engine))),
        }
    }
    Ok(Report { file: file.to_owned(), verdicts })
}

fn judge(eval: &Eval, data: &Memory, engine: &Engine) -> Verdict {
    let run = Run { eval, data, engine };
    let checked = match eval.when {
        When::Range { start, end, step } => {
            compare::check(eval, &engine.range(data, &eval.expr, start, end, step))
        }
        When::Instant(at) => run.instant_in_every_way(at, engine.parse(&eval.expr).ok().as_ref()),
    };
    match checked {
        Ok(()) => Verdict::Passed,
        Err(reason) => {
            let expected = compare::describe(&eval.expect);
            Verdict::Failed(format!("{}\n    expected\n      {expected}\n    but {reason}", eval.text))
        }
    }
}

struct Run<'a> {
    eval: &'a Eval,
    data: &'a Memory,
    engine: &'a Engine,
}

impl Run<'_> {
    /// As written, and with all selectors pinned at other times.
    fn instant_in_every_way(&self, at: Timestamp, expr: Option<&Expr>) -> Result<(), String> {
        // Prometheus's runner asks for a range vector at the end that is expected.
        let at = self.eval.expect.range_vector.map_or(at, |(_, end, _)| end);
        self.instant(&self.eval.expr, at)?;
        if let Some((text, times)) = expr.and_then(|expr| pinned::variants(expr, at)) {
            for time in times {
                self.instant(&text, time).map_err(|e| format!("as {text} at {time} ms: {e}"))?;
            }
        }
        Ok(())
    }

    /// An instant query, and where it applies the same as the middle of a range query.
    fn instant(&self, expr: &str, at: Timestamp) -> Result<(), String> {
        let outcome = self.engine.instant(self.data, expr, at);
        compare::check(self.eval, &outcome)?;
        match outcome {
            Ok(outcome) if self.eval.has_range_form(expr) => {
                self.middle_of_range(expr, at, &outcome.answer).map_err(|e| format!("as a range: {e}"))
            }
            _ => Ok(()),
        }
    }

    fn middle_of_range(&self, expr: &str, at: Timestamp, instant: &Answer) -> Result<(), String> {
        let ranged = self.engine.range(self.data, expr, at - MINUTE, at + MINUTE, MINUTE);
        let Answer::Matrix(series) = ranged.map_err(|f| format!("failed: {}", f.message))?.answer else {
            return Err("no matrix came".to_owned());
        };
        // A matrix has its own order.
        if self.eval.expect.ordered {
            return Ok(());
        }
        compare::sorted(&series)?;
        let now = series.iter().filter_map(|s| Some((s.labels.clone(), s.at(at)?.clone())));
        let samples: Vec<_> = now.collect();
        let same = match (instant, samples.as_slice()) {
            (Answer::Scalar(_), [(_, vectors::Sample::Float(value)), ..]) => Answer::Scalar(*value),
            _ => Answer::Vector(samples),
        };
        compare::answer(self.eval, &same)
    }
}

impl Report {
    pub fn passed(&self) -> usize {
        self.verdicts.iter().filter(|(_, v)| matches!(v, Verdict::Passed)).count()
    }

    pub fn failures(&self) -> impl Iterator<Item = (usize, &str)> {
        self.verdicts.iter().filter_map(|(line, verdict)| match verdict {
            Verdict::Failed(why) => Some((*line, why.as_str())),
            Verdict::Passed => None,
        })
    }
}

/// `aggregators.test: 123 of 130`.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} of {}", self.file, self.passed(), self.verdicts.len())
    }
}
