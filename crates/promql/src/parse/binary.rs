//! Binary operators: how tightly they bind, and the modifiers behind them.

use super::{Node, Parser, keyword::Keyword};
use crate::ast::{Binary, BinaryOp, Cardinality, Expr, FillValues, VectorMatching};
use query_syntax::{Grammar, Infix, Kind, SyntaxError, parse_label_list};

/// The power of `*`, which unary operators share: `-a * b` is `(-a) * b`, `-a ^ b` is `-(a ^ b)`.
pub const PRODUCT: u8 = 5;

/// From Prometheus's grammar.
fn power(op: BinaryOp) -> u8 {
    use BinaryOp::*;
    match op {
        Or => 1,
        And | Unless => 2,
        Equal | NotEqual | Less | LessOrEqual | Greater | GreaterOrEqual | TrimUpper | TrimLower => 3,
        Add | Sub => 4,
        Mul | Div | Mod | Atan2 => PRODUCT,
        Pow => 6,
    }
}

fn operator(text: &str) -> Option<BinaryOp> {
    use BinaryOp::*;
    let symbols = [
        Add,
        Sub,
        Mul,
        Div,
        Mod,
        Pow,
        Equal,
        NotEqual,
        Less,
        LessOrEqual,
        Greater,
        GreaterOrEqual,
        TrimUpper,
        TrimLower,
    ];
    symbols.into_iter().find(|op| op.as_str() == text)
}

/// What stands between an operator and its right side.
pub struct Modifiers {
    return_bool: bool,
    matching: VectorMatching,
    fill: FillValues,
}

impl Grammar for Parser<'_> {
    type Op = BinaryOp;
    type Modifiers = Modifiers;
    type Expr = Node;

    fn operand(&mut self) -> Result<Node, SyntaxError> {
        let node = self.primary()?;
        self.postfix(node)
    }

    fn infix(&self) -> Option<Infix<BinaryOp>> {
        let op = match self.keyword() {
            Some(Keyword::Operator(op)) => op,
            _ => operator(self.tokens.peek_operator()?)?,
        };
        Some(Infix { op, power: power(op), right_associative: op == BinaryOp::Pow })
    }

    fn modifiers(&mut self, _: BinaryOp) -> Result<Modifiers, SyntaxError> {
        self.tokens.advance();
        let return_bool = self.accept_keyword(Keyword::Bool);
        let mut matching = VectorMatching::default();
        if let Some(keyword @ (Keyword::On | Keyword::Ignoring)) = self.keyword() {
            self.tokens.advance();
            matching.on = keyword == Keyword::On;
            matching.labels = self.label_list()?;
            self.group(&mut matching)?;
        }
        let fill = self.fill_values()?;
        Ok(Modifiers { return_bool, matching, fill })
    }

    fn combine(
        &mut self,
        lhs: Node,
        op: BinaryOp,
        modifiers: Modifiers,
        rhs: Node,
    ) -> Result<Node, SyntaxError> {
        let span = lhs.expr.span().to(rhs.expr.span());
        let Modifiers { return_bool, matching, fill } = modifiers;
        if !fill.is_empty() && !self.options.binop_fill_modifiers {
            return Err(SyntaxError::new(span, "binop fill modifiers are experimental and not enabled"));
        }
        let depth = lhs.depth.max(rhs.depth);
        let (lhs, rhs) = (Box::new(lhs.expr), Box::new(rhs.expr));
        let matching = Some(matching);
        self.node(Expr::Binary(Binary { op, lhs, rhs, return_bool, matching, fill, span }), depth)
    }

    fn nested(&mut self, min_power: u8) -> Result<Node, SyntaxError> {
        self.deeper(min_power)
    }
}

impl Parser<'_> {
    pub(super) fn accept_keyword(&mut self, keyword: Keyword) -> bool {
        let found = self.keyword() == Some(keyword);
        if found {
            self.tokens.advance();
        }
        found
    }

    pub(super) fn label_list(&mut self) -> Result<Vec<String>, SyntaxError> {
        parse_label_list(&mut self.tokens, super::keyword::is_label_name)
    }

    /// `group_left` and `group_right`, of which the labels may be left out.
    fn group(&mut self, matching: &mut VectorMatching) -> Result<(), SyntaxError> {
        matching.cardinality = match self.keyword() {
            Some(Keyword::GroupLeft) => Cardinality::ManyToOne,
            Some(Keyword::GroupRight) => Cardinality::OneToMany,
            _ => return Ok(()),
        };
        self.tokens.advance();
        let goes_on = self.starts_operand() || self.keyword().is_some_and(Keyword::is_fill);
        if self.tokens.peek().kind == Kind::LeftParen || !goes_on {
            matching.include = self.label_list()?;
        }
        Ok(())
    }

    /// `fill(1)`, or `fill_left(1)` and `fill_right(2)` in any order.
    fn fill_values(&mut self) -> Result<FillValues, SyntaxError> {
        let mut fill = FillValues::default();
        loop {
            match self.keyword() {
                Some(Keyword::Fill) if fill.is_empty() => {
                    let value = Some(self.fill_value()?);
                    return Ok(FillValues { left: value, right: value });
                }
                Some(Keyword::FillLeft) if fill.left.is_none() => fill.left = Some(self.fill_value()?),
                Some(Keyword::FillRight) if fill.right.is_none() => fill.right = Some(self.fill_value()?),
                _ => return Ok(fill),
            }
        }
    }

    fn fill_value(&mut self) -> Result<f64, SyntaxError> {
        self.tokens.advance();
        self.expect(Kind::LeftParen)?;
        let value = self.signed_number()?.ok_or_else(|| self.unexpected())?.value;
        self.expect(Kind::RightParen)?;
        Ok(value)
    }
}
