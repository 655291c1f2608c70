//! The list of what a query reads, each thing once.

use model::{Matcher, TimeRange};
use service_api::SelectRequest;
use std::collections::HashMap;

#[derive(Clone, Default)]
pub(crate) struct Selects {
    requests: Vec<SelectRequest>,
    /// Those of the same series.
    by_matchers: HashMap<Vec<Matcher>, Vec<usize>>,
}

impl Selects {
    /// The index of the request that brings these samples. Requests of the same series for
    /// ranges that overlap become one.
    pub fn add(&mut self, matchers: &[Matcher], range: TimeRange) -> usize {
        let known = self.by_matchers.get(matchers).into_iter().flatten();
        if let Some(at) = known.copied().find(|at| self.requests[*at].range.overlaps(&range)) {
            let whole = &mut self.requests[at].range;
            *whole = TimeRange::new(whole.start.min(range.start), whole.end.max(range.end));
            return at;
        }
        let at = self.requests.len();
        self.by_matchers.entry(matchers.to_vec()).or_default().push(at);
        self.requests.push(SelectRequest { matchers: matchers.to_vec(), range });
        at
    }

    pub fn into_requests(self) -> Vec<SelectRequest> {
        self.requests
    }
}
