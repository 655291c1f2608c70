//! Bodies built field by field, and a server that remembers what was written to it.

use crate::{
    otlp, push,
    tenant::Tenancy,
    write::{InFlight, WriteConfig, WriteState},
};
use async_trait::async_trait;
use axum::{Router, body::Body, extract::FromRef};
use http::{Request, StatusCode};
use model::{Labels, TenantId};
use proptest::prelude::*;
use runtime::ManualClock;
use service_api::{Limits, LogBatch, Push, PushLogs, PushOutcome, Result, WriteBatch};
use std::{
    fmt::Write,
    sync::{Arc, Mutex},
};
use tower::ServiceExt;

/// A protobuf message under construction.
#[derive(Clone, Default)]
pub struct Message(pub Vec<u8>);

impl Message {
    pub fn raw_varint(mut self, mut v: u64) -> Self {
        while v >= 0x80 {
            self.0.push(v as u8 | 0x80);
            v >>= 7;
        }
        self.0.push(v as u8);
        self
    }

    pub fn varint(self, field: u64, v: u64) -> Self {
        self.raw_varint(field << 3).raw_varint(v)
    }

    pub fn sint(self, field: u64, v: i64) -> Self {
        self.varint(field, (v << 1 ^ v >> 63) as u64)
    }

    pub fn double(self, field: u64, v: f64) -> Self {
        let mut message = self.raw_varint(field << 3 | 1);
        message.0.extend_from_slice(&v.to_le_bytes());
        message
    }

    pub fn bytes(self, field: u64, v: impl AsRef<[u8]>) -> Self {
        let mut message = self.raw_varint(field << 3 | 2).raw_varint(v.as_ref().len() as u64);
        message.0.extend_from_slice(v.as_ref());
        message
    }

    pub fn message(self, field: u64, m: Message) -> Self {
        self.bytes(field, m.0)
    }

    pub fn packed(self, field: u64, values: &[u64]) -> Self {
        let packed = values.iter().fold(Message::default(), |m, v| m.raw_varint(*v));
        self.message(field, packed)
    }
}

pub fn msg() -> Message {
    Message::default()
}

/// A body with a few of its bytes changed, cut or doubled.
pub fn mutated(body: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let len = body.len();
    let edits = prop::collection::vec((0..len, any::<u8>(), 0..3u8), 1..8);
    edits.prop_map(move |edits| {
        let mut bytes = body.clone();
        for (at, byte, kind) in edits {
            let at = at % bytes.len().max(1);
            match kind {
                0 if !bytes.is_empty() => bytes[at] = byte,
                1 => bytes.truncate(at),
                _ => bytes.insert(at.min(bytes.len()), byte),
            }
        }
        bytes
    })
}

/// The wall clock of every test, in milliseconds.
pub const NOW: i64 = 1_700_000_000_000;

/// Remembers batches as text and answers as it is told.
pub struct Store {
    pub written: Mutex<String>,
    pub answer: Mutex<Result<PushOutcome>>,
}

#[async_trait]
impl PushLogs for Store {
    async fn push_logs(&self, _: &TenantId, batch: LogBatch) -> Result<PushOutcome> {
        self.written.lock().unwrap().push_str(&show_logs(&batch));
        self.answer.lock().unwrap().clone()
    }
}

#[async_trait]
impl Push for Store {
    async fn push(&self, _: &TenantId, batch: WriteBatch) -> Result<PushOutcome> {
        self.written.lock().unwrap().push_str(&show_metrics(&batch));
        self.answer.lock().unwrap().clone()
    }
}

#[derive(Clone)]
struct State(WriteState);

impl FromRef<State> for WriteState {
    fn from_ref(state: &State) -> Self {
        state.0.clone()
    }
}

impl FromRef<State> for Tenancy {
    fn from_ref(_: &State) -> Self {
        Self::default()
    }
}

/// The write endpoints of both signals before a `Store`.
pub struct Server {
    pub store: Arc<Store>,
    router: Router,
}

impl Server {
    pub fn new(config: WriteConfig) -> Self {
        let answer = Mutex::new(Ok(PushOutcome::default()));
        let store = Arc::new(Store { written: Mutex::default(), answer });
        let in_flight = InFlight::new(config.max_in_flight_bytes);
        let state = State(WriteState {
            push: store.clone(),
            push_logs: store.clone(),
            limits: Arc::new(Arc::new(Limits::default())),
            clock: Arc::new(ManualClock::at(NOW)),
            config,
            in_flight,
        });
        let (router, _) = push::routes().merge(otlp::routes()).merge(crate::write::routes()).into_parts();
        let router = router.with_state(state);
        Self { store, router }
    }

    /// Status, headers and body of an answer.
    pub async fn post(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> (StatusCode, http::HeaderMap, Vec<u8>) {
        let request = headers.iter().fold(Request::post(path), |r, (name, value)| r.header(*name, *value));
        let answer = self.router.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
        let (parts, body) = answer.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        (parts.status, parts.headers, body.to_vec())
    }

    /// What was written since this was asked last.
    pub fn written(&self) -> String {
        std::mem::take(&mut *self.store.written.lock().unwrap())
    }
}

fn show_labels(source: &dyn service_api::LabelSource, index: usize) -> String {
    let mut pairs = Vec::new();
    match source.pairs(index, &mut |n, v| pairs.push((n.to_owned(), v.to_owned()))) {
        Ok(()) => Labels::from_pairs(pairs).to_string(),
        Err(error) => error.message.into_owned(),
    }
}

/// A stream's labels, then a line for each of its entries.
pub fn show_logs(batch: &LogBatch) -> String {
    let mut out = String::new();
    for (index, stream) in batch.streams.iter().enumerate() {
        writeln!(out, "{}", show_labels(&*batch.labels, index)).unwrap();
        for entry in &batch.entries[stream.entries.start as usize..stream.entries.end as usize] {
            let line = std::str::from_utf8(batch.line(entry)).unwrap();
            write!(out, "  {} {line}", entry.timestamp).unwrap();
            for (name, value) in batch.metadata(entry) {
                assert!(!name.is_empty() && !value.is_empty());
                write!(out, " {name}={value:?}").unwrap();
            }
            out.push('\n');
        }
    }
    out
}

/// When counting began, if it is known.
fn show_start(starts: &[i64], at: usize) -> String {
    match starts.get(at) {
        None | Some(0) => String::new(),
        Some(start) => format!(" since {start}"),
    }
}

/// Metadata, then a line for each series.
pub fn show_metrics(batch: &WriteBatch) -> String {
    let mut out = String::new();
    for m in &batch.metadata {
        let (kind, help, unit) = (m.metadata.metric_type.as_str(), &m.metadata.help, &m.metadata.unit);
        writeln!(out, "# {} {kind} {help:?} {unit:?}", m.metric).unwrap();
    }
    for (index, series) in batch.series.iter().enumerate() {
        write!(out, "{}", show_labels(&*batch.labels, index)).unwrap();
        for at in series.samples.start as usize..series.samples.end as usize {
            let s = &batch.samples[at];
            let value = if model::is_stale(s.value) { "stale".into() } else { s.value.to_string() };
            write!(out, " {value}@{}{}", s.timestamp, show_start(&batch.starts.floats, at)).unwrap();
        }
        for at in series.histograms.start as usize..series.histograms.end as usize {
            let (h, start) = (&batch.histograms[at], show_start(&batch.starts.histograms, at));
            let (h, t) = (&h.histogram, format!("{}{start}", h.timestamp));
            let spans: Vec<_> = h.positive_spans.iter().map(|s| (s.offset, s.length)).collect();
            write!(out, " schema {} sum {} {spans:?} {:?}@{t}", h.schema, h.sum, h.buckets).unwrap();
        }
        for e in &batch.exemplars[series.exemplars.start as usize..series.exemplars.end as usize] {
            write!(out, " # {} {}@{}", e.labels, e.value, e.timestamp).unwrap();
        }
        out.push('\n');
    }
    out
}
