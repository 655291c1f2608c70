//! From stages as they are written to stages that run.

use super::{
    format::{Format, LabelFormats},
    json::{JsonPath, JsonPaths},
    label_filter::Guards,
    line_filter::LineFilter,
    line_pattern::LinePattern,
    logfmt::{Logfmt, parse_expression},
    regexp::Regexp,
    stage::{Parser, Stage},
};
use crate::ast::{self, Extraction};
use regex::Regex;
use service_api::{Error, Result};

/// Escape sequences of terminals: as many forms as Loki knows.
const COLORS: &str = concat!(
    r"[\x1b\u{9b}][\[\]()#;?]*",
    r"(?:(?:(?:[a-zA-Z0-9]*(?:;[a-zA-Z0-9]*)*)?\x07)",
    r"|(?:(?:[0-9]{1,4}(?:;[0-9]{0,4})*)?[0-9A-PRZcf-ntqry=><~]))",
);

/// Compiles stages. Filters on lines come before stages that look at labels, as far as these
/// leave the line as it is; what is first answered are those on the line as it is stored.
pub fn stages(written: &[ast::Stage]) -> Result<(Vec<LineFilter>, Vec<Stage>)> {
    let mut filters = Vec::new();
    let mut stages: Vec<Stage> = Vec::new();
    // Where filters on the line as it is now go, once it was rewritten.
    let mut filters_at = None;
    for stage in written {
        let compiled = match stage {
            ast::Stage::LineFilter(filter) => {
                let filter = LineFilter::new(filter)?;
                match &mut filters_at {
                    None => filters.push(filter),
                    Some(at) => {
                        stages.insert(*at, Stage::Lines(filter));
                        *at += 1;
                    }
                }
                continue;
            }
            ast::Stage::Json(paths) if paths.is_empty() => parser(Parser::Json),
            ast::Stage::Json(paths) => parser(Parser::JsonPaths(json_paths(paths)?)),
            ast::Stage::Logfmt(logfmt) => parser(Parser::Logfmt(compile_logfmt(logfmt)?)),
            ast::Stage::Pattern(pattern) => parser(Parser::Pattern(LinePattern::new(pattern))),
            ast::Stage::Regexp(pattern) => parser(Parser::Regexp(Regexp::new(pattern)?)),
            ast::Stage::Unpack => parser(Parser::Unpack),
            ast::Stage::Decolorize => Stage::Decolorize(colors()?),
            ast::Stage::LineFormat(template) => Stage::LineFormat(Format::new("line", template)?),
            ast::Stage::LabelFormat(formats) => Stage::LabelFormat(LabelFormats::new(formats)?),
            ast::Stage::LabelFilter(filter) => Stage::LabelFilter(filter.clone()),
            ast::Stage::Drop(selections) => Stage::Drop(selections.clone()),
            ast::Stage::Keep(selections) => Stage::Keep(selections.clone()),
        };
        stages.push(compiled);
        if matches!(stage, ast::Stage::Unpack | ast::Stage::Decolorize | ast::Stage::LineFormat(_)) {
            filters_at = Some(stages.len());
        }
    }
    add_guards(&mut stages);
    Ok((filters, stages))
}

fn colors() -> Result<Regex> {
    Regex::new(COLORS).map_err(|error| Error::internal(error.to_string()))
}

fn parser(parser: Parser) -> Stage {
    Stage::Parser(parser, Guards::default())
}

/// Gives each parser the label filters right behind it.
fn add_guards(stages: &mut [Stage]) {
    for at in 0..stages.len() {
        let (before, behind) = stages.split_at_mut(at + 1);
        let Stage::Parser(_, guards) = &mut before[at] else { continue };
        for stage in behind {
            let Stage::LabelFilter(filter) = stage else { break };
            guards.add(filter);
        }
    }
}

fn json_paths(paths: &[Extraction]) -> Result<JsonPaths> {
    let paths = paths.iter().map(|Extraction { label, expression }| {
        let path = JsonPath::new(expression).map_err(|reason| bad_expression(expression, &reason))?;
        Ok((label.clone(), path))
    });
    paths.collect::<Result<_>>().map(JsonPaths)
}

fn compile_logfmt(logfmt: &ast::Logfmt) -> Result<Logfmt> {
    let expressions = logfmt.expressions.iter().map(|Extraction { label, expression }| {
        let field = parse_expression(expression).map_err(|reason| bad_expression(expression, &reason))?;
        Ok((label.clone(), field))
    });
    Ok(Logfmt {
        strict: logfmt.strict,
        keep_empty: logfmt.keep_empty,
        expressions: expressions.collect::<Result<_>>()?,
    })
}

fn bad_expression(expression: &str, reason: &str) -> Error {
    Error::bad_request(format!("cannot parse expression [{expression}]: {reason}"))
}
