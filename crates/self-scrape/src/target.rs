//! The labels that name the process, and what they make of a series' own ones.

use crate::SelfScrapeConfig;
use model::{Labels, open_metrics_float};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

const JOB: &str = "yagura";

/// Keeps our keys apart from those of other senders. To be raised when labels are made of the same text in another
/// way, for a key names one series for ever.
const KEY_SEED: u64 = 0x7365_6c66_0000_0001;

/// `job`, `instance` and those that are set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    labels: Vec<(String, String)>,
    /// Of the keys of series and streams: another process has the same ones under other labels.
    pub seed: u64,
    /// Where in each interval its scrapes lie, of 2^64.
    place: u64,
}

impl Target {
    /// `config` is a valid one.
    pub fn new(config: &SelfScrapeConfig, instance: &str) -> Self {
        let mut labels =
            vec![("job".to_owned(), JOB.to_owned()), ("instance".to_owned(), instance.to_owned())];
        labels.extend(config.pairs().unwrap_or_default());
        let text = format!("{labels:?}");
        Self { seed: xxh3_64_with_seed(text.as_bytes(), KEY_SEED), place: xxh3_64(text.as_bytes()), labels }
    }

    pub fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        self.labels.iter().map(|(name, value)| (&**name, &**value))
    }

    /// The first time after `now` at which a scrape is due. Processes have different places in the interval, so that
    /// those of a cluster do not all write at once.
    pub fn next_scrape(&self, now: i64, interval_ms: i64) -> i64 {
        let offset = ((u128::from(self.place) * interval_ms as u128) >> 64) as i64;
        now - (now - offset).rem_euclid(interval_ms) + interval_ms
    }

    /// The labels that a scraper stores for a series. Its own label of the name of one of the target's is kept under
    /// another name, as `honor_labels: false` does it; floats are written as Prometheus 3 normalizes them.
    pub fn apply(&self, own: &Labels, each: &mut dyn FnMut(&str, &str)) {
        for (name, value) in own.iter() {
            let float = if matches!(name, "le" | "quantile") { value.parse().ok() } else { None };
            match (float, self.has(name)) {
                (Some(float), _) => each(name, &open_metrics_float(float)),
                (None, false) => each(name, value),
                (None, true) => {
                    let mut other = format!("exported_{name}");
                    while self.has(&other) || own.get(&other).is_some() {
                        other.insert_str(0, "exported_");
                    }
                    each(&other, value);
                }
            }
        }
        for (name, value) in self.labels() {
            each(name, value);
        }
    }

    fn has(&self, name: &str) -> bool {
        self.labels.iter().any(|(other, _)| other == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(labels: &str) -> Target {
        Target::new(&SelfScrapeConfig { labels: labels.into(), ..SelfScrapeConfig::default() }, "host")
    }

    fn applied(target: &Target, own: &[(&str, &str)]) -> String {
        let mut pairs = Vec::new();
        let labels = Labels::from_pairs(own.iter().copied());
        target.apply(&labels, &mut |name, value| pairs.push(format!("{name}={value}")));
        pairs.sort();
        pairs.join(" ")
    }

    #[test]
    fn a_series_keeps_its_labels_beside_those_of_the_target() {
        let target = target("zone=a");
        assert_eq!(applied(&target, &[("x", "1")]), "instance=host job=yagura x=1 zone=a");
        let taken = [("zone", "b"), ("exported_zone", "c"), ("job", "d")];
        assert_eq!(
            applied(&target, &taken),
            "exported_exported_zone=b exported_job=d exported_zone=c instance=host job=yagura zone=a"
        );
        for (text, stored) in
            [("1", "1.0"), ("0.5", "0.5"), ("1000000.0", "1e+06"), ("+Inf", "+Inf"), ("x", "x")]
        {
            assert_eq!(
                applied(&target, &[("le", text)]),
                format!("instance=host job=yagura le={stored} zone=a")
            );
        }
    }

    #[test]
    fn scrapes_are_an_interval_apart_and_each_target_has_its_place() {
        let next = target("").next_scrape(1_700_000_000_000, 15_000);
        assert!((1..=15_000).contains(&(next - 1_700_000_000_000)), "{next}");
        assert_eq!(target("").next_scrape(next - 1, 15_000), next);
        assert_eq!(target("").next_scrape(next, 15_000), next + 15_000);
        let places: std::collections::BTreeSet<_> =
            (0..8).map(|i| target(&format!("zone=z{i}")).next_scrape(1_700_000_000_000, 15_000)).collect();
        assert!(places.len() > 4, "{places:?}");
        assert_ne!(target("").seed, target("zone=a").seed);
    }
}
