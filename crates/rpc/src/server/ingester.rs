//! Appends and tails, handed on to the ingester of this process.

use super::answer;
use crate::{
    append::{decode_append, decode_append_logs, to_response},
    convert::{self, tenant_in},
    metrics::Metrics,
    proto::ingester::{
        AppendLogsRequest, AppendRequest, AppendResponse, Missed, TailRequest, TailResponse,
        TailedEntry as Entry, ingester_server::Ingester,
    },
};
use futures::{StreamExt, stream::BoxStream};
use service_api::{IngestAll, LogsTail, TailItem};
use std::sync::Arc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

pub struct IngesterService {
    pub ingest: Arc<dyn IngestAll>,
    pub tail: Arc<dyn LogsTail>,
    pub metrics: Arc<Metrics>,
    pub drain: CancellationToken,
}

#[tonic::async_trait]
impl Ingester for IngesterService {
    type TailStream = BoxStream<'static, Result<TailResponse, Status>>;

    async fn append(&self, request: Request<AppendRequest>) -> Result<Response<AppendResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        let work = async {
            let tenant = tenant_in(&metadata)?;
            let (batch, which) = decode_append(request)?;
            Ok(to_response(self.ingest.append(&tenant, Arc::new(batch), which).await?))
        };
        answer(&self.metrics, "Append", &metadata, work).await
    }

    async fn append_logs(
        &self,
        request: Request<AppendLogsRequest>,
    ) -> Result<Response<AppendResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        let work = async {
            let tenant = tenant_in(&metadata)?;
            let (batch, which) = decode_append_logs(request)?;
            Ok(to_response(self.ingest.append_logs(&tenant, Arc::new(batch), which).await?))
        };
        answer(&self.metrics, "AppendLogs", &metadata, work).await
    }

    async fn tail(&self, request: Request<TailRequest>) -> Result<Response<Self::TailStream>, Status> {
        let (metadata, _, request) = request.into_parts();
        let work = async {
            let tenant = tenant_in(&metadata)?;
            let items = self.tail.tail(&tenant, convert::matchers_in(&request.matchers)?)?;
            let items = ReceiverStream::new(items).map(|item| Ok(message(item)));
            Ok(items.take_until(self.drain.clone().cancelled_owned()).boxed())
        };
        answer(&self.metrics, "Tail", &metadata, work).await
    }
}

fn message(item: TailItem) -> TailResponse {
    match item {
        TailItem::Stored(stream) => {
            let entries = stream.entries.into_iter().map(|entry| Entry {
                timestamp: entry.timestamp,
                line: entry.line,
                metadata: entry.metadata.into_iter().flat_map(|(name, value)| [name, value]).collect(),
            });
            let labels = convert::labels_out(&stream.labels);
            TailResponse { labels, entries: entries.collect(), missed: None }
        }
        TailItem::Missed { labels, timestamp, lines } => {
            let missed = Some(Missed { timestamp, lines });
            TailResponse { labels: convert::labels_out(&labels), entries: Vec::new(), missed }
        }
    }
}
