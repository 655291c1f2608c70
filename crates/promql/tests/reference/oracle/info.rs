//! `info`: labels taken over from series that say what something is.

use super::{
    Oracle,
    table::{Grid, Matrix, Result, SAME_LABELS, Sample, Series, Value, fail, vector_at, with_label},
};
use model::{Labels, METRIC_NAME, MatchOp, Matcher, Timestamp};
use promql::ast::{Call, Expr, Subquery, VectorSelector};

/// By these an info series belongs to others.
const IDENTIFYING: [&str; 2] = ["instance", "job"];

struct Wanted {
    /// Which series are info series.
    names: Vec<Matcher>,
    /// Which labels are taken over, and which info series count.
    data: Vec<Matcher>,
}

impl Oracle<'_> {
    pub fn info(&self, call: &Call, grid: Grid) -> Result<Matrix> {
        let base = self.eval(&call.args[0], grid)?;
        let wanted = wanted(call.args.get(1));
        let infos = self.info_series(&base, &wanted, self.info_time(&call.args[0])?, grid)?;
        let mut result = Matrix::new();
        for time in grid.times() {
            let infos = newest_of_each(&infos, time)?;
            for sample in vector_at(&base, time) {
                let Some(labels) = enriched(&sample.labels, &infos, &wanted)? else { continue };
                match result.iter_mut().find(|series: &&mut Series| series.labels == labels) {
                    Some(series) if series.at(time).is_some() => return fail(SAME_LABELS),
                    Some(series) => series.push(time, sample.value),
                    None => {
                        let mut series = Series::new(labels, sample.dropped);
                        series.push(time, sample.value);
                        result.push(series);
                    }
                }
            }
        }
        Ok(result)
    }

    /// The info series that share a value of the identifying labels, with the times of their samples in the
    /// place of values.
    fn info_series(
        &self,
        base: &Matrix,
        wanted: &Wanted,
        (at, offset): (Option<Timestamp>, i64),
        grid: Grid,
    ) -> Result<Matrix> {
        let enrichable: Vec<_> = base.iter().filter(|series| !is_info(&series.labels, wanted)).collect();
        let values =
            |label: &str| -> Vec<&str> { enrichable.iter().filter_map(|s| s.labels.get(label)).collect() };
        let known: Vec<_> = IDENTIFYING.iter().map(|label| (*label, values(label))).collect();
        let known: Vec<_> = known.into_iter().filter(|(_, values)| !values.is_empty()).collect();
        let mut result = Matrix::new();
        if known.is_empty() {
            return Ok(result);
        }
        let matchers: Vec<_> = wanted.names.iter().chain(&wanted.data).cloned().collect();
        for stored in self.selected(&matchers) {
            let mut same = known.iter();
            if !same.all(|(label, values)| values.contains(&stored.labels.get(label).unwrap_or(""))) {
                continue;
            }
            let mut series = Series::new(stored.labels.clone(), false);
            for time in grid.times() {
                match self.newest(stored, at.unwrap_or(time) - offset) {
                    Some((found, Value::Float(_))) => series.push(time, Value::Float(*found as f64)),
                    Some(_) => return fail("an info series must have floats"),
                    None => {}
                }
            }
            result.push(series);
        }
        Ok(result)
    }

    /// When the info series are looked at: as the first selector of the argument says.
    fn info_time(&self, argument: &Expr) -> Result<(Option<Timestamp>, i64)> {
        let mut path = Vec::new();
        let Some(selector) = first_selector(argument, &mut path) else { return Ok((None, 0)) };
        let (mut at, mut offset) = (self.at(selector.at), self.offset(&selector.offset)?);
        for subquery in path.into_iter().rev() {
            if at.is_none() {
                offset += self.offset(&subquery.offset)?;
                at = self.at(subquery.at);
            }
        }
        Ok((at, offset))
    }
}

/// The first selector, and the subqueries around it from the outside in.
fn first_selector<'e>(expr: &'e Expr, path: &mut Vec<&'e Subquery>) -> Option<&'e VectorSelector> {
    match expr {
        Expr::VectorSelector(selector) => Some(selector),
        Expr::MatrixSelector(matrix) => Some(&matrix.selector),
        Expr::Subquery(subquery) => {
            path.push(subquery);
            let found = first_selector(&subquery.expr, path);
            if found.is_none() {
                path.pop();
            }
            found
        }
        Expr::Aggregate(aggregate) => {
            let param = aggregate.param.as_deref();
            first_selector(&aggregate.expr, path).or_else(|| first_selector(param?, path))
        }
        _ => expr.children().into_iter().find_map(|child| first_selector(child, path)),
    }
}

fn wanted(selector: Option<&Expr>) -> Wanted {
    let matchers = match selector.map(Expr::without_parens) {
        Some(Expr::VectorSelector(selector)) => selector.matchers.clone(),
        _ => Vec::new(),
    };
    let (mut names, data): (Vec<_>, Vec<_>) = matchers.into_iter().partition(|m| m.name == METRIC_NAME);
    if names.is_empty() {
        names.push(Matcher::equal(METRIC_NAME, "target_info"));
    } else if names.iter().all(|m| matches!(m.op, MatchOp::NotEqual | MatchOp::NotRegex)) {
        names.extend(Matcher::new(MatchOp::Regex, METRIC_NAME, ".+_info"));
    }
    Wanted { names, data }
}

fn is_info(labels: &Labels, wanted: &Wanted) -> bool {
    let name = labels.metric_name().unwrap_or("");
    wanted.names.iter().all(|matcher| matcher.matches(name))
}

/// Name and identifying labels, by which series find their info series.
fn identity(labels: &Labels) -> Labels {
    labels.without(|name| !IDENTIFYING.contains(&name))
}

/// Of the info series with the same name and identity, that with the newest sample.
fn newest_of_each(infos: &Matrix, time: Timestamp) -> Result<Vec<Labels>> {
    let mut newest: Vec<(Sample, f64)> = Vec::new();
    for sample in vector_at(infos, time) {
        let found = sample.value.float().unwrap_or(0.0);
        let key = |labels: &Labels| (labels.metric_name().map(str::to_owned), identity(labels));
        match newest.iter_mut().find(|(other, _)| key(&other.labels) == key(&sample.labels)) {
            Some((_, other)) if *other == found => return fail("found duplicate series for info metric"),
            Some(entry) if entry.1 < found => *entry = (sample, found),
            Some(_) => {}
            None => newest.push((sample, found)),
        }
    }
    Ok(newest.into_iter().map(|(sample, _)| sample.labels).collect())
}

/// The labels with those of the info series; `None` if there should be one and is none.
fn enriched(labels: &Labels, infos: &[Labels], wanted: &Wanted) -> Result<Option<Labels>> {
    if is_info(labels, wanted) {
        return Ok(Some(labels.clone()));
    }
    let mine: Vec<_> = infos.iter().filter(|info| identity(info) == identity(labels)).collect();
    if mine.is_empty() && wanted.data.iter().any(|matcher| !matcher.matches_empty()) {
        return Ok(None);
    }
    let mut taken = Labels::empty();
    for (name, value) in mine.into_iter().flat_map(Labels::iter) {
        let asked_for = wanted.data.is_empty() || wanted.data.iter().any(|matcher| matcher.name == name);
        if name == METRIC_NAME || !asked_for {
            continue;
        }
        if taken.get(name).is_some_and(|other| other != value) {
            return fail("two info series say different things");
        }
        if labels.get(name).is_none() {
            taken = with_label(&taken, name, value);
        }
    }
    Ok(Some(taken.iter().fold(labels.clone(), |labels, (name, value)| with_label(&labels, name, value))))
}
