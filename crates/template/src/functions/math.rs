//! Arithmetic: of `int64` for plain names, of floats for those that end in `f`.

use super::{
    Call, Function, Kind,
    cast::{to_float, to_int},
    decimal::{Operation, fold},
    int_arg,
};
use crate::value::Value;

const ANY: &[Kind] = &[Kind::Any];
const TWO: &[Kind] = &[Kind::Any, Kind::Any];

pub const FUNCTIONS: &[Function] = &[
    Function::new("int", ANY, |_, args| Ok(Value::Int(args.first().map_or(0, to_int)))),
    Function::new("float64", ANY, |_, args| Ok(Value::Float(args.first().map_or(0.0, to_float)))),
    Function::variadic("add", ANY, |_, args| Ok(integers(args, 0, i64::wrapping_add))),
    Function::new("sub", TWO, |_, args| Ok(folded(args, i64::wrapping_sub))),
    Function::variadic("mul", TWO, |_, args| Ok(folded(args, i64::wrapping_mul))),
    Function::new("div", TWO, |_, args| divided(args, i64::wrapping_div)),
    Function::new("mod", TWO, |_, args| divided(args, i64::wrapping_rem)),
    Function::variadic("max", TWO, |_, args| Ok(folded(args, i64::max))),
    Function::variadic("min", TWO, |_, args| Ok(folded(args, i64::min))),
    Function::variadic("addf", ANY, |_, args| fold(0.0, args, Operation::Add).map(Value::Float)),
    Function::variadic("subf", TWO, |_, args| decimals(args, Operation::Subtract)),
    Function::variadic("mulf", TWO, |_, args| decimals(args, Operation::Multiply)),
    Function::variadic("divf", TWO, |_, args| decimals(args, Operation::Divide)),
    Function::variadic("maxf", TWO, |_, args| Ok(extreme(args, f64::INFINITY))),
    Function::variadic("minf", TWO, |_, args| Ok(extreme(args, f64::NEG_INFINITY))),
    Function::new("ceil", ANY, |_, args| Ok(Value::Float(args.first().map_or(0.0, to_float).ceil()))),
    Function::new("floor", ANY, |_, args| Ok(Value::Float(args.first().map_or(0.0, to_float).floor()))),
    Function::variadic("round", &[Kind::Any, Kind::Int, Kind::Float], round),
];

fn integers<'a>(args: &[Value<'_>], start: i64, operation: fn(i64, i64) -> i64) -> Value<'a> {
    Value::Int64(args.iter().map(to_int).fold(start, operation))
}

fn folded<'a>(args: &[Value<'_>], operation: fn(i64, i64) -> i64) -> Value<'a> {
    match args {
        [first, others @ ..] => integers(others, to_int(first), operation),
        [] => Value::Int64(0),
    }
}

fn divided<'a>(args: &[Value<'_>], operation: fn(i64, i64) -> i64) -> Result<Value<'a>, String> {
    match args {
        [_, divisor] if to_int(divisor) == 0 => Err("runtime error: integer divide by zero".to_owned()),
        _ => Ok(folded(args, operation)),
    }
}

fn decimals<'a>(args: &[Value<'_>], operation: Operation) -> Result<Value<'a>, String> {
    let [first, others @ ..] = args else { return Ok(Value::Float(0.0)) };
    fold(to_float(first), others, operation).map(Value::Float)
}

/// The largest or smallest number, as Go's `math.Max` and `math.Min`: infinity in their
/// direction wins over NaN, and NaN over the rest.
fn extreme<'a>(args: &[Value<'_>], towards: f64) -> Value<'a> {
    let pick = |a: f64, b: f64| {
        if a == towards || b == towards {
            towards
        } else if a.is_nan() || b.is_nan() {
            f64::NAN
        } else if towards > 0.0 {
            a.max(b)
        } else {
            a.min(b)
        }
    };
    Value::Float(args.iter().map(to_float).reduce(pick).unwrap_or(0.0))
}

/// Rounds to so many decimal places, up from `0.5` or from what the third argument says.
fn round<'a>(_: &Call<'_, 'a>, args: &[Value<'a>]) -> Result<Value<'a>, String> {
    let value = args.first().map_or(0.0, to_float);
    let up_from = args.get(2).map_or(0.5, to_float);
    let power = 10_f64.powf(int_arg(args, 1) as f64);
    let shifted = power * value;
    let rounded = if shifted.fract() >= up_from { shifted.ceil() } else { shifted.floor() };
    Ok(Value::Float(rounded / power))
}
