//! The settings of self-scraping.

use model::TenantId;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// `monitoring.self_scrape` in the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SelfScrapeConfig {
    pub enabled: bool,
    /// Seconds between two samples of a series.
    pub interval: u64,
    /// Whose the data is.
    pub tenant: String,
    /// More labels of all series and streams: `name=value`, with commas between.
    pub labels: String,
}

/// What the process itself says in these.
const TAKEN: [&str; 6] = ["job", "instance", "level", "le", "quantile", "service_name"];

/// Fewer than `limits.max_label_names_per_series` leaves for those of the metrics.
const MAX_LABELS: usize = 20;

/// Bytes of one value.
const MAX_VALUE: usize = 1024;

impl Default for SelfScrapeConfig {
    fn default() -> Self {
        Self { enabled: false, interval: 15, tenant: "yagura".into(), labels: String::new() }
    }
}

impl SelfScrapeConfig {
    /// What is wrong with these settings, naming the key.
    pub fn validate(&self) -> Result<(), String> {
        // At more than `query.lookback` there would be holes in every graph.
        if !(1..=300).contains(&self.interval) {
            return Err(format!("interval must be between 1 and 300 seconds, is {}", self.interval));
        }
        TenantId::new(&self.tenant).map_err(|error| format!("tenant must be a tenant's name: {error}"))?;
        self.pairs().map(drop).map_err(|why| format!("labels must be labels: {why}"))
    }

    pub(crate) fn interval(&self) -> Duration {
        Duration::from_secs(self.interval.max(1))
    }

    /// The labels that are set, in the order in which they are written.
    pub(crate) fn pairs(&self) -> Result<Vec<(String, String)>, String> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        if self.labels.trim().is_empty() {
            return Ok(pairs);
        }
        for part in self.labels.split(',') {
            let wanted = || format!("{part:?} is not a label: name=value is wanted, with commas between");
            let (name, value) = part.split_once('=').ok_or_else(wanted)?;
            let (name, value) = (name.trim(), value.trim());
            if !is_label_name(name) {
                return Err(format!("{name:?} is not a label's name: letters, digits and _ are wanted"));
            }
            if name.starts_with("__") || TAKEN.contains(&name) {
                return Err(format!("the label {name} has a meaning of its own"));
            }
            if value.is_empty() || value.len() > MAX_VALUE {
                return Err(format!("the label {name} needs a value of 1 to {MAX_VALUE} bytes"));
            }
            if pairs.iter().any(|(other, _)| other == name) {
                return Err(format!("the label {name} is there twice"));
            }
            pairs.push((name.to_owned(), value.to_owned()));
        }
        if pairs.len() > MAX_LABELS {
            return Err(format!("there are more than {MAX_LABELS}"));
        }
        Ok(pairs)
    }
}

fn is_label_name(name: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.starts_with(|c: char| good(c) && !c.is_ascii_digit()) && name.chars().all(good)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(change: impl FnOnce(&mut SelfScrapeConfig)) -> String {
        let mut config = SelfScrapeConfig::default();
        change(&mut config);
        config.validate().err().unwrap_or_default()
    }

    #[test]
    fn settings_are_checked() {
        assert_eq!(problem(|_| ()), "");
        assert_eq!(problem(|c| c.interval = 0), "interval must be between 1 and 300 seconds, is 0");
        assert_eq!(problem(|c| c.interval = 301), "interval must be between 1 and 300 seconds, is 301");
        assert_eq!(problem(|c| c.tenant.clear()), "tenant must be a tenant's name: tenant ID is empty");
        assert!(problem(|c| c.tenant = "a/b".into()).contains("unsupported character '/'"));
        for (labels, why) in [
            ("a", "\"a\" is not a label: name=value is wanted, with commas between"),
            ("a=b,", "\"\" is not a label: name=value is wanted, with commas between"),
            ("9a=b", "\"9a\" is not a label's name: letters, digits and _ are wanted"),
            ("a-b=c", "\"a-b\" is not a label's name: letters, digits and _ are wanted"),
            ("job=x", "the label job has a meaning of its own"),
            ("__name__=x", "the label __name__ has a meaning of its own"),
            ("a=", "the label a needs a value of 1 to 1024 bytes"),
            ("a=1,a=2", "the label a is there twice"),
        ] {
            assert_eq!(problem(|c| c.labels = labels.into()), format!("labels must be labels: {why}"));
        }
        let many: Vec<_> = (0..21).map(|i| format!("l{i}=v")).collect();
        assert_eq!(problem(|c| c.labels = many.join(",")), "labels must be labels: there are more than 20");
    }

    #[test]
    fn labels_keep_what_is_behind_the_first_equals_sign() {
        let config =
            SelfScrapeConfig { labels: " zone = a , team=x=y".into(), ..SelfScrapeConfig::default() };
        let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(config.pairs(), Ok(vec![own("zone", "a"), own("team", "x=y")]));
    }
}
