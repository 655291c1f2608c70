//! A query's syntax tree as `parse_query` gives it: Prometheus's tree view reads this.

use crate::json;
use model::Matcher;
use promql::{
    Signature,
    ast::{
        Aggregate, At, Binary, Duration, DurationExpr, Expr, MatrixSelector, NumberLiteral, Subquery,
        ValueType, VectorMatching, VectorSelector,
    },
};
use std::io::Write;

/// An object under construction. Keys are given in alphabetical order, as Go writes maps.
struct Object<'a> {
    out: &'a mut Vec<u8>,
    comma: bool,
}

impl<'a> Object<'a> {
    fn open(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, comma: false }
    }

    fn key(&mut self, key: &str) -> &mut Vec<u8> {
        if std::mem::replace(&mut self.comma, true) {
            self.out.push(b',');
        }
        json::string(self.out, key);
        self.out.push(b':');
        self.out
    }

    fn string(&mut self, key: &str, value: &str) -> &mut Self {
        json::string(self.key(key), value);
        self
    }

    fn strings(&mut self, key: &str, values: &[String]) -> &mut Self {
        json::strings(self.key(key), values.iter().map(String::as_str));
        self
    }

    fn raw(&mut self, key: &str, value: impl std::fmt::Display) -> &mut Self {
        // writing to a Vec cannot fail
        let _ = write!(self.key(key), "{value}");
        self
    }

    fn expr(&mut self, key: &str, value: Option<&Expr>) -> &mut Self {
        match value {
            Some(value) => expr(self.key(key), value),
            None => self.key(key).extend_from_slice(b"null"),
        }
        self
    }

    /// A duration in milliseconds and, if it is computed, its tree beside it.
    fn duration(&mut self, key: &str, value: &Duration) -> &mut Self {
        let (ms, computed) = match value {
            Duration::Fixed(ms) => (*ms, None),
            Duration::Expr(computed) => (0, Some(&**computed)),
        };
        self.raw(key, ms);
        duration_expr(self.key(&format!("{key}Expr")), computed);
        self
    }

    fn close(&mut self) {
        self.out.push(b'}');
    }
}

pub fn expr(out: &mut Vec<u8>, node: &Expr) {
    let mut object = Object::open(out);
    match node {
        Expr::Number(e) => {
            object.string("type", "numberLiteral").string("val", &plain_number(e.value)).close();
        }
        Expr::String(e) => object.string("type", "stringLiteral").string("val", &e.value).close(),
        Expr::Paren(e) => object.expr("expr", Some(&e.expr)).string("type", "parenExpr").close(),
        Expr::Unary(e) => {
            object
                .expr("expr", Some(&e.expr))
                .string("op", e.op.as_str())
                .string("type", "unaryExpr")
                .close();
        }
        Expr::Binary(e) => binary(&mut object, e),
        Expr::Aggregate(e) => aggregate(&mut object, e),
        Expr::Call(e) => {
            json::array(object.key("args"), &e.args, expr);
            function(object.key("func"), e.function);
            object.string("type", "call").close();
        }
        Expr::VectorSelector(e) => vector_selector(&mut object, e),
        Expr::MatrixSelector(e) => matrix_selector(&mut object, e),
        Expr::Subquery(e) => subquery(&mut object, e),
    }
}

fn aggregate(object: &mut Object<'_>, e: &Aggregate) {
    object
        .expr("expr", Some(&e.expr))
        .strings("grouping", &e.grouping)
        .string("op", e.op.as_str())
        .expr("param", e.param.as_deref())
        .string("type", "aggregation")
        .raw("without", e.without)
        .close();
}

fn binary(object: &mut Object<'_>, e: &Binary) {
    object.raw("bool", e.return_bool).expr("lhs", Some(&e.lhs));
    match &e.matching {
        Some(matching) => vector_matching(object.key("matching"), e, matching),
        None => object.key("matching").extend_from_slice(b"null"),
    }
    object.string("op", e.op.as_str()).expr("rhs", Some(&e.rhs)).string("type", "binaryExpr").close();
}

fn vector_matching(out: &mut Vec<u8>, e: &Binary, matching: &VectorMatching) {
    let mut object = Object::open(out);
    object.string("card", if e.op.is_set() { "many-to-many" } else { matching.cardinality.as_str() });
    let mut fill = Object::open(object.key("fillValues"));
    for (side, value) in [("lhs", e.fill.left), ("rhs", e.fill.right)] {
        match value {
            Some(value) if value.is_finite() => json::float(fill.key(side), value),
            _ => fill.key(side).extend_from_slice(b"null"),
        }
    }
    fill.close();
    object
        .strings("include", &matching.include)
        .strings("labels", &matching.labels)
        .raw("on", matching.on)
        .close();
}

fn function(out: &mut Vec<u8>, function: &Signature) {
    let mut object = Object::open(out);
    json::strings(object.key("argTypes"), function.args.iter().copied().map(ValueType::as_str));
    object
        .string("name", function.name)
        .string("returnType", function.returns.as_str())
        .raw("variadic", function.variadic)
        .close();
}

fn vector_selector(object: &mut Object<'_>, e: &VectorSelector) {
    object.raw("anchored", e.anchored);
    json::array(object.key("matchers"), &e.matchers, matcher);
    object.string("name", &e.name).duration("offset", &e.offset).raw("smoothed", e.smoothed);
    at(object, e.at);
    object.string("type", "vectorSelector").close();
}

fn matrix_selector(object: &mut Object<'_>, e: &MatrixSelector) {
    let selector = &e.selector;
    object.raw("anchored", selector.anchored);
    json::array(object.key("matchers"), &selector.matchers, matcher);
    object.string("name", &selector.name).duration("offset", &selector.offset).duration("range", &e.range);
    object.raw("smoothed", selector.smoothed);
    at(object, selector.at);
    object.string("type", "matrixSelector").close();
}

fn subquery(object: &mut Object<'_>, e: &Subquery) {
    object.expr("expr", Some(&e.expr)).duration("offset", &e.offset).duration("range", &e.range);
    at_start_or_end(object, e.at);
    object.duration("step", e.step.as_ref().unwrap_or(&Duration::ZERO));
    at_timestamp(object, e.at);
    object.string("type", "subquery").close();
}

fn at(object: &mut Object<'_>, at: Option<At>) {
    at_start_or_end(object, at);
    at_timestamp(object, at);
}

fn at_start_or_end(object: &mut Object<'_>, at: Option<At>) {
    match at {
        Some(At::Start) => object.string("startOrEnd", "start"),
        Some(At::End) => object.string("startOrEnd", "end"),
        _ => object.raw("startOrEnd", "null"),
    };
}

fn at_timestamp(object: &mut Object<'_>, at: Option<At>) {
    match at {
        Some(At::Timestamp(t)) => object.raw("timestamp", t),
        _ => object.raw("timestamp", "null"),
    };
}

fn matcher(out: &mut Vec<u8>, matcher: &Matcher) {
    Object::open(out)
        .string("name", &matcher.name)
        .string("type", matcher.op.as_str())
        .string("value", &matcher.value)
        .close();
}

fn duration_expr(out: &mut Vec<u8>, node: Option<&DurationExpr>) {
    let Some(node) = node else { return out.extend_from_slice(b"null") };
    match node {
        DurationExpr::Number(number) => duration_number(out, number),
        DurationExpr::Paren { expr, .. } => operation(out, expr, true),
        other => operation(out, other, false),
    }
}

/// One operation; parentheses around it are a flag, not a node.
fn operation(out: &mut Vec<u8>, node: &DurationExpr, wrapped: bool) {
    let (op, lhs, rhs) = match node {
        DurationExpr::Number(number) => return duration_number(out, number),
        DurationExpr::Paren { expr, .. } => return operation(out, expr, true),
        DurationExpr::Step { .. } => ("step", None, None),
        DurationExpr::Range { .. } => ("range", None, None),
        DurationExpr::Negate { expr, .. } => ("-", None, Some(&**expr)),
        DurationExpr::Binary { op, lhs, rhs, .. } => (op.as_str(), Some(&**lhs), Some(&**rhs)),
    };
    let mut object = Object::open(out);
    duration_expr(object.key("lhs"), lhs);
    object.string("op", op);
    duration_expr(object.key("rhs"), rhs);
    object.string("type", "durationExpr").raw("wrapped", wrapped).close();
}

fn duration_number(out: &mut Vec<u8>, number: &NumberLiteral) {
    Object::open(out)
        .raw("duration", number.is_duration)
        .string("type", "numberLiteral")
        .string("val", &plain_number(number.value))
        .close();
}

/// The shortest digits, never with an exponent.
fn plain_number(value: f64) -> String {
    if value.is_finite() {
        return value.to_string();
    }
    let mut out = Vec::new();
    json::special(&mut out, value);
    String::from_utf8_lossy(&out).into_owned()
}
