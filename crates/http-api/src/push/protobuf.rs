//! Loki's push message, `logproto.PushRequest`, read in place.

use super::lines::{LabelForm, Lines, push_error};
use crate::{
    names::label_name,
    write::wire::{Reader, Value, WireError},
};
use model::Nanos;
use service_api::{LogBatch, Result};

/// Reads a decompressed body.
pub fn parse(body: Vec<u8>) -> Result<LogBatch> {
    let mut lines = Lines::new(&body, LabelForm::Selector);
    read(&body, &mut lines).map_err(push_error)?;
    let parts = lines.into_parts().map_err(push_error)?;
    parts.batch(body)
}

/// Whether a message that came to the path of both signals is a push of logs: its first field 1, if it is
/// one, begins with labels in braces, where remote write has a message for a label.
pub fn is_logs(body: &[u8]) -> bool {
    let mut reader = Reader::new(body);
    while let Ok(Some((field, value))) = reader.field() {
        if let (1, Value::Bytes(stream)) = (field, value) {
            let first = Reader::new(stream).field();
            return matches!(first, Ok(Some((1, Value::Bytes([b'{', ..])))));
        }
    }
    false
}

fn read<'a>(body: &'a [u8], lines: &mut Lines<'a>) -> Result<(), WireError> {
    let mut reader = Reader::new(body);
    while let Some((field, value)) = reader.field()? {
        if field == 1 {
            read_stream(value.bytes(1)?, lines)?;
        }
    }
    Ok(())
}

fn read_stream<'a>(message: &'a [u8], lines: &mut Lines<'a>) -> Result<(), WireError> {
    let begin = lines.begin_stream();
    let mut labels: &[u8] = b"{}";
    let mut reader = Reader::new(message);
    while let Some((field, value)) = reader.field()? {
        match field {
            1 => labels = value.bytes(1)?,
            2 => read_entry(value.bytes(2)?, lines)?,
            _ => {}
        }
    }
    lines.end_stream(begin, labels);
    lines.check()
}

#[inline]
fn read_entry<'a>(message: &'a [u8], lines: &mut Lines<'a>) -> Result<(), WireError> {
    let (mut timestamp, mut line) = (0, &b""[..]);
    let metadata = lines.begin_metadata();
    let mut reader = Reader::new(message);
    while let Some((field, value)) = reader.field()? {
        match field {
            1 => timestamp = read_timestamp(value.bytes(1)?)?,
            2 => line = value.bytes(2)?,
            3 => read_pair(value.bytes(3)?, lines)?,
            _ => {}
        }
    }
    let line = lines.text(line);
    lines.push_entry(timestamp, line, metadata);
    lines.check()
}

/// A `google.protobuf.Timestamp`. Times beyond what nanoseconds can say end up at the last one, and are
/// refused as out of bounds.
#[inline]
fn read_timestamp(message: &[u8]) -> Result<Nanos, WireError> {
    let (mut seconds, mut nanos) = (0_i64, 0_i64);
    let mut reader = Reader::new(message);
    while let Some((field, value)) = reader.field()? {
        match field {
            1 => seconds = value.varint(1)? as i64,
            2 => nanos = i64::from(value.varint(2)? as i32),
            _ => {}
        }
    }
    Ok(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
}

fn read_pair<'a>(message: &'a [u8], lines: &mut Lines<'a>) -> Result<(), WireError> {
    let (mut name, mut value) = (&b""[..], &b""[..]);
    let mut reader = Reader::new(message);
    while let Some((field, v)) = reader.field()? {
        match field {
            1 => name = v.bytes(1)?,
            2 => value = v.bytes(2)?,
            _ => {}
        }
    }
    let name = metadata_name(name, lines);
    let value = lines.text(value);
    lines.push_metadata(name, value);
    lines.check()
}

/// Loki writes names of structured metadata as it writes labels.
fn metadata_name<'a>(name: &'a [u8], lines: &mut Lines<'a>) -> service_api::TextSpan {
    match std::str::from_utf8(name) {
        Ok(name) => match label_name(name) {
            std::borrow::Cow::Borrowed(name) => lines.in_body(name),
            std::borrow::Cow::Owned(name) => lines.add(&name),
        },
        Err(_) => lines.add(&label_name(&String::from_utf8_lossy(name))),
    }
}
