//! Functions that take a regular expression in Go's syntax.

use super::{Call, Function, Kind, str_arg};
use crate::value::Value;
use regex::Replacer;

const TWO: &[Kind] = &[Kind::Str, Kind::Str];
const THREE: &[Kind] = &[Kind::Str, Kind::Str, Kind::Str];

pub const FUNCTIONS: &[Function] = &[
    Function::with_pattern("regexReplaceAll", THREE, |call, args| {
        replace(call, str_arg(args, 0), str_arg(args, 1), str_arg(args, 2))
    }),
    Function::with_pattern("regexReplaceAllLiteral", THREE, |call, args| {
        replace(call, str_arg(args, 0), str_arg(args, 1), regex::NoExpand(str_arg(args, 2)))
    }),
    Function::with_pattern("count", TWO, |call, args| {
        let found = call.regex(str_arg(args, 0))?.find_iter(str_arg(args, 1)).count();
        Ok(Value::Int(i64::try_from(found).unwrap_or(i64::MAX)))
    }),
];

pub fn replace<'a>(
    call: &Call<'_, 'a>,
    pattern: &str,
    text: &str,
    mut replacement: impl Replacer,
) -> Result<Value<'a>, String> {
    let regex = call.regex(pattern)?;
    let mut out = String::new();
    let mut end = 0;
    for captures in regex.captures_iter(text) {
        let whole = captures.get_match();
        out.push_str(&text[end..whole.start()]);
        replacement.replace_append(&captures, &mut out);
        call.fits(out.len())?;
        end = whole.end();
    }
    out.push_str(&text[end..]);
    Ok(Value::str(out))
}
