//! What kinds of lines there are: lines that differ only in variable parts share a pattern.
//!
//! After Drain (He et al., ICWS 2017): lines are told apart by their number of tokens and their
//! first constant ones; within such a group a line joins the pattern that it has most tokens in
//! common with, and tokens in which they differ become `<_>`.

use model::Nanos;
use std::{
    collections::{BTreeMap, HashMap},
    hash::{DefaultHasher, Hash, Hasher},
};

/// What stands for a variable part.
pub const VARIABLE: &str = "<_>";

/// Tokens of a line that are looked at; longer lines are no patterns.
const MAX_TOKENS: usize = 80;
/// Bytes of a line that are looked at.
const MAX_LINE: usize = 3000;
/// Patterns of one group, and of all.
const MAX_IN_GROUP: usize = 50;
const MAX_PATTERNS: usize = 3000;
/// Constant tokens that name a group.
const GROUP_TOKENS: usize = 2;

/// A kind of line and when there were how many of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// The line with `<_>` for what varies, as the filter `|>` takes it.
    pub text: String,
    /// Starts of steps with the number of lines in each, in time order.
    pub samples: Vec<(Nanos, u64)>,
}

/// Sorts lines into patterns as they come.
#[derive(Debug)]
pub struct PatternFinder {
    step: i64,
    groups: HashMap<u64, Vec<Cluster>>,
    clusters: usize,
}

#[derive(Debug)]
struct Cluster {
    /// None for a variable token.
    tokens: Vec<Option<Box<str>>>,
    samples: BTreeMap<Nanos, u64>,
}

impl PatternFinder {
    /// `step`: nanoseconds that one count covers.
    pub fn new(step: i64) -> Self {
        Self { step: step.max(1), groups: HashMap::new(), clusters: 0 }
    }

    pub fn add(&mut self, timestamp: Nanos, line: &str) {
        if line.len() > MAX_LINE {
            return;
        }
        let tokens: Vec<Option<&str>> =
            line.split(' ').take(MAX_TOKENS + 1).map(|token| constant(token).then_some(token)).collect();
        if tokens.len() > MAX_TOKENS || tokens.iter().all(Option::is_none) {
            return;
        }
        let group = self.groups.entry(group_of(&tokens)).or_default();
        let best = group.iter().enumerate().max_by_key(|(_, cluster)| cluster.common(&tokens));
        let cluster = match best {
            Some((at, cluster)) if 2 * cluster.common(&tokens) >= tokens.len() => at,
            _ if group.len() >= MAX_IN_GROUP || self.clusters >= MAX_PATTERNS => return,
            _ => {
                self.clusters += 1;
                let tokens = tokens.iter().map(|token| token.map(Box::from)).collect();
                group.push(Cluster { tokens, samples: BTreeMap::new() });
                group.len() - 1
            }
        };
        let start = timestamp - timestamp.rem_euclid(self.step);
        group[cluster].take(&tokens, start);
    }

    /// The patterns, those with most lines first.
    pub fn finish(self) -> Vec<Pattern> {
        let mut merged: HashMap<String, BTreeMap<Nanos, u64>> = HashMap::new();
        for cluster in self.groups.into_values().flatten() {
            let samples = merged.entry(cluster.text()).or_default();
            cluster.samples.into_iter().for_each(|(t, count)| *samples.entry(t).or_default() += count);
        }
        let mut patterns: Vec<Pattern> = merged
            .into_iter()
            .map(|(text, samples)| Pattern { text, samples: samples.into_iter().collect() })
            .collect();
        let lines = |pattern: &Pattern| pattern.samples.iter().map(|(_, count)| count).sum::<u64>();
        patterns.sort_by(|a, b| lines(b).cmp(&lines(a)).then_with(|| a.text.cmp(&b.text)));
        patterns
    }
}

impl Cluster {
    /// Tokens that are the same, variable ones included.
    fn common(&self, tokens: &[Option<&str>]) -> usize {
        if tokens.len() != self.tokens.len() {
            return 0;
        }
        self.tokens.iter().zip(tokens).filter(|(own, other)| own.as_deref() == **other).count()
    }

    fn take(&mut self, tokens: &[Option<&str>], start: Nanos) {
        for (own, other) in self.tokens.iter_mut().zip(tokens) {
            if own.as_deref() != *other {
                *own = None;
            }
        }
        *self.samples.entry(start).or_default() += 1;
    }

    fn text(&self) -> String {
        let mut text = String::new();
        let mut variable = false;
        for (at, token) in self.tokens.iter().enumerate() {
            // One wildcard for several in a row: two side by side would match the same.
            if token.is_none() && variable {
                continue;
            }
            if at > 0 {
                text.push(' ');
            }
            text.push_str(token.as_deref().unwrap_or(VARIABLE));
            variable = token.is_none();
        }
        text
    }
}

/// Whether a token is part of a message and not a number, an id or an address.
fn constant(token: &str) -> bool {
    !token.bytes().any(|b| b.is_ascii_digit())
}

fn group_of(tokens: &[Option<&str>]) -> u64 {
    let mut hasher = DefaultHasher::new();
    tokens.len().hash(&mut hasher);
    tokens.iter().flatten().take(GROUP_TOKENS).for_each(|token| token.hash(&mut hasher));
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_differ_in_their_variable_parts_are_one_pattern() {
        let mut finder = PatternFinder::new(10);
        for (t, line) in [
            (1, "user alice logged in from 10.0.0.1 after 3 tries"),
            (12, "user alice logged in from 10.0.0.9 after 17 tries"),
            (13, "user alice logged out from 10.0.0.9 after 1 tries"),
            (14, "disk full"),
            (15, "disk full"),
            (16, "12345"),
        ] {
            finder.add(t, line);
        }
        let found = finder.finish();
        let text: Vec<_> = found.iter().map(|p| (p.text.as_str(), p.samples.clone())).collect();
        assert_eq!(
            text,
            [
                ("user alice logged <_> from <_> after <_> tries", vec![(0, 1), (10, 2)]),
                ("disk full", vec![(10, 2)]),
            ]
        );
    }

    #[test]
    fn memory_is_bounded_whatever_comes() {
        let mut finder = PatternFinder::new(1);
        for n in 0..100_000u32 {
            let word: String = n.to_string().bytes().map(|b| char::from(b + 49)).collect();
            finder.add(0, &format!("{word} {word} x"));
        }
        assert!(finder.clusters <= MAX_PATTERNS);
        finder.add(0, &"a ".repeat(1000));
        finder.add(0, &"a".repeat(5000));
    }
}
