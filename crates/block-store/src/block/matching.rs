//! From matchers to the numbers of series, by postings.

use super::{index::LabelIndex, postings::Value, select::PlanError};
use chunk::Corrupt;
use model::{MatchOp, Matcher};
use service_api::{Matching, ReadContext, Result};

impl LabelIndex {
    /// The series that match all matchers, ascending.
    ///
    /// A matcher that an absent label satisfies cannot be answered by the postings of the values
    /// that match; those that do not are taken away instead (as Prometheus does).
    pub(super) fn matching(&self, ctx: &ReadContext, matchers: &[Matcher]) -> Result<Vec<u32>, PlanError> {
        let (mut include, mut exclude) = (Vec::new(), Vec::new());
        let mut matching = Matching::new(ctx);
        for matcher in matchers {
            if matcher.matches_empty() {
                exclude.push(self.values(&mut matching, matcher, false)?);
            } else {
                include.push(self.values(&mut matching, matcher, true)?);
            }
        }
        include.sort_by_key(|values| values.iter().map(|v| v.count as usize).sum::<usize>());
        let mut include = include.iter();
        let mut found = match include.next() {
            Some(values) => self.union(values)?,
            None => (0..self.rows.len() as u32).collect(),
        };
        for values in include {
            if found.is_empty() {
                return Ok(found);
            }
            retain(&mut found, &self.union(values)?, true);
        }
        for values in exclude {
            retain(&mut found, &self.union(&values)?, false);
        }
        Ok(found)
    }

    /// The values of the matcher's label for which it gives `wanted`.
    fn values(&self, matching: &mut Matching<'_>, matcher: &Matcher, wanted: bool) -> Result<Vec<Value>> {
        let Some(name) = self.symbols.find(&matcher.name) else { return Ok(Vec::new()) };
        let values = self.postings.values(name);
        let wants_named = matches!(matcher.op, MatchOp::Equal | MatchOp::Regex) == wanted;
        if !wants_named {
            return self.filter(values, matching, matcher, wanted);
        }
        match matcher.set_matches() {
            Some(named) => Ok(named.iter().filter_map(|text| self.find_value(values, text)).collect()),
            None => {
                self.filter(self.with_prefix(values, matcher.literal_prefix()), matching, matcher, wanted)
            }
        }
    }

    fn filter(
        &self,
        values: &[Value],
        matching: &mut Matching<'_>,
        matcher: &Matcher,
        wanted: bool,
    ) -> Result<Vec<Value>> {
        let mut kept = Vec::new();
        for value in values {
            if matching.matches(matcher, self.symbols.get(value.symbol))? == wanted {
                kept.push(*value);
            }
        }
        Ok(kept)
    }

    fn find_value(&self, values: &[Value], text: &str) -> Option<Value> {
        let symbol = self.symbols.find(text)?;
        values.binary_search_by_key(&symbol, |v| v.symbol).ok().map(|at| values[at])
    }

    /// The values that begin with `prefix`: symbols order as their texts do.
    fn with_prefix<'v>(&self, values: &'v [Value], prefix: &str) -> &'v [Value] {
        let from = values.partition_point(|v| self.symbols.get(v.symbol) < prefix);
        let values = &values[from..];
        let to = values.partition_point(|v| self.symbols.get(v.symbol).starts_with(prefix));
        &values[..to]
    }

    fn union(&self, values: &[Value]) -> Result<Vec<u32>, Corrupt> {
        let mut all = Vec::new();
        for value in values {
            self.postings.list(value, &mut all)?;
        }
        if values.len() > 1 {
            all.sort_unstable();
            all.dedup();
        }
        Ok(all)
    }
}

/// Keeps of one ascending list what the other one has, or what it has not.
fn retain(list: &mut Vec<u32>, other: &[u32], keep_common: bool) {
    let mut at = 0;
    list.retain(|number| {
        while other.get(at).is_some_and(|o| o < number) {
            at += 1;
        }
        (other.get(at) == Some(number)) == keep_common
    });
}
