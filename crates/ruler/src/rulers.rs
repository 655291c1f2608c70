//! All rulers as one: what each of them runs.

use async_trait::async_trait;
use futures::future::{BoxFuture, join_all};
use hash_ring::{Member, Ring};
use model::TenantId;
use service_api::{GroupState, Result, RuleStates, Warned};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// How long one ruler may take to answer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);

/// A ruler by its place in the ring: the one of this process, or a client of another's.
pub type ConnectRuler = Arc<dyn Fn(&Member) -> Arc<dyn RuleStates> + Send + Sync>;

pub struct Rulers {
    ring: Ring,
    connect: ConnectRuler,
}

impl Rulers {
    pub fn new(ring: Ring, connect: ConnectRuler) -> Self {
        Self { ring, connect }
    }

    /// Asks all members; of those who do not answer, a sentence that says so.
    async fn ask<T: Send>(&self, what: impl Fn(Arc<dyn RuleStates>) -> Asked<T>) -> (Vec<T>, Vec<String>) {
        let view = self.ring.view();
        let asked: Vec<_> = view
            .members()
            .iter()
            // The groups of one that is dead are taken over by others.
            .filter(|member| member.is_healthy())
            .map(|member| (&member.id, tokio::time::timeout(ANSWERS_WITHIN, what((self.connect)(member)))))
            .collect();
        let (ids, waits): (Vec<_>, Vec<_>) = asked.into_iter().unzip();
        let (mut answers, mut warnings) = (Vec::new(), Vec::new());
        for (id, answer) in ids.into_iter().zip(join_all(waits).await) {
            let why = match answer {
                Ok(Ok(answer)) => {
                    answers.push(answer);
                    continue;
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("no answer within {} s", ANSWERS_WITHIN.as_secs()),
            };
            warnings.push(format!("ruler {id} was not heard, and groups that it runs may be missing: {why}"));
        }
        (answers, warnings)
    }
}

type Asked<T> = BoxFuture<'static, Result<T>>;

/// A question about a tenant.
fn asking<T>(
    tenant: &TenantId,
    question: impl Fn(Arc<dyn RuleStates>, TenantId) -> Asked<T>,
) -> impl Fn(Arc<dyn RuleStates>) -> Asked<T> {
    move |ruler| question(ruler, tenant.clone())
}

#[async_trait]
impl RuleStates for Rulers {
    async fn groups(&self, tenant: &TenantId) -> Result<Warned<Vec<GroupState>>> {
        let (answers, mut warnings) = self
            .ask(asking(tenant, |ruler, tenant| Box::pin(async move { ruler.groups(&tenant).await })))
            .await;
        // A group that changes hands may be told by both: the newer state counts.
        let mut groups: BTreeMap<(String, String), GroupState> = BTreeMap::new();
        for answer in answers {
            warnings.extend(answer.warnings);
            for group in answer.value {
                let key = (group.namespace.clone(), group.name.clone());
                let newer = |known: &GroupState| known.last_evaluation >= group.last_evaluation;
                if !groups.get(&key).is_some_and(newer) {
                    groups.insert(key, group);
                }
            }
        }
        Ok(Warned { value: groups.into_values().collect(), warnings })
    }

    async fn changed(&self, tenant: &TenantId) -> Result<()> {
        let (_, warnings) = self
            .ask(asking(tenant, |ruler, tenant| Box::pin(async move { ruler.changed(&tenant).await })))
            .await;
        for warning in warnings {
            tracing::info!(warning, "a ruler was not told of changed rules; it will look by itself");
        }
        Ok(())
    }

    async fn alertmanagers(&self, tenant: &TenantId) -> Result<Vec<String>> {
        let (answers, _) = self
            .ask(asking(tenant, |ruler, tenant| Box::pin(async move { ruler.alertmanagers(&tenant).await })))
            .await;
        let mut all: Vec<_> = answers.into_iter().flatten().collect();
        all.sort();
        all.dedup();
        Ok(all)
    }
}
