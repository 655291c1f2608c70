//! How much may be asked to be deleted. Whoever reads or merges blocks looks at every request that is listed.

use crate::Selection;
use block_store::{Deletion, DeletionState, Manifest};
use model::{RegexCosts, Signal, quote};
use service_api::{Code, Error, Result};

/// Queries of one request.
const MAX_QUERIES: usize = 100;

/// Bytes of one request's queries.
const MAX_TEXT: usize = 64 << 10;

/// Requests that are listed of one tenant and signal,
pub(super) const MAX_LISTED: usize = 1_000;

/// and bytes of all their queries: each version of a manifest has them.
pub(super) const MAX_LISTED_TEXT: usize = 1 << 20;

/// # Errors
/// `BadRequest`: one of them is none, or they are too many or too large.
pub fn check_queries(signal: Signal, queries: &[String]) -> Result<()> {
    if queries.is_empty() {
        return Err(Error::bad_request("nothing is named that is to be deleted"));
    }
    if queries.len() > MAX_QUERIES {
        return Err(Error::bad_request(format!(
            "more than {MAX_QUERIES} selectors in one request to delete"
        )));
    }
    if text_bytes(queries) > MAX_TEXT {
        let why = format!("more than {MAX_TEXT} bytes of text in one request to delete");
        return Err(Error::bad_request(why));
    }
    let mut costs = RegexCosts::default();
    for query in queries {
        let selection = Selection::parse(signal, query);
        let selection =
            selection.map_err(|e| Error::new(e.code, format!("{}: {}", quote(query), e.message)))?;
        costs.add_matchers(&selection.matchers).map_err(|e| Error::bad_request(e.to_string()))?;
    }
    Ok(())
}

/// The listed requests with one more, for which those make room that were carried out, the oldest first. None
/// if there is no room.
pub fn with_one_more(current: &Manifest, asked: &Deletion, now: i64) -> Option<Vec<Deletion>> {
    let text = |deletion: &Deletion| text_bytes(&deletion.queries);
    let mut listed = current.deletions.clone();
    listed.push(asked.clone());
    let mut too_many = listed.len().saturating_sub(MAX_LISTED);
    let mut too_long = listed.iter().map(text).sum::<usize>().saturating_sub(MAX_LISTED_TEXT);
    listed.retain(|deletion| {
        let is_over = too_many > 0 || too_long > 0;
        let goes = is_over && current.state(deletion, now) == DeletionState::Processed;
        if goes {
            too_many = too_many.saturating_sub(1);
            too_long = too_long.saturating_sub(text(deletion));
        }
        !goes
    });
    (too_many == 0 && too_long == 0).then_some(listed)
}

pub fn too_many() -> Error {
    let why = format!(
        "a tenant may have {MAX_LISTED} requests to delete, of {MAX_LISTED_TEXT} bytes of text together; cancel \
         some, wait until older ones are carried out, or name more in one request"
    );
    Error::new(Code::RateLimited, why)
}

fn text_bytes(queries: &[String]) -> usize {
    queries.iter().map(String::len).sum()
}
