//! Filters on labels.
//!
//! `and` binds tighter than `or`, and a comma, or nothing between two conditions, binds
//! tighter than both to the left and looser to the right: `a , b or c` is `a and (b or c)`.
//! That is how Loki's grammar reads it.

use super::{Node, Parser, keyword::Keyword};
use crate::ast::{BinaryOp, CompareOp, LabelFilter};
use model::quote;
use query_syntax::{Grammar, Infix, Kind, SyntaxError, Tokens, climb, parse_bytes, parse_matcher};

impl Parser<'_> {
    pub(super) fn label_filter(&mut self) -> Result<Node<LabelFilter>, SyntaxError> {
        climb(&mut Filters(self), 0)
    }
}

/// The parser, with the grammar of label filters.
struct Filters<'p, 'q>(&'p mut Parser<'q>);

impl<'q> AsMut<Tokens<'q>> for Filters<'_, 'q> {
    fn as_mut(&mut self) -> &mut Tokens<'q> {
        &mut self.0.tokens
    }
}

impl Grammar for Filters<'_, '_> {
    type Op = BinaryOp;
    type Modifiers = ();
    type Expr = Node<LabelFilter>;

    fn operand(&mut self) -> Result<Node<LabelFilter>, SyntaxError> {
        let first = match self.0.tokens.accept(Kind::LeftParen) {
            Some(_) => {
                let inner = self.nested(0)?;
                self.0.expect(Kind::RightParen, "\")\"")?;
                inner
            }
            None => {
                let condition = self.condition()?;
                self.0.node(condition, 0)?
            }
        };
        let comma = self.0.tokens.accept(Kind::Comma).is_some();
        if !comma && !matches!(self.0.tokens.peek().kind, Kind::Identifier | Kind::LeftParen) {
            return Ok(first);
        }
        let rest = self.nested(0)?;
        self.combine(first, BinaryOp::And, (), rest)
    }

    fn infix(&self) -> Option<Infix<BinaryOp>> {
        let (op, power) = match self.0.keyword()? {
            Keyword::Operator(op @ BinaryOp::Or) => (op, 1),
            Keyword::Operator(op @ BinaryOp::And) => (op, 2),
            _ => return None,
        };
        Some(Infix { op, power, right_associative: false })
    }

    fn modifiers(&mut self, _: BinaryOp) -> Result<(), SyntaxError> {
        self.0.tokens.advance();
        Ok(())
    }

    fn combine(
        &mut self,
        lhs: Node<LabelFilter>,
        op: BinaryOp,
        (): (),
        rhs: Node<LabelFilter>,
    ) -> Result<Node<LabelFilter>, SyntaxError> {
        let depth = lhs.depth.max(rhs.depth);
        let (lhs, rhs) = (Box::new(lhs.expr), Box::new(rhs.expr));
        let filter = match op {
            BinaryOp::Or => LabelFilter::Or(lhs, rhs),
            _ => LabelFilter::And(lhs, rhs),
        };
        self.0.node(filter, depth)
    }

    fn nested(&mut self, min_power: u8) -> Result<Node<LabelFilter>, SyntaxError> {
        Tokens::nested(self, |filters| climb(filters, min_power))
    }
}

impl Filters<'_, '_> {
    /// A condition on one label.
    fn condition(&mut self) -> Result<LabelFilter, SyntaxError> {
        let parser = &mut *self.0;
        if parser.tokens.peek().kind != Kind::Identifier {
            return Err(parser.unexpected("label name or stage"));
        }
        if parser.tokens.peek_at(2).kind == Kind::String {
            let is_comparison = matches!(parser.tokens.peek_at(1).kind, Kind::Operator | Kind::Assign);
            let text = parser.tokens.text_of(parser.tokens.peek_at(1));
            if is_comparison && matches!(text, "=" | "!=" | "=~" | "!~") {
                return parse_matcher(&mut parser.tokens).map(LabelFilter::Matcher);
            }
        }
        let label = parser.name()?;
        let operator = parser.tokens.peek_operator().unwrap_or_default();
        let Some(op) = CompareOp::find(operator) else {
            return Err(match operator {
                "=~" | "!~" => {
                    parser.tokens.advance();
                    parser.unexpected("string")
                }
                _ => parser.unexpected(&format!("comparison (no stage is called {})", quote(&label))),
            });
        };
        parser.tokens.advance();
        if matches!(operator, "=" | "!=") && parser.accept_keyword(Keyword::Ip) {
            let (negated, addresses) = (op == CompareOp::NotEqual, parser.addresses()?);
            return Ok(LabelFilter::Ip { label, negated, addresses });
        }
        comparison(parser, label, op)
    }
}

/// Parses the right side of a comparison.
fn comparison(parser: &mut Parser<'_>, label: String, op: CompareOp) -> Result<LabelFilter, SyntaxError> {
    let token = parser.tokens.peek();
    match token.kind {
        Kind::Duration => {
            let (nanos, _) = parser.duration()?;
            Ok(LabelFilter::Duration { label, op, nanos })
        }
        Kind::Bytes => {
            parser.tokens.advance();
            let bytes = parse_bytes(parser.tokens.text_of(token))
                .map_err(|e| SyntaxError::new(token.span, e.to_string()))?;
            Ok(LabelFilter::Bytes { label, op, bytes })
        }
        Kind::Number | Kind::Operator => {
            let (value, _) = parser.signed_number()?;
            Ok(LabelFilter::Number { label, op, value })
        }
        _ => Err(parser.unexpected("value")),
    }
}
