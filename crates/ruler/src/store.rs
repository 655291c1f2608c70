//! Where rule groups are kept: in the bucket, and in folders of the operator's.

mod bucket;
mod folder;

pub use folder::Folder;

use async_trait::async_trait;
use block_store::Bucket;
use bucket::BucketRules;
use model::TenantId;
use notifier::{Alerting, Networks, Trust};
use rules::{GroupName, Reading, RuleGroup, RuleStore, StoredGroup, check_name};
use service_api::{Code, Error, LimitsSource, Result};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// Bytes of YAML that a tenant may give to say where its Alertmanagers are.
const MAX_ALERTING_BYTES: usize = 64 << 10;

/// Rules of all tenants.
pub struct Stored {
    bucket: BucketRules,
    folders: Vec<Folder>,
    limits: Arc<dyn LimitsSource>,
    tenant_networks: Networks,
}

/// Everything that is to be run.
#[derive(Debug, Default)]
pub struct Catalogue {
    pub groups: BTreeMap<TenantId, Vec<Arc<StoredGroup>>>,
    /// Alertmanagers that tenants have given, as YAML.
    pub alerting: HashMap<TenantId, String>,
}

impl Stored {
    /// `reading` says which of PromQL's features rules in the bucket may use; `tenant_networks` where Alertmanagers of
    /// tenants may be beside public addresses.
    pub fn new(
        bucket: Bucket,
        folders: Vec<Folder>,
        reading: Reading,
        limits: Arc<dyn LimitsSource>,
        tenant_networks: Networks,
    ) -> Self {
        Self { bucket: BucketRules::new(bucket, reading), folders, limits, tenant_networks }
    }

    /// How rules in the bucket are read.
    pub fn reading(&self) -> &Reading {
        self.bucket.reading()
    }

    /// All groups of all tenants, with one list of the bucket, and what could not be looked at: of that is given what
    /// was known before. A group of a folder goes before one of the same name in the bucket.
    pub async fn catalogue(&self) -> (Catalogue, Vec<Error>) {
        let mut problems = Vec::new();
        let mut found = self.bucket.all().await.unwrap_or_else(|error| {
            problems.push(error);
            self.bucket.known()
        });
        for folder in &self.folders {
            let (fixed, error) = folder.read().await;
            problems.extend(error);
            for (tenant, groups) in fixed {
                let all = found.groups.entry(tenant).or_default();
                all.retain(|stored| !groups.iter().any(|fixed| is_same(fixed, stored)));
                all.extend(groups);
            }
        }
        for groups in found.groups.values_mut() {
            groups.sort_by(|a, b| (&a.namespace, &a.group.name).cmp(&(&b.namespace, &b.group.name)));
        }
        // It may have been allowed once.
        found.alerting.retain(|tenant, _| self.limits.limits(tenant).own_alertmanagers);
        (found, problems)
    }

    async fn fixed(&self, tenant: &TenantId) -> Result<Vec<Arc<StoredGroup>>> {
        let mut fixed = Vec::new();
        for folder in &self.folders {
            let (mut found, error) = folder.read().await;
            if let Some(error) = error {
                return Err(error);
            }
            fixed.extend(found.remove(tenant).unwrap_or_default());
        }
        Ok(fixed)
    }

    async fn refuse_fixed(&self, tenant: &TenantId, is_meant: impl Fn(&StoredGroup) -> bool) -> Result<()> {
        match self.fixed(tenant).await?.iter().find(|stored| is_meant(stored)) {
            None => Ok(()),
            Some(stored) => Err(Error::new(
                Code::Forbidden,
                format!(
                    "group {:?} of namespace {:?} comes from a file of the server and can only be changed there",
                    stored.group.name, stored.namespace
                ),
            )),
        }
    }

    fn check_limits(&self, tenant: &TenantId, known: &[Arc<StoredGroup>], group: &RuleGroup) -> Result<()> {
        let limits = self.limits.limits(tenant);
        let over = |what: &str, has: usize, limit: &str, allowed: u64| {
            let why = format!("{what} {has}, and limits.{limit} allows {allowed}");
            if allowed > 0 && has as u64 > allowed { Err(Error::bad_request(why)) } else { Ok(()) }
        };
        let rules = group.rules.len();
        over("rules of the group:", rules, "max_rules_per_group", limits.max_rules_per_group)?;
        over("groups with this one:", known.len() + 1, "max_rule_groups", limits.max_rule_groups)
    }
}

fn is_same(a: &StoredGroup, b: &StoredGroup) -> bool {
    (&a.namespace, &a.group.name) == (&b.namespace, &b.group.name)
}

#[async_trait]
impl RuleStore for Stored {
    async fn groups(&self, tenant: &TenantId, namespace: Option<&str>) -> Result<Vec<StoredGroup>> {
        let mut groups = self.fixed(tenant).await?;
        let fixed = groups.len();
        for stored in self.bucket.of(tenant).await? {
            if !groups[..fixed].iter().any(|known| is_same(known, &stored)) {
                groups.push(stored);
            }
        }
        groups.retain(|stored| namespace.is_none_or(|namespace| stored.namespace == namespace));
        groups.sort_by(|a, b| (&a.namespace, &a.group.name).cmp(&(&b.namespace, &b.group.name)));
        Ok(groups.into_iter().map(|stored| StoredGroup::clone(&stored)).collect())
    }

    async fn put(&self, tenant: &TenantId, namespace: &str, group: RuleGroup) -> Result<()> {
        check_name("namespace", namespace).map_err(Error::bad_request)?;
        check_name("group", &group.name).map_err(Error::bad_request)?;
        let is_meant = |s: &StoredGroup| s.namespace == namespace && s.group.name == group.name;
        self.refuse_fixed(tenant, is_meant).await?;
        let mut known = self.bucket.of(tenant).await?;
        known.retain(|stored| !is_meant(stored));
        self.check_limits(tenant, &known, &group)?;
        self.bucket.put(tenant, namespace, &group).await
    }

    async fn delete(&self, tenant: &TenantId, name: &GroupName) -> Result<()> {
        let is_meant = |s: &StoredGroup| s.namespace == name.namespace && s.group.name == name.group;
        self.refuse_fixed(tenant, is_meant).await?;
        match self.bucket.of(tenant).await?.iter().any(|stored| is_meant(stored)) {
            true => self.bucket.delete(tenant, &name.namespace, &name.group).await,
            false => Err(Error::new(Code::NotFound, "group does not exist")),
        }
    }

    async fn delete_namespace(&self, tenant: &TenantId, namespace: &str) -> Result<()> {
        let is_meant = |s: &StoredGroup| s.namespace == namespace;
        self.refuse_fixed(tenant, is_meant).await?;
        let mut groups = self.bucket.of(tenant).await?;
        groups.retain(|stored| is_meant(stored));
        if groups.is_empty() {
            return Err(Error::new(Code::NotFound, "no rule groups found"));
        }
        for stored in groups {
            self.bucket.delete(tenant, namespace, &stored.group.name).await?;
        }
        Ok(())
    }

    async fn alerting(&self, tenant: &TenantId) -> Result<Option<String>> {
        self.bucket.alerting(tenant).await
    }

    async fn set_alerting(&self, tenant: &TenantId, yaml: Option<&str>) -> Result<()> {
        let Some(yaml) = yaml else { return self.bucket.set_alerting(tenant, None).await };
        if !self.limits.limits(tenant).own_alertmanagers {
            let why = "alerts go where the server's operator sends them: limits.own_alertmanagers is not set";
            return Err(Error::new(Code::Forbidden, why));
        }
        if yaml.len() > MAX_ALERTING_BYTES {
            let why = format!("more than {MAX_ALERTING_BYTES} bytes");
            return Err(Error::new(Code::TooLarge, why));
        }
        let alerting = Alerting::parse(yaml, Trust::Tenant).map_err(Error::bad_request)?;
        alerting.check_addresses(&self.tenant_networks).map_err(Error::bad_request)?;
        self.bucket.set_alerting(tenant, Some(yaml)).await
    }
}

#[cfg(test)]
mod tests;
