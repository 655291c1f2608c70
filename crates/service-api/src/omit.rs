//! What is to be left out of what there is: deleted entries, and those that are past their retention.

use crate::SampleBuffer;
use model::{Labels, Lines, TimeRange, Timestamp};
use std::sync::Arc;

/// Says of each series or stream what is to be left out of it.
pub trait Omit: Send + Sync {
    fn of(&self, labels: &Labels) -> Cut;
}

/// Several together.
impl Omit for Vec<Arc<dyn Omit>> {
    fn of(&self, labels: &Labels) -> Cut {
        let mut cut = Cut::default();
        self.iter().for_each(|omit| cut.parts.extend(omit.of(labels).parts));
        cut
    }
}

/// Says which lines are meant; one for all streams.
pub trait LineTest: Send + Sync {
    fn of_stream(&self, labels: &Labels) -> Box<dyn LineRun>;
}

/// A test of the lines of one stream, with what it needs while running.
pub trait LineRun: Send {
    fn matches(&mut self, lines: &Lines, at: usize) -> bool;
}

/// What is to be left out of one series or stream; nothing by default.
#[derive(Clone, Default)]
pub struct Cut {
    parts: Vec<CutPart>,
}

#[derive(Clone)]
struct CutPart {
    range: TimeRange,
    /// All entries of the range if there is none.
    lines: Option<Arc<dyn LineTest>>,
}

impl Cut {
    /// Adds the entries of a range of time, of lines those of its milliseconds; of a test only those that
    /// it matches.
    pub fn add(&mut self, range: TimeRange, lines: Option<Arc<dyn LineTest>>) {
        self.parts.push(CutPart { range, lines });
    }

    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    pub fn heap_bytes(&self) -> usize {
        self.parts.capacity() * size_of::<CutPart>()
    }

    /// Whether something in the range may be left out.
    pub fn touches(&self, range: TimeRange) -> bool {
        self.parts.iter().any(|part| part.range.overlaps(&range))
    }

    /// Whether all of the range is left out.
    pub fn covers(&self, range: TimeRange) -> bool {
        let covers = |part: &CutPart| part.range.start <= range.start && range.end <= part.range.end;
        self.parts.iter().any(|part| part.lines.is_none() && covers(part))
    }

    /// Takes out of a buffer what is to be left out of its entries from these numbers of floats and
    /// histograms on; gives how many entries that are.
    pub fn take_out(&self, samples: &mut SampleBuffer, (floats, histograms): (usize, usize)) -> usize {
        let is_kept = |time: Timestamp| !self.parts.iter().any(|part| part.range.contains(time));
        let SampleBuffer { timestamps, values, histograms: sketches, starts } = samples;
        let before = timestamps.len() + sketches.len();
        let kept: Vec<bool> = timestamps[floats..].iter().map(|time| is_kept(*time)).collect();
        keep(timestamps, floats, &kept);
        keep(values, floats, &kept);
        keep(&mut starts.floats, floats, &kept);
        let kept: Vec<bool> = sketches[histograms..].iter().map(|entry| is_kept(entry.timestamp)).collect();
        keep(sketches, histograms, &kept);
        keep(&mut starts.histograms, histograms, &kept);
        before - timestamps.len() - sketches.len()
    }

    /// Tells of the lines of a stream which are to be left out.
    pub fn of_stream(&self, labels: &Labels) -> LinesCut {
        let run = |part: &CutPart| (part.range, part.lines.as_ref().map(|test| test.of_stream(labels)));
        LinesCut { parts: self.parts.iter().map(run).collect() }
    }
}

/// Of a column that is empty nothing is known.
fn keep<T>(column: &mut Vec<T>, from: usize, kept: &[bool]) {
    let mut at = 0;
    column.retain(|_| {
        at += 1;
        at <= from || kept[at - 1 - from]
    });
}

/// A [`Cut`] of lines, while it runs.
pub struct LinesCut {
    parts: Vec<(TimeRange, Option<Box<dyn LineRun>>)>,
}

impl LinesCut {
    pub fn omits(&mut self, lines: &Lines, at: usize) -> bool {
        let time = lines.timestamps[at].div_euclid(1_000_000);
        self.parts.iter_mut().any(|(range, test)| {
            range.contains(time) && test.as_mut().is_none_or(|test| test.matches(lines, at))
        })
    }

    /// Takes what is to be left out of all of these lines; gives how many they were.
    pub fn take_out(&mut self, lines: &mut Lines) -> usize {
        let mut kept = Lines::default();
        for at in 0..lines.len() {
            if !self.omits(lines, at) {
                kept.push_from(lines, at);
            }
        }
        let gone = lines.len() - kept.len();
        if gone > 0 {
            *lines = kept;
        }
        gone
    }
}

#[cfg(test)]
mod tests;
