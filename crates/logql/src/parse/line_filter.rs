//! Filters on the text of lines.

use super::{Parser, keyword::Keyword};
use crate::ast::{BinaryOp, IpSet, LineFilter, LineFilterOp, LineOperand, Pattern, Stage};
use query_syntax::{Kind, Span, SyntaxError};

impl Parser<'_> {
    /// The operator of a line filter, if one comes next.
    pub(super) fn line_filter_op(&self) -> Option<LineFilterOp> {
        let text = self.tokens.peek_operator()?;
        LineFilterOp::ALL.into_iter().find(|op| op.as_str() == text)
    }

    /// Parses a line filter with all its `or`s. One that refuses lines becomes several, for
    /// neither operand may be in the line.
    pub(super) fn line_filters(&mut self, stages: &mut Vec<Stage>) -> Result<(), SyntaxError> {
        let Some(op) = self.line_filter_op() else { return Ok(()) };
        self.tokens.advance();
        let mut operands = vec![self.line_operand(op)?];
        while self.accept_keyword(Keyword::Operator(BinaryOp::Or)) {
            operands.push(self.line_operand(op)?);
        }
        if op.is_negative() {
            let alone = |operand| Stage::LineFilter(LineFilter { op, operands: vec![operand] });
            stages.extend(operands.into_iter().map(alone));
        } else {
            stages.push(Stage::LineFilter(LineFilter { op, operands }));
        }
        Ok(())
    }

    fn line_operand(&mut self, op: LineFilterOp) -> Result<LineOperand, SyntaxError> {
        let start = self.tokens.peek().span;
        if self.accept_keyword(Keyword::Ip) {
            let addresses = self.addresses()?;
            return match op {
                LineFilterOp::Contains | LineFilterOp::NotContains => Ok(LineOperand::Ip(addresses)),
                _ => {
                    let message = format!("ip: invalid operation: {}", op.as_str());
                    Err(SyntaxError::new(start, message))
                }
            };
        }
        if self.tokens.peek().kind != Kind::String {
            return Err(self.unexpected("string or ip(\"…\")"));
        }
        let (text, span) = self.string()?;
        self.line_operand_of(op, text).map_err(|reason| SyntaxError::new(span, reason))
    }

    fn line_operand_of(&mut self, op: LineFilterOp, text: String) -> Result<LineOperand, String> {
        Ok(match op {
            LineFilterOp::Contains | LineFilterOp::NotContains => LineOperand::Text(text),
            LineFilterOp::Regex | LineFilterOp::NotRegex => {
                self.search_regex(&text)?;
                LineOperand::Regex(text)
            }
            LineFilterOp::Pattern | LineFilterOp::NotPattern => {
                LineOperand::Pattern(Pattern::for_lines(&text).map_err(|e| e.to_string())?)
            }
        })
    }

    /// What stands behind `ip`.
    pub(super) fn addresses(&mut self) -> Result<IpSet, SyntaxError> {
        self.expect(Kind::LeftParen, "\"(\"")?;
        let (text, span): (String, Span) = self.string()?;
        let addresses = IpSet::new(&text).map_err(|e| SyntaxError::new(span, e.to_string()))?;
        self.expect(Kind::RightParen, "\")\"")?;
        Ok(addresses)
    }
}
