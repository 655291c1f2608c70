//! What fields lines have: those of their structured metadata, those that the query's parsers
//! found, and those that JSON or logfmt would find.

use crate::{
    ast::{Logfmt, Stage},
    engine::ResultStream,
    pipeline::{ERROR_DETAILS_LABEL, ERROR_LABEL, PRESERVE_ERROR_LABEL, Pipeline, PipelineRun},
};
use model::Labels;
use service_api::Result;
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

mod kind;

pub use kind::FieldType;

/// Values of one field that are counted; there may be more.
const MAX_VALUES: usize = 10_000;
/// Label sets of one line at a time: nothing is kept of them.
const LABEL_SETS: usize = 1;

/// A field of lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    pub name: String,
    pub kind: FieldType,
    /// How many values it had.
    pub cardinality: u64,
    /// Which parsers find it: `json`, `logfmt`. None for structured metadata.
    pub parsers: Vec<&'static str>,
}

/// Collects the fields of a query's lines.
pub struct FieldFinder {
    max_fields: usize,
    found: BTreeMap<String, Found>,
    parsers: [(&'static str, PipelineRun); 2],
}

struct Found {
    kind: FieldType,
    parsers: BTreeSet<&'static str>,
    values: HashSet<Box<str>>,
}

impl FieldFinder {
    pub fn new(max_fields: usize) -> Result<Self> {
        let run = |stage| {
            Ok::<_, service_api::Error>(PipelineRun::new(Arc::new(Pipeline::new(&[stage])?), LABEL_SETS))
        };
        let json = run(Stage::Json(Vec::new()))?;
        let logfmt = run(Stage::Logfmt(Logfmt::default()))?;
        Ok(Self { max_fields, found: BTreeMap::new(), parsers: [("json", json), ("logfmt", logfmt)] })
    }

    pub fn add(&mut self, stream: &ResultStream) {
        let Self { max_fields, found, parsers } = self;
        for (name, value) in stream.structured.iter().chain(stream.parsed.iter()) {
            add_value(found, *max_fields, name, value, None);
        }
        for (t, line) in &stream.entries {
            for (parser, run) in parsers.iter_mut() {
                if let Some(labels) = parsed(run, &stream.stream, *t, line) {
                    for (name, value) in labels.iter() {
                        add_value(found, *max_fields, name, value, Some(parser));
                    }
                    break;
                }
            }
        }
    }

    /// By name.
    pub fn finish(self) -> Vec<Field> {
        let fields = self.found.into_iter().map(|(name, found)| Field {
            name,
            kind: found.kind,
            cardinality: found.values.len() as u64,
            parsers: found.parsers.into_iter().collect(),
        });
        fields.collect()
    }

    /// The values of one field, sorted.
    pub fn values(mut self, name: &str) -> Vec<String> {
        let found = self.found.remove(name);
        let mut values: Vec<String> =
            found.into_iter().flat_map(|found| found.values).map(String::from).collect();
        values.sort_unstable();
        values
    }
}

/// What a parser makes of a line; none if it makes nothing of it.
fn parsed(run: &mut PipelineRun, stream: &Labels, t: i64, line: &str) -> Option<Labels> {
    run.clear_label_sets();
    run.for_stream(stream);
    let mut kept = run.process(t, line.as_bytes(), [])?;
    let id = kept.label_set().ok()?;
    let parsed = &run.label_sets().get(id).parsed;
    (!parsed.is_empty() && parsed.get(ERROR_LABEL).is_none()).then(|| parsed.clone())
}

fn add_value(
    all: &mut BTreeMap<String, Found>,
    max_fields: usize,
    name: &str,
    value: &str,
    parser: Option<&'static str>,
) {
    if [ERROR_LABEL, ERROR_DETAILS_LABEL, PRESERVE_ERROR_LABEL].contains(&name) {
        return;
    }
    if !all.contains_key(name) {
        if all.len() >= max_fields {
            return;
        }
        let new = Found { kind: FieldType::of(value), parsers: BTreeSet::new(), values: HashSet::new() };
        all.insert(name.to_owned(), new);
    }
    let Some(found) = all.get_mut(name) else { return };
    found.parsers.extend(parser);
    if found.values.len() < MAX_VALUES && !found.values.contains(value) {
        found.values.insert(value.into());
    }
}
