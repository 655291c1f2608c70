//! Stream selectors in parameters.

use crate::params::Params;
use model::{Matcher, RegexCosts};
use service_api::{Error, Result};
use std::collections::BTreeSet;

/// Selectors of one request. Each is a search of its own.
const MAX_SELECTORS: usize = 1000;

/// The selectors of a `series` request; none at all, or `{}`, means every stream.
pub fn matcher_sets(params: &Params) -> Result<Vec<Vec<Matcher>>> {
    let texts: BTreeSet<&str> = params.all("match").chain(params.all("match[]")).collect();
    if texts.len() > MAX_SELECTORS {
        return Err(Error::bad_request(format!("more than {MAX_SELECTORS} selectors")));
    }
    if texts.len() == 1 && texts.iter().all(|text| matches_all(text)) {
        return Ok(Vec::new());
    }
    let (mut sets, mut costs) = (Vec::new(), RegexCosts::default());
    for text in texts {
        let matchers = matchers(text)?;
        costs.add_matchers(&matchers).map_err(|e| Error::bad_request(e.to_string()))?;
        sets.push(matchers);
    }
    Ok(sets)
}

/// The `query` of a request that needs none: no matchers for every stream.
pub fn optional(params: &Params) -> Result<Vec<Vec<Matcher>>> {
    match params.get("query") {
        text if text.is_empty() || matches_all(text) => Ok(Vec::new()),
        text => Ok(vec![matchers(text)?]),
    }
}

/// As `optional`, as one set.
pub fn any(params: &Params) -> Result<Vec<Matcher>> {
    Ok(optional(params)?.pop().unwrap_or_default())
}

fn matchers(text: &str) -> Result<Vec<Matcher>> {
    logql::parse_matchers(text).map_err(|e| Error::bad_request(e.to_string()))
}

fn matches_all(text: &str) -> bool {
    text.bytes().filter(|b| !b.is_ascii_whitespace()).eq(*b"{}")
}
