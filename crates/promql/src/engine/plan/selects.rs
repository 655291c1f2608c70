//! The list of what a query reads, each thing once.

use model::{Matcher, TimeRange};
use service_api::SelectRequest;

#[derive(Default)]
pub(crate) struct Selects {
    requests: Vec<SelectRequest>,
}

impl Selects {
    /// The index of the request that brings these samples. Requests of the same series for
    /// ranges that overlap become one.
    pub fn add(&mut self, matchers: &[Matcher], range: TimeRange) -> usize {
        let known = self.requests.iter().position(|r| r.matchers == matchers && r.range.overlaps(&range));
        match known {
            Some(at) => {
                let whole = &mut self.requests[at].range;
                *whole = TimeRange::new(whole.start.min(range.start), whole.end.max(range.end));
                at
            }
            None => {
                self.requests.push(SelectRequest { matchers: matchers.to_vec(), range });
                self.requests.len() - 1
            }
        }
    }

    pub fn into_requests(self) -> Vec<SelectRequest> {
        self.requests
    }
}
