//! Lines on their way into the log.

use super::{LogState, Raised, slot};
use crate::head::{LogHead, Run};
use model::Nanos;
use std::ops::Range;

impl LogState {
    /// Takes of a stream's lines those that are not too old, as `time` says; the others are told to `late`.
    pub fn admit(
        &mut self,
        run: &Run,
        out_of_order: Nanos,
        time: impl Fn(u32) -> Nanos,
        (taken, raised): (&mut Vec<Run>, &mut Vec<Raised>),
        mut late: impl FnMut(Nanos),
    ) {
        let state = slot(&mut self.series, run.stream);
        let before = state.newest;
        let mut keep = |lines: Range<u32>| {
            if !lines.is_empty() {
                taken.push(Run { stream: run.stream, lines });
            }
        };
        let mut from = run.lines.start;
        for at in run.lines.clone() {
            let t = time(at);
            if t < state.newest.saturating_sub(out_of_order) {
                late(t);
                keep(from..at);
                from = at + 1;
            }
            state.newest = state.newest.max(t);
        }
        keep(from..run.lines.end);
        if state.newest > before {
            raised.push(Raised { series: run.stream, before });
        }
    }

    /// Writes the head of the payload of lines of these streams.
    pub fn put_lines_head(
        &mut self,
        head: &LogHead,
        segment: u64,
        streams: impl Iterator<Item = u32>,
        out: &mut Vec<u8>,
    ) {
        self.declared.clear();
        for stream in streams {
            let state = slot(&mut self.series, stream);
            if state.segment != segment {
                state.segment = segment;
                self.declared.push((stream, 0));
            }
        }
        self.put_head(head, out);
    }
}
