//! Expressions that stand in a query more than once and are computed once.

use super::{Vector, build::Looks};
use crate::ast::{Call, Expr, ValueType};
use std::collections::{HashMap, HashSet};
use vectors::Steps;

/// Longer queries are not searched for repetitions.
const MAX_LENGTH: u32 = 16 << 10;

/// What is computed once, and what is known to be worth it.
#[derive(Default)]
pub(super) struct Shared {
    /// The normal form of what occurs more than once.
    repeated: HashSet<String>,
    known: HashMap<Key, usize>,
    definitions: Vec<Definition>,
}

/// An expression that is computed once.
pub(crate) struct Definition {
    pub vector: Vector,
    pub steps: Steps,
    /// How often it is used.
    pub uses: usize,
}

/// The same expression is another one at other steps, and where more or less is looked at.
#[derive(PartialEq, Eq, Hash)]
pub(super) struct Key {
    text: String,
    steps: (i64, i64, usize),
    looks: Looks,
}

impl Shared {
    /// Finds what is repeated in a query.
    pub fn of(expr: &Expr) -> Self {
        let mut seen: HashMap<String, usize> = HashMap::new();
        if expr.span().end - expr.span().start <= MAX_LENGTH {
            count(expr, &mut seen);
        }
        let repeated = seen.into_iter().filter(|(_, count)| *count > 1).map(|(text, _)| text).collect();
        Self { repeated, ..Self::default() }
    }

    /// A key, if the expression is one that is repeated.
    pub fn key(&self, expr: &Expr, steps: &Steps, looks: Looks) -> Option<Key> {
        if self.repeated.is_empty() || !is_worth_it(expr) {
            return None;
        }
        let text = expr.to_string();
        let steps = (steps.start, steps.interval, steps.count);
        self.repeated.contains(&text).then_some(Key { text, steps, looks })
    }

    /// One more use of what is known.
    pub fn find(&mut self, key: &Key) -> Option<usize> {
        let index = *self.known.get(key)?;
        self.definitions[index].uses += 1;
        Some(index)
    }

    /// The first use.
    pub fn add(&mut self, key: Key, vector: Vector, steps: Steps) -> usize {
        let index = self.definitions.len();
        self.definitions.push(Definition { vector, steps, uses: 1 });
        self.known.insert(key, index);
        index
    }

    pub fn into_definitions(self) -> Vec<Definition> {
        self.definitions
    }
}

fn count(expr: &Expr, seen: &mut HashMap<String, usize>) {
    if is_worth_it(expr) {
        *seen.entry(expr.to_string()).or_default() += 1;
    }
    expr.children().into_iter().for_each(|child| count(child, seen));
}

/// Rows that are kept must be fewer than what they were made of, or else it is better to make them again as
/// they are used.
fn is_worth_it(expr: &Expr) -> bool {
    match expr {
        Expr::Aggregate(_) => true,
        Expr::Binary(e) => e.lhs.value_type() == ValueType::Vector && e.rhs.value_type() == ValueType::Vector,
        Expr::Call(call) => is_of_buckets(call) || is_over_subquery(call),
        _ => false,
    }
}

fn is_of_buckets(call: &Call) -> bool {
    matches!(call.function.name, "histogram_quantile" | "histogram_quantiles" | "histogram_fraction")
}

fn is_over_subquery(call: &Call) -> bool {
    call.args.iter().any(|arg| matches!(arg.without_parens(), Expr::Subquery(_)))
}
