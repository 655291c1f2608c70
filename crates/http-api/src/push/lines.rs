//! Builds a batch of log lines over the body that they came in.

use crate::write::{decode, entries::MAX_ENTRIES, wire::WireError};
use model::{MatchOp, Nanos};
use service_api::{BatchStream, Code, Error, LabelSource, LogBatch, LogEntry, Result, SeriesKey, TextSpan};
use std::ops::Range;
use xxhash_rust::xxh3::xxh3_128_with_seed;

/// Names and values of structured metadata that one request may hold; some 16 MiB once decoded.
const MAX_METADATA: usize = 1_000_000;

/// Bytes that may be added to those of the body: what was escaped, not UTF-8, or joined from parts.
const MAX_ADDED_BYTES: usize = 64 << 20;

/// Bytes of one stream's labels as they were sent.
const MAX_SELECTOR_BYTES: usize = 256 << 10;

/// The streams and lines of one request so far.
pub struct Lines<'a> {
    body: &'a [u8],
    added: Vec<u8>,
    streams: Vec<BatchStream>,
    entries: Vec<LogEntry>,
    metadata: Vec<(TextSpan, TextSpan)>,
    labels: LabelTexts,
    full: Option<usize>,
}

/// A batch without the body that its lines lie in.
pub struct Parts {
    added: Vec<u8>,
    streams: Vec<BatchStream>,
    entries: Vec<LogEntry>,
    metadata: Vec<(TextSpan, TextSpan)>,
    labels: LabelTexts,
}

impl<'a> Lines<'a> {
    pub fn new(body: &'a [u8], labels: LabelForm) -> Self {
        Self {
            body,
            added: Vec::new(),
            streams: Vec::new(),
            entries: Vec::new(),
            metadata: Vec::new(),
            labels: LabelTexts { form: labels, text: Vec::new(), ends: Vec::new() },
            full: None,
        }
    }

    /// Text that lies in the body; a copy of it made UTF-8 where it is not.
    #[inline]
    pub fn text(&mut self, bytes: &'a [u8]) -> TextSpan {
        match std::str::from_utf8(bytes) {
            Ok(text) => self.in_body(text),
            Err(_) => self.add(&String::from_utf8_lossy(bytes)),
        }
    }

    /// Text that lies in the body.
    #[inline]
    pub fn in_body(&mut self, text: &'a str) -> TextSpan {
        let start = (text.as_ptr() as usize).wrapping_sub(self.body.as_ptr() as usize);
        if start.checked_add(text.len()).is_none_or(|end| end > self.body.len()) {
            return self.add(text);
        }
        TextSpan { start: start as u32, len: text.len() as u32 }
    }

    /// Text that does not lie in the body.
    pub fn add(&mut self, text: &str) -> TextSpan {
        let start = self.body.len() + self.added.len();
        if self.added.len() + text.len() > MAX_ADDED_BYTES {
            self.full = Some(MAX_ADDED_BYTES);
            return TextSpan::default();
        }
        self.added.extend_from_slice(text.as_bytes());
        TextSpan { start: start as u32, len: text.len() as u32 }
    }

    /// Where the next stream's entries begin.
    pub fn begin_stream(&self) -> u32 {
        self.entries.len() as u32
    }

    /// A stream with the entries since `begin_stream`. `labels` are in the form that was given to `new`.
    pub fn end_stream(&mut self, begin: u32, labels: &[u8]) {
        let key = SeriesKey(xxh3_128_with_seed(labels, self.labels.form as u64));
        self.streams.push(BatchStream { key, entries: begin..self.entries.len() as u32 });
        self.labels.text.extend_from_slice(labels);
        self.labels.ends.push(self.labels.text.len());
        if self.streams.len() > MAX_ENTRIES {
            self.full = Some(MAX_ENTRIES);
        }
    }

    /// Where the next entry's structured metadata begins.
    pub fn begin_metadata(&self) -> u32 {
        self.metadata.len() as u32
    }

    /// A pair without name or value is none.
    pub fn push_metadata(&mut self, name: TextSpan, value: TextSpan) {
        if name.len > 0 && value.len > 0 {
            self.metadata.push((name, value));
            if self.metadata.len() > MAX_METADATA {
                self.full = Some(MAX_METADATA);
            }
        }
    }

    /// An entry with the structured metadata since `begin_metadata`.
    #[inline]
    pub fn push_entry(&mut self, timestamp: Nanos, line: TextSpan, metadata: u32) {
        let metadata = metadata..self.metadata.len() as u32;
        self.entries.push(LogEntry { timestamp, line, metadata });
        if self.entries.len() > MAX_ENTRIES {
            self.full = Some(MAX_ENTRIES);
        }
    }

    /// Fails as soon as the request holds more than it may; the caller stops then.
    #[inline]
    pub fn check(&self) -> Result<(), WireError> {
        self.full.map_or(Ok(()), |max| Err(WireError::TooMany(max)))
    }

    pub fn into_parts(self) -> Result<Parts, WireError> {
        self.check()?;
        let Self { added, streams, entries, metadata, labels, .. } = self;
        Ok(Parts { added, streams, entries, metadata, labels })
    }
}

impl Parts {
    /// The batch, with `body` the one that its spans point into.
    pub fn batch(self, mut body: Vec<u8>) -> Result<LogBatch> {
        if u32::try_from(body.len() + self.added.len()).is_err() {
            return Err(Error::new(Code::TooLarge, "the request has more than 4 GiB of text"));
        }
        body.extend_from_slice(&self.added);
        Ok(LogBatch {
            streams: self.streams,
            entries: self.entries,
            metadata: self.metadata,
            text: body,
            labels: Box::new(self.labels),
        })
    }
}

/// The error of a body that cannot be read.
pub fn push_error(error: WireError) -> Error {
    decode::wire_error("push request", error)
}

/// How a stream's labels are written. The number seeds the keys, so that one form's never meet another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelForm {
    /// A selector such as `{job="a"}`, as it was sent.
    Selector = 3,
    /// Names and values, each ended by 0xff, which UTF-8 has not.
    Pairs = 4,
}

/// Ends a name or a value in `LabelForm::Pairs`.
const PAIR_END: u8 = 0xff;

/// Adds a pair in `LabelForm::Pairs`.
pub fn push_pair(out: &mut Vec<u8>, name: &str, value: &str) {
    for text in [name, value] {
        out.extend_from_slice(text.as_bytes());
        out.push(PAIR_END);
    }
}

/// The labels of all streams, one behind the other.
struct LabelTexts {
    form: LabelForm,
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl LabelTexts {
    fn range(&self, index: usize) -> Range<usize> {
        index.checked_sub(1).map_or(0, |i| self.ends[i])..self.ends[index]
    }
}

impl LabelSource for LabelTexts {
    fn pairs(&self, index: usize, each: &mut dyn FnMut(&str, &str)) -> Result<()> {
        let text = &self.text[self.range(index)];
        match self.form {
            LabelForm::Selector => selector_pairs(text, each),
            LabelForm::Pairs => {
                let mut parts =
                    text.split(|b| *b == PAIR_END).map(|part| std::str::from_utf8(part).unwrap_or(""));
                while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
                    each(name, value);
                }
                Ok(())
            }
        }
    }

    fn bytes(&self) -> usize {
        self.text.len() + 8 * self.ends.len()
    }
}

fn selector_pairs(text: &[u8], each: &mut dyn FnMut(&str, &str)) -> Result<()> {
    // The first words are Loki's.
    let bad = |why: &str| Error::bad_request(format!("couldn't parse labels: {why}"));
    if text.len() > MAX_SELECTOR_BYTES {
        return Err(bad(&format!("the labels have more than {MAX_SELECTOR_BYTES} bytes")));
    }
    let text = std::str::from_utf8(text).map_err(|_| bad("the labels are not UTF-8"))?;
    let matchers = promql::parse_metric_selector(text).map_err(|e| bad(&e.to_string()))?;
    for matcher in &matchers {
        if matcher.op != MatchOp::Equal {
            return Err(bad(&format!("unexpected {:?} in labels, expected \"=\"", matcher.op.as_str())));
        }
        each(&matcher.name, &matcher.value);
    }
    Ok(())
}
