//! Reading the labels of a line.

use super::{Category, ERROR_DETAILS_LABEL, ERROR_LABEL, Entry, LineLabels, State};

/// The labels of a line at some time.
#[derive(Clone, Copy)]
pub struct View<'l> {
    pub(super) labels: &'l LineLabels,
    pub(super) state: &'l State,
}

impl<'l> View<'l> {
    pub fn get(self, name: &str) -> Option<&'l str> {
        if let Some(entry) = self.entry(name) {
            return Some(self.labels.text(entry.value));
        }
        match name {
            ERROR_LABEL => self.state.error,
            ERROR_DETAILS_LABEL => self.state.details.map(|details| self.labels.text(details)),
            _ if !self.labels.base_has(name) || self.is_deleted(name) => None,
            _ => self.labels.base.get(name),
        }
    }

    /// Labels with their categories: those of the stream in order, the others as they came,
    /// errors last.
    pub fn iter(self) -> impl Iterator<Item = (Category, &'l str, &'l str)> {
        let Self { labels, state } = self;
        let unhidden = move |name| !self.is_deleted(name) && self.entry(name).is_none();
        let base = labels.base.iter().filter(move |(name, _)| unhidden(name));
        let added = state
            .added
            .iter()
            .map(|entry| (entry.category, labels.text(entry.name), labels.text(entry.value)));
        let error = state.error.map(|error| (Category::Parsed, ERROR_LABEL, error));
        let details = state.details.map(|span| (Category::Parsed, ERROR_DETAILS_LABEL, labels.text(span)));
        let details = details.filter(|(.., text)| !text.is_empty() && !state.is_unchanged());
        base.map(|(name, value)| (Category::Stream, name, value)).chain(added).chain(error).chain(details)
    }

    fn entry(self, name: &str) -> Option<&'l Entry> {
        self.state.added.iter().find(|entry| self.labels.text(entry.name) == name)
    }

    pub(super) fn is_deleted(self, name: &str) -> bool {
        self.state.deleted.iter().any(|&deleted| self.labels.text(deleted) == name)
    }
}
