//! Compiled stages, and how a line goes through them.

use super::{
    format::{Format, LabelFormats},
    hints::Hints,
    json::{self, Buffers, JsonPaths},
    label_filter::{self, Guards},
    line_filter::LineFilter,
    line_labels::LineLabels,
    line_pattern::LinePattern,
    logfmt::Logfmt,
    regexp::Regexp,
    select,
    unpack::{Unpacked, unpack},
};
use crate::ast::{LabelFilter, LabelSelection};
use model::Nanos;
use regex::{CaptureLocations, Regex};
use template::Env;

pub const JSON_ERROR: &str = "JSONParserErr";
pub const LOGFMT_ERROR: &str = "LogfmtParserErr";
pub const SAMPLE_ERROR: &str = "SampleExtractionErr";
pub const LABEL_FILTER_ERROR: &str = "LabelFilterErr";
pub const TEMPLATE_ERROR: &str = "TemplateFormatErr";
pub const ERRORS: [&str; 5] = [JSON_ERROR, LOGFMT_ERROR, SAMPLE_ERROR, LABEL_FILTER_ERROR, TEMPLATE_ERROR];

pub enum Stage {
    /// A filter on a line that was rewritten; those on the line as it is stored come before all
    /// stages.
    Lines(LineFilter),
    Parser(Parser, Guards),
    Decolorize(Regex),
    LineFormat(Format),
    LabelFormat(LabelFormats),
    LabelFilter(LabelFilter),
    Drop(Vec<LabelSelection>),
    Keep(Vec<LabelSelection>),
}

pub enum Parser {
    Json,
    JsonPaths(JsonPaths),
    Logfmt(Logfmt),
    Pattern(LinePattern),
    Regexp(Regexp),
    Unpack,
}

/// Buffers that are used again for each line.
#[derive(Default)]
pub struct Scratch {
    /// The line as it was stored, where that is not UTF-8.
    repaired: String,
    line: String,
    next: String,
    buffers: Buffers,
    /// For each stage that needs it, where groups match.
    locations: Vec<Option<CaptureLocations>>,
    /// The time of the query, for templates.
    pub now: Nanos,
}

/// What a stage does to a line.
enum Outcome {
    Same,
    /// The line is now what is in `next`.
    Rewritten,
    Dropped,
}

impl From<bool> for Outcome {
    fn from(kept: bool) -> Self {
        if kept { Self::Same } else { Self::Dropped }
    }
}

/// Runs a line through the stages; `None` if it is dropped.
pub fn run<'r>(
    stages: &[Stage],
    hints: &Hints,
    timestamp: Nanos,
    line: &'r [u8],
    labels: &mut LineLabels,
    scratch: &'r mut Scratch,
) -> Option<&'r str> {
    let Scratch { repaired, line: rewritten, next, buffers, locations, now } = scratch;
    let stored: &'r str = match str::from_utf8(line) {
        Ok(line) => line,
        Err(_) => {
            *repaired = String::from_utf8_lossy(line).into_owned();
            repaired
        }
    };
    let mut is_rewritten = false;
    for (at, stage) in stages.iter().enumerate() {
        let line: &str = if is_rewritten { rewritten } else { stored };
        let env = Env { now: *now, line, timestamp, ..Env::default() };
        let outcome = match stage {
            Stage::Parser(Parser::Regexp(regexp), guards) => {
                if hints.no_labels() || labels.all_extracted(hints) {
                    continue;
                }
                if locations.len() <= at {
                    locations.resize_with(at + 1, || None);
                }
                let locations = locations[at].get_or_insert_with(|| regexp.locations());
                regexp.parse(line, labels, hints, guards, locations).into()
            }
            stage => stage.apply(&env, labels, hints, buffers, next),
        };
        match outcome {
            Outcome::Same => {}
            Outcome::Rewritten => {
                std::mem::swap(rewritten, next);
                is_rewritten = true;
            }
            Outcome::Dropped => return None,
        }
    }
    Some(if is_rewritten { rewritten } else { stored })
}

impl Stage {
    /// How many stages of the usual kind it is worth. Templates can loop, and paths be long.
    pub fn weight(&self) -> usize {
        const TEMPLATE: usize = 16;
        match self {
            Self::Parser(Parser::JsonPaths(paths), _) => paths.steps(),
            Self::LineFormat(_) => TEMPLATE,
            Self::LabelFormat(formats) => TEMPLATE * formats.len(),
            _ => 1,
        }
    }

    fn apply(
        &self,
        env: &Env<'_>,
        labels: &mut LineLabels,
        hints: &Hints,
        buffers: &mut Buffers,
        next: &mut String,
    ) -> Outcome {
        match self {
            Self::Lines(filter) => filter.keeps(env.line.as_bytes()).into(),
            Self::Parser(parser, guards) => parser.apply(env.line, labels, hints, guards, buffers, next),
            Self::Decolorize(colors) => decolorize(colors, env.line, next),
            Self::LineFormat(format) => match format.line(labels, env, next) {
                true => Outcome::Rewritten,
                false => Outcome::Same,
            },
            Self::LabelFormat(formats) => {
                formats.apply(labels, hints, env, next);
                Outcome::Same
            }
            Self::LabelFilter(filter) => label_filter::keeps(filter, labels).into(),
            Self::Drop(selections) => {
                select::drop(selections, labels);
                Outcome::Same
            }
            Self::Keep(selections) => {
                select::keep(selections, labels);
                Outcome::Same
            }
        }
    }
}

impl Parser {
    fn apply(
        &self,
        line: &str,
        labels: &mut LineLabels,
        hints: &Hints,
        guards: &Guards,
        buffers: &mut Buffers,
        next: &mut String,
    ) -> Outcome {
        // Unpacking also changes the line.
        if let Self::Unpack = self {
            return match unpack(line, labels, hints, guards, buffers, next) {
                Unpacked::Same => Outcome::Same,
                Unpacked::Entry => Outcome::Rewritten,
                Unpacked::Dropped => Outcome::Dropped,
            };
        }
        if hints.no_labels() || labels.all_extracted(hints) {
            return Outcome::Same;
        }
        match self {
            Self::Json => json::parse(line, labels, hints, guards, buffers).into(),
            Self::JsonPaths(paths) => {
                paths.parse(line, labels, hints, buffers);
                Outcome::Same
            }
            Self::Logfmt(logfmt) => logfmt.parse(line, labels, hints, guards, buffers).into(),
            Self::Pattern(pattern) => pattern.parse(line, labels, hints, guards).into(),
            // These two are seen to where they are met.
            Self::Regexp(_) | Self::Unpack => Outcome::Same,
        }
    }
}

/// Takes out the escape sequences that color text in terminals.
fn decolorize(colors: &Regex, line: &str, next: &mut String) -> Outcome {
    next.clear();
    let mut end = 0;
    for found in colors.find_iter(line) {
        next.push_str(&line[end..found.start()]);
        end = found.end();
    }
    if end == 0 {
        return Outcome::Same;
    }
    next.push_str(&line[end..]);
    Outcome::Rewritten
}
