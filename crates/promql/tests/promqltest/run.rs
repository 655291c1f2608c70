//! Runs a script, one outcome for each `eval`.

use crate::{
    compare,
    engine::{Answer, Engine},
    pinned,
    script::{self, Command, Eval, When},
    skip::{self, Skip},
    storage::Memory,
};
use model::Timestamp;
use std::{collections::BTreeMap, fmt};

/// What became of one `eval`.
pub enum Verdict {
    Passed,
    Skipped(Skip),
    Failed(String),
}

/// What became of a script.
pub struct Report {
    pub file: String,
    /// By line, from 1.
    pub verdicts: Vec<(usize, Verdict)>,
}

const MINUTE: i64 = 60_000;

/// Runs a whole script; the error says why it cannot be read.
pub fn script(file: &str, text: &str, engine: &Engine, seed: u64) -> Result<Report, String> {
    let mut data = Memory::new(seed);
    let mut verdicts = Vec::new();
    for command in script::parse(text).map_err(|e| format!("{file}: {e}"))? {
        match command {
            Command::Clear => data.clear(),
            Command::Load(load) => data.load(&load),
            Command::Eval(eval) => {
                let mut verdict = judge(&eval, &data, engine);
                if matches!(verdict, Verdict::Failed(_)) && skip::needs_delayed_names(file, eval.line) {
                    verdict = Verdict::Skipped(Skip::Experimental);
                }
                verdicts.push((eval.line, verdict));
            }
        }
    }
    Ok(Report { file: file.to_owned(), verdicts })
}

fn judge(eval: &Eval, data: &Memory, engine: &Engine) -> Verdict {
    let parsed = engine.parse(&eval.expr);
    let excuse = parsed.as_ref().ok().and_then(|expr| skip::reason(eval, expr, data));
    if excuse == Some(Skip::NativeHistogram) {
        return Verdict::Skipped(Skip::NativeHistogram);
    }
    let mut run = Run { eval, data, engine, unsupported: false };
    let checked = match eval.when {
        When::Range { start, end, step } => {
            let outcome = engine.range(data, &eval.expr, start, end, step);
            run.unsupported = outcome.as_ref().is_err_and(|f| f.unsupported);
            compare::check(eval, &outcome)
        }
        When::Instant(at) => run.instant_in_every_way(at, parsed.ok().as_ref()),
    };
    match checked {
        _ if run.unsupported => Verdict::Skipped(excuse.unwrap_or(Skip::Unsupported)),
        Ok(()) => Verdict::Passed,
        Err(_) if excuse.is_some() => Verdict::Skipped(Skip::Experimental),
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
    unsupported: bool,
}

impl Run<'_> {
    /// As written, and with all selectors pinned at other times.
    fn instant_in_every_way(
        &mut self,
        at: Timestamp,
        expr: Option<&promql::ast::Expr>,
    ) -> Result<(), String> {
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
    fn instant(&mut self, expr: &str, at: Timestamp) -> Result<(), String> {
        let eval = self.eval;
        let outcome = self.engine.instant(self.data, expr, at);
        self.unsupported |= outcome.as_ref().is_err_and(|f| f.unsupported);
        compare::check(eval, &outcome)?;
        let depends_on_range = ["start()", "end()", "range()", "step()"].iter().any(|f| expr.contains(f));
        let has_range_form = eval.expect.range_vector.is_none() && eval.expect.string.is_none();
        let Ok(outcome) = outcome else { return Ok(()) };
        if depends_on_range || !has_range_form {
            return Ok(());
        }
        let ranged = self.engine.range(self.data, expr, at - MINUTE, at + MINUTE, MINUTE);
        let Answer::Matrix(series) = ranged.map_err(|f| format!("as a range: failed: {}", f.message))?.answer
        else {
            return Err("as a range: no matrix came".to_owned());
        };
        if eval.expect.ordered {
            return Ok(());
        }
        compare::sorted(&series).map_err(|e| format!("as a range: {e}"))?;
        let now = |points: &[(Timestamp, f64)]| points.iter().find(|(time, _)| *time == at).map(|(_, v)| *v);
        let samples: Vec<_> = series.into_iter().filter_map(|(l, points)| Some((l, now(&points)?))).collect();
        let same = match (&outcome.answer, samples.as_slice()) {
            (Answer::Scalar(_), [(_, value), ..]) => Answer::Scalar(*value),
            _ => Answer::Vector(samples),
        };
        compare::answer(eval, &same).map_err(|e| format!("as a range: {e}"))
    }
}

impl Report {
    pub fn passed(&self) -> usize {
        self.verdicts.iter().filter(|(_, v)| matches!(v, Verdict::Passed)).count()
    }

    pub fn skipped(&self) -> BTreeMap<Skip, usize> {
        let mut counts = BTreeMap::new();
        for (_, verdict) in &self.verdicts {
            if let Verdict::Skipped(reason) = verdict {
                *counts.entry(*reason).or_default() += 1;
            }
        }
        counts
    }

    pub fn failures(&self) -> impl Iterator<Item = (usize, &str)> {
        self.verdicts.iter().filter_map(|(line, verdict)| match verdict {
            Verdict::Failed(why) => Some((*line, why.as_str())),
            _ => None,
        })
    }
}

/// `aggregators.test: 123 of 130 (7 skipped: 5 native histogram, 2 experimental)`.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} of {}", self.file, self.passed(), self.verdicts.len())?;
        let skipped = self.skipped();
        if !skipped.is_empty() {
            let total: usize = skipped.values().sum();
            let reasons: Vec<_> = skipped.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
            write!(f, " ({total} skipped: {})", reasons.join(", "))?;
        }
        Ok(())
    }
}
