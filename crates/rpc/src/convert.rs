//! Our words and those of the wire, one for the other.

use crate::proto::{
    model::{self, matcher::Op},
    reader,
};
use ::model::{Exemplar, Labels, MatchOp, Matcher, Metadata, MetricType, Signal, TenantId, TimeRange};
use block_store::{BlockMeta, Ulid};
use bytes::Bytes;
use service_api::{Error, HeadVersion, LabelQuery, Result};
use std::borrow::Cow;
use vectors::{Steps, Stretch};

/// What a message has wrong.
pub fn bad(message: impl Into<Cow<'static, str>>) -> Error {
    Error::bad_request(message)
}

pub fn labels_out(labels: &Labels) -> Bytes {
    Bytes::copy_from_slice(labels.as_packed().as_bytes())
}

pub fn labels_in(packed: &[u8]) -> Result<Labels> {
    let text = std::str::from_utf8(packed).ok();
    text.and_then(Labels::from_packed).ok_or_else(|| bad("labels that are not packed right"))
}

pub fn exemplar_out(exemplar: &Exemplar) -> model::Exemplar {
    let Exemplar { labels, timestamp, value } = exemplar;
    model::Exemplar { labels: labels_out(labels), timestamp: *timestamp, value: *value }
}

pub fn exemplar_in(exemplar: &model::Exemplar) -> Result<Exemplar> {
    let model::Exemplar { labels, timestamp, value } = exemplar;
    Ok(Exemplar { labels: labels_in(labels)?, timestamp: *timestamp, value: *value })
}

pub fn metadata_out(metadata: &Metadata) -> model::Metadata {
    let metric_type = match metadata.metric_type {
        MetricType::Unknown => 0,
        MetricType::Counter => 1,
        MetricType::Gauge => 2,
        MetricType::Histogram => 3,
        MetricType::GaugeHistogram => 4,
        MetricType::Summary => 5,
        MetricType::Info => 6,
        MetricType::StateSet => 7,
    };
    model::Metadata { metric_type, help: metadata.help.clone(), unit: metadata.unit.clone() }
}

pub fn metadata_in(metadata: model::Metadata) -> Metadata {
    let metric_type = MetricType::from_wire(u64::from(metadata.metric_type));
    Metadata { metric_type, help: metadata.help, unit: metadata.unit }
}

pub fn matchers_out(matchers: &[Matcher]) -> Vec<model::Matcher> {
    let matcher = |matcher: &Matcher| {
        let op = match matcher.op {
            MatchOp::Equal => Op::Equal,
            MatchOp::NotEqual => Op::NotEqual,
            MatchOp::Regex => Op::Regex,
            MatchOp::NotRegex => Op::NotRegex,
        };
        model::Matcher { op: op.into(), name: matcher.name.clone(), value: matcher.value.clone() }
    };
    matchers.iter().map(matcher).collect()
}

pub fn matchers_in(matchers: &[model::Matcher]) -> Result<Vec<Matcher>> {
    let matcher = |matcher: &model::Matcher| {
        let op = match Op::try_from(matcher.op) {
            Ok(Op::Equal) => MatchOp::Equal,
            Ok(Op::NotEqual) => MatchOp::NotEqual,
            Ok(Op::Regex) => MatchOp::Regex,
            Ok(Op::NotRegex) => MatchOp::NotRegex,
            // To ignore a condition that we do not know would give more than was asked for.
            Err(_) => return Err(bad("a kind of matcher that is not known here")),
        };
        Matcher::new(op, &matcher.name, &matcher.value).map_err(|e| bad(e.to_string()))
    };
    matchers.iter().map(matcher).collect()
}

pub fn signal_out(signal: Signal) -> i32 {
    match signal {
        Signal::Metrics => reader::Signal::Metrics.into(),
        Signal::Logs => reader::Signal::Logs.into(),
    }
}

pub fn signal_in(signal: i32) -> Result<Signal> {
    match reader::Signal::try_from(signal) {
        Ok(reader::Signal::Metrics) => Ok(Signal::Metrics),
        Ok(reader::Signal::Logs) => Ok(Signal::Logs),
        Err(_) => Err(bad("a signal that is not known here")),
    }
}

pub fn head_version_out(version: HeadVersion) -> reader::HeadVersion {
    let HeadVersion { life, sequence } = version;
    reader::HeadVersion { life: life.to_be_bytes().to_vec().into(), sequence }
}

pub fn head_version_in(version: &reader::HeadVersion) -> Result<HeadVersion> {
    let life = <[u8; 16]>::try_from(&version.life[..]).map_err(|_| bad("a life that has no 16 bytes"))?;
    Ok(HeadVersion { life: u128::from_be_bytes(life), sequence: version.sequence })
}

pub fn label_query_out(
    query: &LabelQuery,
    name: &str,
    blocks: Option<reader::Blocks>,
) -> reader::LabelsRequest {
    let set = |matchers: &Vec<Matcher>| reader::Matchers { matchers: matchers_out(matchers) };
    reader::LabelsRequest {
        signal: signal_out(query.signal),
        matcher_sets: query.matcher_sets.iter().map(set).collect(),
        start: query.range.start,
        end: query.range.end,
        blocks,
        name: name.to_owned(),
    }
}

pub fn label_query_in(request: &reader::LabelsRequest) -> Result<LabelQuery> {
    let sets = request.matcher_sets.iter().map(|set| matchers_in(&set.matchers));
    Ok(LabelQuery {
        signal: signal_in(request.signal)?,
        matcher_sets: sets.collect::<Result<_>>()?,
        range: TimeRange::new(request.start, request.end),
    })
}

pub fn blocks_out(signal: Signal, blocks: &[BlockMeta]) -> reader::Blocks {
    let block = |meta: &BlockMeta| reader::Block {
        id: Bytes::copy_from_slice(&meta.id.to_bytes()),
        min_time: meta.min_time,
        max_time: meta.max_time,
        series: meta.series,
        samples: meta.samples,
        text_bytes: meta.text_bytes,
        bytes: meta.bytes,
        level: u32::from(meta.level),
        source: meta.source.clone(),
        created: meta.created,
    };
    reader::Blocks { signal: signal_out(signal), blocks: blocks.iter().map(block).collect() }
}

pub fn blocks_in(blocks: reader::Blocks) -> Result<(Signal, Vec<BlockMeta>)> {
    let block = |block: reader::Block| {
        let id = <[u8; 16]>::try_from(&block.id[..]).map_err(|_| bad("a block's id of another length"))?;
        Ok(BlockMeta {
            id: Ulid::from_bytes(id),
            min_time: block.min_time,
            max_time: block.max_time,
            series: block.series,
            samples: block.samples,
            text_bytes: block.text_bytes,
            bytes: block.bytes,
            level: u8::try_from(block.level).map_err(|_| bad("a block's level out of bounds"))?,
            source: block.source,
            created: block.created,
            // Nobody who reads a block asks what it was made of.
            sources: Vec::new(),
            damaged: None,
            cleared: Vec::new(),
            rules: 0,
        })
    };
    Ok((signal_in(blocks.signal)?, blocks.blocks.into_iter().map(block).collect::<Result<_>>()?))
}

/// Checks the tenant of a request's metadata.
pub fn tenant_in(metadata: &tonic::metadata::MetadataMap) -> Result<TenantId> {
    let Some(name) = metadata.get(TENANT) else {
        return Err(Error::new(service_api::Code::Unauthenticated, "no tenant: x-scope-orgid is missing"));
    };
    let name = name.to_str().map_err(|_| bad("x-scope-orgid is not text"))?;
    TenantId::new(name).map_err(|e| bad(e.to_string()))
}

/// The metadata that names the tenant of a request.
pub const TENANT: &str = "x-scope-orgid";

/// The disk whose data is asked for: an answer from another one would lack what is lost.
pub const DISK: &str = "x-yagura-disk";

/// A stretch of a query, for whom it does not matter who is heard or what is listed.
pub fn stretch_out(stretch: &Stretch) -> reader::EvaluateRequest {
    let Stretch { signal, query, steps, lookback } = stretch;
    reader::EvaluateRequest {
        signal: signal_out(*signal),
        query: query.clone(),
        start: steps.start,
        interval: steps.interval as u64,
        steps: steps.count as u64,
        lookback: *lookback as u64,
        hears: false,
        listed: 0,
    }
}

pub fn stretch_in(request: reader::EvaluateRequest) -> Result<Stretch> {
    let number = |number: u64| i64::try_from(number).map_err(|_| bad("a number that is too large"));
    let (interval, count) = (number(request.interval)?, number(request.steps)?);
    let length = interval.checked_mul(count).and_then(|length| request.start.checked_add(length));
    if interval == 0 || count < 2 || length.is_none() {
        return Err(bad("steps that are none"));
    }
    Ok(Stretch {
        signal: signal_in(request.signal)?,
        query: request.query,
        steps: Steps { start: request.start, interval, count: count as usize },
        lookback: number(request.lookback)?,
    })
}
