//! PromQL in parameters: whole queries and `match[]` selectors.

use crate::{params::Params, query::slots::off_thread};
use model::{Matcher, RegexCosts};
use promql::{Engine, ast::Expr};
use service_api::{Error, Result};

/// Selectors of one request. Each is a search of its own.
const MAX_SELECTORS: usize = 1000;

/// A longer query, which may take tens of milliseconds to parse, is parsed where it keeps nobody waiting.
const LONG_QUERY: usize = 4 << 10;

/// Parses a query for an engine; the error is the parser's sentence alone.
pub async fn parse_query(engine: &Engine, query: &str) -> Result<Expr> {
    let options = engine.config().features.parse_options();
    let parse = move |query: &str| promql::parse(query, options);
    let parsed = if query.len() <= LONG_QUERY {
        parse(query)
    } else {
        let query = query.to_owned();
        off_thread(move || parse(&query)).await?
    };
    parsed.map_err(|e| Error::bad_request(e.to_string()))
}

/// The matchers of every `match[]`, each of which must ask for more than everything.
pub fn matcher_sets(params: &Params) -> Result<Vec<Vec<Matcher>>> {
    sets(params, matchers)
}

/// As `matcher_sets`, though each may match every series.
pub fn any_matcher_sets(params: &Params) -> Result<Vec<Vec<Matcher>>> {
    sets(params, any_matchers)
}

fn sets(params: &Params, parse: fn(&str) -> Result<Vec<Matcher>>) -> Result<Vec<Vec<Matcher>>> {
    if params.all("match[]").nth(MAX_SELECTORS).is_some() {
        return Err(Error::bad_request(format!("more than {MAX_SELECTORS} match[] parameters")));
    }
    let (mut sets, mut costs) = (Vec::new(), RegexCosts::default());
    for selector in params.all("match[]") {
        let matchers = parse(selector)?;
        costs.add_matchers(&matchers).map_err(|e| Error::bad_request(e.to_string()))?;
        sets.push(matchers);
    }
    Ok(sets)
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
