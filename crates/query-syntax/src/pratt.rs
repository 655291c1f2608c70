//! Expressions of operands and infix operators, by precedence climbing.

use crate::SyntaxError;

/// An infix operator that comes next, and how tightly it binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Infix<Op> {
    pub op: Op,
    /// Higher binds tighter.
    pub power: u8,
    pub right_associative: bool,
}

/// What climbing needs to know of a language.
pub trait Grammar {
    type Op: Copy;
    /// What stands between an operator and its right side, such as `on (a)`.
    type Modifiers;
    type Expr;

    /// Parses an operand with all that binds tighter than any infix operator.
    fn operand(&mut self) -> Result<Self::Expr, SyntaxError>;

    /// The infix operator that comes next, without taking it.
    fn infix(&self) -> Option<Infix<Self::Op>>;

    /// Takes the operator and its modifiers.
    fn modifiers(&mut self, op: Self::Op) -> Result<Self::Modifiers, SyntaxError>;

    fn combine(
        &mut self,
        lhs: Self::Expr,
        op: Self::Op,
        modifiers: Self::Modifiers,
        rhs: Self::Expr,
    ) -> Result<Self::Expr, SyntaxError>;

    /// Parses the right side of an operator, `climb(self, min_power)`, one level deeper.
    fn nested(&mut self, min_power: u8) -> Result<Self::Expr, SyntaxError>;
}

/// Parses an expression of operators that bind with at least `min_power`.
pub fn climb<G: Grammar>(grammar: &mut G, min_power: u8) -> Result<G::Expr, SyntaxError> {
    let mut lhs = grammar.operand()?;
    while let Some(infix) = grammar.infix().filter(|infix| infix.power >= min_power) {
        let modifiers = grammar.modifiers(infix.op)?;
        let rhs = grammar.nested(infix.power + u8::from(!infix.right_associative))?;
        lhs = grammar.combine(lhs, infix.op, modifiers, rhs)?;
    }
    Ok(lhs)
}
