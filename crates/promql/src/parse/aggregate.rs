//! Aggregations and function calls.

use super::{Node, Parser, keyword::Keyword};
use crate::{
    ast::{Aggregate, AggregateOp, Call, Expr, Span},
    signatures::Signature,
};
use model::quote;
use query_syntax::{Kind, SyntaxError};

/// The arguments of a call, and how deep the deepest is.
struct Args {
    list: Vec<Expr>,
    depth: usize,
}

/// `by (…)` or `without (…)`.
struct Grouping {
    labels: Vec<String>,
    without: bool,
}

impl Parser<'_> {
    /// Parses an aggregation; its grouping may stand on either side of the arguments.
    pub(super) fn aggregate(&mut self, op: AggregateOp) -> Result<Node, SyntaxError> {
        self.within("aggregation", |parser| {
            let start = parser.tokens.advance().span;
            let before = parser.grouping()?;
            let args = parser.args()?;
            let grouping = match before {
                Some(grouping) => Some(grouping),
                None if parser.tokens.failed_here() => return Err(parser.unexpected()),
                None => parser.grouping()?,
            };
            let span = Span { start: start.start, end: parser.last_end() };
            parser.new_aggregate(op, grouping, args, span)
        })
    }

    fn grouping(&mut self) -> Result<Option<Grouping>, SyntaxError> {
        let without = match self.keyword() {
            Some(Keyword::By) => false,
            Some(Keyword::Without) => true,
            _ => return Ok(None),
        };
        self.tokens.advance();
        Ok(Some(Grouping { labels: self.label_list()?, without }))
    }

    fn new_aggregate(
        &self,
        op: AggregateOp,
        grouping: Option<Grouping>,
        args: Args,
        span: Span,
    ) -> Result<Node, SyntaxError> {
        if args.list.is_empty() {
            return Err(SyntaxError::new(span, "no arguments for aggregate expression provided"));
        }
        if op.is_experimental() && !self.options.experimental_functions {
            let message = format!(
                "{op}() is experimental and must be enabled with --enable-feature=promql-experimental-functions"
            );
            return Err(SyntaxError::new(span, message));
        }
        let (given, wanted) = (args.list.len(), if op.has_param() { 2 } else { 1 });
        let mut list = args.list.into_iter();
        let param = if op.has_param() { list.next().map(Box::new) } else { None };
        let (Some(expr), None) = (list.next(), list.next()) else {
            let message = format!(
                "wrong number of arguments for aggregate expression provided, expected {wanted}, got {given}"
            );
            return Err(SyntaxError::new(span, message));
        };
        let (grouping, without) = grouping.map_or((Vec::new(), false), |g| (g.labels, g.without));
        self.node(
            Expr::Aggregate(Aggregate { op, expr: Box::new(expr), param, grouping, without, span }),
            args.depth,
        )
    }

    /// Parses a call, of which the name is next.
    pub(super) fn call(&mut self) -> Result<Node, SyntaxError> {
        let token = self.tokens.advance();
        let name = self.tokens.text_of(token);
        let args = self.args()?;
        let Some(function) = Signature::find(name) else {
            return Err(SyntaxError::new(token.span, format!("unknown function with name {}", quote(name))));
        };
        if function.experimental && !self.options.experimental_functions {
            return Err(SyntaxError::new(token.span, format!("function {} is not enabled", quote(name))));
        }
        let span = Span { start: token.span.start, end: self.last_end() };
        self.node(Expr::Call(Call { function, args: args.list, span }), args.depth)
    }

    fn args(&mut self) -> Result<Args, SyntaxError> {
        self.expect(Kind::LeftParen)?;
        let mut args = Args { list: Vec::new(), depth: 0 };
        if self.tokens.accept(Kind::RightParen).is_some() {
            return Ok(args);
        }
        loop {
            let arg = self.deeper(0)?;
            args.list.push(arg.expr);
            args.depth = args.depth.max(arg.depth);
            let Some(comma) = self.tokens.accept(Kind::Comma) else {
                self.expect(Kind::RightParen)?;
                return Ok(args);
            };
            if !self.starts_operand() && !self.tokens.failed_here() {
                return Err(SyntaxError::new(
                    comma.span,
                    "trailing commas not allowed in function call args",
                ));
            }
        }
    }
}
