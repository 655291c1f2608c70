//! What selectors and subqueries read: the newest sample, a window of samples, another evaluation.

use super::{
    Oracle, extended, native, stats,
    table::{Grid, Matrix, Result, Series, Value},
};
use crate::reference::data::Stored;
use histogram::{CounterResetHint, FloatHistogram};
use model::{Matcher, Timestamp};
use promql::ast::{At, Duration, Expr, MatrixSelector, Subquery, VectorSelector};
use std::sync::Arc;

/// How a window treats its edges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edges {
    Plain,
    Anchored,
    Smoothed,
}

/// What a function over time sees of one series at one step.
#[derive(Clone, Debug)]
pub struct Window {
    pub floats: Vec<(Timestamp, f64)>,
    pub histograms: Vec<(Timestamp, Arc<FloatHistogram>)>,
    /// The range that was asked for: what lies after `start`, up to `end`. Samples beyond it are there for
    /// edges that are not plain.
    pub start: Timestamp,
    pub end: Timestamp,
    pub edges: Edges,
    /// When the expression is evaluated.
    pub time: Timestamp,
}

/// Series to look at through windows.
pub struct Ranged {
    pub series: Vec<Series>,
    pub range: i64,
    pub offset: i64,
    pub at: Option<Timestamp>,
    pub has_buckets: bool,
    pub edges: Edges,
}

impl Ranged {
    pub fn window(&self, series: &Series, time: Timestamp, lookback: i64) -> Window {
        let end = self.at.unwrap_or(time) - self.offset;
        let start = end - self.range;
        let (from, to) = match self.edges {
            Edges::Plain => (start, end),
            Edges::Anchored => (start - lookback, end),
            Edges::Smoothed => (start - lookback, end + lookback),
        };
        let inside = |time: &Timestamp| from < *time && *time <= to;
        let mut inner = Series::new(series.labels.clone(), false);
        inner.floats = series.floats.iter().filter(|(t, _)| inside(t)).copied().collect();
        inner.histograms = series.histograms.iter().filter(|(t, _)| inside(t)).cloned().collect();
        if !self.has_buckets {
            inner = stats::series_without_buckets(&inner);
        }
        Window { floats: inner.floats, histograms: inner.histograms, start, end, edges: self.edges, time }
    }
}

impl Window {
    pub fn is_empty(&self) -> bool {
        self.floats.is_empty() && self.histograms.is_empty()
    }

    /// Floats and histograms in one row.
    pub fn all(&self) -> Vec<(Timestamp, Value)> {
        let floats = self.floats.iter().map(|(t, v)| (*t, Value::Float(*v)));
        let histograms = self.histograms.iter().map(|(t, h)| (*t, Value::Histogram(Arc::clone(h))));
        let mut all: Vec<_> = floats.chain(histograms).collect();
        all.sort_by_key(|(time, _)| *time);
        all
    }
}

pub fn edges(matrix: &MatrixSelector) -> Edges {
    match (matrix.selector.anchored, matrix.selector.smoothed) {
        (true, _) => Edges::Anchored,
        (false, true) => Edges::Smoothed,
        (false, false) => Edges::Plain,
    }
}

/// A stored series without its stale markers.
fn samples(stored: &Stored) -> Series {
    let mut series = Series::new(stored.labels.clone(), false);
    for (time, value) in stored.samples.iter().filter(|(_, value)| !is_stale(value)) {
        series.push(*time, value.clone());
    }
    series
}

fn is_stale(value: &Value) -> bool {
    match value {
        Value::Float(value) => model::is_stale(*value),
        Value::Histogram(histogram) => model::is_stale(histogram.sum),
    }
}

impl Oracle<'_> {
    pub fn selected(&self, matchers: &[Matcher]) -> impl Iterator<Item = &Stored> {
        let all = self.data.series.iter();
        all.filter(move |stored| matchers.iter().all(|m| m.matches_labels(&stored.labels)))
    }

    pub fn at(&self, at: Option<At>) -> Option<Timestamp> {
        let grid = self.grid();
        Some(match at? {
            At::Timestamp(time) => time,
            At::Start => grid.start,
            At::End => grid.end,
        })
    }

    pub fn offset(&self, offset: &Duration) -> Result<i64> {
        offset.offset_ms(self.durations()).map_err(|e| super::Failure(e.to_string()))
    }

    /// Durations are computed before anything else, also where nothing is evaluated in the end.
    pub fn check_durations(&self, expr: &Expr) -> Result<()> {
        match expr {
            Expr::VectorSelector(selector) => {
                self.offset(&selector.offset)?;
            }
            Expr::MatrixSelector(matrix) => {
                self.positive(&matrix.range)?;
                self.offset(&matrix.selector.offset)?;
            }
            Expr::Subquery(subquery) => {
                subquery.step.as_ref().map_or(Ok(0), |step| self.positive(step))?;
                self.positive(&subquery.range)?;
                self.offset(&subquery.offset)?;
            }
            _ => {}
        }
        expr.children().into_iter().try_for_each(|child| self.check_durations(child))
    }

    fn positive(&self, length: &Duration) -> Result<i64> {
        length.positive_ms(self.durations()).map_err(|e| super::Failure(e.to_string()))
    }

    /// The newest sample that is not older than the lookback, unless it says that the series has ended.
    pub fn newest<'s>(&self, stored: &'s Stored, time: Timestamp) -> Option<&'s (Timestamp, Value)> {
        let (newest, value) = stored.samples.iter().rfind(|(t, _)| *t <= time)?;
        let counts = *newest > time - self.settings.lookback && !is_stale(value);
        stored.samples.iter().rfind(|(t, _)| *t <= time).filter(|_| counts)
    }

    pub fn vector_selector(&self, selector: &VectorSelector, grid: Grid) -> Result<Matrix> {
        let (offset, at) = (self.offset(&selector.offset)?, self.at(selector.at));
        let has_buckets = self.has_buckets(selector);
        let mut matrix = Matrix::new();
        for stored in self.selected(&selector.matchers) {
            let mut series = Series::new(stored.labels.clone(), false);
            let samples =
                if has_buckets { samples(stored) } else { stats::series_without_buckets(&samples(stored)) };
            for time in grid.times() {
                let looked_at = at.unwrap_or(time) - offset;
                let value = match selector.smoothed {
                    true => extended::smoothed(&samples, looked_at, self.settings.lookback),
                    false => self.newest(stored, looked_at).map(|(_, value)| value.clone()),
                };
                if let Some(value) = value {
                    series.push(time, if has_buckets { value } else { stats::value_without_buckets(value) });
                }
            }
            if !series.is_empty() {
                matrix.push(series);
            }
        }
        Ok(matrix)
    }

    fn has_buckets(&self, selector: &VectorSelector) -> bool {
        !self.without_buckets.borrow().contains(&selector.span)
    }

    pub fn ranged_selector(&self, matrix: &MatrixSelector) -> Result<Ranged> {
        let selector = &matrix.selector;
        Ok(Ranged {
            series: self.selected(&selector.matchers).map(samples).collect(),
            range: self.positive(&matrix.range)?,
            offset: self.offset(&selector.offset)?,
            at: self.at(selector.at),
            has_buckets: self.has_buckets(selector),
            edges: edges(matrix),
        })
    }

    pub fn ranged_subquery(&self, subquery: &Subquery, grid: Grid) -> Result<Ranged> {
        let mut series = self.subquery(subquery, grid)?;
        // Whether a counter was reset since the sample before is not known of samples that are picked out.
        for (_, histogram) in series.iter_mut().flat_map(|series| &mut series.histograms) {
            if matches!(histogram.counter_reset_hint, CounterResetHint::Reset | CounterResetHint::NotReset) {
                *histogram = native::hinted(histogram, CounterResetHint::Unknown);
            }
        }
        Ok(Ranged {
            series,
            range: self.positive(&subquery.range)?,
            offset: self.offset(&subquery.offset)?,
            at: self.at(subquery.at),
            has_buckets: true,
            edges: Edges::Plain,
        })
    }

    /// A matrix selector as the whole query.
    pub fn matrix_selector(&self, matrix: &MatrixSelector, time: Timestamp) -> Result<Matrix> {
        let ranged = self.ranged_selector(matrix)?;
        let mut result = Matrix::new();
        for series in &ranged.series {
            let mut window = ranged.window(series, time, self.settings.lookback);
            if ranged.edges != Edges::Plain {
                if !window.histograms.is_empty() {
                    return super::table::fail(
                        "histograms have no anchored or smoothed windows of their own",
                    );
                }
                window.floats = extended::with_edges(&window);
            }
            let Window { floats, histograms, .. } = window;
            result.push(Series { labels: series.labels.clone(), dropped: false, floats, histograms });
        }
        result.retain(|series| !series.is_empty());
        Ok(result)
    }

    /// All steps of a subquery that any step of the outer expression may look at. They are multiples of the
    /// subquery's own step.
    pub fn subquery(&self, subquery: &Subquery, outer: Grid) -> Result<Matrix> {
        let (range, offset) = (self.positive(&subquery.range)?, self.offset(&subquery.offset)?);
        let step = match &subquery.step {
            Some(step) => self.positive(step)?,
            None => self.settings.default_interval,
        };
        if step == 0 {
            return super::table::fail("a step shorter than a millisecond");
        }
        let last = outer.times().last().unwrap_or(outer.start);
        let start = self.at(subquery.at).unwrap_or(outer.start) - offset;
        let end = start + (last - outer.start);
        let first = ((start - range).div_euclid(step) + 1) * step;
        self.eval(&subquery.expr, Grid { start: first, end, step })
    }
}
