//! The same for batches of log lines.

use super::{
    NoLabels, column,
    encode::slice,
    pick, put,
    unpack::{Ranges, keys, wanted},
};
use crate::{
    convert::{self, bad},
    proto::ingester::AppendLogsRequest,
};
use bytes::Bytes;
use prost::Message;
use service_api::{BatchStream, Error, LogBatch, LogEntry, Result, TextSpan, Wanted};

/// An `AppendLogsRequest` with what `which` selects.
pub fn encode_append_logs(batch: &LogBatch, which: &Wanted) -> Result<Bytes> {
    let mut rest = AppendLogsRequest::default();
    let streams: Vec<(&BatchStream, &[LogEntry])> = pick(&batch.streams, which)?
        .into_iter()
        .map(|stream| Ok((stream, slice(&batch.entries, &stream.entries)?)))
        .collect::<Result<_>>()?;
    let entries = || streams.iter().flat_map(|(_, entries)| *entries);
    rest.entry_counts = streams.iter().map(|(_, entries)| entries.len() as u32).collect();
    rest.line_lengths = entries().map(|entry| batch.line(entry).len() as u32).collect();
    if entries().any(|entry| !entry.metadata.is_empty()) {
        for entry in entries() {
            let before = rest.metadata_lengths.len();
            for (name, value) in batch.metadata(entry) {
                rest.metadata_lengths.extend([name.len() as u32, value.len() as u32]);
            }
            rest.metadata_counts.push((rest.metadata_lengths.len() - before) as u32 / 2);
        }
    }
    if let Wanted::Named(named) = which {
        rest.named = true;
        rest.labels = named.iter().map(|(_, labels)| convert::labels_out(labels)).collect();
    }
    let (lines, lengths) = (rest.line_lengths.len(), rest.line_lengths.iter().chain(&rest.metadata_lengths));
    let text: usize = lengths.map(|len| *len as usize).sum();
    let mut out = Vec::with_capacity(64 + 18 * streams.len() + 8 * lines + text + rest.encoded_len());
    column(1, 16 * streams.len(), &mut out);
    put(streams.len(), streams.iter().map(|(stream, _)| stream.key.0.to_le_bytes()), &mut out);
    column(3, 8 * lines, &mut out);
    put(lines, entries().map(|entry| entry.timestamp.to_le_bytes()), &mut out);
    column(5, text, &mut out);
    entries().for_each(|entry| out.extend_from_slice(batch.line(entry)));
    if !rest.metadata_lengths.is_empty() {
        for (name, value) in entries().flat_map(|entry| batch.metadata(entry)) {
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(value.as_bytes());
        }
    }
    rest.encode(&mut out).map_err(|e| Error::internal(e.to_string()))?;
    Ok(out.into())
}

/// The batch that a request has, and what of it to append: all of it, by key or by name.
pub fn decode_append_logs(request: AppendLogsRequest) -> Result<(LogBatch, Wanted)> {
    let keys = keys(&request.keys)?;
    let (timestamps, odd) = request.timestamps.as_chunks::<8>();
    if !odd.is_empty() || timestamps.len() != request.line_lengths.len() {
        return Err(bad("columns of lines of different lengths"));
    }
    let text = std::str::from_utf8(&request.text).map_err(|_| bad("text that is not UTF-8"))?;
    let mut spans = Spans { text, at: 0 };
    let lines = request.line_lengths.iter().map(|len| spans.take(*len)).collect::<Result<Vec<_>>>()?;
    let (pairs, odd) = request.metadata_lengths.as_chunks::<2>();
    let pair = |[name, value]: &[u32; 2]| Ok((spans.take(*name)?, spans.take(*value)?));
    let metadata = pairs.iter().map(pair).collect::<Result<Vec<_>>>()?;
    if !odd.is_empty() || spans.at != text.len() {
        return Err(bad("text of another length than its parts"));
    }
    let of_metadata = Ranges::optional(lines.len(), &request.metadata_counts, metadata.len())?;
    let entry = |(at, (timestamp, line)): (usize, (&[u8; 8], TextSpan))| LogEntry {
        timestamp: i64::from_le_bytes(*timestamp),
        line,
        metadata: of_metadata.get(at),
    };
    let entries: Vec<_> = timestamps.iter().zip(lines).enumerate().map(entry).collect();
    let of_entries = Ranges::new(keys.len(), &request.entry_counts, entries.len())?;
    let stream = |(at, key)| BatchStream { key, entries: of_entries.get(at) };
    let which = wanted(request.named, &request.labels, keys.len())?;
    let streams = keys.into_iter().enumerate().map(stream).collect();
    let labels = Box::new(NoLabels);
    Ok((LogBatch { streams, entries, metadata, text: request.text.into(), labels }, which))
}

/// Takes texts off one that has them one behind the other.
struct Spans<'a> {
    text: &'a str,
    at: usize,
}

impl Spans<'_> {
    fn take(&mut self, len: u32) -> Result<TextSpan> {
        let span = u32::try_from(self.at).map(|start| TextSpan { start, len });
        self.at += len as usize;
        // A place beyond the end is no boundary either.
        match span {
            Ok(span) if self.text.is_char_boundary(self.at) => Ok(span),
            _ => Err(bad("a text that does not end with a character")),
        }
    }
}
