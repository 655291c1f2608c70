//! Tenants' limits: everybody's from the configuration, single ones from a file that is reread.

use crate::config::{Config, ConfigError, LimitsConfig, Merge, parse_yaml};
use anyhow::Context;
use arc_swap::ArcSwap;
use figment::value::{Dict, Value};
use model::TenantId;
use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};
use service_api::{Limits, LimitsSource};
use std::{
    collections::HashMap,
    fs,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio_util::sync::CancellationToken;

const REREAD_EVERY: Duration = Duration::from_secs(10);

/// Gives each tenant its limits.
#[derive(Debug)]
pub struct TenantLimits {
    all: Arc<Limits>,
    overrides: ArcSwap<HashMap<TenantId, Arc<Limits>>>,
    file: Option<PathBuf>,
    /// The text that was tried last, so that a file that stays bad is reported once.
    seen: Mutex<String>,
    failures: Counter,
    good: Gauge,
}

impl TenantLimits {
    /// # Errors
    /// The file of overrides cannot be read or has a mistake.
    pub fn open(config: &Config, registry: &mut Registry) -> anyhow::Result<Arc<Self>> {
        let LimitsConfig { all, .. } = &config.limits;
        let limits = Self {
            all: Arc::new(all.clone()),
            overrides: ArcSwap::default(),
            file: config.overrides_file().map(PathBuf::from),
            seen: Mutex::default(),
            failures: Counter::default(),
            good: Gauge::default(),
        };
        registry.register(
            "yagura_limits_overrides_failures",
            "Times that the file of limits for single tenants could not be taken over",
            limits.failures.clone(),
        );
        registry.register(
            "yagura_limits_overrides_last_read_successful",
            "Whether the file of limits for single tenants was good when it was last read",
            limits.good.clone(),
        );
        limits.read_again()?;
        Ok(Arc::new(limits))
    }

    /// Reads the file of overrides again. One with a mistake changes nothing.
    pub fn reload(&self) -> anyhow::Result<()> {
        self.read_again().inspect_err(|error| {
            self.failures.inc();
            tracing::error!(
                error = format!("{error:#}"),
                "limits.overrides_file: the limits before it stay in force"
            );
        })
    }

    /// Rereads the file as long as the process runs.
    pub async fn keep_fresh(self: Arc<Self>, drain: CancellationToken) -> anyhow::Result<()> {
        while drain.run_until_cancelled(tokio::time::sleep(REREAD_EVERY)).await.is_some() {
            let limits = Arc::clone(&self);
            // What is wrong has been logged and counted; the next round tries again.
            let _ = tokio::task::spawn_blocking(move || limits.reload()).await?;
        }
        Ok(())
    }

    fn read_again(&self) -> anyhow::Result<()> {
        let Some(file) = &self.file else {
            self.good.set(1);
            return Ok(());
        };
        let name = file.display().to_string();
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {name}"));
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let unchanged = matches!(&text, Ok(text) if *text == *seen) && !seen.is_empty();
        if unchanged {
            return Ok(());
        }
        self.good.set(0);
        let text = text?;
        let parsed = overrides(&name, &text, &self.all);
        *seen = text;
        self.overrides.store(Arc::new(parsed?));
        self.good.set(1);
        tracing::info!(
            file = name,
            tenants = self.overrides.load().len(),
            "limits of single tenants are in force"
        );
        Ok(())
    }
}

impl LimitsSource for TenantLimits {
    fn limits(&self, tenant: &TenantId) -> Arc<Limits> {
        let overrides = self.overrides.load();
        Arc::clone(overrides.get(tenant).unwrap_or(&self.all))
    }
}

fn overrides(name: &str, text: &str, all: &Limits) -> Result<HashMap<TenantId, Arc<Limits>>, ConfigError> {
    let one = |message: String| ConfigError(vec![message]);
    let mut file = parse_yaml(text).map_err(|e| one(format!("{name}: {e}")))?;
    let tenants = match file.remove("overrides") {
        Some(Value::Dict(_, tenants)) => tenants,
        None | Some(Value::Empty(..)) => Dict::new(),
        Some(_) => return Err(one(format!("{name}: overrides: tenants with their limits are wanted"))),
    };
    let mut errors: Vec<String> =
        file.keys().map(|key| format!("{key} is not known in {name}; only overrides is")).collect();
    let mut limits = HashMap::new();
    for (tenant, values) in tenants {
        let (Ok(id), Value::Dict(_, values)) = (TenantId::new(&tenant), values) else {
            errors.push(format!("overrides.{tenant}: not a tenant with its limits ({name})"));
            continue;
        };
        let prefix = format!("overrides.{tenant}.");
        let mut merge = Merge::over(all, &prefix, "limits.")?;
        merge.add_dict(values, &|key| Merge::place(name, text, &format!("{prefix}{key}")));
        match merge.finish(|_: &Limits| Vec::new()) {
            Ok(merged) => {
                limits.insert(id, Arc::new(merged));
            }
            Err(ConfigError(lines)) => errors.extend(lines),
        }
    }
    if errors.is_empty() { Ok(limits) } else { Err(ConfigError(errors)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(file: &std::path::Path) -> anyhow::Result<Arc<TenantLimits>> {
        let mut config = Config::default();
        config.limits.overrides_file = file.display().to_string();
        config.limits.all.max_series = 7;
        TenantLimits::open(&config, &mut Registry::default())
    }

    fn of(limits: &TenantLimits, tenant: &str) -> (u64, u64) {
        let limits = limits.limits(&TenantId::new(tenant).unwrap());
        (limits.max_series, limits.retention)
    }

    #[test]
    fn one_tenants_limits_go_over_everybodys_and_a_bad_file_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("overrides.yaml");
        fs::write(&file, "overrides:\n  team-a:\n    retention: 30d\n").unwrap();
        let limits = open(&file).unwrap();
        assert_eq!(of(&limits, "team-a"), (7, 30 * 86_400));
        assert_eq!(of(&limits, "team-b"), (7, 0));

        fs::write(&file, "overrides:\n  team-b:\n    retentio: 1d\n").unwrap();
        let error = limits.reload().unwrap_err().to_string();
        assert!(error.starts_with("overrides.team-b.retentio is not a setting ("), "{error}");
        let end = "overrides.yaml, line 3); did you mean overrides.team-b.retention?";
        assert!(error.ends_with(end), "{error}");
        assert_eq!((of(&limits, "team-a").1, limits.failures.get(), limits.good.get()), (30 * 86_400, 1, 0));

        fs::write(&file, "overrides:\n  team-b:\n    max_series: 9\n").unwrap();
        limits.reload().unwrap();
        assert_eq!((of(&limits, "team-a"), of(&limits, "team-b")), ((7, 0), (9, 0)));
        assert_eq!(limits.good.get(), 1);
    }

    #[test]
    fn a_tenant_name_that_is_none_and_a_file_that_is_gone_are_errors() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("overrides.yaml");
        let error = format!("{:#}", open(&file).unwrap_err());
        assert!(error.contains("cannot read") && error.contains("overrides.yaml"), "{error}");
        fs::write(&file, "overrides:\n  ../x:\n    max_series: 9\nlimits: 1\n").unwrap();
        let error = open(&file).unwrap_err().to_string();
        assert!(error.contains("limits is not known") && error.contains("overrides.../x:"), "{error}");
    }
}
