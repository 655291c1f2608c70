//! Binary operators: how tightly they bind, the modifiers behind them, and what they make of
//! numbers.

use super::{Node, Parser, keyword::Keyword};
use crate::{
    arithmetic::{self, Operator},
    ast::{Binary, BinaryOp, Cardinality, Expr, MetricExpr, VectorMatching},
};
use query_syntax::{Grammar, Infix, Kind, SyntaxError, parse_label_list};

/// How tightly an operator binds; higher binds tighter. From Loki's grammar.
pub fn power(op: BinaryOp) -> u8 {
    use BinaryOp::*;
    match op {
        Or => 1,
        And | Unless => 2,
        Equal | NotEqual | Less | LessOrEqual | Greater | GreaterOrEqual => 3,
        Add | Sub => 4,
        Mul | Div | Mod => 5,
        Pow => 6,
    }
}

/// What stands between an operator and its right side.
pub struct Modifiers {
    return_bool: bool,
    matching: VectorMatching,
}

impl Grammar for Parser<'_> {
    type Op = BinaryOp;
    type Modifiers = Modifiers;
    type Expr = Node<Expr>;

    fn operand(&mut self) -> Result<Node<Expr>, SyntaxError> {
        self.operand_node()
    }

    fn infix(&self) -> Option<Infix<BinaryOp>> {
        let op = match self.keyword() {
            Some(Keyword::Operator(op)) => op,
            _ => {
                let text = self.tokens.peek_operator()?;
                BinaryOp::ALL.into_iter().find(|op| op.as_str() == text)?
            }
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
        Ok(Modifiers { return_bool, matching })
    }

    fn combine(
        &mut self,
        lhs: Node<Expr>,
        op: BinaryOp,
        modifiers: Modifiers,
        rhs: Node<Expr>,
    ) -> Result<Node<Expr>, SyntaxError> {
        let (lhs, rhs) = (Side::new("left", op, lhs)?, Side::new("right", op, rhs)?);
        let span = lhs.expr.span().to(rhs.expr.span());
        if let (MetricExpr::Literal { value: l, .. }, MetricExpr::Literal { value: r, .. }) =
            (&lhs.expr, &rhs.expr)
        {
            let literal = MetricExpr::Literal { value: fold(op, *l, *r), span };
            return self.node(Expr::Metric(literal), 0);
        }
        let Modifiers { return_bool, matching } = modifiers;
        let depth = lhs.depth.max(rhs.depth);
        let (lhs, rhs) = (Box::new(lhs.expr), Box::new(rhs.expr));
        let binary = Binary { op, return_bool, matching, lhs, rhs, span };
        self.node(Expr::Metric(MetricExpr::Binary(binary)), depth)
    }

    fn nested(&mut self, min_power: u8) -> Result<Node<Expr>, SyntaxError> {
        self.deeper(min_power)
    }
}

/// One side of an operator.
struct Side {
    expr: MetricExpr,
    depth: usize,
}

impl Side {
    fn new(side: &str, op: BinaryOp, node: Node<Expr>) -> Result<Self, SyntaxError> {
        let expr = match node.expr {
            Expr::Metric(expr) => expr,
            Expr::Logs(logs) => {
                let op = op.as_str();
                let message =
                    format!("unexpected type for {side} leg of binary operation ({op}): a log query");
                return Err(SyntaxError::new(logs.span, message));
            }
        };
        if let (MetricExpr::Literal { value, span }, true) = (&expr, op.is_set()) {
            let op = op.as_str();
            let message = format!(
                "unexpected literal for {side} leg of logical/set binary operation ({op}): {value:.6}"
            );
            return Err(SyntaxError::new(*span, message));
        }
        Ok(Self { expr, depth: node.depth })
    }
}

/// The value of an operation on two numbers.
fn fold(op: BinaryOp, l: f64, r: f64) -> f64 {
    match Operator::from(op) {
        Operator::Scalar(op) => arithmetic::apply(op, true, l, r, l),
        // Refused before.
        Operator::Set(_) => f64::NAN,
    }
}

impl Parser<'_> {
    pub(super) fn label_list(&mut self) -> Result<Vec<String>, SyntaxError> {
        parse_label_list(&mut self.tokens, |_| false)
    }

    /// `group_left` and `group_right`, of which the labels may be left out.
    fn group(&mut self, matching: &mut VectorMatching) -> Result<(), SyntaxError> {
        matching.cardinality = match self.keyword() {
            Some(Keyword::GroupLeft) => Cardinality::ManyToOne,
            Some(Keyword::GroupRight) => Cardinality::OneToMany,
            _ => return Ok(()),
        };
        self.tokens.advance();
        let is_list =
            matches!(self.tokens.peek_at(1).kind, Kind::Identifier | Kind::String | Kind::RightParen);
        if self.tokens.peek().kind == Kind::LeftParen && is_list {
            matching.include = self.label_list()?;
        }
        Ok(())
    }
}
