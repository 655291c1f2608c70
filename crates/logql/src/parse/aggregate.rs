//! Aggregations over the vector of a step.

use super::{Node, Parser, keyword::Keyword};
use crate::ast::{Grouping, MetricExpr, VectorAggregation, VectorOp};
use query_syntax::{Kind, SyntaxError, Token};

impl Parser<'_> {
    /// Parses an aggregation; its grouping may stand on either side of the arguments.
    pub(super) fn vector_aggregation(&mut self, op: VectorOp) -> Result<Node<MetricExpr>, SyntaxError> {
        let start = self.tokens.advance().span;
        let before = self.grouping()?;
        self.expect(Kind::LeftParen, "\"(\"")?;
        let param = self.param();
        let node = self.metric()?;
        self.expect(Kind::RightParen, "\")\"")?;
        let grouping = match before {
            Some(grouping) => Some(grouping),
            None => self.grouping()?,
        };
        let span = self.span_from(start);
        let param = match (param, op.has_param()) {
            (Some(token), true) => Some(self.count(op, token)?),
            (Some(token), false) => {
                let (op, text) = (op.as_str(), self.tokens.text_of(token));
                let message = format!("unsupported parameter for operation {op}({text},");
                return Err(SyntaxError::new(token.span, message));
            }
            (None, true) => {
                let message = format!("parameter required for operation {}", op.as_str());
                return Err(SyntaxError::new(start, message));
            }
            (None, false) => None,
        };
        let refused = match op {
            VectorOp::ApproxTopk => grouping.is_some(),
            VectorOp::Sort | VectorOp::SortDesc => grouping.as_ref().is_some_and(|g| !g.labels.is_empty()),
            _ => false,
        };
        if refused {
            let message = format!("grouping not allowed for {} aggregation", op.as_str());
            return Err(SyntaxError::new(start, message));
        }
        let (grouping, expr) = (grouping.unwrap_or_default(), Box::new(node.expr));
        let aggregation = VectorAggregation { op, param, grouping, expr, span };
        self.node(MetricExpr::Aggregate(aggregation), node.depth)
    }

    pub(super) fn grouping(&mut self) -> Result<Option<Grouping>, SyntaxError> {
        let without = match self.keyword() {
            Some(Keyword::By) => false,
            Some(Keyword::Without) => true,
            _ => return Ok(None),
        };
        self.tokens.advance();
        Ok(Some(Grouping { without, labels: self.label_list()? }))
    }

    /// Takes a number with the comma behind it.
    pub(super) fn param(&mut self) -> Option<Token> {
        if self.tokens.peek_at(1).kind != Kind::Comma {
            return None;
        }
        let number = self.tokens.accept(Kind::Number)?;
        self.tokens.advance();
        Some(number)
    }

    /// The number of series that `topk` and its like keep.
    fn count(&self, op: VectorOp, token: Token) -> Result<u64, SyntaxError> {
        let (name, text) = (op.as_str(), self.tokens.text_of(token));
        let message = match text.parse::<i64>().map(u64::try_from) {
            Ok(Ok(count @ 1..)) => return Ok(count),
            Ok(_) => format!("invalid parameter (must be greater than 0) {name}({text}"),
            Err(_) => format!("invalid parameter {name}({text},"),
        };
        Err(SyntaxError::new(token.span, message))
    }
}
