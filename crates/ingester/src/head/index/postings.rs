//! Which series match: selectors over the postings, and the names and values there are.

use super::{Index, Name, PairId};
use model::{MatchOp, Matcher};
use service_api::{Matching, Result};
use std::ops::Not;

impl Index {
    /// References of the live series that match all matchers, ascending.
    ///
    /// A matcher that an absent label satisfies cannot be answered from the values that
    /// match it; it takes away the series with values that do not (as Prometheus does).
    pub fn select(&self, matching: &mut Matching<'_>, matchers: &[Matcher]) -> Result<Vec<u32>> {
        let (takes, adds): (Vec<_>, Vec<_>) = matchers.iter().partition(|m| m.matches_empty());
        let mut selected = self.select_positive(matching, adds)?;
        for matcher in takes {
            if selected.is_empty() {
                break;
            }
            let Some(name) = self.name_entry(&matcher.name) else { continue };
            if name.values.len() > selected.len() {
                self.retain(&mut selected, matching, matcher)?;
            } else {
                let without = self.union(name, |value| matching.matches(matcher, value).map(Not::not))?;
                subtract(&mut selected, &without);
            }
        }
        Ok(selected)
    }

    fn select_positive(&self, matching: &mut Matching<'_>, mut matchers: Vec<&Matcher>) -> Result<Vec<u32>> {
        if matchers.is_empty() {
            return Ok(self.all());
        }
        // Exact ones first: they are cheap, and leave less for the others to look at.
        matchers.sort_by_key(|m| (m.op != MatchOp::Equal, self.refs(&m.name, &m.value).len()));
        let mut selected: Option<Vec<u32>> = None;
        for matcher in matchers {
            let Some(name) = self.name_entry(&matcher.name) else { return Ok(Vec::new()) };
            match &mut selected {
                None => selected = Some(self.matching(name, matching, matcher)?),
                Some(selected) if matcher.op == MatchOp::Equal => {
                    intersect(selected, self.refs(&matcher.name, &matcher.value));
                }
                Some(selected) if name.values.len() > selected.len() => {
                    self.retain(selected, matching, matcher)?;
                }
                Some(selected) => intersect(selected, &self.matching(name, matching, matcher)?),
            }
            if selected.as_ref().is_some_and(Vec::is_empty) {
                return Ok(Vec::new());
            }
        }
        Ok(selected.unwrap_or_default())
    }

    /// Keeps the series that match, by looking at the labels of each.
    fn retain(&self, selected: &mut Vec<u32>, matching: &mut Matching<'_>, matcher: &Matcher) -> Result<()> {
        let mut stopped = Ok(());
        selected.retain(|&series| {
            let pairs = self.pairs_of(series).unwrap_or(&[]);
            let value = pairs.iter().map(|&p| self.pair_text(p)).find(|(name, _)| *name == matcher.name);
            let matched = match &stopped {
                Ok(()) => matching.matches(matcher, value.map_or("", |(_, value)| value)),
                Err(_) => Ok(false),
            };
            matched.unwrap_or_else(|error| {
                stopped = Err(error);
                false
            })
        });
        stopped
    }

    fn matching(&self, name: &Name, matching: &mut Matching<'_>, matcher: &Matcher) -> Result<Vec<u32>> {
        if matcher.op == MatchOp::Equal {
            return Ok(self.refs(&matcher.name, &matcher.value).to_vec());
        }
        self.union(name, |value| matching.matches(matcher, value))
    }

    /// All live series, ascending.
    fn all(&self) -> Vec<u32> {
        let all = self.series.iter().enumerate();
        all.filter(|(_, pairs)| pairs.is_some()).map(|(series, _)| series as u32).collect()
    }

    fn name_entry(&self, name: &str) -> Option<&Name> {
        self.name(name).map(|name| &self.names[name as usize])
    }

    fn refs(&self, name: &str, value: &str) -> &[u32] {
        self.pair(name, value).map_or(&[], |pair| &self.pairs[pair as usize].refs)
    }

    /// The series of those values of a name that are wanted. A series has one value of a
    /// name, so nothing is there twice.
    fn union(&self, name: &Name, mut wanted: impl FnMut(&str) -> Result<bool>) -> Result<Vec<u32>> {
        let mut out = Vec::new();
        let mut lists = 0;
        for &pair in &name.values {
            let pair = &self.pairs[pair as usize];
            if !pair.refs.is_empty() && wanted(&pair.value)? {
                out.extend_from_slice(&pair.refs);
                lists += 1;
            }
        }
        if lists > 1 {
            out.sort_unstable();
        }
        Ok(out)
    }

    /// Names that live series have, in no order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let live = |name: &&Name| name.values.iter().any(|&p| !self.pairs[p as usize].refs.is_empty());
        self.names.iter().filter(live).map(|name| &*name.text)
    }

    /// How many values a label has, those included that no series has any more.
    pub fn count_values(&self, name: &str) -> usize {
        self.name_entry(name).map_or(0, |name| name.values.len())
    }

    /// Values that live series have for a name, in no order.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        let pairs = self.name_entry(name).into_iter().flat_map(|name| name.values.iter());
        let pairs = pairs.map(|&pair: &PairId| &self.pairs[pair as usize]);
        pairs.filter(|pair| !pair.refs.is_empty()).map(|pair| &*pair.value)
    }
}

/// Keeps in `a` what is in `b` too. Both ascend.
fn intersect(a: &mut Vec<u32>, b: &[u32]) {
    let mut rest = b;
    a.retain(|&series| {
        rest = skip_to(rest, series);
        rest.first() == Some(&series)
    });
}

/// Takes out of `a` what is in `b`. Both ascend.
fn subtract(a: &mut Vec<u32>, b: &[u32]) {
    let mut rest = b;
    a.retain(|&series| {
        rest = skip_to(rest, series);
        rest.first() != Some(&series)
    });
}

/// What is left of an ascending list from `target` on, found by doubling steps.
fn skip_to(list: &[u32], target: u32) -> &[u32] {
    let mut step = 1;
    while step < list.len() && list[step] < target {
        step *= 2;
    }
    let near = &list[..list.len().min(step + 1)];
    let at = near.partition_point(|&series| series < target);
    &list[at..]
}
