//! PromQL in parameters: whole queries and `match[]` selectors.

use crate::params::Params;
use model::Matcher;
use promql::{Engine, ast::Expr};
use service_api::{Error, Result};

/// Selectors of one request. Each is a search of its own.
const MAX_SELECTORS: usize = 1000;

/// Parses a query for an engine; the error is the parser's sentence alone.
pub fn parse_query(engine: &Engine, query: &str) -> Result<Expr> {
    let options = engine.config().features.parse_options();
    promql::parse(query, options).map_err(|e| Error::bad_request(e.to_string()))
}

/// The matchers of every `match[]`, each of which must ask for more than everything.
pub fn matcher_sets(params: &Params) -> Result<Vec<Vec<Matcher>>> {
    selectors(params)?.map(matchers).collect()
}

/// As `matcher_sets`, though each may match every series.
pub fn any_matcher_sets(params: &Params) -> Result<Vec<Vec<Matcher>>> {
    selectors(params)?.map(any_matchers).collect()
}

fn selectors(params: &Params) -> Result<impl Iterator<Item = &str>> {
    if params.all("match[]").nth(MAX_SELECTORS).is_some() {
        return Err(Error::bad_request(format!("more than {MAX_SELECTORS} match[] parameters")));
    }
    Ok(params.all("match[]"))
}

/// The matchers of one series selector.
pub fn matchers(selector: &str) -> Result<Vec<Matcher>> {
    let matchers = any_matchers(selector)?;
    if !promql::selects_something(&matchers) {
        return Err(Error::bad_request("match[] must contain at least one non-empty matcher"));
    }
    Ok(matchers)
}

fn any_matchers(selector: &str) -> Result<Vec<Matcher>> {
    promql::parse_metric_selector(selector).map_err(|e| Error::bad_request(e.to_string()))
}

/// The matchers of every selector in a query.
pub fn selectors_of(expr: &Expr) -> Vec<Vec<Matcher>> {
    let mut found = Vec::new();
    collect(expr, &mut found);
    found
}

fn collect(expr: &Expr, found: &mut Vec<Vec<Matcher>>) {
    match expr {
        Expr::VectorSelector(selector) => found.push(selector.matchers.clone()),
        Expr::MatrixSelector(matrix) => found.push(matrix.selector.matchers.clone()),
        other => other.children().into_iter().for_each(|child| collect(child, found)),
    }
}
