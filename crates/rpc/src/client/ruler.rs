//! A ruler in another process.

use crate::{
    pool::{Method, Peer},
    proto::ruler::{
        AlertmanagersRequest, AlertmanagersResponse, ChangedRequest, ChangedResponse, GroupsRequest,
        GroupsResponse,
    },
    rules::ReceivedGroups,
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream;
use model::TenantId;
use prost::Message;
use service_api::{Error, GroupState, ReadContext, Result, RuleStates, Warned};
use std::{sync::Arc, time::Duration};

const GROUPS: Method = Method { name: "Groups", path: "/yagura.ruler.v1.Ruler/Groups" };
const CHANGED: Method = Method { name: "Changed", path: "/yagura.ruler.v1.Ruler/Changed" };
const ALERTMANAGERS: Method = Method { name: "Alertmanagers", path: "/yagura.ruler.v1.Ruler/Alertmanagers" };

/// Within this an answer must be there: whoever asks asks all rulers, and one that hangs shall not hold up the
/// others' answers for long.
const PATIENCE: Duration = Duration::from_secs(10);

/// The states of one tenant's rules at one ruler. A tenant of 10,000 alerts has about 10 MiB.
const MAX_ANSWER_BYTES: usize = 256 << 20;

pub(crate) struct RulerClient {
    peer: Arc<Peer>,
}

impl RulerClient {
    pub(crate) fn new(peer: Arc<Peer>) -> Self {
        Self { peer }
    }

    async fn ask<R: Message + Default + 'static>(
        &self,
        method: &Method,
        tenant: &TenantId,
        request: &impl Message,
    ) -> Result<R> {
        let body = Bytes::from(request.encode_to_vec());
        self.in_time(self.peer.unary(method, Some(tenant), body)).await
    }

    async fn in_time<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(|_| {
            let (address, seconds) = (self.peer.address(), PATIENCE.as_secs());
            Err(Error::unavailable(format!("{address}: no answer about rules within {seconds} s")))
        })
    }
}

#[async_trait]
impl RuleStates for RulerClient {
    async fn groups(&self, tenant: &TenantId) -> Result<Warned<Vec<GroupState>>> {
        let work = async {
            // What it may hold is bounded below.
            let ctx = ReadContext::new(tenant.clone(), u64::MAX);
            let request = stream::iter([Bytes::from(GroupsRequest {}.encode_to_vec())]);
            let mut answer = self.peer.read::<GroupsResponse>(&GROUPS, &ctx, "", request).await?;
            let (mut received, mut warnings, mut bytes) = (ReceivedGroups::default(), Vec::new(), 0);
            loop {
                let message = answer.more(&ctx).await?;
                bytes += message.encoded_len();
                if bytes > MAX_ANSWER_BYTES {
                    let address = self.peer.address();
                    let limit = MAX_ANSWER_BYTES >> 20;
                    return Err(Error::unprocessable(format!(
                        "{address}: the states of the tenant's rules are more than {limit} MiB: have fewer alerts, \
                         for example by setting `limit` in rule groups"
                    )));
                }
                warnings.extend(message.warnings);
                message.items.into_iter().try_for_each(|item| received.add(item))?;
                if message.last {
                    return Ok(Warned { value: received.finish(), warnings });
                }
            }
        };
        self.in_time(work).await
    }

    async fn changed(&self, tenant: &TenantId) -> Result<()> {
        let ChangedResponse {} = self.ask(&CHANGED, tenant, &ChangedRequest {}).await?;
        Ok(())
    }

    async fn alertmanagers(&self, tenant: &TenantId) -> Result<Vec<String>> {
        let answer: AlertmanagersResponse =
            self.ask(&ALERTMANAGERS, tenant, &AlertmanagersRequest {}).await?;
        Ok(answer.urls)
    }
}
