//! Which lines of a page may be kept, found by one search over the page's text.

use super::{
    line_filter::{Condition, LineFilter},
    regex_filter::RegexFilter,
};
use memchr::memmem::Finder;
use regex::bytes::Regex;

/// Texts shorter than this are in most lines, and a regular expression finds less.
const GOOD_LENGTH: usize = 3;

/// What finds them.
#[derive(Debug)]
pub enum Candidates {
    All,
    Text(Box<Finder<'static>>),
    Regex(Box<Regex>),
}

impl Candidates {
    /// The best search that the filters allow, all of which have to keep a line.
    pub fn new(filters: &[LineFilter]) -> Self {
        let text = required_texts(filters).max_by_key(|text| text.len()).unwrap_or_default();
        if text.len() < GOOD_LENGTH
            && let Some(regex) = filters.iter().find_map(search)
        {
            return Self::Regex(Box::new(regex));
        }
        if text.is_empty() { Self::All } else { Self::Text(Box::new(Finder::new(text).into_owned())) }
    }

    /// The texts that a kept line must have.
    pub fn needles<'f>(&self, filters: &'f [LineFilter]) -> Vec<&'f [u8]> {
        let mut texts: Vec<&[u8]> = required_texts(filters).filter(|text| !text.is_empty()).collect();
        texts.sort_unstable();
        texts.dedup();
        texts
    }

    /// See `Pipeline::next_candidate`.
    pub fn next(&self, text: &[u8], from: usize) -> Option<usize> {
        let rest = text.get(from..).filter(|rest| !rest.is_empty())?;
        let found = match self {
            Self::All => 0,
            Self::Text(needle) => needle.find(rest)?,
            Self::Regex(regex) => regex.find(rest)?.start(),
        };
        (found < rest.len()).then_some(from + found)
    }
}

fn required_texts(filters: &[LineFilter]) -> impl Iterator<Item = &[u8]> {
    filters.iter().flat_map(|filter| match filter.required() {
        [condition] => condition.texts(),
        _ => Vec::new(),
    })
}

/// An expression that finds all lines that a filter keeps.
fn search(filter: &LineFilter) -> Option<Regex> {
    match filter.required() {
        [] => None,
        [Condition::Regex(regex)] => regex.page_search().cloned(),
        conditions => {
            let texts: Option<Vec<&[u8]>> = conditions.iter().map(longest_text).collect();
            RegexFilter::any_of(texts?.into_iter())?.page_search().cloned()
        }
    }
}

fn longest_text(condition: &Condition) -> Option<&[u8]> {
    condition.texts().into_iter().max_by_key(|text| text.len()).filter(|text| !text.is_empty())
}
