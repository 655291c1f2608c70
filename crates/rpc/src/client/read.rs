//! Reads of labels and of metrics.

use super::IngesterClient;
use crate::{
    convert,
    pool::Method,
    proto::reader::{
        ChangesResponse, EvaluateResponse, ExemplarsResponse, Head, LabelsRequest, MetadataRequest,
        MetadataResponse, NamesResponse, SelectRequest as SelectMessage, SelectResponse,
        SelectStreamsResponse, SeriesResponse,
    },
    series::ReceivedSeries,
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream;
use model::{Labels, Signal};
use prost::Message;
use service_api::{
    Error, ExemplarSeries, LabelQuery, LabelsReader, MetricMetadata, MetricsReader, ReadContext, Result,
    SelectRequest, SeriesSet, Warned,
};

const SELECT: Method = Method { name: "Select", path: "/yagura.reader.v1.Reader/Select" };
const SERIES: Method = Method { name: "Series", path: "/yagura.reader.v1.Reader/Series" };
const LABEL_NAMES: Method = Method { name: "LabelNames", path: "/yagura.reader.v1.Reader/LabelNames" };
const LABEL_VALUES: Method = Method { name: "LabelValues", path: "/yagura.reader.v1.Reader/LabelValues" };
const EXEMPLARS: Method = Method { name: "Exemplars", path: "/yagura.reader.v1.Reader/Exemplars" };
const METADATA: Method = Method { name: "Metadata", path: "/yagura.reader.v1.Reader/Metadata" };

/// A message of a streamed answer.
pub(super) trait Frame: Message + Default + 'static {
    fn head(&mut self) -> Option<Head>;
    fn last(&self) -> bool;
}

macro_rules! frames {
    ($($message:ty),*) => {$(
        impl Frame for $message {
            fn head(&mut self) -> Option<Head> {
                self.head.take()
            }

            fn last(&self) -> bool {
                self.last
            }
        }
    )*};
}

frames!(
    SelectResponse,
    SelectStreamsResponse,
    SeriesResponse,
    NamesResponse,
    ExemplarsResponse,
    MetadataResponse,
    ChangesResponse,
    EvaluateResponse
);

/// Takes in what the first message says of all.
pub(super) fn take_head(
    frame: &mut impl Frame,
    ctx: &ReadContext,
    signal: Signal,
    warnings: &mut Vec<String>,
) {
    if let Some(head) = frame.head() {
        ctx.listed.raise(signal, head.listed);
        warnings.extend(head.warnings);
    }
}

/// What a peer got wrong is no fault of whoever asked.
pub(super) fn of_peer(error: Error) -> Error {
    Error::internal(error.message)
}

impl IngesterClient {
    /// Asks and hands each message of the answer on. Gives the warnings.
    pub(super) async fn ask<R: Frame>(
        &self,
        method: &'static Method,
        ctx: &ReadContext,
        signal: Signal,
        request: &impl Message,
        mut each: impl FnMut(R) -> Result<()> + Send,
    ) -> Result<Vec<String>> {
        let body = Bytes::from(request.encode_to_vec());
        let mut answer = self.peer.read::<R>(method, ctx, &self.disk, stream::iter([body])).await?;
        let mut warnings = Vec::new();
        loop {
            let mut frame = answer.more(ctx).await?;
            take_head(&mut frame, ctx, signal, &mut warnings);
            let last = frame.last();
            each(frame)?;
            if last {
                return Ok(warnings);
            }
        }
    }

    fn labels_request(&self, query: &LabelQuery, name: &str) -> LabelsRequest {
        convert::label_query_out(query, name, self.blocks.clone())
    }

    async fn names(
        &self,
        method: &'static Method,
        ctx: &ReadContext,
        query: &LabelQuery,
        name: &str,
    ) -> Result<Warned<Vec<String>>> {
        let (mut held, mut value) = (ctx.budget.reserve(0)?, Vec::new());
        let request = self.labels_request(query, name);
        let take = |frame: NamesResponse| {
            held.grow(frame.names.iter().map(|name| name.len() + size_of::<String>()).sum())?;
            value.extend(frame.names);
            Ok(())
        };
        let warnings = self.ask(method, ctx, query.signal, &request, take).await?;
        Ok(Warned { value, warnings })
    }
}

#[async_trait]
impl LabelsReader for IngesterClient {
    async fn series(&self, ctx: &ReadContext, query: &LabelQuery) -> Result<Warned<Vec<Labels>>> {
        let (mut held, mut value) = (ctx.budget.reserve(0)?, Vec::new());
        let request = self.labels_request(query, "");
        let take = |frame: SeriesResponse| {
            for packed in frame.labels {
                let labels = convert::labels_in(&packed).map_err(of_peer)?;
                held.grow(labels.heap_bytes() + size_of::<Labels>())?;
                value.push(labels);
            }
            Ok(())
        };
        let warnings = self.ask(&SERIES, ctx, query.signal, &request, take).await?;
        Ok(Warned { value, warnings })
    }

    async fn label_names(&self, ctx: &ReadContext, query: &LabelQuery) -> Result<Warned<Vec<String>>> {
        self.names(&LABEL_NAMES, ctx, query, "").await
    }

    async fn label_values(
        &self,
        ctx: &ReadContext,
        name: &str,
        query: &LabelQuery,
    ) -> Result<Warned<Vec<String>>> {
        self.names(&LABEL_VALUES, ctx, query, name).await
    }
}

#[async_trait]
impl MetricsReader for IngesterClient {
    async fn select(&self, ctx: &ReadContext, request: &SelectRequest) -> Result<SeriesSet> {
        let message = SelectMessage {
            matchers: convert::matchers_out(&request.matchers),
            start: request.range.start,
            end: request.range.end,
            blocks: self.blocks.clone(),
        };
        let (mut held, mut received) = (ctx.budget.reserve(0)?, ReceivedSeries::default());
        let take = |frame: SelectResponse| received.add(frame.series, &mut held);
        let warnings = self.ask(&SELECT, ctx, Signal::Metrics, &message, take).await?;
        Ok(SeriesSet { series: received.finish(held), warnings })
    }

    async fn exemplars(&self, ctx: &ReadContext, query: &LabelQuery) -> Result<Vec<ExemplarSeries>> {
        let (mut held, mut all) = (ctx.budget.reserve(0)?, Vec::new());
        let request = self.labels_request(query, "");
        let take = |frame: ExemplarsResponse| {
            held.grow(frame.encoded_len())?;
            for series in frame.series {
                let exemplars = series.exemplars.iter().map(convert::exemplar_in).collect::<Result<_>>();
                let labels = convert::labels_in(&series.labels).map_err(of_peer)?;
                all.push(ExemplarSeries { labels, exemplars: exemplars.map_err(of_peer)? });
            }
            Ok(())
        };
        self.ask(&EXEMPLARS, ctx, query.signal, &request, take).await?;
        Ok(all)
    }

    async fn metadata(&self, ctx: &ReadContext, metric: Option<&str>) -> Result<Vec<MetricMetadata>> {
        let (mut held, mut all) = (ctx.budget.reserve(0)?, Vec::new());
        let request = MetadataRequest { metric: metric.map(str::to_owned), blocks: self.blocks.clone() };
        let take = |frame: MetadataResponse| {
            held.grow(frame.encoded_len())?;
            all.extend(frame.metrics.into_iter().map(|metric| MetricMetadata {
                metric: metric.metric,
                metadata: metric.metadata.into_iter().map(convert::metadata_in).collect(),
            }));
            Ok(())
        };
        self.ask(&METADATA, ctx, Signal::Metrics, &request, take).await?;
        Ok(all)
    }
}
