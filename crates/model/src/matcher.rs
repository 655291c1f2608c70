//! Label matchers.

use crate::{Labels, labels::is_plain_name, quote, regex::ValueRegex};
use std::{borrow::Cow, fmt, sync::Arc};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MatchOp {
    Equal,
    NotEqual,
    Regex,
    NotRegex,
}

impl MatchOp {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Regex => "=~",
            Self::NotRegex => "!~",
        }
    }
}

/// One condition on one label. An absent label counts as an empty value.
#[derive(Clone, Debug)]
pub struct Matcher {
    pub name: String,
    pub op: MatchOp,
    pub value: String,
    regex: Option<Arc<ValueRegex>>,
}

/// A regular expression that cannot be used, with the reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RegexError(pub String);

impl Matcher {
    pub fn new(op: MatchOp, name: &str, value: &str) -> Result<Self, RegexError> {
        let regex = match op {
            MatchOp::Equal | MatchOp::NotEqual => None,
            MatchOp::Regex | MatchOp::NotRegex => Some(Arc::new(ValueRegex::new(value)?)),
        };
        Ok(Self { name: name.to_owned(), op, value: value.to_owned(), regex })
    }

    pub fn equal(name: &str, value: &str) -> Self {
        Self { name: name.to_owned(), op: MatchOp::Equal, value: value.to_owned(), regex: None }
    }

    pub fn not_equal(name: &str, value: &str) -> Self {
        Self { name: name.to_owned(), op: MatchOp::NotEqual, value: value.to_owned(), regex: None }
    }

    pub fn matches(&self, value: &str) -> bool {
        let matched = match &self.regex {
            None => value == self.value,
            Some(regex) => regex.is_match(value),
        };
        matched == matches!(self.op, MatchOp::Equal | MatchOp::Regex)
    }

    /// Whether a value may be matched, or would take too long; the error is a sentence.
    pub fn check_value(&self, value: &str) -> Result<(), String> {
        self.regex.as_ref().map_or(Ok(()), |regex| regex.check_value(value))
    }

    pub fn matches_labels(&self, labels: &Labels) -> bool {
        self.matches(labels.get(&self.name).unwrap_or(""))
    }

    /// What its regular expression costs; see `RegexCosts`.
    pub fn regex_cost(&self) -> usize {
        self.regex.as_ref().map_or(0, |regex| regex.cost())
    }

    /// The values that the condition names, sorted, if it names finitely many: the value of
    /// `=` and `!=`, the values of `=~"a|b"` and `!~"a|b"`.
    pub fn set_matches(&self) -> Option<&[String]> {
        match &self.regex {
            None => Some(std::slice::from_ref(&self.value)),
            Some(regex) => regex.values(),
        }
    }

    /// What all values begin with that the condition names: what `=~` lets through and `!~`
    /// does not.
    pub fn literal_prefix(&self) -> &str {
        match &self.regex {
            None => &self.value,
            Some(regex) => regex.prefix(),
        }
    }

    /// Whether a series without the label matches.
    pub fn matches_empty(&self) -> bool {
        self.matches("")
    }
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, self.op, &self.value) == (&other.name, other.op, &other.value)
    }
}

impl Eq for Matcher {}

impl std::hash::Hash for Matcher {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (&self.name, self.op, &self.value).hash(state);
    }
}

impl fmt::Display for Matcher {
    /// As it is written in a query; names that are not plain words are quoted.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name =
            if is_plain_name(&self.name) { Cow::Borrowed(&*self.name) } else { quote(&self.name).into() };
        write!(f, "{name}{}{}", self.op.as_str(), quote(&self.value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_label_counts_as_empty() {
        let labels = Labels::from_pairs([("job", "api")]);
        for (op, value, expected) in [
            (MatchOp::Equal, "", true),
            (MatchOp::NotEqual, "a", true),
            (MatchOp::Regex, ".*", true),
            (MatchOp::Regex, ".+", false),
            (MatchOp::NotRegex, "a|", false),
        ] {
            let matcher = Matcher::new(op, "zone", value).unwrap();
            assert_eq!(matcher.matches_labels(&labels), expected, "{matcher}");
            assert_eq!(matcher.matches_empty(), expected, "{matcher}");
        }
    }

    #[test]
    fn matchers_tell_what_values_they_name() {
        let matcher = |op, value| Matcher::new(op, "a", value).unwrap();
        assert_eq!(matcher(MatchOp::Equal, "x").set_matches(), Some(&["x".to_owned()][..]));
        assert_eq!(
            matcher(MatchOp::NotRegex, "y|x").set_matches(),
            Some(&["x".to_owned(), "y".to_owned()][..])
        );
        assert_eq!(matcher(MatchOp::Regex, "x.*").set_matches(), None);
        assert_eq!(matcher(MatchOp::Regex, "x.*").literal_prefix(), "x");
    }

    #[test]
    fn matchers_print_as_in_a_query() {
        let matcher = Matcher::new(MatchOp::NotRegex, "service.name", "a\"b\n").unwrap();
        assert_eq!(matcher.to_string(), r#""service.name"!~"a\"b\n""#);
        assert_eq!(Matcher::equal("job", "é").to_string(), r#"job="é""#);
    }
}
