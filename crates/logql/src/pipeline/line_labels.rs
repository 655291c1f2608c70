//! The labels of the line at hand: those of its stream, its structured metadata, and what
//! stages add, change and drop.

mod names;
mod view;

pub use view::View;

use super::{ERROR_DETAILS_LABEL, ERROR_LABEL, PRESERVE_ERROR_LABEL, hints::Hints};
use model::Labels;
use names::{Extracted, NameFilter};

/// Bytes that the labels of a line may take besides twice the line itself. A template can write a
/// megabyte into each of thousands of labels, and JSON can give thousands of fields one long name.
const MAX_BYTES: usize = 4 << 20;

/// What is put behind the name of a label whose plain name its stream or its metadata has.
const DUPLICATE_SUFFIX: &str = "_extracted";

/// Where a label comes from. Loki answers with the labels of each apart where asked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Category {
    Stream,
    Metadata,
    Parsed,
}

/// Part of the arena.
#[derive(Clone, Copy, Default)]
struct Span {
    start: u32,
    end: u32,
}

#[derive(Clone, Copy)]
struct Entry {
    name: Span,
    value: Span,
    category: Category,
}

/// A label that may be set now: its name, with a suffix where it needs one.
#[derive(Clone, Copy)]
pub struct Key(Span);

/// Everything that a line adds lies one behind the other in an arena, which is emptied for the
/// next line.
#[derive(Default)]
pub struct LineLabels {
    base: Labels,
    base_names: NameFilter,
    arena: String,
    state: State,
    /// Labels as they were before the first template of a `label_format`.
    snapshot: State,
    extracted: Extracted,
    /// How many of the added labels at the front may be metadata.
    metadata: usize,
    /// Bytes that the arena may have.
    room: usize,
    is_too_long: bool,
}

/// What differs from the labels of the stream.
#[derive(Default)]
struct State {
    added: Vec<Entry>,
    deleted: Vec<Span>,
    error: Option<&'static str>,
    details: Option<Span>,
}

impl LineLabels {
    pub fn set_base(&mut self, labels: &Labels) {
        self.base = labels.clone();
        self.base_names = NameFilter::default();
        for (name, _) in labels.iter() {
            self.base_names.insert(name);
        }
        self.begin_line(0);
    }

    pub fn base(&self) -> &Labels {
        &self.base
    }

    /// Forgets all that the line before added. The next one has so many bytes.
    pub fn begin_line(&mut self, bytes: usize) {
        self.arena.clear();
        self.metadata = 0;
        self.room = bytes.saturating_mul(2).saturating_add(MAX_BYTES).min(u32::MAX as usize);
        self.is_too_long = false;
        self.state.clear();
        self.extracted.clear();
    }

    /// Whether the line's labels are those of its stream.
    pub fn is_unchanged(&self) -> bool {
        self.state.is_unchanged()
    }

    /// Whether there was more than a line may have: then its labels are not all here.
    pub fn is_too_long(&self) -> bool {
        self.is_too_long
    }

    pub fn add_metadata(&mut self, name: &str, value: &str) {
        match name {
            ERROR_DETAILS_LABEL => self.state.details = Some(self.push(value)),
            ERROR_LABEL => self.state.error = known_error(value),
            _ => {
                let Key(name) = self.suffixed(name, self.base_has(name));
                let value = self.push(value);
                match self.position(self.text(name), Some(Category::Metadata)) {
                    Some(at) => self.state.added[at].value = value,
                    None => {
                        self.state.added.push(Entry { name, value, category: Category::Metadata });
                        self.metadata = self.state.added.len();
                    }
                }
            }
        }
    }

    /// The key under which a parser may set `name` now: `None` if the query does not use it or
    /// it was extracted before.
    #[inline]
    pub fn key(&mut self, name: &str, hints: &Hints) -> Option<Key> {
        let taken = self.is_taken(name);
        if !taken && !hints.wants(name) {
            return None;
        }
        let key = self.suffixed(name, taken);
        let text = self.text(key.0);
        let wanted = !self.extracted.contains(&self.arena, text) && (!taken || hints.wants(text));
        if !wanted {
            self.arena.truncate(key.0.start as usize);
        }
        wanted.then_some(key)
    }

    /// As `key`, for labels that the query names: they may be set each time they are met.
    pub fn named_key(&mut self, name: &str) -> Key {
        self.suffixed(name, self.is_taken(name))
    }

    pub fn key_text(&self, key: Key) -> &str {
        self.text(key.0)
    }

    /// Whether a parsed label of this name gets a suffix.
    pub fn is_taken(&self, name: &str) -> bool {
        self.base_has(name) || self.position(name, Some(Category::Metadata)).is_some()
    }

    /// Sets a parsed label.
    pub fn set(&mut self, key: Key, value: &str, hints: &Hints) {
        let value = self.push(value);
        self.put(key, value, hints);
    }

    /// Sets a parsed label whatever there is under its name.
    pub fn set_named(&mut self, name: &str, value: &str, hints: &Hints) {
        let key = Key(self.push(name));
        self.set(key, value, hints);
    }

    /// Gives the value of `from` to `to` and drops `from`; nothing if there is no such label.
    pub fn rename(&mut self, from: &str, to: &str, hints: &Hints) {
        let value = match self.position(from, None) {
            Some(at) => self.state.added[at].value,
            None if self.view().is_deleted(from) => return,
            None => {
                let base = self.base.clone();
                let Some(value) = base.get(from) else { return };
                self.push(value)
            }
        };
        let key = Key(self.push(to));
        self.put(key, value, hints);
        self.delete(from);
    }

    fn put(&mut self, Key(name): Key, value: Span, hints: &Hints) {
        let new = self.extracted.insert(&self.arena, name);
        if new {
            self.extracted.required += usize::from(hints.requires(&self.arena[name.range()]));
        }
        // What was not extracted before can be metadata at most.
        let category = new.then_some(Category::Metadata);
        let entry = Entry { name, value, category: Category::Parsed };
        match self.position(self.text(name), category) {
            Some(at) => self.state.added[at] = entry,
            None => self.state.added.push(entry),
        }
    }

    /// The value of a label, as it is after the stages so far.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.view().get(name)
    }

    pub fn delete(&mut self, name: &str) {
        match name {
            ERROR_LABEL => self.state.error = None,
            ERROR_DETAILS_LABEL => self.state.details = None,
            _ => {
                if let Some(at) = self.position(name, None) {
                    self.state.added.remove(at);
                }
                if self.base_has(name) && !self.view().is_deleted(name) {
                    let name = self.push(name);
                    self.state.deleted.push(name);
                }
            }
        }
    }

    /// Drops the labels for which `keep` says no; errors stay.
    pub fn retain(&mut self, keep: impl Fn(&str, &str) -> bool) {
        let base = self.base.clone();
        for (name, value) in base.iter() {
            let hidden = self.view().is_deleted(name) || self.position(name, None).is_some();
            if !hidden && !keep(name, value) {
                let name = self.push(name);
                self.state.deleted.push(name);
            }
        }
        let arena = &self.arena;
        let deleted = &mut self.state.deleted;
        self.state.added.retain(|entry| {
            let (name, value) = (&arena[entry.name.range()], &arena[entry.value.range()]);
            let kept = name == PRESERVE_ERROR_LABEL || keep(name, value);
            if !kept {
                // It may have hidden a label of the stream.
                deleted.push(entry.name);
            }
            kept
        });
    }

    pub fn has_error(&self) -> bool {
        self.state.error.is_some()
    }

    pub fn set_error(&mut self, error: &'static str, details: Option<&str>) {
        self.state.error = Some(error);
        if let Some(details) = details {
            self.state.details = Some(self.push(details));
        }
    }

    /// An error of a parser, which a query can ask to keep.
    pub fn set_parser_error(&mut self, error: &'static str, details: Option<&str>, hints: &Hints) {
        self.set_error(error, details);
        if hints.preserve_error() {
            self.set_named(PRESERVE_ERROR_LABEL, "true", hints);
        }
    }

    /// Whether all labels that the query uses were extracted.
    pub fn all_extracted(&self, hints: &Hints) -> bool {
        hints.is_complete(self.extracted.required)
    }

    /// The labels as they are.
    pub fn view(&self) -> View<'_> {
        View { labels: self, state: &self.state }
    }

    /// Remembers the labels as they are, for `snapshot`.
    pub fn take_snapshot(&mut self) {
        let State { added, deleted, error, details } = &self.state;
        self.snapshot.added.clone_from(added);
        self.snapshot.deleted.clone_from(deleted);
        (self.snapshot.error, self.snapshot.details) = (*error, *details);
    }

    /// The labels as they were when they were last remembered, which must have been on this line.
    pub fn snapshot(&self) -> View<'_> {
        View { labels: self, state: &self.snapshot }
    }

    fn text(&self, span: Span) -> &str {
        &self.arena[span.range()]
    }

    fn push(&mut self, text: &str) -> Span {
        let start = self.arena.len() as u32;
        if text.len() > self.room - self.arena.len() {
            self.is_too_long = true;
            return Span { start, end: start };
        }
        self.arena.push_str(text);
        Span { start, end: self.arena.len() as u32 }
    }

    fn suffixed(&mut self, name: &str, suffixed: bool) -> Key {
        let mut span = self.push(name);
        if suffixed {
            span.end = self.push(DUPLICATE_SUFFIX).end;
        }
        Key(span)
    }

    #[inline]
    fn base_has(&self, name: &str) -> bool {
        self.base_names.may_have(name) && self.base.get(name).is_some()
    }

    /// Where an added label of this name is, of any category or of one.
    fn position(&self, name: &str, category: Option<Category>) -> Option<usize> {
        let among = match category {
            // It is there before all that is parsed, of which there may be much.
            Some(Category::Metadata) => self.metadata.min(self.state.added.len()),
            _ => self.state.added.len(),
        };
        self.state.added[..among].iter().position(|entry| {
            category.is_none_or(|category| entry.category == category) && self.text(entry.name) == name
        })
    }
}

impl State {
    /// Details alone, of an error that was dropped, do not count: they go with it, as in Loki.
    fn is_unchanged(&self) -> bool {
        self.added.is_empty() && self.deleted.is_empty() && self.error.is_none()
    }

    fn clear(&mut self) {
        self.added.clear();
        self.deleted.clear();
        self.error = None;
        self.details = None;
    }
}

impl Span {
    fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// An error that came with the line as metadata. It could be any text; we know only our own.
fn known_error(value: &str) -> Option<&'static str> {
    super::stage::ERRORS.into_iter().find(|known| *known == value)
}
