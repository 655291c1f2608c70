//! One message of a tail: `{"streams":[…],"dropped_entries":[…]}`.

use crate::{
    json,
    loki::result::{Show, shown_streams},
};
use logql::{
    engine::{Direction, ResultStream},
    pipeline::PipelineRun,
};
use model::{Labels, Nanos};
use service_api::TailedStream;
use std::collections::{HashMap, HashSet};

/// Lines that are to be sent together.
#[derive(Default)]
pub struct Frame {
    streams: HashMap<[Labels; 3], Vec<(Nanos, String)>>,
    /// Streams of which lines were missed, with the time of the first one.
    dropped: Vec<(Labels, Nanos)>,
    /// Of the lines that were added as they came, and their labels.
    bytes: usize,
}

/// Bytes of lines and labels that a frame has room for. Stages can make much of a short line.
const MAX_BYTES: usize = 4 << 20;
/// Bytes of label sets that are known at a time.
const MAX_LABEL_BYTES: usize = 1 << 20;

/// Stored lines by time and text, to know again what was sent from the store.
pub type Sent = HashSet<(Nanos, String)>;

impl Frame {
    pub fn is_empty(&self) -> bool {
        self.streams.is_empty() && self.dropped.is_empty()
    }

    pub fn is_full(&self) -> bool {
        self.bytes >= MAX_BYTES
    }

    /// Adds what a query found.
    pub fn add_found(&mut self, streams: Vec<ResultStream>) {
        for ResultStream { stream, structured, parsed, entries } in streams {
            self.streams.entry([stream, structured, parsed]).or_default().extend(entries);
        }
    }

    /// Adds what the pipeline lets through of a stream's new lines, but for those that were `sent`. What does not fit in
    /// is told as missed.
    pub fn add_stored(&mut self, stored: &TailedStream, run: &mut PipelineRun, sent: &Sent) {
        run.for_stream(&stored.labels);
        for entry in &stored.entries {
            if self.is_full() {
                self.dropped.push((stored.labels.clone(), entry.timestamp));
                break;
            }
            if run.label_sets().bytes() >= MAX_LABEL_BYTES {
                run.clear_label_sets();
            }
            let metadata = entry.metadata.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            let Some(mut kept) = run.process(entry.timestamp, entry.line.as_bytes(), metadata) else {
                continue;
            };
            let line = (entry.timestamp, kept.line.to_owned());
            if sent.contains(&line) {
                continue;
            }
            let Ok(id) = kept.label_set() else {
                self.dropped.push((stored.labels.clone(), entry.timestamp));
                continue;
            };
            let set = run.label_sets().get(id);
            let labels = [set.stream.clone(), set.metadata.clone(), set.parsed.clone()];
            self.bytes += line.1.len() + labels.iter().map(Labels::heap_bytes).sum::<usize>();
            self.streams.entry(labels).or_default().push(line);
        }
    }

    pub fn add_missed(&mut self, labels: Labels, first: Nanos) {
        self.dropped.push((labels, first));
    }

    /// The message, oldest lines first; the frame is empty again.
    pub fn take(&mut self, show: Show) -> String {
        let streams = std::mem::take(&mut self.streams).into_iter();
        let streams = streams.map(|([stream, structured, parsed], mut entries)| {
            entries.sort_by_key(|(t, _)| *t);
            ResultStream { stream, structured, parsed, entries }
        });
        let mut out = br#"{"streams":"#.to_vec();
        let shown = shown_streams(streams.collect(), show, Direction::Forward);
        json::array(&mut out, &shown, |out, stream| stream.write(out));
        let dropped = std::mem::take(&mut self.dropped);
        self.bytes = 0;
        if !dropped.is_empty() {
            out.extend_from_slice(br#","dropped_entries":"#);
            json::array(&mut out, &dropped, |out, (labels, first)| {
                out.extend_from_slice(format!(r#"{{"timestamp":"{first}","labels":"#).as_bytes());
                json::labels(out, labels);
                out.push(b'}');
            });
        }
        out.extend_from_slice(show.flags().as_bytes());
        out.push(b'}');
        // All of it was written from text.
        String::from_utf8_lossy(&out).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use logql::{ast::Expr, pipeline::Pipeline};
    use service_api::TailedEntry;
    use std::sync::Arc;

    #[test]
    fn a_frame_ends_where_it_is_full_and_tells_so() {
        let query = r#"{a="b"} | label_format big=`{{__line__}}{{repeat 1000000 "x"}}`"#;
        let Ok(Expr::Logs(query)) = logql::parse(query) else { panic!("a log query") };
        let mut run = PipelineRun::new(Arc::new(Pipeline::new(&query.stages).unwrap()), 1000);
        let entry = |timestamp| TailedEntry { timestamp, line: timestamp.to_string(), metadata: Vec::new() };
        let labels = Labels::from_pairs([("a", "b")]);
        let stored = TailedStream { labels: labels.clone(), entries: (0..100).map(entry).collect() };
        let mut frame = Frame::default();
        frame.add_stored(&stored, &mut run, &Sent::new());
        assert!(frame.is_full());
        assert_eq!(frame.streams.len(), 5);
        assert_eq!(frame.dropped, [(labels, 5)]);
        assert!(run.label_sets().bytes() < 8 << 20);
        assert!(frame.take(Show::Together).len() > 4 << 20);
        assert!(!frame.is_full());
    }
}
