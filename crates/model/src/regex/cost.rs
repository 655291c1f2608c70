//! What regular expressions cost to compile, to keep and to run, told before any of it is done.

use crate::{Matcher, matcher::RegexError, regex::go_syntax};
use regex_syntax::hir::{Class, Hir, HirKind};

/// What all that are in one request may cost together. Of what measured worst, this much takes 0.2 s to compile
/// and 32 MB; the largest that is taken alone costs half of it.
const MAX_COST: usize = 100_000;

/// What one costs that needs an automaton, however small: 0.1 ms.
const AUTOMATON: usize = 100;

/// As `AUTOMATON`, of one that is a list of values or a text.
const NO_AUTOMATON: usize = 5;

/// An expression's states times the bytes of a value that it is matched with. This much takes up to 0.3 s, and
/// nothing can stop it.
const MAX_WORK: usize = 1 << 24;

/// Whether a value of so many bytes may be matched with an expression of this cost; the error is a sentence.
pub fn check_regex_work(cost: usize, bytes: usize) -> Result<(), String> {
    if cost.saturating_sub(AUTOMATON).saturating_mul(bytes) <= MAX_WORK {
        return Ok(());
    }
    Err(format!("a label value of {bytes} bytes is too long for so large a regular expression"))
}

/// About the states of its automaton, each of which takes up to 2 µs to make, up to 320 bytes, and 5 to 20 ns
/// for each byte that is matched in the worst case.
pub fn automaton(hir: &Hir) -> usize {
    AUTOMATON.saturating_add(states(hir))
}

/// What an expression of so many bytes costs that needs no automaton.
pub fn plain(length: usize) -> usize {
    NO_AUTOMATON + length / 16
}

fn states(hir: &Hir) -> usize {
    let sum = |parts: &[Hir]| parts.iter().map(states).fold(0, usize::saturating_add);
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 1,
        HirKind::Literal(literal) => literal.0.len(),
        HirKind::Class(Class::Unicode(class)) => 1 + class.ranges().len(),
        HirKind::Class(Class::Bytes(class)) => 1 + class.ranges().len(),
        HirKind::Capture(capture) => states(&capture.sub).saturating_add(2),
        HirKind::Concat(parts) => sum(parts),
        HirKind::Alternation(branches) => sum(branches).saturating_add(branches.len()),
        HirKind::Repetition(repetition) => {
            let times = repetition.max.unwrap_or(repetition.min).max(1) as usize;
            states(&repetition.sub).saturating_add(1).saturating_mul(times)
        }
    }
}

/// The regular expressions of one request, counted.
#[derive(Debug, Default)]
pub struct RegexCosts(usize);

impl RegexCosts {
    /// Counts one more, of which `regex_cost` or a matcher told the cost; an error if that makes them too many.
    pub fn add(&mut self, cost: usize) -> Result<(), RegexError> {
        self.0 = self.0.saturating_add(cost);
        if self.0 > MAX_COST {
            return Err(go_syntax::error("the expressions of one request are too large together"));
        }
        Ok(())
    }

    /// Counts those of matchers.
    pub fn add_matchers(&mut self, matchers: &[Matcher]) -> Result<(), RegexError> {
        matchers.iter().try_for_each(|matcher| self.add(matcher.regex_cost()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::regex::{ValueRegex, regex_cost};

    #[test]
    fn costs_grow_with_the_automaton() {
        let cost = |pattern: &str| ValueRegex::new(pattern).unwrap().cost();
        assert_eq!(cost("a|b|c"), NO_AUTOMATON);
        assert!((AUTOMATON..2 * AUTOMATON).contains(&cost("[a-z]+[0-9]{1,3}")));
        assert!(cost(".{500}") > cost(".{5}") + 450);
        assert!(cost(r"\pL{20}") > 10_000);
        assert_eq!(cost(r"\pL{20}"), regex_cost(r"\pL{20}"));
        assert!(regex_cost("(((((((a{1000}){1000}){1000}){1000}){1000}){1000}){1000}){1000}") == usize::MAX);
        // What is no expression costs what it takes to see that.
        assert_eq!(regex_cost("("), NO_AUTOMATON);
    }

    #[test]
    fn only_automata_are_too_slow_for_long_values() {
        let check = |pattern: &str, bytes: usize| {
            ValueRegex::new(pattern).unwrap().check_value(&"x".repeat(bytes)).is_ok()
        };
        let words = (0..5_000).map(|n| format!("a word among thousands {n}")).collect::<Vec<_>>().join("|");
        assert!(check(&words, 100_000) && check(".*x.*", 10_000_000));
        let large = "([ab]?x?){1000}c";
        assert!(check(large, 100) && !check(large, 10_000));
        assert!(check(&format!("y{large}"), 10_000), "it does not begin as it must");
    }

    #[test]
    fn many_small_ones_or_a_few_large_ones_are_enough() {
        let taken = |pattern: &str| {
            let (mut costs, cost) = (RegexCosts::default(), ValueRegex::new(pattern).unwrap().cost());
            (0..).take_while(|_| costs.add(cost).is_ok()).count()
        };
        assert!((500..1000).contains(&taken(".*[ab]c")), "{}", taken(".*[ab]c"));
        assert!((5..50).contains(&taken(r"\pL{9}")), "{}", taken(r"\pL{9}"));
        assert!(taken("a|b") > 10_000);
    }
}
