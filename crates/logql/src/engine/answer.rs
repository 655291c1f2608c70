//! What a query answers: streams, vectors or matrices, and what it took.

use super::metrics::millis;
use model::{Labels, Nanos, Timestamp};
use service_api::{LogPage, MemoryBudget, Result};
use std::sync::Arc;
use vectors::{Row, Rows, Steps, Table, absent, is_absent, row_bytes};

#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub data: Data,
    pub stats: Stats,
    pub warnings: Vec<String>,
}

impl Answer {
    /// The answer to a range query for numbers as a table; none if it is another, or has series that look the
    /// same. Steps are at least a millisecond apart.
    pub fn into_table(self, budget: &Arc<MemoryBudget>, steps: Steps) -> Result<Option<Table>> {
        let Data::Matrix(series) = self.data else { return Ok(None) };
        if series.windows(2).any(|pair| pair[0].labels == pair[1].labels) {
            return Ok(None);
        }
        // Few points may become a row of many steps.
        let bytes = series.iter().map(|series| row_bytes(&series.labels, steps.count));
        let held = vec![budget.reserve(bytes.fold(0, usize::saturating_add))?];
        let rows = Rows { rows: series.iter().map(|series| series.row(steps)).collect(), held };
        let (infos, counts) = (Vec::new(), self.stats.counts().into());
        Ok(Some(Table { rows, warnings: self.warnings, infos, counts }))
    }

    /// The answer that a table was, or that several together are.
    pub fn of_table(table: Table, steps: Steps) -> Self {
        let Table { rows, warnings, infos: _, counts } = table;
        Self { data: Data::of_rows(rows, steps), stats: Stats::of_counts(&counts), warnings }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// Sorted by labels, each triple of label sets once.
    Streams(Vec<ResultStream>),
    /// In the order of their labels, or of their values if the query sorts.
    Vector(Vec<VectorSample>),
    /// Sorted by labels.
    Matrix(Vec<MatrixSeries>),
    Scalar {
        timestamp: Timestamp,
        value: f64,
    },
}

/// Lines that have the same labels after the pipeline. What a reader sees as one set of labels
/// is here in three, by where a label came from; the three have no name in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultStream {
    pub stream: Labels,
    pub structured: Labels,
    pub parsed: Labels,
    /// In the query's direction.
    pub entries: Vec<(Nanos, String)>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct VectorSample {
    pub labels: Labels,
    /// Milliseconds.
    pub timestamp: Timestamp,
    pub value: f64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct MatrixSeries {
    pub labels: Labels,
    /// Times in milliseconds, ascending.
    pub points: Vec<(Timestamp, f64)>,
}

impl MatrixSeries {
    /// Its row again, of steps that are at least a millisecond apart.
    pub fn row(&self, steps: Steps) -> Row {
        let mut points = self.points.iter().peekable();
        let value = |time| points.next_if(|(t, _)| *t == millis(time)).map_or_else(absent, |(_, v)| *v);
        Row::floats(self.labels.clone(), steps.times().map(value).collect())
    }
}

/// What a query looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Streams that were selected; those of several selectors or slices of time add up.
    pub streams: u64,
    /// Pages of those streams that may have lines of the query.
    pub pages_selected: u64,
    /// Pages that were read.
    pub pages_read: u64,
    /// Bytes that were fetched for them.
    pub stored_bytes: u64,
    /// Bytes and lines in the pages that were read.
    pub bytes: u64,
    pub lines: u64,
    /// Bytes of structured metadata of lines that were looked at.
    pub metadata_bytes: u64,
    /// Lines that the pipeline let through.
    pub lines_after_filter: u64,
    /// Lines that were there twice.
    pub duplicates: u64,
    /// Lines or samples in the answer.
    pub entries: u64,
}

impl Stats {
    pub(crate) fn read(&mut self, page: &LogPage) {
        self.pages_read += 1;
        self.stored_bytes += page.stored_bytes;
        self.bytes += page.text_bytes;
        self.lines += u64::from(page.lines);
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.fields().into_iter().zip(other.counts()).for_each(|(sum, count)| *sum += count);
    }

    fn counts(mut self) -> [u64; 10] {
        self.fields().map(|count| *count)
    }

    fn of_counts(counts: &[u64]) -> Self {
        let mut stats = Self::default();
        stats.fields().into_iter().zip(counts).for_each(|(field, count)| *field = *count);
        stats
    }

    fn fields(&mut self) -> [&mut u64; 10] {
        [
            &mut self.streams,
            &mut self.pages_selected,
            &mut self.pages_read,
            &mut self.stored_bytes,
            &mut self.bytes,
            &mut self.lines,
            &mut self.metadata_bytes,
            &mut self.lines_after_filter,
            &mut self.duplicates,
            &mut self.entries,
        ]
    }
}

impl Data {
    /// The matrix of rows, without those that have no value.
    pub fn of_rows(rows: Rows, steps: Steps) -> Self {
        let series = rows.rows.into_iter().filter_map(|row| {
            let points = steps.times().zip(row.values).filter(|(_, value)| !is_absent(*value));
            let points: Vec<_> = points.map(|(time, value)| (millis(time), value)).collect();
            (!points.is_empty()).then_some(MatrixSeries { labels: row.labels, points })
        });
        let mut series: Vec<_> = series.collect();
        series.sort_by(|a, b| a.labels.cmp(&b.labels));
        Self::Matrix(series)
    }

    /// Lines or samples in it.
    pub fn entries(&self) -> usize {
        match self {
            Self::Streams(streams) => streams.iter().map(|stream| stream.entries.len()).sum(),
            Self::Vector(samples) => samples.len(),
            Self::Matrix(series) => series.iter().map(|series| series.points.len()).sum(),
            Self::Scalar { .. } => 1,
        }
    }
}
