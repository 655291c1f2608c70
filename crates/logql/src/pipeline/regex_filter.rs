//! Regular expressions that are searched for in lines, with as little of an automaton as can be.

use memchr::memmem::Finder;
use model::search_regex;
use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::hir::{Class, Dot, Hir, HirKind, Look};
use service_api::{Error, Result};

/// What a compiled expression may take in memory.
const SIZE_LIMIT: usize = 4 << 20;

/// An expression, not anchored.
#[derive(Debug)]
pub struct RegexFilter {
    search: Search,
    /// Texts that are in all that matches, longest first.
    texts: Vec<Finder<'static>>,
    /// Whether the same lines are found in a text of many lines.
    finds_lines: bool,
}

#[derive(Debug)]
enum Search {
    Everything,
    /// The expression is but this text, which is the only one of `texts`.
    Text,
    Regex(Box<Regex>),
}

impl RegexFilter {
    pub fn new(pattern: &str) -> Result<Self> {
        let bad = |error: &dyn std::fmt::Display| Error::bad_request(error.to_string());
        // It comes out with Go's meaning written for the regex crate.
        let translated = search_regex(pattern).map_err(|error| bad(&error))?;
        let hir = regex_syntax::Parser::new().parse(translated.as_str()).map_err(|error| bad(&error))?;
        let hir = without_dots(hir);
        let texts = finders(texts_of(&hir));
        let search = match hir.kind() {
            HirKind::Empty => Search::Everything,
            HirKind::Literal(_) => Search::Text,
            _ => {
                let mut builder = RegexBuilder::new(&hir.to_string());
                builder.size_limit(SIZE_LIMIT).dfa_size_limit(SIZE_LIMIT);
                Search::Regex(Box::new(builder.build().map_err(|error| bad(&error))?))
            }
        };
        let finds_lines = !matches_newline(&hir) && hir.properties().look_set().iter().all(is_local);
        Ok(Self { search, texts, finds_lines })
    }

    /// One that finds any of the texts.
    pub fn any_of<'t>(texts: impl Iterator<Item = &'t [u8]>) -> Option<Self> {
        let hir = Hir::alternation(texts.map(Hir::literal).collect());
        let regex = Regex::new(&hir.to_string()).ok()?;
        let finds_lines = !matches_newline(&hir);
        Some(Self { search: Search::Regex(Box::new(regex)), texts: finders(texts_of(&hir)), finds_lines })
    }

    #[inline]
    pub fn is_match(&self, line: &[u8]) -> bool {
        // The longest text alone: the others are mostly there where it is.
        if self.texts.first().is_some_and(|text| text.find(line).is_none()) {
            return false;
        }
        match &self.search {
            Search::Everything | Search::Text => true,
            Search::Regex(regex) => regex.is_match(line),
        }
    }

    /// Texts that are in every line that matches.
    pub fn texts(&self) -> impl Iterator<Item = &[u8]> {
        self.texts.iter().map(Finder::needle)
    }

    /// What finds the lines that match in a text of many lines; `None` if the expression has to
    /// see each line alone.
    pub fn page_search(&self) -> Option<&Regex> {
        match &self.search {
            Search::Regex(regex) if self.finds_lines => Some(regex),
            _ => None,
        }
    }
}

fn finders(mut texts: Vec<Vec<u8>>) -> Vec<Finder<'static>> {
    texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
    texts.iter().map(|text| Finder::new(text).into_owned()).collect()
}

/// The expression without groups around all of it, and without `.*` at its ends, which changes
/// nothing for a search.
fn without_dots(hir: Hir) -> Hir {
    let is_gap = |part: &Hir| match part.kind() {
        HirKind::Repetition(repetition) => {
            repetition.min == 0
                && repetition.max.is_none()
                && *repetition.sub == Hir::dot(Dot::AnyCharExceptLF)
        }
        _ => false,
    };
    if is_gap(&hir) {
        return Hir::empty();
    }
    match hir.kind() {
        HirKind::Capture(group) => without_dots((*group.sub).clone()),
        HirKind::Concat(parts) => {
            let start = parts.iter().take_while(|part| is_gap(part)).count();
            let end = parts.iter().rev().take_while(|part| is_gap(part)).count();
            if start + end == 0 {
                return hir;
            }
            let inner = parts.get(start..parts.len() - end.min(parts.len() - start)).unwrap_or_default();
            without_dots(Hir::concat(inner.to_vec()))
        }
        _ => hir,
    }
}

/// Texts that are in all that matches.
fn texts_of(hir: &Hir) -> Vec<Vec<u8>> {
    let mut texts = Vec::new();
    let mut run = Vec::new();
    collect(hir, &mut run, &mut texts);
    flush(&mut run, &mut texts);
    texts.sort_unstable();
    texts.dedup();
    texts
}

fn flush(run: &mut Vec<u8>, texts: &mut Vec<Vec<u8>>) {
    if !run.is_empty() {
        texts.push(std::mem::take(run));
    }
}

/// Goes through what must be there from left to right; `run` is the text right before.
fn collect(hir: &Hir, run: &mut Vec<u8>, texts: &mut Vec<Vec<u8>>) {
    match hir.kind() {
        HirKind::Literal(literal) => run.extend_from_slice(&literal.0),
        HirKind::Capture(group) => collect(&group.sub, run, texts),
        HirKind::Concat(parts) => parts.iter().for_each(|part| collect(part, run, texts)),
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Repetition(repetition) if repetition.min > 0 => {
            collect(&repetition.sub, run, texts);
            flush(run, texts);
        }
        HirKind::Repetition(_) | HirKind::Class(_) | HirKind::Alternation(_) => flush(run, texts),
    }
}

/// Whether a newline can be part of what matches.
fn matches_newline(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Literal(literal) => literal.0.contains(&b'\n'),
        HirKind::Class(Class::Unicode(class)) => {
            class.ranges().iter().any(|range| (range.start()..=range.end()).contains(&'\n'))
        }
        HirKind::Class(Class::Bytes(class)) => {
            class.ranges().iter().any(|range| (range.start()..=range.end()).contains(&b'\n'))
        }
        HirKind::Empty | HirKind::Look(_) => false,
        HirKind::Repetition(repetition) => matches_newline(&repetition.sub),
        HirKind::Capture(group) => matches_newline(&group.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().any(matches_newline),
    }
}

/// Whether an assertion says the same at the end of a line as at the end of a text.
fn is_local(look: Look) -> bool {
    !matches!(look, Look::Start | Look::End | Look::StartCRLF | Look::EndCRLF)
}
