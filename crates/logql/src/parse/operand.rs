//! What stands between binary operators.

use super::{Node, Parser, keyword::Keyword};
use crate::ast::{Expr, LabelReplace, LogQuery, MetricExpr};
use query_syntax::{Kind, Span, SyntaxError, Token, parse_float};

impl Parser<'_> {
    pub(super) fn operand_node(&mut self) -> Result<Node<Expr>, SyntaxError> {
        let node = match (self.tokens.peek().kind, self.keyword()) {
            (Kind::LeftBrace, _) => return self.log_query(),
            (Kind::LeftParen, _) => return self.parens(),
            (Kind::Number | Kind::Operator, _) => self.literal()?,
            (_, Some(Keyword::Range(op))) => self.range_aggregation(op)?,
            (_, Some(Keyword::Aggregate(op))) => self.vector_aggregation(op)?,
            (_, Some(Keyword::LabelReplace)) => self.label_replace()?,
            (_, Some(Keyword::Vector)) => self.vector()?,
            _ => return Err(self.unexpected("")),
        };
        Ok(Node { expr: Expr::Metric(node.expr), depth: node.depth })
    }

    fn parens(&mut self) -> Result<Node<Expr>, SyntaxError> {
        self.tokens.advance();
        let node = self.deeper(0)?;
        self.expect(Kind::RightParen, "\")\"")?;
        Ok(node)
    }

    fn log_query(&mut self) -> Result<Node<Expr>, SyntaxError> {
        let (matchers, start) = self.stream_selector()?;
        let pipeline = self.pipeline()?;
        if let Some(span) = pipeline.unwrap_span {
            return Err(SyntaxError::new(span, "unwrap is only allowed in a range aggregation"));
        }
        let query = LogQuery { matchers, stages: pipeline.stages, span: self.span_from(start) };
        self.node(Expr::Logs(query), pipeline.depth)
    }

    /// A number with an optional sign.
    fn literal(&mut self) -> Result<Node<MetricExpr>, SyntaxError> {
        let (value, span) = self.signed_number()?;
        self.node(MetricExpr::Literal { value, span }, 0)
    }

    pub(super) fn signed_number(&mut self) -> Result<(f64, Span), SyntaxError> {
        let sign = self.tokens.peek_operator();
        let negative = match sign {
            Some("+" | "-") if self.tokens.peek_at(1).kind == Kind::Number => {
                self.tokens.advance();
                sign == Some("-")
            }
            _ => false,
        };
        let token = self.tokens.expect(Kind::Number, "", "")?;
        let value = self.float(token, "unable to parse literal as a float")?;
        Ok((if negative { -value } else { value }, token.span))
    }

    pub(super) fn float(&self, token: Token, problem: &str) -> Result<f64, SyntaxError> {
        parse_float(self.tokens.text_of(token))
            .map_err(|reason| SyntaxError::new(token.span, format!("{problem}: {reason}")))
    }

    fn vector(&mut self) -> Result<Node<MetricExpr>, SyntaxError> {
        let start = self.tokens.advance().span;
        self.expect(Kind::LeftParen, "\"(\"")?;
        let token = self.tokens.expect(Kind::Number, "", "number")?;
        let value = self.float(token, "unable to parse vector as a float")?;
        self.expect(Kind::RightParen, "\")\"")?;
        self.node(MetricExpr::Vector { value, span: self.span_from(start) }, 0)
    }

    fn label_replace(&mut self) -> Result<Node<MetricExpr>, SyntaxError> {
        let start = self.tokens.advance().span;
        self.expect(Kind::LeftParen, "\"(\"")?;
        let node = self.metric()?;
        let (dst, _) = self.string_argument()?;
        let (replacement, _) = self.string_argument()?;
        let (src, _) = self.string_argument()?;
        let (regex, regex_span) = self.string_argument()?;
        self.expect(Kind::RightParen, "\")\"")?;
        let counted = self.tokens.count_regex(model::regex_cost(&regex));
        if let Err(error) = counted.and_then(|()| model::capturing_regex(&regex)) {
            let message = format!("invalid regex in label_replace: {error}");
            return Err(SyntaxError::new(regex_span, message));
        }
        let (expr, span) = (Box::new(node.expr), self.span_from(start));
        let replace = LabelReplace { expr, dst, replacement, src, regex, span };
        self.node(MetricExpr::LabelReplace(replace), node.depth)
    }

    fn string_argument(&mut self) -> Result<(String, Span), SyntaxError> {
        self.expect(Kind::Comma, "\",\"")?;
        self.string()
    }
}
