//! `yagura push metrics`: text of a scrape becomes samples, over remote write.

use super::{
    Sent,
    lines::{LineReader, Next},
    remote_write, send,
};
use crate::{Outcome, Server, server::Body};
use anyhow::{Context, Result};
use model::Labels;
use reqwest::Url;
use runtime::Clock;
use std::{io::Write, sync::Arc};
use tsdb::{Sample, TextParser};

const MAX_SAMPLES: usize = 2000;

/// Bytes of labels, about.
const MAX_BYTES: usize = 1 << 20;

pub struct PushMetricsOptions {
    /// A file, or `-` for standard input.
    pub file: String,
    /// Labels that all series get.
    pub labels: Vec<(String, String)>,
    pub clock: Arc<dyn Clock>,
}

/// Sends samples; those without a time are of now.
///
/// # Errors
/// The text cannot be read, or the server refuses all. What it refuses of a batch is printed.
pub async fn push_metrics(
    server: &Server,
    options: &PushMetricsOptions,
    out: &mut dyn Write,
) -> Result<Outcome> {
    let url = server.url(["api", "v1", "write"])?;
    let mut lines = LineReader::open(&options.file)?;
    let mut parser = TextParser::of_scrape(options.clock.now_ms());
    let (mut batch, mut bytes, mut sent) = (Vec::new(), 0, Sent::default());
    loop {
        let next = lines.next(!batch.is_empty()).await?;
        let (is_last, is_idle) = (matches!(next, Next::End), matches!(next, Next::Idle));
        if let Next::Line(line) = next
            && let Some(mut sample) = parser.line(&line).with_context(|| options.file.clone())?
        {
            sample.labels = with(&sample.labels, &options.labels);
            bytes += sample.labels.heap_bytes();
            batch.push(sample);
        }
        if !batch.is_empty() && (is_last || is_idle || batch.len() >= MAX_SAMPLES || bytes >= MAX_BYTES) {
            write(server, &url, &batch, &mut sent).await?;
            (batch, bytes) = (Vec::new(), 0);
        }
        if is_last {
            return sent.finish("sample", out);
        }
    }
}

fn with(labels: &Labels, more: &[(String, String)]) -> Labels {
    if more.is_empty() {
        return labels.clone();
    }
    let more = more.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    Labels::from_pairs(labels.iter().chain(more))
}

async fn write(server: &Server, url: &Url, batch: &[Sample], sent: &mut Sent) -> Result<()> {
    let bytes = remote_write::encode(batch).context("cannot compress samples")?;
    let body = || Body {
        content_type: "application/x-protobuf",
        headers: &[("content-encoding", "snappy"), ("x-prometheus-remote-write-version", "0.1.0")],
        bytes: bytes.clone(),
    };
    sent.add(batch.len() as u64, send(server, url, body).await?)
}
