//! Lines that a log query keeps.

use logql::pipeline::{Pipeline, PipelineRun};
use model::{Labels, Lines};
use service_api::{LineRun, LineTest};
use std::sync::Arc;

/// Tells the lines that a pipeline keeps.
pub struct PipelineTest(Arc<Pipeline>);

impl PipelineTest {
    pub fn new(pipeline: Pipeline) -> Self {
        Self(Arc::new(pipeline))
    }
}

impl LineTest for PipelineTest {
    fn of_stream(&self, labels: &Labels) -> Box<dyn LineRun> {
        // Nobody asks for the labels of a line.
        let mut run = PipelineRun::new(Arc::clone(&self.0), 0);
        run.for_stream(labels);
        Box::new(Running(run))
    }
}

struct Running(PipelineRun);

impl LineRun for Running {
    fn matches(&mut self, lines: &Lines, at: usize) -> bool {
        self.0.process(lines.timestamps[at], lines.line(at), lines.metadata(at)).is_some()
    }
}
