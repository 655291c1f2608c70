//! Pipelines: what a query does to each line, compiled once and run over borrowed bytes.
//!
//! A `Pipeline` (or a `SampleExtractor`, for metric queries) is shared; each thread runs it with
//! a `PipelineRun` (or `SampleRun`) of its own, which owns all buffers, so that a line costs no
//! allocation once they have grown. The behaviour is Loki's, stage by stage.

mod candidates;
mod compile;
mod convert;
mod format;
mod hints;
mod interner;
mod ip;
mod json;
mod label_filter;
mod line_filter;
mod line_labels;
mod line_pattern;
mod logfmt;
mod regex_filter;
mod regexp;
mod sample;
mod select;
mod stage;
mod unpack;

pub use interner::{LabelSet, LabelSetId, LabelSets, LabelsError};
pub use sample::{Sample, SampleExtractor, SampleRun, SampleValue, SeriesGrouping};

use crate::ast;
use candidates::Candidates;
use hints::Hints;
use line_filter::LineFilter;
use line_labels::LineLabels;
use model::{Labels, Nanos};
use service_api::{Needles, Result};
use stage::{Scratch, Stage};
use std::sync::Arc;

/// The name of the label that says which kind of error a line met.
pub const ERROR_LABEL: &str = "__error__";
/// The name of the label that says what the error was.
pub const ERROR_DETAILS_LABEL: &str = "__error_details__";
/// The name of the label of lines whose parsing errors were asked for.
pub const PRESERVE_ERROR_LABEL: &str = "__preserve_error__";

/// The compiled stages of a log query.
pub struct Pipeline {
    /// Filters on the line as it is stored.
    filters: Vec<LineFilter>,
    stages: Vec<Stage>,
    hints: Hints,
    candidates: Candidates,
}

impl Pipeline {
    /// Compiles the stages of a log query. Parsers will take every label that they find.
    ///
    /// # Errors
    /// `BadRequest` for a regular expression, a template, a pattern or an address that is wrong.
    pub fn new(stages: &[ast::Stage]) -> Result<Self> {
        let (filters, stages) = compile::stages(stages)?;
        let candidates = Candidates::new(&filters);
        Ok(Self { filters, stages, hints: Hints::all(), candidates })
    }

    /// Whether every line is kept as it is and with the labels it has.
    pub fn is_noop(&self) -> bool {
        self.filters.is_empty() && self.stages.is_empty()
    }

    /// How much is done to a line, in stages of the usual kind.
    pub fn weight(&self) -> usize {
        self.filters.len() + self.stages.iter().map(Stage::weight).sum::<usize>()
    }

    /// Texts that every line has that is kept, letter for letter as it is stored.
    pub fn needles(&self) -> Needles {
        Needles::new(self.candidates.needles(&self.filters))
    }

    /// Where in the text of a page, lines with a newline behind each, the next line lies that may
    /// be kept: an offset inside of that line (its newline counts as part of it), not before
    /// `from`. `from` must be the start of a line or the end of the text.
    ///
    /// Lines that are passed over would be dropped. A line that is pointed at may be dropped too.
    pub fn next_candidate(&self, text: &[u8], from: usize) -> Option<usize> {
        self.candidates.next(text, from)
    }
}

/// A pipeline with what it needs while running: one for each thread.
pub struct PipelineRun {
    pipeline: Arc<Pipeline>,
    labels: LineLabels,
    scratch: Scratch,
    sets: LabelSets,
}

impl PipelineRun {
    /// A run that gives out at most `max_label_sets` ids of label sets.
    pub fn new(pipeline: Arc<Pipeline>, max_label_sets: usize) -> Self {
        Self {
            pipeline,
            labels: LineLabels::default(),
            scratch: Scratch::default(),
            sets: LabelSets::new(max_label_sets),
        }
    }

    /// The same with the time of the query, which templates can ask for.
    pub fn at(mut self, now: Nanos) -> Self {
        self.scratch.now = now;
        self
    }

    pub fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// The lines that follow are of the stream with these labels.
    pub fn for_stream(&mut self, labels: &Labels) {
        self.labels.set_base(labels);
        self.sets.new_stream();
    }

    /// Runs a line through the pipeline; `None` if it is dropped. Bytes that are not UTF-8 are
    /// replaced once the line has passed the filters that stand first.
    pub fn process<'r, 'm>(
        &'r mut self,
        timestamp: Nanos,
        line: &'r [u8],
        metadata: impl IntoIterator<Item = (&'m str, &'m str)>,
    ) -> Option<Kept<'r>> {
        let Self { pipeline, labels, scratch, sets } = self;
        let line = pipeline.process(timestamp, line, metadata, labels, scratch)?;
        Some(Kept { line, labels, sets })
    }

    /// The label sets whose ids were given out.
    pub fn label_sets(&self) -> &LabelSets {
        &self.sets
    }

    /// Forgets all label sets: their ids mean nothing from here on.
    pub fn clear_label_sets(&mut self) {
        self.sets.clear();
    }
}

impl Pipeline {
    /// Runs one line, leaving its labels in `labels`.
    fn process<'r, 'm>(
        &self,
        timestamp: Nanos,
        line: &'r [u8],
        metadata: impl IntoIterator<Item = (&'m str, &'m str)>,
        labels: &mut LineLabels,
        scratch: &'r mut Scratch,
    ) -> Option<&'r str> {
        if !self.filters.iter().all(|filter| filter.keeps(line)) {
            return None;
        }
        labels.begin_line(line.len());
        for (name, value) in metadata {
            labels.add_metadata(name, value);
        }
        stage::run(&self.stages, &self.hints, timestamp, line, labels, scratch)
    }
}

/// A line that was kept.
pub struct Kept<'r> {
    /// The line, rewritten or as it was stored.
    pub line: &'r str,
    labels: &'r mut LineLabels,
    sets: &'r mut LabelSets,
}

impl Kept<'_> {
    /// The id of the line's label set, which `PipelineRun::label_sets` resolves. Lines with equal
    /// labels in each category have equal ids.
    ///
    /// # Errors
    /// `TooManySets` once as many sets were seen as the run may hold; `TooLong` for this line's labels.
    pub fn label_set(&mut self) -> Result<LabelSetId, LabelsError> {
        self.sets.intern(self.labels)
    }
}

#[cfg(test)]
mod tests;
