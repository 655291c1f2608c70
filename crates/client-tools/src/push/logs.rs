//! `yagura push logs`: lines become lines of one stream, over Loki's API.

use super::{
    Sent,
    lines::{LineReader, Next},
    send,
};
use crate::{Outcome, Server, server::Body};
use anyhow::{Result, bail};
use model::NANOS_A_MILLI;
use runtime::Clock;
use serde_json::json;
use std::{collections::BTreeMap, io::Write, sync::Arc};

const MAX_LINES: usize = 1000;
const MAX_BYTES: usize = 1 << 20;

pub struct PushLogsOptions {
    /// A file, or `-` for standard input.
    pub file: String,
    /// The stream.
    pub labels: Vec<(String, String)>,
    pub clock: Arc<dyn Clock>,
}

/// Sends lines as of now, in their order; empty ones are passed over.
///
/// # Errors
/// The file cannot be read, or the server refuses all. What it refuses of a batch is printed.
pub async fn push_logs(server: &Server, options: &PushLogsOptions, out: &mut dyn Write) -> Result<Outcome> {
    if options.labels.is_empty() {
        bail!("a stream needs a label: --label app=NAME");
    }
    let url = server.url(["loki", "api", "v1", "push"])?;
    let labels: BTreeMap<&str, &str> =
        options.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let mut lines = LineReader::open(&options.file)?;
    let (mut batch, mut bytes, mut sent) = (Vec::new(), 0, Sent::default());
    // Two lines of one time would be in any order.
    let mut last = 0_i64;
    loop {
        let next = lines.next(!batch.is_empty()).await?;
        let is_last = matches!(next, Next::End);
        let is_idle = matches!(next, Next::Idle);
        if let Next::Line(line) = next
            && !line.is_empty()
        {
            last = (last + 1).max(options.clock.now_ms().saturating_mul(NANOS_A_MILLI));
            bytes += line.len();
            batch.push((last, String::from_utf8_lossy(&line).into_owned()));
        }
        if !batch.is_empty() && (is_last || is_idle || batch.len() >= MAX_LINES || bytes >= MAX_BYTES) {
            let values: Vec<[String; 2]> =
                batch.iter().map(|(time, line)| [time.to_string(), line.clone()]).collect();
            let text = json!({ "streams": [{ "stream": labels, "values": values }] }).to_string();
            let body =
                || Body { content_type: "application/json", headers: &[], bytes: text.clone().into_bytes() };
            sent.add(batch.len() as u64, send(server, &url, body).await?)?;
            (batch, bytes) = (Vec::new(), 0);
        }
        if is_last {
            return sent.finish("line", out);
        }
    }
}
