//! Reads of this process's heads, or of blocks for another process.

use super::{
    ServerConfig, answer, evaluate,
    frames::list_frames,
    query::{Query, counted},
    streams::{self, Selections},
};
use crate::{
    convert::{self, DISK, bad, tenant_in},
    metrics::Metrics,
    proto::{
        model as words,
        reader::{
            Blocks, ChangesRequest, ChangesResponse, EvaluateRequest, EvaluateResponse, ExemplarSeries,
            ExemplarsResponse, Head, LabelsRequest, MetadataRequest, MetadataResponse, MetricMetadata,
            NamesResponse, SelectRequest, SelectResponse, SelectStreamsRequest, SelectStreamsResponse,
            SeriesResponse, reader_server::Reader,
        },
    },
    series::SeriesFrames,
};
use block_store::BlockMeta;
use futures::stream::BoxStream;
use model::{NanoRange, Signal, TenantId, TimeRange};
use prost::Message;
use service_api::{Error, HeadChanges, LimitsSource, MetricsReader, Result, Source, StreamsRequest};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming, metadata::MetadataMap};
use vectors::Evaluate;

/// Who reads given blocks.
pub trait BlockSources: Send + Sync {
    fn blocks(&self, tenant: &TenantId, signal: Signal, blocks: Vec<BlockMeta>) -> Arc<dyn Source>;
}

/// An ingester's heads.
pub struct Heads {
    pub source: Arc<dyn Source>,
    pub changes: Arc<dyn HeadChanges>,
    /// Names the disk whose data they are: a reader that wants that of another one is refused.
    pub disk: String,
}

/// What reads are answered from.
pub struct ReaderDeps {
    pub heads: Option<Heads>,
    pub blocks: Option<Arc<dyn BlockSources>>,
    /// Evaluates stretches of other queriers' queries.
    pub evaluator: Option<Arc<dyn Evaluate>>,
    pub limits: Arc<dyn LimitsSource>,
}

pub struct ReaderService {
    deps: ReaderDeps,
    selections: Selections,
    metrics: Arc<Metrics>,
    drain: CancellationToken,
}

/// Made when the data has been taken, not before: heads say with it for which list they had let go.
fn head(query: &Query, signal: Signal, warnings: Vec<String>) -> Head {
    Head { listed: query.ctx.listed.get(signal), warnings }
}

fn no_heads() -> Error {
    Error::unavailable("there are no heads in this process")
}

type Messages<T> = BoxStream<'static, Result<T, Status>>;

impl ReaderService {
    pub fn new(
        deps: ReaderDeps,
        config: &ServerConfig,
        metrics: Arc<Metrics>,
        drain: CancellationToken,
    ) -> Self {
        Self { deps, selections: Selections::new(config), metrics, drain }
    }

    fn query(&self, metadata: &MetadataMap) -> Result<Query> {
        let disk = self.deps.heads.as_ref().map_or("", |heads| &heads.disk);
        if metadata.get(DISK).is_some_and(|wanted| wanted.as_bytes() != disk.as_bytes()) {
            return Err(Error::unavailable("what is asked for was on a disk that is gone"));
        }
        Ok(Query::new(&*self.deps.limits, tenant_in(metadata)?))
    }

    fn source(&self, tenant: &TenantId, blocks: Option<Blocks>) -> Result<Arc<dyn Source>> {
        let Some(blocks) = blocks else {
            return self.deps.heads.as_ref().map(|heads| Arc::clone(&heads.source)).ok_or_else(no_heads);
        };
        let (signal, blocks) = convert::blocks_in(blocks)?;
        let sources = self.deps.blocks.as_ref();
        let sources = sources.ok_or_else(|| Error::unavailable("this process reads no blocks"))?;
        Ok(sources.blocks(tenant, signal, blocks))
    }

    async fn names(
        &self,
        method: &'static str,
        request: Request<LabelsRequest>,
        values: bool,
    ) -> Result<Response<Messages<NamesResponse>>, Status> {
        let (metadata, _, request) = request.into_parts();
        let work = async {
            let (query, asked) = (self.query(&metadata)?, convert::label_query_in(&request)?);
            let source = self.source(&query.ctx.tenant, request.blocks)?;
            let found = if values {
                query.within(source.label_values(&query.ctx, &request.name, &asked)).await?
            } else {
                query.within(source.label_names(&query.ctx, &asked)).await?
            };
            let head = head(&query, asked.signal, found.warnings);
            let make = |head, names, last| NamesResponse { head, names, last };
            let frames = list_frames(head, found.value, |name| name.len() + 4, make);
            Ok(query.stream(Arc::clone(&self.metrics), method, frames))
        };
        answer(&self.metrics, method, &metadata, work).await
    }
}

#[tonic::async_trait]
impl Reader for ReaderService {
    type SelectStream = Messages<SelectResponse>;
    type SelectStreamsStream = Messages<SelectStreamsResponse>;
    type SeriesStream = Messages<SeriesResponse>;
    type LabelNamesStream = Messages<NamesResponse>;
    type LabelValuesStream = Messages<NamesResponse>;
    type ExemplarsStream = Messages<ExemplarsResponse>;
    type MetadataStream = Messages<MetadataResponse>;
    type ChangesStream = Messages<ChangesResponse>;
    type EvaluateStream = Messages<EvaluateResponse>;

    async fn select(&self, request: Request<SelectRequest>) -> Result<Response<Self::SelectStream>, Status> {
        let (metadata, _, request) = request.into_parts();
        let work = async {
            let query = self.query(&metadata)?;
            let range = TimeRange::new(request.start, request.end);
            let matchers = convert::matchers_in(&request.matchers)?;
            let source = self.source(&query.ctx.tenant, request.blocks)?;
            let asked = service_api::SelectRequest { matchers, range };
            let found = query.within(MetricsReader::select(&*source, &query.ctx, &asked)).await?;
            let head = head(&query, Signal::Metrics, found.warnings);
            let frames = SeriesFrames::new(found.series, range, head);
            Ok(query.stream(Arc::clone(&self.metrics), "Select", frames))
        };
        answer(&self.metrics, "Select", &metadata, work).await
    }

    async fn select_streams(
        &self,
        request: Request<Streaming<SelectStreamsRequest>>,
    ) -> Result<Response<Self::SelectStreamsStream>, Status> {
        let (metadata, _, mut requests) = request.into_parts();
        let work = async {
            let (query, place) = (self.query(&metadata)?, self.selections.open()?);
            let first = query.within(streams::next_request(&mut requests)).await?;
            let Some(selection) = first.and_then(|first| first.selection) else {
                return Err(bad("the first message has no selection"));
            };
            let range = NanoRange::new(selection.start, selection.end);
            let asked = StreamsRequest { matchers: convert::matchers_in(&selection.matchers)?, range };
            let source = self.source(&query.ctx.tenant, selection.blocks)?;
            let found = query.within(service_api::LogsReader::select(&*source, &query.ctx, &asked)).await?;
            let head = head(&query, Signal::Logs, found.warnings);
            let messages = streams::serve(query, place, found.streams, head, requests, self.drain.clone());
            Ok(counted(Arc::clone(&self.metrics), "SelectStreams", messages))
        };
        answer(&self.metrics, "SelectStreams", &metadata, work).await
    }

    async fn series(&self, request: Request<LabelsRequest>) -> Result<Response<Self::SeriesStream>, Status> {
        let (metadata, _, request) = request.into_parts();
        let work = async {
            let (query, asked) = (self.query(&metadata)?, convert::label_query_in(&request)?);
            let source = self.source(&query.ctx.tenant, request.blocks)?;
            let found = query.within(source.series(&query.ctx, &asked)).await?;
            let head = head(&query, asked.signal, found.warnings);
            let make = |head, labels: Vec<model::Labels>, last| {
                let labels = labels.iter().map(convert::labels_out).collect();
                SeriesResponse { head, labels, last }
            };
            let frames = list_frames(head, found.value, |labels| labels.as_packed().len() + 4, make);
            Ok(query.stream(Arc::clone(&self.metrics), "Series", frames))
        };
        answer(&self.metrics, "Series", &metadata, work).await
    }

    async fn label_names(
        &self,
        request: Request<LabelsRequest>,
    ) -> Result<Response<Self::LabelNamesStream>, Status> {
        self.names("LabelNames", request, false).await
    }

    async fn label_values(
        &self,
        request: Request<LabelsRequest>,
    ) -> Result<Response<Self::LabelValuesStream>, Status> {
        self.names("LabelValues", request, true).await
    }

    async fn exemplars(
        &self,
        request: Request<LabelsRequest>,
    ) -> Result<Response<Self::ExemplarsStream>, Status> {
        let (metadata, _, request) = request.into_parts();
        let work = async {
            let (query, asked) = (self.query(&metadata)?, convert::label_query_in(&request)?);
            let source = self.source(&query.ctx.tenant, request.blocks)?;
            let found = query.within(source.exemplars(&query.ctx, &asked)).await?;
            let series = found.into_iter().map(|series| ExemplarSeries {
                labels: convert::labels_out(&series.labels),
                exemplars: series.exemplars.iter().map(convert::exemplar_out).collect(),
            });
            let head = head(&query, asked.signal, Vec::new());
            let make = |head, series, last| ExemplarsResponse { head, series, last };
            let frames = list_frames(head, series, ExemplarSeries::encoded_len, make);
            Ok(query.stream(Arc::clone(&self.metrics), "Exemplars", frames))
        };
        answer(&self.metrics, "Exemplars", &metadata, work).await
    }

    async fn metadata(
        &self,
        request: Request<MetadataRequest>,
    ) -> Result<Response<Self::MetadataStream>, Status> {
        let (metadata, _, request) = request.into_parts();
        let work = async {
            let query = self.query(&metadata)?;
            let source = self.source(&query.ctx.tenant, request.blocks)?;
            let found = query.within(source.metadata(&query.ctx, request.metric.as_deref())).await?;
            let metrics = found.into_iter().map(|metric| MetricMetadata {
                metric: metric.metric,
                metadata: metric.metadata.iter().map(convert::metadata_out).collect::<Vec<words::Metadata>>(),
            });
            let head = head(&query, Signal::Metrics, Vec::new());
            let make = |head, metrics, last| MetadataResponse { head, metrics, last };
            let frames = list_frames(head, metrics, MetricMetadata::encoded_len, make);
            Ok(query.stream(Arc::clone(&self.metrics), "Metadata", frames))
        };
        answer(&self.metrics, "Metadata", &metadata, work).await
    }

    async fn changes(
        &self,
        request: Request<ChangesRequest>,
    ) -> Result<Response<Self::ChangesStream>, Status> {
        let (metadata, _, request) = request.into_parts();
        let work = async {
            let (query, signal) = (self.query(&metadata)?, convert::signal_in(request.signal)?);
            let since = request.since.as_ref().map(convert::head_version_in).transpose()?;
            let changes = &self.deps.heads.as_ref().ok_or_else(no_heads)?.changes;
            let found = query.within(changes.head_changes(&query.ctx, signal, since)).await?;
            let answer = ChangesResponse {
                head: Some(head(&query, signal, Vec::new())),
                earliest: found.earliest,
                version: Some(convert::head_version_out(found.version)),
                last: true,
            };
            Ok(query.stream(Arc::clone(&self.metrics), "Changes", std::iter::once(Ok(answer))))
        };
        answer(&self.metrics, "Changes", &metadata, work).await
    }

    async fn evaluate(
        &self,
        request: Request<EvaluateRequest>,
    ) -> Result<Response<Self::EvaluateStream>, Status> {
        let (metadata, _, request) = request.into_parts();
        let work = async {
            let mut query = self.query(&metadata)?;
            query.ctx.heard = request.hears.then(Arc::default);
            let listed = request.listed;
            let stretch = convert::stretch_in(request)?;
            query.ctx.listed.raise(stretch.signal, listed);
            let evaluator = self.deps.evaluator.as_ref();
            let evaluator =
                evaluator.ok_or_else(|| Error::unavailable("this process evaluates no queries"))?;
            let table = query.within(evaluator.evaluate(&query.ctx, &stretch)).await?;
            let messages = evaluate::messages(&query.ctx, query.ctx.listed.get(stretch.signal), table);
            Ok(query.stream(Arc::clone(&self.metrics), "Evaluate", messages))
        };
        answer(&self.metrics, "Evaluate", &metadata, work).await
    }
}
