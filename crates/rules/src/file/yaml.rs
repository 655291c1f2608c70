//! YAML as a tree with lines. Scalars stay text, for what they mean depends on the field that they are in.

use super::Problem;
use serde_saphyr::granit_parser::{Event, Options, Parser, ScalarStyle, Tag};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

/// Lists and mappings inside each other. A rule's labels are five deep.
const MAX_DEPTH: usize = 50;
/// Nodes of a tree in which each alias stands for what it repeats.
const MAX_NODES: usize = 1_000_000;
/// Bytes of the text in it.
const MAX_TEXT: usize = 64 << 20;

pub struct Node {
    pub line: usize,
    pub kind: Kind,
    /// A scalar without quotes or tag.
    is_plain: bool,
    depth: usize,
    nodes: usize,
    bytes: usize,
}

pub enum Kind {
    Null,
    Text(String),
    List(Vec<Rc<Node>>),
    /// Each key once, in the order in which they are written.
    Map(Vec<Entry>),
}

#[derive(Clone)]
pub struct Entry {
    pub key: String,
    pub line: usize,
    pub value: Rc<Node>,
}

impl Node {
    /// The text of a mapping's first field of these names, if it has one.
    pub fn name(&self, fields: &[&str]) -> Option<&str> {
        let Kind::Map(entries) = &self.kind else { return None };
        entries.iter().filter(|entry| fields.contains(&&*entry.key)).find_map(|entry| {
            match &entry.value.kind {
                Kind::Text(text) => Some(text.as_str()),
                _ => None,
            }
        })
    }

    /// What it is, for errors.
    pub fn what(&self) -> &'static str {
        match self.kind {
            Kind::Null => "nothing",
            Kind::Text(_) => "a text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a mapping",
        }
    }
}

type Read = (Option<Rc<Node>>, Vec<Problem>);

/// The only document of a text, and what is wrong with it that does not make it unreadable.
pub fn read(text: &str) -> Result<Read, Vec<Problem>> {
    let mut options = Options::default();
    // As libyaml, on which everybody else's readers stand.
    options.block_scalar_eof_without_line_feed = true;
    let mut builder = Builder::default();
    match builder.read(Parser::new_from_str_with_options(text, options)) {
        Ok(()) => Ok((builder.root, builder.problems)),
        Err(problem) => {
            builder.problems.push(problem);
            Err(builder.problems)
        }
    }
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    anchors: BTreeMap<usize, Rc<Node>>,
    root: Option<Rc<Node>>,
    documents: usize,
    /// Entries that were merged so far.
    merged: usize,
    problems: Vec<Problem>,
}

/// A list or mapping whose end has not come yet.
struct Open {
    line: usize,
    anchor: usize,
    is_map: bool,
    items: Vec<Rc<Node>>,
}

impl Builder {
    fn read<'t>(
        &mut self,
        mut parser: Parser<'t, impl serde_saphyr::granit_parser::BorrowedInput<'t>>,
    ) -> Result<(), Problem> {
        while let Some(event) = parser.next_event() {
            let (event, span) = event.map_err(|error| {
                problem(error.marker().line(), format!("this is not YAML: {}", error.info()))
            })?;
            let line = span.start.line();
            match event {
                Event::Scalar(text, style, anchor, tag) => {
                    let node = self.scalar(line, text, style, tag)?;
                    self.add(anchor, node)?;
                }
                Event::SequenceStart(_, anchor, tag) => self.open(line, anchor, tag, false)?,
                Event::MappingStart(_, anchor, tag) => self.open(line, anchor, tag, true)?,
                Event::SequenceEnd | Event::MappingEnd => self.close()?,
                Event::Alias(anchor) => match self.anchors.get(&anchor).cloned() {
                    Some(node) => self.add(0, node)?,
                    None => return Err(problem(line, "an alias stands inside of what it repeats")),
                },
                _ => {}
            }
        }
        Ok(())
    }

    fn scalar(
        &mut self,
        line: usize,
        text: Cow<'_, str>,
        style: ScalarStyle,
        tag: Option<Cow<'_, Tag>>,
    ) -> Result<Rc<Node>, Problem> {
        let is_plain = tag.is_none() && style == ScalarStyle::Plain;
        let is_text = match tag.as_deref() {
            None => style != ScalarStyle::Plain,
            Some(tag) => match tag.core_suffix() {
                Some("str") => true,
                Some("int" | "float" | "bool" | "null" | "timestamp") => false,
                _ => return Err(problem(line, format!("the tag {} is not supported", tag.original()))),
            },
        };
        let is_null = !is_text && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
        let kind = if is_null { Kind::Null } else { Kind::Text(text.into_owned()) };
        Ok(Rc::new(Node { is_plain, ..Node::new(line, kind) }))
    }

    fn open(
        &mut self,
        line: usize,
        anchor: usize,
        tag: Option<Cow<'_, Tag>>,
        is_map: bool,
    ) -> Result<(), Problem> {
        if let Some(tag) = tag.filter(|tag| !matches!(tag.core_suffix(), Some("map" | "seq"))) {
            return Err(problem(line, format!("the tag {} is not supported", tag.original())));
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(problem(line, format!("the YAML is nested deeper than {MAX_DEPTH}")));
        }
        self.open.push(Open { line, anchor, is_map, items: Vec::new() });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Problem> {
        let Some(Open { line, anchor, is_map, items }) = self.open.pop() else { return Ok(()) };
        if self.merged > MAX_NODES {
            return Err(problem(line, "the YAML gets too large when its aliases are followed"));
        }
        let kind = if is_map { Kind::Map(self.entries(items)) } else { Kind::List(items) };
        self.add(anchor, Rc::new(Node::new(line, kind)))
    }

    fn add(&mut self, anchor: usize, node: Rc<Node>) -> Result<(), Problem> {
        let deep = self.open.len() + node.depth > MAX_DEPTH;
        if deep || node.nodes > MAX_NODES || node.bytes > MAX_TEXT {
            return Err(problem(node.line, "the YAML gets too large when its aliases are followed"));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        match self.open.last_mut() {
            Some(open) => open.items.push(node),
            None => {
                self.documents += 1;
                let is_empty = matches!(node.kind, Kind::Null);
                if self.root.is_none() && !is_empty {
                    self.root = Some(node);
                } else if self.documents > 1 && !is_empty {
                    let message = "a second document begins here: put all into one, without `---`";
                    return Err(problem(node.line, message));
                }
            }
        }
        Ok(())
    }

    /// The entries of a mapping, and behind them those that it merges, for `<<` gives what is not written.
    fn entries(&mut self, items: Vec<Rc<Node>>) -> Vec<Entry> {
        let (mut entries, mut merged) = (Vec::new(), Vec::new());
        let mut seen = BTreeSet::new();
        let mut items = items.into_iter();
        while let (Some(key), Some(value)) = (items.next(), items.next()) {
            let name = match &key.kind {
                Kind::Text(name) => name.clone(),
                Kind::Null => "null".to_owned(),
                Kind::List(_) | Kind::Map(_) => {
                    self.problems.push(problem(key.line, format!("{} cannot be a key", key.what())));
                    continue;
                }
            };
            if name == "<<" && key.is_plain {
                self.merge(&value, &mut merged);
            } else if seen.insert(name.clone()) {
                entries.push(Entry { key: name, line: key.line, value });
            } else {
                let message = format!("{} is there twice in one mapping", model::quote(&name));
                self.problems.push(problem(key.line, message));
            }
        }
        self.merged += merged.len();
        for entry in merged {
            if seen.insert(entry.key.clone()) {
                entries.push(entry);
            }
        }
        entries
    }

    fn merge(&mut self, value: &Node, merged: &mut Vec<Entry>) {
        match &value.kind {
            Kind::Map(entries) => merged.extend(entries.iter().cloned()),
            Kind::List(list) if list.iter().all(|node| matches!(node.kind, Kind::Map(_))) => {
                list.iter().for_each(|node| self.merge(node, merged));
            }
            _ => {
                let message = format!("`<<` merges a mapping, or a list of them, not {}", value.what());
                self.problems.push(problem(value.line, message));
            }
        }
    }
}

impl Node {
    fn new(line: usize, kind: Kind) -> Self {
        let (mut depth, mut nodes, mut bytes) = (0, 1, 0);
        let mut add = |child: &Node| {
            depth = child.depth.max(depth);
            nodes += child.nodes;
            bytes += child.bytes;
        };
        match &kind {
            Kind::Null => {}
            Kind::Text(text) => bytes = text.len(),
            Kind::List(items) => items.iter().for_each(|item| add(item)),
            Kind::Map(entries) => entries.iter().for_each(|entry| add(&entry.value)),
        }
        if let Kind::Map(entries) = &kind {
            bytes += entries.iter().map(|entry| entry.key.len()).sum::<usize>();
        }
        if matches!(kind, Kind::List(_) | Kind::Map(_)) {
            depth += 1;
        }
        Self { line, kind, is_plain: false, depth, nodes, bytes }
    }
}

fn problem(line: usize, message: impl Into<String>) -> Problem {
    Problem { line: Some(line), ..Problem::whole(message) }
}
