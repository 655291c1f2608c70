//! Writes that only pass while the group is ours.

use crate::{Claims, claims::Claim};
use async_trait::async_trait;
use model::TenantId;
use rules::{ResultSample, Results};
use service_api::{Error, PushOutcome, Result};
use std::sync::Arc;

pub struct Fenced {
    pub results: Arc<dyn Results>,
    pub claims: Arc<Claims>,
    pub claim: Claim,
}

#[async_trait]
impl Results for Fenced {
    async fn write(&self, tenant: &TenantId, samples: Vec<ResultSample>) -> Result<PushOutcome> {
        let over = || Error::unavailable("this ruler may not run the group any longer");
        let left = self.claims.left(&self.claim).ok_or_else(over)?;
        tokio::time::timeout(left, self.results.write(tenant, samples)).await.map_err(|_| over())?
    }
}
