//! How the rules fare that this process runs, handed on from its ruler.

use super::{answer, frames::list_frames, query::counted};
use crate::{
    convert::tenant_in,
    metrics::Metrics,
    proto::ruler::{
        AlertmanagersRequest, AlertmanagersResponse, ChangedRequest, ChangedResponse, GroupsRequest,
        GroupsResponse, Item, ruler_server::Ruler,
    },
    rules::items_out,
};
use futures::stream::{self, BoxStream};
use prost::Message;
use service_api::RuleStates;
use std::sync::Arc;
use tonic::{Request, Response, Status};

pub struct RulerService {
    pub states: Arc<dyn RuleStates>,
    pub metrics: Arc<Metrics>,
}

#[tonic::async_trait]
impl Ruler for RulerService {
    type GroupsStream = BoxStream<'static, Result<GroupsResponse, Status>>;

    async fn groups(&self, request: Request<GroupsRequest>) -> Result<Response<Self::GroupsStream>, Status> {
        let metadata = request.metadata();
        let work = async {
            let found = self.states.groups(&tenant_in(metadata)?).await?;
            let make = |warnings: Option<Vec<String>>, items, last| GroupsResponse {
                warnings: warnings.unwrap_or_default(),
                items,
                last,
            };
            // Each message is made when the one before is gone.
            let messages = list_frames(found.warnings, items_out(found.value), Item::encoded_len, make);
            Ok(counted(Arc::clone(&self.metrics), "Groups", stream::iter(messages)))
        };
        answer(&self.metrics, "Groups", metadata, work).await
    }

    async fn changed(&self, request: Request<ChangedRequest>) -> Result<Response<ChangedResponse>, Status> {
        let metadata = request.metadata();
        let work = async {
            self.states.changed(&tenant_in(metadata)?).await?;
            Ok(ChangedResponse {})
        };
        answer(&self.metrics, "Changed", metadata, work).await
    }

    async fn alertmanagers(
        &self,
        request: Request<AlertmanagersRequest>,
    ) -> Result<Response<AlertmanagersResponse>, Status> {
        let metadata = request.metadata();
        let work = async {
            Ok(AlertmanagersResponse { urls: self.states.alertmanagers(&tenant_in(metadata)?).await? })
        };
        answer(&self.metrics, "Alertmanagers", metadata, work).await
    }
}
