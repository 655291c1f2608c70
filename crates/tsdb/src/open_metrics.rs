//! OpenMetrics text with timestamps, as `promtool tsdb create-blocks-from openmetrics` takes it; or text that was
//! scraped, in either format of Prometheus.
//!
//! What says something of a metric (`# TYPE`, `# UNIT`, `# HELP`) and exemplars are passed over.
//! <https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md>

mod line;

use model::{Labels, Timestamp};

/// The last line.
const END: &str = "# EOF";

/// A sample of one series.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub labels: Labels,
    pub timestamp: Timestamp,
    pub value: f64,
}

/// Where the text is wrong, counted from 1, and how.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct TextError {
    pub line: u64,
    pub column: usize,
    pub message: String,
}

/// Reads line after line.
#[derive(Clone, Debug, Default)]
pub struct TextParser {
    lines: u64,
    ended: bool,
    /// The time of samples that have none, if there may be such.
    now: Option<Timestamp>,
}

impl TextParser {
    /// For text as targets give it: samples without a timestamp are of `now`, timestamps may be in milliseconds, and
    /// the last line need not be `# EOF`.
    pub fn of_scrape(now: Timestamp) -> Self {
        Self { now: Some(now), ..Self::default() }
    }

    /// Reads the next line, which may have its newline; `None` if it has no sample.
    pub fn line(&mut self, line: &[u8]) -> Result<Option<Sample>, TextError> {
        self.lines += 1;
        if self.ended {
            return Err(self.wrong(1, "there is something behind # EOF"));
        }
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let text = std::str::from_utf8(line).map_err(|e| {
            let before = String::from_utf8_lossy(&line[..e.valid_up_to()]);
            self.wrong(before.chars().count() + 1, "this is not UTF-8")
        })?;
        if text.trim_end() == END {
            self.ended = true;
            return Ok(None);
        }
        if text.starts_with('#') || text.trim().is_empty() {
            return Ok(None);
        }
        line::sample(text, self.now).map(Some).map_err(|wrong| {
            let column = text.get(..wrong.at).unwrap_or(text).chars().count() + 1;
            self.wrong(column, wrong.message)
        })
    }

    /// To be called when there are no more lines.
    pub fn finish(&self) -> Result<(), TextError> {
        if self.ended || self.now.is_some() {
            return Ok(());
        }
        let line = self.lines + 1;
        let message = "the text does not end with # EOF: it may have been cut short".to_owned();
        Err(TextError { line, column: 1, message })
    }

    fn wrong(&self, column: usize, message: impl Into<String>) -> TextError {
        TextError { line: self.lines, column, message: message.into() }
    }
}

#[cfg(test)]
mod tests;
