//! A series of a matrix as JSON, written in parts: one alone may have millions of points.

use crate::{answer::PIECE_BYTES, json};
use promql::engine::MatrixSeries;

/// A series and what is left to write of it.
pub struct Unwritten {
    series: MatrixSeries,
    begun: bool,
    values: List,
    histograms: List,
}

/// A list of which the places before `next` are written. One that would be empty is left out.
struct List {
    key: &'static str,
    next: usize,
    state: State,
}

#[derive(PartialEq, Eq)]
enum State {
    Unopened,
    Open,
    Done,
}

impl Unwritten {
    pub fn new(series: MatrixSeries) -> Self {
        let list = |key| List { key, next: 0, state: State::Unopened };
        Self { series, begun: false, values: list("values"), histograms: list("histograms") }
    }

    /// Writes on until `out` has as much as a piece; true when all is written.
    pub fn write(&mut self, out: &mut Vec<u8>) -> bool {
        let Self { series, begun, values, histograms } = self;
        if !std::mem::replace(begun, true) {
            out.extend_from_slice(br#"{"metric":"#);
            json::labels(out, &series.labels);
        }
        let points = series.points_from(values.next);
        if !values.write(out, points, |out, (time, value)| json::point(out, time, value)) {
            return false;
        }
        let points = series.histograms_from(histograms.next);
        if !histograms
            .write(out, points, |out, (time, histogram)| json::histogram_point(out, time, histogram))
        {
            return false;
        }
        out.push(b'}');
        true
    }
}

impl List {
    /// Writes items, of which each comes with its place, until the list or the piece is full.
    fn write<T>(
        &mut self,
        out: &mut Vec<u8>,
        items: impl Iterator<Item = (usize, T)>,
        each: impl Fn(&mut Vec<u8>, T),
    ) -> bool {
        if self.state == State::Done {
            return true;
        }
        for (place, item) in items {
            if out.len() >= PIECE_BYTES {
                return false;
            }
            match self.state {
                State::Open => out.push(b','),
                _ => out.extend_from_slice(format!(r#","{}":["#, self.key).as_bytes()),
            }
            each(out, item);
            (self.next, self.state) = (place + 1, State::Open);
        }
        if self.state == State::Open {
            out.push(b']');
        }
        self.state = State::Done;
        true
    }
}
