//! How long what is kept, by rules for single series and streams.

use crate::Selection;
use model::{Labels, Signal, TimeRange, Timestamp};
use service_api::{Cut, Limits, Omit, RetentionRule};
use std::{sync::Arc, time::Duration};
use xxhash_rust::xxh3::xxh3_64;

/// One bit for each, and one for what none matches.
const MAX_RULES: usize = 63;

/// A tenant's rules. Of those that match a series the first counts; `limits.retention` if none does.
pub struct Retention {
    rules: Vec<(Selection, Duration)>,
    /// Zero is for ever, here and in rules.
    otherwise: Duration,
    /// Stands for all of it.
    hash: u64,
}

/// Which rules' time is up, one bit for each; the one behind them is what none matches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expired {
    rules: u64,
    /// Stands for the rules and for how many of them are meant, as a block notes it; 0 if none is.
    pub note: u64,
}

impl Retention {
    /// # Errors
    /// What is wrong with the rules.
    pub fn new(limits: &Limits) -> Result<Self, String> {
        if limits.retention_rules.len() > MAX_RULES {
            return Err(format!(
                "there can be {MAX_RULES} rules, and there are {}",
                limits.retention_rules.len()
            ));
        }
        let rules: Vec<_> = limits.retention_rules.iter().map(rule).collect::<Result<_, _>>()?;
        let text = |rule: &RetentionRule| format!("{}\0{}\0", rule.selector, rule.retention);
        let text: String = limits.retention_rules.iter().map(text).collect();
        let hash = xxh3_64(format!("{text}{}", limits.retention).as_bytes());
        Ok(Self { rules, otherwise: Duration::from_secs(limits.retention), hash })
    }

    /// Whether there are none but `limits.retention`.
    pub fn is_plain(&self) -> bool {
        self.rules.is_empty()
    }

    /// Of blocks that end before this time nothing is kept; none if something is kept for ever.
    pub fn oldest(&self, now: Timestamp) -> Option<Timestamp> {
        let all = || self.rules.iter().map(|(_, retention)| *retention).chain([self.otherwise]);
        let longest = all().max().filter(|_| all().all(|retention| !retention.is_zero()));
        longest.map(|longest| now.saturating_sub(millis(longest)))
    }

    /// What is up of a block that ends at this time.
    pub fn expired(&self, max_time: Timestamp, now: Timestamp) -> Expired {
        let age = now.saturating_sub(max_time);
        let is_up = |retention: Duration| !retention.is_zero() && age > millis(retention);
        let retentions = self.rules.iter().map(|(_, retention)| *retention).chain([self.otherwise]);
        let rules = retentions.enumerate().fold(0, |all, (at, one)| all | u64::from(is_up(one)) << at);
        match rules {
            0 => Expired::default(),
            // Zero says that none was applied.
            _ => Expired {
                rules,
                note: xxh3_64(&[self.hash.to_le_bytes(), rules.to_le_bytes()].concat()).max(1),
            },
        }
    }

    /// What these leave out of a block.
    pub fn omit(self: &Arc<Self>, expired: Expired) -> Arc<dyn Omit> {
        Arc::new(ExpiredSeries { retention: Arc::clone(self), expired })
    }
}

impl Expired {
    pub fn is_none(&self) -> bool {
        self.rules == 0
    }
}

struct ExpiredSeries {
    retention: Arc<Retention>,
    expired: Expired,
}

impl Omit for ExpiredSeries {
    fn of(&self, labels: &Labels) -> Cut {
        let rules = &self.retention.rules;
        let rule = rules.iter().position(|(selection, _)| selection.matches(labels)).unwrap_or(rules.len());
        let mut cut = Cut::default();
        if self.expired.rules >> rule & 1 == 1 {
            cut.add(TimeRange::ALL, None);
        }
        cut
    }
}

fn rule(rule: &RetentionRule) -> Result<(Selection, Duration), String> {
    let RetentionRule { selector, retention } = rule;
    // Selectors of streams are selectors of series.
    let selection = Selection::parse(Signal::Metrics, selector).map_err(|e| format!("{selector:?}: {e}"))?;
    let wrong = |e: &dyn std::fmt::Display| format!("{selector:?}: retention {retention:?}: {e}");
    if retention == "0" {
        return Ok((selection, Duration::ZERO));
    }
    let millis = query_syntax::parse_duration(retention).map_err(|e| wrong(&e))?;
    let millis = u64::try_from(millis).map_err(|e| wrong(&e))?;
    Ok((selection, Duration::from_millis(millis)))
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn limits(rules: &[(&str, &str)], retention: u64) -> Limits {
        let rule = |(selector, retention): &(&str, &str)| RetentionRule {
            selector: (*selector).to_owned(),
            retention: (*retention).to_owned(),
        };
        Limits { retention_rules: rules.iter().map(rule).collect(), retention, ..Limits::default() }
    }

    fn retention(rules: &[(&str, &str)], hours: u64) -> Arc<Retention> {
        Arc::new(Retention::new(&limits(rules, hours * 3600)).unwrap())
    }

    #[test]
    fn the_first_rule_that_matches_says_how_long() {
        let rules =
            retention(&[("{env=\"dev\"}", "1d"), ("{app=\"audit\"}", "0"), ("{app=~\".+\"}", "2d")], 72);
        let goes = |age: i64, pairs: &[(&str, &str)]| {
            let cut = rules.omit(rules.expired(0, age * HOUR)).of(&Labels::from_pairs(pairs.iter().copied()));
            cut.covers(TimeRange::ALL)
        };
        for (pairs, hours) in [
            (&[("env", "dev"), ("app", "audit")][..], Some(24)),
            (&[("env", "prod"), ("app", "audit")], None),
            (&[("app", "api")], Some(48)),
            (&[("job", "api")], Some(72)),
        ] {
            for age in [1, 24, 25, 48, 49, 72, 73, 100_000] {
                assert_eq!(
                    goes(age, pairs),
                    hours.is_some_and(|hours| age > hours),
                    "{pairs:?} after {age} h"
                );
            }
        }
        assert_eq!(rules.oldest(1000 * HOUR), None);
        assert_eq!(retention(&[("a", "1d")], 72).oldest(1000 * HOUR), Some(928 * HOUR));
        assert_eq!(retention(&[("a", "1w")], 72).oldest(1000 * HOUR), Some(832 * HOUR));
        assert_eq!(retention(&[("a", "1w")], 0).oldest(1000 * HOUR), None);
        assert_eq!(retention(&[], 0).oldest(1000 * HOUR), None);
    }

    #[test]
    fn a_note_stands_for_the_rules_and_for_how_many_are_up() {
        let rules = retention(&[("a", "1d"), ("b", "2d")], 0);
        let note = |rules: &Retention, hours: i64| rules.expired(0, hours * HOUR).note;
        assert!(rules.expired(0, 24 * HOUR).is_none() && note(&rules, 24) == 0);
        assert_eq!(note(&rules, 25), note(&rules, 48));
        assert_ne!(note(&rules, 25), note(&rules, 49));
        assert_eq!(note(&rules, 49), note(&rules, 10_000));
        assert_ne!(note(&rules, 25), note(&retention(&[("a", "1d"), ("c", "2d")], 0), 25));
        assert_ne!(note(&rules, 25), note(&retention(&[("a", "1d"), ("b", "2d")], 9999), 25));
    }

    #[test]
    fn rules_that_mean_nothing_are_refused_by_name() {
        for (selector, retention, why) in [
            ("{", "1d", "\"{\": "),
            ("{}", "1d", "matcher"),
            ("a", "soon", "\"a\": retention \"soon\": "),
            ("a", "-1d", "retention"),
        ] {
            let error = Retention::new(&limits(&[(selector, retention)], 0)).err().unwrap();
            assert!(error.contains(why), "{error}");
        }
        assert!(Retention::new(&limits(&[("a", "1d"); 64], 0)).is_err());
    }
}
