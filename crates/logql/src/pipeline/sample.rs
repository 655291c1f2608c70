//! What metric queries make of lines: a number and the series that it belongs to.

use super::{
    ERROR_DETAILS_LABEL, Pipeline,
    convert::unwrap,
    hints::{Hints, Used, used_by},
    interner::{Interner, Key, LabelSetId, LabelsError},
    label_filter,
    line_labels::{Category, LineLabels},
    stage::{SAMPLE_ERROR, Scratch},
};
use crate::ast::{self, Unwrap};
use model::{Labels, Nanos};
use service_api::Result;
use std::sync::Arc;

/// What the value of a line is.
#[derive(Clone, Debug, PartialEq)]
pub enum SampleValue {
    /// 1
    One,
    /// The length of the line as the stages leave it, in bytes.
    Bytes,
    /// The value of a label.
    Unwrap(Unwrap),
}

/// Which labels series keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SeriesGrouping {
    /// All of them but the one that is unwrapped.
    All,
    /// None of them: there is one series.
    NoLabels,
    By(Vec<String>),
    Without(Vec<String>),
}

impl From<&ast::Grouping> for SeriesGrouping {
    fn from(grouping: &ast::Grouping) -> Self {
        match grouping {
            grouping if grouping.is_single() => Self::NoLabels,
            ast::Grouping { without: true, labels } => Self::Without(labels.clone()),
            ast::Grouping { labels, .. } => Self::By(labels.clone()),
        }
    }
}

/// The compiled stages of a metric query, with what comes behind them.
pub struct SampleExtractor {
    pipeline: Pipeline,
    value: SampleValue,
    grouping: SeriesGrouping,
}

impl SampleExtractor {
    /// Compiles the stages of a range aggregation. `grouping` is its own or, where it has none,
    /// that of the `sum` around it; `absent_over_time` needs no labels.
    ///
    /// # Errors
    /// As `Pipeline::new`.
    pub fn new(stages: &[ast::Stage], value: SampleValue, grouping: SeriesGrouping) -> Result<Self> {
        let mut pipeline = Pipeline::new(stages)?;
        let mut grouping = grouping;
        let mut used: Vec<Used> = used_by(&pipeline.stages).collect();
        let mut unwrapped = None;
        if let SampleValue::Unwrap(unwrap) = &value {
            unwrapped = Some(unwrap.label.as_str());
            for filter in &unwrap.filters {
                label_filter::labels(filter, &mut |label| used.push(Used::Label(label.to_owned())));
            }
            match &mut grouping {
                SeriesGrouping::All => grouping = SeriesGrouping::Without(vec![unwrap.label.clone()]),
                SeriesGrouping::Without(labels) => labels.push(unwrap.label.clone()),
                SeriesGrouping::NoLabels | SeriesGrouping::By(_) => {}
            }
        }
        if let SeriesGrouping::By(labels) = &mut grouping {
            labels.sort_unstable();
            labels.dedup();
        }
        pipeline.hints = Hints::of_metric(&grouping, unwrapped, used.into_iter());
        Ok(Self { pipeline, value, grouping })
    }

    pub fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }
}

/// What a line gives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    pub value: f64,
    /// `SampleRun::series` has its labels.
    pub series: LabelSetId,
}

/// An extractor with what it needs while running: one for each thread.
pub struct SampleRun {
    extractor: Arc<SampleExtractor>,
    labels: LineLabels,
    scratch: Scratch,
    series: Interner<Labels>,
    /// The series of lines that have but their stream's labels.
    unchanged: Option<LabelSetId>,
    key: Key,
}

impl SampleRun {
    /// A run that gives out at most `max_series` ids.
    pub fn new(extractor: Arc<SampleExtractor>, max_series: usize) -> Self {
        Self {
            extractor,
            labels: LineLabels::default(),
            scratch: Scratch::default(),
            series: Interner::new(max_series),
            unchanged: None,
            key: Key::default(),
        }
    }

    /// The same with the time of the query, which templates can ask for.
    pub fn at(mut self, now: Nanos) -> Self {
        self.scratch.now = now;
        self
    }

    /// The lines that follow are of the stream with these labels.
    pub fn for_stream(&mut self, labels: &Labels) {
        self.labels.set_base(labels);
        self.unchanged = None;
    }

    /// Runs a line through; `None` if it gives no sample.
    ///
    /// A line with an error keeps all its labels whatever the grouping, and `__error__` among
    /// them: a query that meets such a series fails.
    ///
    /// # Errors
    /// `TooManySets` where it would be of one series too many; `TooLong` for its labels.
    pub fn process<'m>(
        &mut self,
        timestamp: Nanos,
        line: &[u8],
        metadata: impl IntoIterator<Item = (&'m str, &'m str)>,
    ) -> Result<Option<Sample>, LabelsError> {
        let Self { extractor, labels, scratch, .. } = self;
        let line = extractor.pipeline.process(timestamp, line, metadata, labels, scratch);
        let Some(line) = line else { return Ok(None) };
        let value = match &extractor.value {
            SampleValue::One => 1.0,
            SampleValue::Bytes => line.len() as f64,
            SampleValue::Unwrap(unwrap) => match unwrapped(unwrap, labels) {
                Some(value) => value,
                None => return Ok(None),
            },
        };
        self.intern().map(|series| Some(Sample { value, series }))
    }

    /// The labels of a series of this run.
    pub fn series(&self, id: LabelSetId) -> &Labels {
        self.series.get(id)
    }

    fn intern(&mut self) -> Result<LabelSetId, LabelsError> {
        let Self { extractor, labels, series, unchanged, key, .. } = self;
        if labels.is_too_long() {
            return Err(LabelsError::TooLong);
        }
        let is_unchanged = labels.is_unchanged();
        if let (true, Some(id)) = (is_unchanged, *unchanged) {
            return Ok(id);
        }
        let grouping = if labels.has_error() { &SeriesGrouping::All } else { &extractor.grouping };
        let id = match grouping {
            SeriesGrouping::NoLabels => series.intern(&[], Labels::empty)?,
            SeriesGrouping::By(groups) => {
                let grouped = || groups.iter().filter_map(|name| Some((name.as_str(), labels.get(name)?)));
                intern(series, key, grouped)?
            }
            SeriesGrouping::All => intern(series, key, || labels.view().iter().map(uncategorized))?,
            SeriesGrouping::Without(left_out) => intern(series, key, || {
                let all = labels.view().iter().map(uncategorized);
                // The details of an error that was dropped stay behind.
                all.filter(|(name, _)| {
                    *name != ERROR_DETAILS_LABEL && left_out.iter().all(|left_out| left_out != name)
                })
            })?,
        };
        if is_unchanged {
            *unchanged = Some(id);
        }
        Ok(id)
    }
}

fn uncategorized<'l>((_, name, value): (Category, &'l str, &'l str)) -> (&'l str, &'l str) {
    (name, value)
}

/// The id of a series; labels without a value are left out.
fn intern<'l, I: Iterator<Item = (&'l str, &'l str)>>(
    series: &mut Interner<Labels>,
    key: &mut Key,
    labels: impl Fn() -> I,
) -> Result<LabelSetId, LabelsError> {
    let present = || labels().filter(|(_, value)| !value.is_empty());
    let key = key.write(present().map(|(name, value)| (Category::Stream, name, value)));
    series.intern(key, || {
        let mut pairs: Vec<_> = present().collect();
        pairs.sort_unstable();
        Labels::from_sorted(pairs)
    })
}

/// The value of the label; `None` if the line has no such label or a filter drops it. A value
/// that is no number is an error of the line.
fn unwrapped(unwrap_: &Unwrap, labels: &mut LineLabels) -> Option<f64> {
    let text = labels.get(&unwrap_.label).filter(|text| !text.is_empty())?;
    let value = match unwrap(text, unwrap_.conversion) {
        Ok(value) => value,
        Err(error) => {
            labels.set_error(SAMPLE_ERROR, Some(&error));
            0.0
        }
    };
    unwrap_.filters.iter().all(|filter| label_filter::keeps(filter, labels)).then_some(value)
}
