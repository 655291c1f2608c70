//! The answer of a query for lines while it grows, in its final order.

use super::top::Found;
use crate::{
    engine::{Direction, ResultStream},
    pipeline::LabelSet,
};
use model::Nanos;
use service_api::{ReadContext, Reservation, Result};
use std::collections::HashMap;

pub(super) struct Results {
    direction: Direction,
    limit: usize,
    interval: Nanos,
    count: usize,
    /// The time of the line that was added last.
    last: Option<Nanos>,
    streams: Vec<ResultStream>,
    by_labels: HashMap<LabelSet, usize>,
    held: Reservation,
}

impl Results {
    pub fn new(ctx: &ReadContext, direction: Direction, limit: usize, interval: Nanos) -> Result<Self> {
        let held = ctx.budget.reserve(0)?;
        Ok(Self {
            direction,
            limit,
            interval,
            count: 0,
            last: None,
            streams: Vec::new(),
            by_labels: HashMap::new(),
            held,
        })
    }

    pub fn is_full(&self) -> bool {
        self.count >= self.limit
    }

    /// Takes lines that follow on those before, and tells how many of them it kept.
    pub fn add(&mut self, found: Vec<Found>) -> Result<usize> {
        let before = self.count;
        for one in found {
            if self.is_full() {
                break;
            }
            if self.is_too_near(one.timestamp) {
                continue;
            }
            self.last = Some(one.timestamp);
            self.count += 1;
            self.held.grow(size_of::<(Nanos, String)>() + one.line.capacity())?;
            let stream = self.stream(one.labels)?;
            self.streams[stream].entries.push((one.timestamp, one.line));
        }
        Ok(self.count - before)
    }

    /// The interval holds for all streams together, as in Loki.
    fn is_too_near(&self, time: Nanos) -> bool {
        let Some(last) = self.last.filter(|_| self.interval > 0) else { return false };
        let gap = match self.direction {
            Direction::Forward => time.saturating_sub(last),
            Direction::Backward => last.saturating_sub(time),
        };
        gap < self.interval
    }

    fn stream(&mut self, labels: LabelSet) -> Result<usize> {
        if let Some(&at) = self.by_labels.get(&labels) {
            return Ok(at);
        }
        let LabelSet { stream, metadata: structured, parsed } = labels.clone();
        let bytes = stream.heap_bytes() + structured.heap_bytes() + parsed.heap_bytes();
        self.held.grow(bytes + 2 * size_of::<ResultStream>())?;
        self.streams.push(ResultStream { stream, structured, parsed, entries: Vec::new() });
        self.by_labels.insert(labels, self.streams.len() - 1);
        Ok(self.streams.len() - 1)
    }

    pub fn into_streams(mut self) -> Vec<ResultStream> {
        let key = |s: &ResultStream| (s.stream.clone(), s.structured.clone(), s.parsed.clone());
        self.streams.sort_by_cached_key(key);
        self.streams
    }
}
