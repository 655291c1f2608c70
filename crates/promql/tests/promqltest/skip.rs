//! Which evaluations ask for what is not built yet.

use crate::{
    script::Eval,
    storage::{Memory, Special},
};
use promql::ast::{Duration, Expr, MatrixSelector, Subquery, VectorSelector};
use std::fmt;

/// Why an evaluation is not judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Skip {
    NativeHistogram,
    Experimental,
    /// The engine itself says that it does not support this.
    Unsupported,
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NativeHistogram => "native histogram",
            Self::Experimental => "experimental",
            Self::Unsupported => "not supported",
        })
    }
}

/// Something experimental (a function, modifier or keyword; series with start timestamps,
/// which only experimental features look at) excuses an evaluation that does not pass.
/// Native histograms in the answer or in a series that a selector matches excuse it always:
/// the data is not even loaded.
pub fn reason(eval: &Eval, expr: &Expr, data: &Memory) -> Option<Skip> {
    let mut found = Found { data, experimental: false, histograms: eval.expects_histograms() };
    found.visit(expr);
    if found.histograms {
        Some(Skip::NativeHistogram)
    } else {
        found.experimental.then_some(Skip::Experimental)
    }
}

/// Whether the line is one of those that need metric names to be dropped late. That is an
/// experimental setting of the whole engine, so the expressions do not show it.
pub fn needs_delayed_names(file: &str, line: usize) -> bool {
    include_str!("delayed_name_removal.txt").lines().any(|listed| listed == format!("{file}:{line}"))
}

struct Found<'a> {
    data: &'a Memory,
    experimental: bool,
    histograms: bool,
}

impl Found<'_> {
    fn visit(&mut self, expr: &Expr) {
        match expr {
            Expr::VectorSelector(selector) => self.selector(selector),
            Expr::MatrixSelector(MatrixSelector { selector, range, .. }) => {
                self.selector(selector);
                self.durations(&[Some(range)]);
            }
            Expr::Subquery(Subquery { range, step, offset, .. }) => {
                self.durations(&[Some(range), step.as_ref(), Some(offset)]);
            }
            Expr::Call(call) => self.experimental |= call.function.experimental,
            Expr::Aggregate(aggregate) => self.experimental |= aggregate.op.is_experimental(),
            Expr::Binary(binary) => {
                self.experimental |= !binary.fill.is_empty();
                // These two are there for native histograms alone.
                self.histograms |= matches!(binary.op.as_str(), "</" | ">/");
            }
            _ => {}
        }
        expr.children().into_iter().for_each(|child| self.visit(child));
    }

    fn selector(&mut self, selector: &VectorSelector) {
        self.experimental |= selector.anchored || selector.smoothed;
        self.durations(&[Some(&selector.offset)]);
        match self.data.special(&selector.matchers) {
            Some(Special::NativeHistogram) => self.histograms = true,
            Some(Special::StartTimestamps) => self.experimental = true,
            None => {}
        }
    }

    fn durations(&mut self, durations: &[Option<&Duration>]) {
        self.experimental |= durations.iter().flatten().any(|d| matches!(d, Duration::Expr(_)));
    }
}
