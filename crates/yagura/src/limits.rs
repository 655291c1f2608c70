//! Tenants' limits: everybody's from the configuration, single ones from a file that is reread.

use crate::{
    config::{Config, ConfigError, Merge, limits_problem, parse_yaml},
    reread::Reread,
};
use arc_swap::ArcSwap;
use figment::value::{Dict, Value};
use model::TenantId;
use service_api::{Limits, LimitsSource};
use std::{collections::HashMap, sync::Arc};

/// Gives each tenant its limits.
#[derive(Debug)]
pub struct TenantLimits {
    all: Arc<Limits>,
    overrides: ArcSwap<HashMap<TenantId, Arc<Limits>>>,
}

impl TenantLimits {
    /// # Errors
    /// The file of overrides cannot be read or has a mistake.
    pub fn open(config: &Config, reread: &Reread) -> anyhow::Result<Arc<Self>> {
        let all = Arc::new(config.limits.all.clone());
        let limits = Arc::new(Self { all, overrides: ArcSwap::default() });
        if let Some(file) = config.overrides_file() {
            let (taken, name) = (Arc::clone(&limits), file.display().to_string());
            reread.watch("limits.overrides_file", vec![file.to_owned()], move |texts| {
                let found = overrides(&name, &texts.concat(), &taken.all)?;
                tracing::info!(file = name, tenants = found.len(), "limits of single tenants");
                taken.overrides.store(Arc::new(found));
                Ok(())
            })?;
        }
        Ok(limits)
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
        match merge.finish(|limits: &Limits| limits_problem(limits).into_iter().collect()) {
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
    use prometheus_client::registry::Registry;
    use std::{fs, path::Path};

    fn open(file: &Path, reread: &Reread) -> anyhow::Result<Arc<TenantLimits>> {
        let mut config = Config::default();
        config.limits.overrides_file = file.display().to_string();
        config.limits.all.max_series = 7;
        TenantLimits::open(&config, reread)
    }

    fn of(limits: &TenantLimits, tenant: &str) -> (u64, u64) {
        let limits = limits.limits(&TenantId::new(tenant).unwrap());
        (limits.max_series, limits.retention)
    }

    #[test]
    fn one_tenants_limits_go_over_everybodys_and_a_bad_file_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("overrides.yaml");
        let reread = Reread::new(&mut Registry::default());
        fs::write(&file, "overrides:\n  team-a:\n    retention: 30d\n").unwrap();
        let limits = open(&file, &reread).unwrap();
        assert_eq!(of(&limits, "team-a"), (7, 30 * 86_400));
        assert_eq!(of(&limits, "team-b"), (7, 0));

        fs::write(&file, "overrides:\n  team-b:\n    retentio: 1d\n").unwrap();
        let error = reread.reload().unwrap_err().to_string();
        let start = "limits.overrides_file: overrides.team-b.retentio is not a setting (";
        assert!(error.starts_with(start), "{error}");
        let end = "overrides.yaml, line 3); did you mean overrides.team-b.retention?";
        assert!(error.ends_with(end), "{error}");
        assert_eq!(of(&limits, "team-a").1, 30 * 86_400);

        let rules = "overrides:\n  team-a:\n    retention_rules:\n      - {selector: '{', retention: 1d}\n";
        fs::write(&file, rules).unwrap();
        let error = reread.reload().unwrap_err().to_string();
        assert!(error.contains("overrides.team-a.retention_rules: a list: \"{\": "), "{error}");

        fs::write(&file, "overrides:\n  team-b:\n    max_series: 9\n").unwrap();
        reread.reload().unwrap();
        assert_eq!((of(&limits, "team-a"), of(&limits, "team-b")), ((7, 0), (9, 0)));
    }

    #[test]
    fn a_tenant_name_that_is_none_and_a_file_that_is_gone_are_errors() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("overrides.yaml");
        let reread = Reread::new(&mut Registry::default());
        let error = format!("{:#}", open(&file, &reread).unwrap_err());
        assert!(error.contains("cannot read") && error.contains("overrides.yaml"), "{error}");
        fs::write(&file, "overrides:\n  ../x:\n    max_series: 9\nlimits: 1\n").unwrap();
        let error = format!("{:#}", open(&file, &reread).unwrap_err());
        assert!(error.contains("limits is not known") && error.contains("overrides.../x:"), "{error}");
    }
}
