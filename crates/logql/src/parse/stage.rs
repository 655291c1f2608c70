//! Stages of a pipeline.

use super::{Parser, keyword::Keyword};
use crate::ast::{
    Conversion, Extraction, LabelFilter, LabelFormat, LabelSelection, Logfmt, Pattern, Span, Stage, Unwrap,
};
use model::quote;
use query_syntax::{Kind, SyntaxError, parse_matcher};
use template::{Functions, Options, Template};

/// What follows a selector.
#[derive(Default)]
pub struct Pipeline {
    pub stages: Vec<Stage>,
    pub unwrap: Option<Unwrap>,
    pub unwrap_span: Option<Span>,
    /// How deep the deepest label filter is.
    pub depth: usize,
    /// Where the last stage ends.
    pub end: Option<u32>,
}

/// The label that says what went wrong with a line.
const ERROR_LABEL: &str = "__error__";

impl Pipeline {
    pub fn is_empty(&self) -> bool {
        self.stages.is_empty() && self.unwrap.is_none()
    }
}

impl Parser<'_> {
    /// Parses stages, as many as there are. Behind `unwrap` there are only label filters.
    pub(super) fn pipeline(&mut self) -> Result<Pipeline, SyntaxError> {
        let mut pipeline = Pipeline::default();
        while let Some(operator) = self.tokens.peek_operator() {
            if operator == "|" {
                self.tokens.advance();
                self.piped(&mut pipeline)?;
            } else if pipeline.unwrap.is_none() && self.line_filter_op().is_some() {
                self.line_filters(&mut pipeline.stages)?;
            } else {
                break;
            }
            pipeline.end = self.tokens.last().map(|token| token.span.end);
        }
        Ok(pipeline)
    }

    /// What stands behind `|`.
    fn piped(&mut self, pipeline: &mut Pipeline) -> Result<(), SyntaxError> {
        if let Some(unwrap) = &mut pipeline.unwrap {
            unwrap.filters.push(label_filter(self, &mut pipeline.depth)?);
            return Ok(());
        }
        let stage = match self.keyword() {
            Some(Keyword::Unwrap) => {
                pipeline.unwrap_span = Some(self.tokens.advance().span);
                pipeline.unwrap = Some(self.unwrap()?);
                return Ok(());
            }
            Some(keyword) => match self.stage(keyword)? {
                Some(stage) => stage,
                None => return Err(self.unexpected("stage")),
            },
            None => Stage::LabelFilter(label_filter(self, &mut pipeline.depth)?),
        };
        pipeline.stages.push(stage);
        Ok(())
    }

    /// Parses the stage that a keyword begins; `None` if it begins none.
    fn stage(&mut self, keyword: Keyword) -> Result<Option<Stage>, SyntaxError> {
        use Keyword::*;
        if !matches!(
            keyword,
            Json | Logfmt | Regexp | Pattern | Unpack | Decolorize | LineFormat | LabelFormat | Drop | Keep
        ) {
            return Ok(None);
        }
        self.tokens.advance();
        Ok(Some(match keyword {
            Json => Stage::Json(self.extractions()?),
            Logfmt => Stage::Logfmt(self.logfmt()?),
            Regexp => Stage::Regexp(self.regexp()?),
            Pattern => Stage::Pattern(self.pattern()?),
            Unpack => Stage::Unpack,
            Decolorize => Stage::Decolorize,
            LineFormat => Stage::LineFormat(self.template("line", "invalid line template")?),
            LabelFormat => Stage::LabelFormat(self.label_formats()?),
            Drop => Stage::Drop(self.label_selections()?),
            _ => Stage::Keep(self.label_selections()?),
        }))
    }

    /// `a="b", c`, where there is any.
    fn extractions(&mut self) -> Result<Vec<Extraction>, SyntaxError> {
        let mut extractions = Vec::new();
        if self.tokens.peek().kind != Kind::Identifier {
            return Ok(extractions);
        }
        loop {
            let label = self.name()?;
            let expression = match self.tokens.accept(Kind::Assign) {
                Some(_) => self.string()?.0,
                None => label.clone(),
            };
            extractions.push(Extraction { label, expression });
            if self.tokens.accept(Kind::Comma).is_none() {
                return Ok(extractions);
            }
        }
    }

    fn logfmt(&mut self) -> Result<Logfmt, SyntaxError> {
        let mut logfmt = Logfmt::default();
        loop {
            if self.accept_keyword(Keyword::Strict) {
                logfmt.strict = true;
            } else if self.accept_keyword(Keyword::KeepEmpty) {
                logfmt.keep_empty = true;
            } else {
                logfmt.expressions = self.extractions()?;
                return Ok(logfmt);
            }
        }
    }

    fn pattern(&mut self) -> Result<Pattern, SyntaxError> {
        let (text, span) = self.string()?;
        Pattern::for_labels(&text)
            .map_err(|reason| SyntaxError::new(span, format!("invalid pattern parser: {reason}")))
    }

    fn regexp(&mut self) -> Result<String, SyntaxError> {
        let (text, span) = self.string()?;
        let error = |reason: String| Err(SyntaxError::new(span, format!("invalid regexp parser: {reason}")));
        let regex = match self.search_regex(&text) {
            Ok(regex) => regex,
            Err(reason) => return error(reason),
        };
        if regex.capture_names().flatten().next().is_none() {
            return error("at least one named capture must be supplied".to_owned());
        }
        Ok(text)
    }

    /// Takes the text of a template; `name` is its name in errors.
    fn template(&mut self, name: &str, problem: &str) -> Result<String, SyntaxError> {
        let (text, span) = self.string()?;
        let options = Options { name, ..Options::default() };
        Template::parse_with(&text, &Functions::for_logs(), &options)
            .map_err(|reason| SyntaxError::new(span, format!("{problem}: {reason}")))?;
        Ok(text)
    }

    fn label_formats(&mut self) -> Result<Vec<LabelFormat>, SyntaxError> {
        let mut formats: Vec<LabelFormat> = Vec::new();
        loop {
            let start = self.tokens.peek().span;
            let label = self.name()?;
            self.expect(Kind::Assign, "\"=\"")?;
            let problem = if label == ERROR_LABEL {
                Some(format!("{label} cannot be formatted"))
            } else if formats.iter().any(|format| format.label() == label) {
                Some(format!("multiple label name '{label}' not allowed in a single format operation"))
            } else {
                None
            };
            if let Some(problem) = problem {
                return Err(SyntaxError::new(start, problem));
            }
            formats.push(match self.tokens.peek().kind {
                Kind::Identifier => LabelFormat::Rename { label, from: self.name()? },
                Kind::String => {
                    let problem = format!("invalid template for label '{label}'");
                    LabelFormat::Template { template: self.template("label", &problem)?, label }
                }
                _ => return Err(self.unexpected("label name or string")),
            });
            if self.tokens.accept(Kind::Comma).is_none() {
                return Ok(formats);
            }
        }
    }

    fn label_selections(&mut self) -> Result<Vec<LabelSelection>, SyntaxError> {
        let mut selections = Vec::new();
        loop {
            let behind = self.tokens.peek_at(1);
            let has_value = matches!(self.tokens.text_of(behind), "=" | "!=" | "=~" | "!~");
            selections.push(match has_value {
                true => LabelSelection::Matcher(parse_matcher(&mut self.tokens)?),
                false => LabelSelection::Name(self.name()?),
            });
            if self.tokens.accept(Kind::Comma).is_none() {
                return Ok(selections);
            }
        }
    }

    /// What stands behind `unwrap`.
    fn unwrap(&mut self) -> Result<Unwrap, SyntaxError> {
        let conversion = match self.keyword() {
            Some(Keyword::Conversion(conversion)) => Some(conversion),
            _ => None,
        };
        let label = match conversion {
            Some(_) => self.converted()?,
            None if self.tokens.peek_at(1).kind == Kind::LeftParen => {
                let text = quote(self.tokens.text_of(self.tokens.peek()));
                let known = [Conversion::Bytes, Conversion::Duration, Conversion::DurationSeconds];
                let known = known.map(Conversion::as_str).join(", ");
                return Err(self.error_here(format!("unknown conversion {text}, expected {known}")));
            }
            None => self.name()?,
        };
        Ok(Unwrap { label, conversion, filters: Vec::new() })
    }

    fn converted(&mut self) -> Result<String, SyntaxError> {
        self.tokens.advance();
        self.expect(Kind::LeftParen, "\"(\"")?;
        let label = self.name()?;
        self.expect(Kind::RightParen, "\")\"")?;
        Ok(label)
    }
}

/// Parses a label filter, and keeps the greatest depth.
fn label_filter(parser: &mut Parser<'_>, depth: &mut usize) -> Result<LabelFilter, SyntaxError> {
    let node = parser.label_filter()?;
    *depth = node.depth.max(*depth);
    Ok(node.expr)
}
