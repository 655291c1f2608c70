//! `yagura push`: samples and lines from a file or from standard input.

mod lines;
mod logs;
mod metrics;
mod remote_write;

pub use logs::{PushLogsOptions, push_logs};
pub use metrics::{PushMetricsOptions, push_metrics};

use crate::server::{Answer, Body, Server};
use anyhow::Result;
use reqwest::{StatusCode, Url, header::RETRY_AFTER};
use std::time::Duration;

/// How often a batch is sent before it is given up.
const ATTEMPTS: u32 = 5;

const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Sends a batch, again if the server asks for it. The answer may be one that refuses.
async fn send(server: &Server, url: &Url, body: impl Fn() -> Body<'static>) -> Result<Answer> {
    let mut wait = FIRST_WAIT;
    for _ in 1..ATTEMPTS {
        let answer = server.post(url.clone(), body()).await?;
        if !(answer.status.is_server_error() || answer.status == StatusCode::TOO_MANY_REQUESTS) {
            return Ok(answer);
        }
        let asked = answer.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        tokio::time::sleep(asked.map_or(wait, Duration::from_secs).min(LONGEST_WAIT)).await;
        wait *= 2;
    }
    server.post(url.clone(), body()).await
}

/// What has been sent so far, and what of it was refused.
#[derive(Debug, Default)]
struct Sent {
    entries: u64,
    /// Batches of which something was refused, and how many entries they have.
    refused: (u64, u64),
    /// What was said against the first few of them.
    complaints: Vec<String>,
}

impl Sent {
    /// Complaints that are shown.
    const SHOWN: usize = 8;

    /// Counts a batch.
    ///
    /// # Errors
    /// The server refuses, and would refuse all others as well.
    fn add(&mut self, entries: u64, answer: Answer) -> Result<()> {
        self.entries += entries;
        if matches!(answer.status, StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY) {
            self.refused = (self.refused.0 + 1, self.refused.1 + entries);
            if self.complaints.len() < Self::SHOWN {
                self.complaints.push(answer.complaint());
            }
            return Ok(());
        }
        answer.good().map(drop)
    }

    /// Says how it went. `what` is what one entry is called.
    fn finish(&self, what: &str, out: &mut dyn std::io::Write) -> Result<crate::Outcome> {
        for complaint in &self.complaints {
            writeln!(out, "refused: {complaint}")?;
        }
        let (batches, entries) = self.refused;
        if batches == 0 {
            writeln!(out, "{} sent", counted(self.entries, what))?;
            return Ok(crate::Outcome::Good);
        }
        writeln!(
            out,
            "{} sent; of {entries} of them, in {}, some or all were refused",
            counted(self.entries, what),
            counted(batches, "request")
        )?;
        Ok(crate::Outcome::Bad)
    }
}

fn counted(number: u64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

#[cfg(test)]
mod tests;
