//! Planning of function calls.

use super::{
    Edges, Figures, Histogram, HistogramFunction, Map, RangeFunction, RangeNotes, Relabel, Scalar,
    ScanFunction, SortOrder, Vector,
    build::{Planner, fold, map, scan, text, unexpected},
};
use crate::{
    ast::{Call, Expr, VectorSelector},
    functions::{
        label_join::LabelJoin,
        math::{self, unary},
        over_time::{OverTime, TimeOf},
        rate::RateKind,
        time::calendar,
    },
};
use histogram::FloatHistogram;
use model::{Labels, LabelsBuilder, METRIC_NAME, MatchOp};
use service_api::{Error, Result};
use std::collections::HashSet;
use vectors::{LabelReplace, Steps};

impl Planner<'_> {
    pub(super) fn scalar_call(&mut self, call: &Call, steps: &Steps) -> Result<Scalar> {
        let seconds = |milliseconds: i64| Ok(Scalar::Number(milliseconds as f64 / 1000.0));
        match call.function.name {
            "time" => Ok(Scalar::Time),
            "start" => seconds(self.query.start),
            "end" => seconds(self.end),
            // In a duration it is the step even of a range that has only one.
            "step" if self.query.start == self.end => seconds(0),
            "step" => seconds(self.durations().step),
            "range" => seconds(self.durations().range),
            name @ ("max_of" | "min_of") => {
                let (a, b) = (self.scalar(arg(call, 0)?, steps)?, self.scalar(arg(call, 1)?, steps)?);
                let pick = if name == "max_of" { math::maximum } else { math::minimum };
                Ok(fold(Scalar::Extreme(pick, Box::new(a), Box::new(b))))
            }
            "pi" => Ok(Scalar::Number(std::f64::consts::PI)),
            "scalar" => Ok(Scalar::Of(Box::new(self.vector(arg(call, 0)?, steps)?))),
            other => Err(unknown(other)),
        }
    }

    pub(super) fn vector_call(&mut self, call: &Call, steps: &Steps) -> Result<Vector> {
        let looks = self.looks;
        match call.function.name {
            "histogram_count" | "histogram_sum" | "histogram_avg" => self.looks.at_statistics = true,
            "histogram_quantile" | "histogram_quantiles" | "histogram_fraction" => {
                self.looks.at_buckets = true;
            }
            _ => {}
        }
        let planned = self.vector_function(call, steps);
        self.looks = looks;
        planned
    }

    fn vector_function(&mut self, call: &Call, steps: &Steps) -> Result<Vector> {
        let name = call.function.name;
        if let Some(function) = range_function(name) {
            return self.over_range(call, function, steps);
        }
        if let Some(function) = unary(name) {
            return Ok(map(self.vector(arg(call, 0)?, steps)?, Map::Apply(name, function)));
        }
        if let Some(function) = of_histogram(name) {
            return Ok(map(self.vector(arg(call, 0)?, steps)?, Map::OfHistogram(name, function)));
        }
        if let Some(function) = calendar(name) {
            return Ok(match call.args.first() {
                None => Vector::FromScalar(Scalar::Apply(function, Box::new(Scalar::Time))),
                Some(input) => map(self.vector(input, steps)?, Map::Apply(name, function)),
            });
        }
        if let Some(planned) = self.map_with_params(call, steps)? {
            return Ok(planned);
        }
        match name {
            "vector" => Ok(Vector::FromScalar(self.scalar(arg(call, 0)?, steps)?)),
            "timestamp" | "start_timestamp" => self.timestamp(call, steps),
            "absent" => {
                let input = arg(call, 0)?;
                let labels = absent_labels(input);
                Ok(Vector::Absent { input: Box::new(self.vector(input, steps)?), labels })
            }
            "absent_over_time" => {
                let labels = absent_labels(arg(call, 0)?);
                // Keeps the names: without them different series might seem the same.
                let present = RangeFunction::OverTime(OverTime::Last);
                Ok(Vector::Absent { input: Box::new(self.over_range(call, present, steps)?), labels })
            }
            "sort" | "sort_desc" => {
                let input = arg(call, 0)?;
                let ineffective = self.is_range(steps, input).then_some(call.span);
                let input = Box::new(self.vector(input, steps)?);
                Ok(Vector::Sort {
                    input,
                    order: SortOrder::Value,
                    descending: name == "sort_desc",
                    ineffective,
                })
            }
            "sort_by_label" | "sort_by_label_desc" => {
                let input = arg(call, 0)?;
                let ineffective = self.is_range(steps, input).then_some(call.span);
                let labels = call.args.iter().skip(1).map(|label| text(label).map(str::to_owned));
                let order = SortOrder::Labels(labels.collect::<Result<_>>()?);
                let input = Box::new(self.vector(input, steps)?);
                Ok(Vector::Sort { input, order, descending: name == "sort_by_label_desc", ineffective })
            }
            "info" => self.info(call, steps),
            "label_replace" | "label_join" => {
                let relabel = relabel(call).map_err(Error::unprocessable)?;
                if let Relabel::Replace(replace) = &relabel {
                    let counted = self.regexes.add(replace.regex_cost());
                    counted.map_err(|e| Error::unprocessable(e.to_string()))?;
                }
                Ok(Vector::Relabel { input: Box::new(self.vector(arg(call, 0)?, steps)?), relabel })
            }
            "histogram_quantile" => {
                let phi = arg(call, 0)?;
                let function = HistogramFunction::Quantile(self.scalar(phi, steps)?, phi.span());
                self.histogram(function, arg(call, 1)?, steps)
            }
            "histogram_quantiles" => {
                let label = text(arg(call, 1)?)?.to_owned();
                let phi = |phi: &Expr| Ok((self.scalar(phi.without_parens(), steps)?, phi.span()));
                let phis = call.args.iter().skip(2).map(phi).collect::<Result<_>>()?;
                self.histogram(HistogramFunction::Quantiles(label, phis), arg(call, 0)?, steps)
            }
            "histogram_fraction" => {
                let bounds = (self.scalar(arg(call, 0)?, steps)?, self.scalar(arg(call, 1)?, steps)?);
                self.histogram(HistogramFunction::Fraction(bounds.0, bounds.1), arg(call, 2)?, steps)
            }
            other => Err(unknown(other)),
        }
    }

    fn map_with_params(&mut self, call: &Call, steps: &Steps) -> Result<Option<Vector>> {
        let wanted = match call.function.name {
            "clamp" => 2,
            "clamp_min" | "clamp_max" => 1,
            "round" => 0,
            _ => return Ok(None),
        };
        let input = self.vector(arg(call, 0)?, steps)?;
        let mut params = call.args[1..].iter().map(|p| self.scalar(p, steps)).collect::<Result<Vec<_>>>()?;
        if params.len() < wanted {
            return Err(missing(call));
        }
        let mut next = || if params.is_empty() { Scalar::Number(1.0) } else { params.remove(0) };
        Ok(Some(map(
            input,
            match call.function.name {
                "clamp" => Map::Clamp(next(), next()),
                "clamp_min" => Map::ClampMin(next()),
                "clamp_max" => Map::ClampMax(next()),
                _ => Map::Round(next()),
            },
        )))
    }

    fn timestamp(&mut self, call: &Call, steps: &Steps) -> Result<Vector> {
        let starts = call.function.name == "start_timestamp";
        match arg(call, 0)? {
            Expr::VectorSelector(selector) => {
                let lookback = self.config.lookback_ms;
                let function = match starts {
                    true => ScanFunction::NewestStart { lookback },
                    false => ScanFunction::NewestTime { lookback },
                };
                Ok(scan(self.selector(selector, steps, lookback, None)?, function))
            }
            // What is not a selector has its values at the evaluation time, and has lost its starts.
            other if starts => {
                Ok(map(self.vector(other, steps)?, Map::Apply("start_timestamp", |_| vectors::absent())))
            }
            other => Ok(map(self.vector(other, steps)?, Map::StepTime)),
        }
    }

    fn histogram(&mut self, function: HistogramFunction, input: &Expr, steps: &Steps) -> Result<Vector> {
        let (planned, input_span) = (Box::new(self.vector(input, steps)?), input.span());
        Ok(Vector::Histogram(Histogram { input: planned, input_span, function }))
    }

    fn over_range(&mut self, call: &Call, function: RangeKind, steps: &Steps) -> Result<Vector> {
        let position = if matches!(function, RangeFunction::Quantile(())) { 1 } else { 0 };
        let function = match function {
            RangeFunction::Quantile(()) => RangeFunction::Quantile(self.scalar(arg(call, 0)?, steps)?),
            RangeFunction::PredictLinear(()) => {
                RangeFunction::PredictLinear(self.scalar(arg(call, 1)?, steps)?)
            }
            RangeFunction::DoubleExponential((), ()) => RangeFunction::DoubleExponential(
                self.scalar(arg(call, 1)?, steps)?,
                self.scalar(arg(call, 2)?, steps)?,
            ),
            other => other.try_map(|()| Err(unknown(call.function.name)))?,
        };
        let input = arg(call, position)?;
        let notes = RangeNotes {
            range: input.span(),
            counter: matches!(function, RangeFunction::Extrapolated(RateKind::Rate | RateKind::Increase))
                .then(|| input.span()),
            quantile: match &function {
                RangeFunction::Quantile(_) => Some(arg(call, 0)?.span()),
                _ => None,
            },
        };
        match input {
            Expr::MatrixSelector(e) => {
                let range = self.range(&e.range)?;
                let function = ScanFunction::Range { range, function, notes };
                let figures = Figures::of(&function, self.config);
                let selector = self.selector(&e.selector, steps, range, figures)?;
                check_edges(selector.edges, call)?;
                Ok(scan(selector, function))
            }
            Expr::Subquery(e) => {
                Ok(Vector::OverSubquery { function, subquery: self.subquery(e, steps)?, notes })
            }
            other => Err(unexpected(other, "a range vector")),
        }
    }
}

/// A range function whose parameters are not planned yet.
type RangeKind = RangeFunction<()>;

fn range_function(name: &str) -> Option<RangeKind> {
    Some(match name {
        "rate" => RangeFunction::Extrapolated(RateKind::Rate),
        "increase" => RangeFunction::Extrapolated(RateKind::Increase),
        "delta" => RangeFunction::Extrapolated(RateKind::Delta),
        "irate" => RangeFunction::InstantRate,
        "idelta" => RangeFunction::InstantDelta,
        "deriv" => RangeFunction::Derivative,
        "predict_linear" => RangeFunction::PredictLinear(()),
        "quantile_over_time" => RangeFunction::Quantile(()),
        "double_exponential_smoothing" => RangeFunction::DoubleExponential((), ()),
        "changes" => RangeFunction::Changes,
        "resets" => RangeFunction::Resets,
        other => match TimeOf::from_name(other) {
            Some(function) => RangeFunction::TimeOf(function),
            None => RangeFunction::OverTime(OverTime::from_name(other)?),
        },
    })
}

fn of_histogram(name: &str) -> Option<fn(&FloatHistogram) -> f64> {
    Some(match name {
        "histogram_avg" => |h| h.sum / h.count,
        "histogram_count" => |h| h.count,
        "histogram_sum" => |h| h.sum,
        "histogram_stddev" => |h| h.variance().sqrt(),
        "histogram_stdvar" => FloatHistogram::variance,
        _ => return None,
    })
}

/// The functions that `anchored` and `smoothed` have a meaning for, as Prometheus lists them.
fn check_edges(edges: Edges, call: &Call) -> Result<()> {
    let (modifier, functions): (_, &[&str]) = match edges {
        Edges::Open => return Ok(()),
        Edges::Anchored { .. } => ("anchored", &["changes", "delta", "increase", "rate", "resets"]),
        Edges::Smoothed { .. } => ("smoothed", &["delta", "increase", "rate"]),
    };
    let name = call.function.name;
    if functions.contains(&name) {
        return Ok(());
    }
    let functions = functions.join(", ");
    Err(Error::unprocessable(format!(
        "{modifier} modifier can only be used with: {functions} - not with {name}"
    )))
}

fn relabel(call: &Call) -> Result<Relabel, String> {
    let texts = call.args.iter().skip(1).map(|a| text(a).map(str::to_owned).map_err(|e| e.to_string()));
    let texts: Vec<String> = texts.collect::<Result<_, _>>()?;
    match (call.function.name, &texts[..]) {
        ("label_replace", [destination, replacement, source, pattern]) => {
            Ok(Relabel::Replace(LabelReplace::new(destination, replacement, source, pattern)?))
        }
        ("label_join", [destination, separator, sources @ ..]) => {
            Ok(Relabel::Join(LabelJoin::new(destination, separator, sources.to_vec())?))
        }
        _ => Err(missing(call).to_string()),
    }
}

/// The labels that `absent` can name: those that the selector fixes to one value.
fn absent_labels(input: &Expr) -> Labels {
    let selector: &VectorSelector = match input {
        Expr::VectorSelector(selector) => selector,
        Expr::MatrixSelector(matrix) => &matrix.selector,
        _ => return Labels::empty(),
    };
    let mut builder = LabelsBuilder::new();
    let mut fixed = HashSet::new();
    for matcher in selector.matchers.iter().filter(|m| m.name != METRIC_NAME) {
        if matcher.op == MatchOp::Equal && fixed.insert(&matcher.name) {
            builder.set(&matcher.name, &matcher.value);
        } else {
            // A second condition on a label leaves open what its value would have been.
            builder.remove(&matcher.name);
        }
    }
    builder.build()
}

/// An argument, without the parentheses around it.
pub(super) fn arg(call: &Call, at: usize) -> Result<&Expr> {
    call.args.get(at).map(Expr::without_parens).ok_or_else(|| missing(call))
}

fn missing(call: &Call) -> Error {
    Error::bad_request(format!("too few arguments in call to {:?}", call.function.name))
}

fn unknown(name: &str) -> Error {
    Error::bad_request(format!("unknown function with name {name:?}"))
}
