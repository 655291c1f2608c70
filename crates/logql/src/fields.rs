//! What fields lines have: those of their structured metadata, those that the query's parsers
//! found, and those that JSON or logfmt would find.

use crate::{
    ast::{Logfmt, Stage},
    engine::ResultStream,
    pipeline::{ERROR_DETAILS_LABEL, ERROR_LABEL, PRESERVE_ERROR_LABEL, Pipeline, PipelineRun},
};
use model::Labels;
use service_api::{ReadContext, Reservation, Result};
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

mod kind;

pub use kind::FieldType;

/// Values of one field that are counted; there may be more.
const MAX_VALUES: usize = 10_000;
/// Bytes that a field and a value of one take beside their text: nodes of maps, sets and their room.
const FIELD_BYTES: usize = 640;
const VALUE_BYTES: usize = 64;
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

/// Collects the fields of a query's lines. What it keeps counts against the query's memory.
pub struct FieldFinder {
    ctx: ReadContext,
    held: Reservation,
    max_fields: usize,
    /// The only field that is wanted.
    only: Option<String>,
    found: BTreeMap<String, Found>,
    parsers: [(&'static str, PipelineRun); 2],
}

struct Found {
    kind: FieldType,
    parsers: BTreeSet<&'static str>,
    values: HashSet<Box<str>>,
}

impl FieldFinder {
    /// Finds all fields, but no more than so many.
    pub fn all(ctx: &ReadContext, max_fields: usize) -> Result<Self> {
        Self::new(ctx, max_fields, None)
    }

    /// Finds one field.
    pub fn one(ctx: &ReadContext, name: String) -> Result<Self> {
        Self::new(ctx, 1, Some(name))
    }

    fn new(ctx: &ReadContext, max_fields: usize, only: Option<String>) -> Result<Self> {
        let run = |stage| {
            Ok::<_, service_api::Error>(PipelineRun::new(Arc::new(Pipeline::new(&[stage])?), LABEL_SETS))
        };
        let json = run(Stage::Json(Vec::new()))?;
        let logfmt = run(Stage::Logfmt(Logfmt::default()))?;
        let held = ctx.budget.reserve(0)?;
        let parsers = [("json", json), ("logfmt", logfmt)];
        Ok(Self { ctx: ctx.clone(), held, max_fields, only, found: BTreeMap::new(), parsers })
    }

    /// Looks through the lines of a stream.
    ///
    /// # Errors
    /// When the query should end, or has no memory left for what is found.
    pub fn add(&mut self, stream: &ResultStream) -> Result<()> {
        for (name, value) in stream.structured.iter().chain(stream.parsed.iter()) {
            self.add_value(name, value, None)?;
        }
        for (t, line) in &stream.entries {
            self.ctx.check()?;
            let mut parsers = self.parsers.iter_mut();
            let first =
                parsers.find_map(|(parser, run)| Some((*parser, parsed(run, &stream.stream, *t, line)?)));
            if let Some((parser, labels)) = first {
                labels.iter().try_for_each(|(name, value)| self.add_value(name, value, Some(parser)))?;
            }
        }
        Ok(())
    }

    fn add_value(&mut self, name: &str, value: &str, parser: Option<&'static str>) -> Result<()> {
        if [ERROR_LABEL, ERROR_DETAILS_LABEL, PRESERVE_ERROR_LABEL].contains(&name)
            || self.only.as_ref().is_some_and(|only| only != name)
        {
            return Ok(());
        }
        if !self.found.contains_key(name) {
            if self.found.len() >= self.max_fields {
                return Ok(());
            }
            // Once here, and once where the answer is written.
            self.held.grow(FIELD_BYTES + 2 * name.len())?;
            let new = Found { kind: FieldType::of(value), parsers: BTreeSet::new(), values: HashSet::new() };
            self.found.insert(name.to_owned(), new);
        }
        let Some(found) = self.found.get_mut(name) else { return Ok(()) };
        found.parsers.extend(parser);
        if found.values.len() < MAX_VALUES && !found.values.contains(value) {
            self.held.grow(VALUE_BYTES + 2 * value.len())?;
            found.values.insert(value.into());
        }
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;
    use model::TenantId;

    fn stream() -> ResultStream {
        let fields: Vec<_> = (0..100).map(|n| format!("\"f{n}\":{n}")).collect();
        let line = format!("{{\"{}\":{{{}}}}}", "p".repeat(1000), fields.join(","));
        let none = Labels::empty;
        ResultStream { stream: none(), structured: none(), parsed: none(), entries: vec![(0, line)] }
    }

    #[test]
    fn fields_take_no_more_memory_than_the_query_may() {
        let ctx = |bytes| ReadContext::new(TenantId::anonymous(), bytes);
        let (small, enough) = (ctx(100_000), ctx(1 << 20));
        assert!(FieldFinder::all(&small, 1000).unwrap().add(&stream()).is_err());
        let mut all = FieldFinder::all(&enough, 1000).unwrap();
        all.add(&stream()).unwrap();
        assert_eq!(all.finish().len(), 100);
        let name = format!("{}_f7", "p".repeat(1000));
        let mut one = FieldFinder::one(&small, name.clone()).unwrap();
        one.add(&stream()).unwrap();
        assert_eq!(one.values(&name), ["7"]);
        enough.cancel.cancel();
        assert!(FieldFinder::all(&enough, 1000).unwrap().add(&stream()).is_err());
    }
}
