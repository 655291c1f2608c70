//! Aggregations over the lines of a range.

use super::{
    Node, Parser,
    keyword::Keyword,
    literal::{parse_nanos, parse_range},
    stage::Pipeline,
};
use crate::ast::{LogQuery, LogRange, MetricExpr, RangeAggregation, RangeOp};
use query_syntax::{Kind, Span, SyntaxError, Tokens};

/// What has been read of the argument: the range may stand before or behind the stages, and
/// parentheses around either.
struct Argument {
    query: LogQuery,
    pipeline: Pipeline,
    range: Option<i64>,
    offset: i64,
}

impl Parser<'_> {
    pub(super) fn range_aggregation(&mut self, op: RangeOp) -> Result<Node<MetricExpr>, SyntaxError> {
        let start = self.tokens.advance().span;
        self.expect(Kind::LeftParen, "\"(\"")?;
        let param = self.param();
        let argument = self.range_argument()?;
        let Some(range) = argument.range else { return Err(self.unexpected("range such as \"[5m]\"")) };
        self.expect(Kind::RightParen, "\")\"")?;
        let grouping = self.grouping()?;
        let span = self.span_from(start);
        let name = op.as_str();
        let param = match (param, op == RangeOp::Quantile) {
            (Some(token), true) => {
                Some(self.float(token, &format!("invalid parameter for operation {name}"))?)
            }
            (Some(token), false) => {
                let text = self.tokens.text_of(token);
                let message = format!("parameter {text} not supported for operation {name}");
                return Err(SyntaxError::new(token.span, message));
            }
            (None, true) => {
                return Err(SyntaxError::new(start, format!("parameter required for operation {name}")));
            }
            (None, false) => None,
        };
        let Argument { mut query, pipeline, offset, .. } = argument;
        let error = |message: String| Err(SyntaxError::new(start, message));
        if grouping.is_some() && !op.allows_grouping() {
            return error(format!("grouping not allowed for {name} aggregation"));
        }
        match pipeline.unwrap {
            Some(_) if !op.allows_unwrap() => {
                return error(format!("invalid aggregation {name} with unwrap"));
            }
            None if !op.allows_lines() => return error(format!("invalid aggregation {name} without unwrap")),
            _ => {}
        }
        query.stages = pipeline.stages;
        let logs = LogRange { query, unwrap: pipeline.unwrap, range, offset };
        let aggregation = RangeAggregation { op, param, logs, grouping, span };
        self.node(MetricExpr::Range(aggregation), pipeline.depth)
    }

    fn range_argument(&mut self) -> Result<Argument, SyntaxError> {
        let in_parens = self.tokens.accept(Kind::LeftParen).is_some();
        let mut argument = if in_parens {
            let argument = Tokens::nested(self, Self::range_argument)?;
            self.expect(Kind::RightParen, "\")\"")?;
            if argument.range.is_some() {
                return Ok(argument);
            }
            argument
        } else {
            let (matchers, span) = self.stream_selector()?;
            let query = LogQuery { matchers, stages: Vec::new(), span };
            Argument { query, pipeline: Pipeline::default(), range: None, offset: 0 }
        };
        self.range(&mut argument)?;
        if argument.pipeline.is_empty() {
            argument.pipeline = self.pipeline()?;
            if let Some(end) = argument.pipeline.end {
                argument.query.span.end = end;
            }
            self.range(&mut argument)?;
        }
        Ok(argument)
    }

    /// `[5m]`, with an offset or without, where it has not been read.
    fn range(&mut self, argument: &mut Argument) -> Result<(), SyntaxError> {
        if argument.range.is_some() || self.tokens.accept(Kind::LeftBracket).is_none() {
            return Ok(());
        }
        let token = self.tokens.expect(Kind::Duration, "", "duration")?;
        let range = parse_range(self.tokens.text_of(token));
        argument.range = Some(range.map_err(|reason| SyntaxError::new(token.span, reason))?);
        self.expect(Kind::RightBracket, "\"]\"")?;
        if self.accept_keyword(Keyword::Offset) {
            argument.offset = self.duration()?.0;
        }
        Ok(())
    }

    /// Takes a duration, and answers its nanoseconds.
    pub(super) fn duration(&mut self) -> Result<(i64, Span), SyntaxError> {
        let token = self.tokens.expect(Kind::Duration, "", "duration")?;
        let text = self.tokens.text_of(token);
        let nanos = parse_nanos(text).ok_or_else(|| {
            SyntaxError::new(token.span, format!("not a valid duration string: {}", model::quote(text)))
        })?;
        Ok((nanos, token.span))
    }
}
