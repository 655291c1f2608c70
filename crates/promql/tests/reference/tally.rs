//! What was asked, and how it went.

use super::{generate::Question, oracle::When};
use promql::ast::Expr;
use std::{collections::BTreeMap, fmt};

/// How a question ended.
#[derive(Clone, Debug)]
pub enum Verdict {
    Same,
    /// Both say that there is nothing.
    Empty,
    BothFail,
    /// They differ, but in what Prometheus leaves open or what hangs on the last bits.
    Open,
    /// The engine says that it cannot do this.
    Unsupported,
    Differs(String),
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    same: usize,
    empty: usize,
    failed: usize,
    open: usize,
    unsupported: usize,
    different: usize,
}

#[derive(Clone, Debug, Default)]
pub struct Tally {
    all: Counts,
    kinds: BTreeMap<&'static str, Counts>,
    /// By function, aggregation and operator.
    words: BTreeMap<&'static str, Counts>,
    instants: usize,
}

impl Counts {
    fn asked(&self) -> usize {
        self.same + self.empty + self.failed + self.open + self.unsupported + self.different
    }

    fn count(&mut self, verdict: &Verdict) {
        *match verdict {
            Verdict::Same => &mut self.same,
            Verdict::Empty => &mut self.empty,
            Verdict::BothFail => &mut self.failed,
            Verdict::Open => &mut self.open,
            Verdict::Unsupported => &mut self.unsupported,
            Verdict::Differs(_) => &mut self.different,
        } += 1;
    }
}

impl Tally {
    pub fn asked(&self) -> usize {
        self.all.asked()
    }

    pub fn different(&self) -> usize {
        self.all.different
    }

    pub fn count(&mut self, question: &Question, expr: &Expr, verdict: Verdict) {
        self.all.count(&verdict);
        self.kinds.entry(question.kind).or_default().count(&verdict);
        self.instants += usize::from(matches!(question.when, When::At(_)));
        let mut words = Vec::new();
        collect_words(expr, &mut words);
        words.sort_unstable();
        words.dedup();
        for word in words {
            self.words.entry(word).or_default().count(&verdict);
        }
    }

    /// Fails where there are differences, or where the questions say too little.
    pub fn judge(&self) {
        let all = self.all;
        assert_eq!(all.different, 0, "the engine and the reference differ");
        let asked = self.asked();
        if asked >= 1_000 {
            assert!(all.same * 100 >= asked * 60, "too few questions have an answer");
            assert!(all.open * 100 <= asked, "too many differences are forgiven");
        }
    }
}

fn collect_words(expr: &Expr, words: &mut Vec<&'static str>) {
    match expr {
        Expr::Call(call) => words.push(call.function.name),
        Expr::Aggregate(aggregate) => words.push(aggregate.op.as_str()),
        Expr::Binary(binary) => words.push(binary.op.as_str()),
        Expr::Subquery(_) => words.push("subquery"),
        _ => {}
    }
    expr.children().into_iter().for_each(|child| collect_words(child, words));
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { same, empty, failed, open, unsupported, different } = self;
        write!(f, "{same} the same, {empty} empty, {failed} fail, {open} open, ")?;
        write!(f, "{unsupported} unsupported, {different} different")
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} questions, {} of them instant: {}", self.asked(), self.instants, self.all)?;
        for (name, counts) in self.kinds.iter().chain(&self.words) {
            writeln!(f, "  {name}: {counts}")?;
        }
        Ok(())
    }
}
