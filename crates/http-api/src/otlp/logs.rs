//! From OTLP's logs to streams of lines, as Loki maps them.
//!
//! <https://grafana.com/docs/loki/latest/send-data/otel/#format-considerations>

use super::attributes::{AnyValue, check_depth, for_each, identifier, last, read_pair};
use crate::{
    names::label_name,
    push::{LabelForm, Lines, push_error, push_pair},
    write::wire::{Reader, WireError},
};
use model::Nanos;
use service_api::{LogBatch, Result, TextSpan};
use std::borrow::Cow;

/// The attributes of a resource that name its stream; all others go with each line. These are Loki's,
/// `distributor.otlp.default_resource_attributes_as_index_labels`.
const STREAM_ATTRIBUTES: [&str; 18] = [
    "service.name",
    "service.namespace",
    "service.instance.id",
    "deployment.environment",
    "deployment.environment.name",
    "cloud.region",
    "cloud.availability_zone",
    "k8s.cluster.name",
    "k8s.namespace.name",
    "k8s.pod.name",
    "k8s.container.name",
    "container.name",
    "k8s.replicaset.name",
    "k8s.deployment.name",
    "k8s.statefulset.name",
    "k8s.daemonset.name",
    "k8s.cronjob.name",
    "k8s.job.name",
];

/// Names and values that go with every line of a resource or scope.
type Shared = Vec<(TextSpan, TextSpan)>;

/// Reads an `ExportLogsServiceRequest`. Records without any time are of `now`, one nanosecond apart.
pub fn parse(body: Vec<u8>, now: Nanos) -> Result<LogBatch> {
    let mut lines = Lines::new(&body, LabelForm::Pairs);
    for_each(&body, 1, |resource| read_resource(resource, &mut lines, now)).map_err(push_error)?;
    let parts = lines.into_parts().map_err(push_error)?;
    parts.batch(body)
}

fn read_resource<'a>(message: &'a [u8], lines: &mut Lines<'a>, now: Nanos) -> Result<(), WireError> {
    let (mut labels, mut shared) = (Vec::new(), Shared::new());
    for_each(last(message, 1)?, 1, |pair| {
        let (key, value) = read_pair(pair)?;
        if STREAM_ATTRIBUTES.iter().any(|name| name.as_bytes() == key) {
            let key = String::from_utf8_lossy(key);
            flatten(&key, value, 0, &mut |name, value| {
                push_pair(&mut labels, name, &value.text()?);
                Ok(())
            })
        } else {
            push_attribute(key, value, lines, &mut shared)
        }
    })?;
    let begin = lines.begin_stream();
    for_each(message, 2, |scope| read_scope(scope, &shared, lines, now))?;
    if lines.begin_stream() > begin {
        lines.end_stream(begin, &labels);
    }
    lines.check()
}

fn read_scope<'a>(
    message: &'a [u8],
    resource: &Shared,
    lines: &mut Lines<'a>,
    now: Nanos,
) -> Result<(), WireError> {
    let (mut name, mut version, mut dropped) = (&b""[..], &b""[..], 0);
    let mut shared = resource.clone();
    let mut reader = Reader::new(last(message, 1)?);
    while let Some((field, value)) = reader.field()? {
        match field {
            1 => name = value.bytes(1)?,
            2 => version = value.bytes(2)?,
            3 => {
                let (key, value) = read_pair(value.bytes(3)?)?;
                push_attribute(key, value, lines, &mut shared)?;
            }
            4 => dropped = value.varint(4)?,
            _ => {}
        }
    }
    for (label, value) in [("scope_name", name), ("scope_version", version)] {
        if !value.is_empty() {
            shared.push((lines.add(label), lines.text(value)));
        }
    }
    if dropped != 0 {
        shared.push((lines.add("scope_dropped_attributes_count"), lines.add(&dropped.to_string())));
    }
    let mut fields = Vec::new();
    for_each(message, 2, |record| read_record(record, &shared, lines, &mut fields, now))
}

/// A record's fields that are neither its line nor attributes.
#[derive(Default)]
struct Fields<'a> {
    time: u64,
    observed: u64,
    severity: u64,
    severity_text: &'a [u8],
    body: &'a [u8],
    dropped: u64,
    flags: u32,
    trace: String,
    span: String,
    event: &'a [u8],
}

fn read_record<'a>(
    message: &'a [u8],
    shared: &Shared,
    lines: &mut Lines<'a>,
    attributes: &mut Shared,
    now: Nanos,
) -> Result<(), WireError> {
    let fields = read_fields(message)?;
    attributes.clear();
    for_each(message, 6, |pair| {
        let (key, value) = read_pair(pair)?;
        // The field of that name comes first.
        if key == b"event_name" && !fields.event.is_empty() {
            return Ok(());
        }
        push_attribute(key, value, lines, attributes)
    })?;
    let begin = lines.begin_metadata();
    for (name, value) in attributes.iter() {
        lines.push_metadata(*name, *value);
    }
    push_fields(&fields, lines);
    for (name, value) in shared {
        lines.push_metadata(*name, *value);
    }
    let line = match AnyValue::read(fields.body)? {
        AnyValue::String(line) => lines.text(line),
        other => lines.add(&other.text()?),
    };
    let time = [fields.time, fields.observed].into_iter().find(|t| *t != 0);
    let time = match time {
        Some(time) => Nanos::try_from(time).unwrap_or(Nanos::MAX),
        // Each has a nanosecond of its own: they keep their order, and equal texts stay several lines.
        None => now.saturating_add(i64::from(lines.begin_stream())),
    };
    lines.push_entry(time, line, begin);
    lines.check()
}

fn read_fields(message: &[u8]) -> Result<Fields<'_>, WireError> {
    let mut fields = Fields::default();
    let mut reader = Reader::new(message);
    while let Some((field, value)) = reader.field()? {
        match field {
            1 => fields.time = value.fixed64(1)?,
            2 => fields.severity = value.varint(2)?,
            3 => fields.severity_text = value.bytes(3)?,
            5 => fields.body = value.bytes(5)?,
            7 => fields.dropped = value.varint(7)?,
            8 => fields.flags = value.fixed32(8)?,
            9 => fields.trace = identifier(value, 9)?,
            10 => fields.span = identifier(value, 10)?,
            11 => fields.observed = value.fixed64(11)?,
            12 => fields.event = value.bytes(12)?,
            _ => {}
        }
    }
    Ok(fields)
}

fn push_fields<'a>(fields: &Fields<'a>, lines: &mut Lines<'a>) {
    let number = |v: u64| if v == 0 { String::new() } else { v.to_string() };
    // Where there is no other time this one is the line's own.
    let observed = if fields.time == 0 { 0 } else { fields.observed };
    for (name, value) in [
        ("observed_timestamp", number(observed)),
        ("severity_number", number(fields.severity)),
        ("dropped_attributes_count", number(fields.dropped)),
        ("flags", number(u64::from(fields.flags))),
    ] {
        if !value.is_empty() {
            let pair = (lines.add(name), lines.add(&value));
            lines.push_metadata(pair.0, pair.1);
        }
    }
    for (name, value) in [("trace_id", &fields.trace), ("span_id", &fields.span)] {
        if !value.is_empty() {
            let pair = (lines.add(name), lines.add(value));
            lines.push_metadata(pair.0, pair.1);
        }
    }
    for (name, value) in [("severity_text", fields.severity_text), ("event_name", fields.event)] {
        if !value.is_empty() {
            let pair = (lines.add(name), lines.text(value));
            lines.push_metadata(pair.0, pair.1);
        }
    }
}

/// An attribute as structured metadata; one that is a map becomes one pair for each of its leaves.
fn push_attribute<'a>(
    key: &'a [u8],
    value: AnyValue<'a>,
    lines: &mut Lines<'a>,
    out: &mut Shared,
) -> Result<(), WireError> {
    if let (Ok(key), AnyValue::String(value)) = (std::str::from_utf8(key), value) {
        let name = match label_name(key) {
            Cow::Borrowed(name) => lines.in_body(name),
            Cow::Owned(name) => lines.add(&name),
        };
        out.push((name, lines.text(value)));
        return lines.check();
    }
    flatten(&String::from_utf8_lossy(key), value, 0, &mut |name, value| {
        out.push((lines.add(name), lines.add(&value.text()?)));
        lines.check()
    })
}

/// Names the leaves of a value: those of maps by all names on the way, joined with `_`.
fn flatten<'a>(
    key: &str,
    value: AnyValue<'a>,
    depth: usize,
    each: &mut dyn FnMut(&str, AnyValue<'a>) -> Result<(), WireError>,
) -> Result<(), WireError> {
    check_depth(depth)?;
    let name = label_name(key);
    let AnyValue::Map(message) = value else { return each(&name, value) };
    for_each(message, 1, |pair| {
        let (key, value) = read_pair(pair)?;
        flatten(&format!("{name}_{}", String::from_utf8_lossy(key)), value, depth + 1, each)
    })
}
