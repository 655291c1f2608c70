//! Text, actions, and the blocks that hold others.

use super::Parser;
use crate::{
    ast::{Branch, Node, NodeKind},
    error::ParseError,
    lex::{Item, Kind},
};
use model::quote;

/// What stands between the delimiters, or text.
enum Part {
    Node(Node),
    End,
    /// `else`, and where the word that follows it begins, if it is on its own.
    Else,
}

impl Parser<'_> {
    /// All of the text, taking definitions out.
    pub(super) fn text(&mut self) -> Result<Vec<Node>, ParseError> {
        let mut nodes = Vec::new();
        loop {
            let item = self.next();
            if item.kind == Kind::Eof {
                return Ok(nodes);
            }
            if item.kind == Kind::LeftDelim {
                let next = self.next_non_space();
                if next.is_keyword("define") {
                    self.definition()?;
                    continue;
                }
                self.back(next);
            }
            self.back(item);
            match self.part()? {
                Part::Node(node) => nodes.push(node),
                Part::End => return Err(self.error("unexpected {{end}}")),
                Part::Else => return Err(self.error("unexpected {{else}}")),
            }
        }
    }

    fn definition(&mut self) -> Result<(), ParseError> {
        let item = self.next_non_space();
        let name = self.template_name(&item, "define clause")?;
        self.expect(Kind::RightDelim, "define clause")?;
        self.body(name, "define clause")
    }

    /// The body of a template of its own, which sees no variables from outside.
    fn body(&mut self, name: String, context: &str) -> Result<(), ParseError> {
        let variables = std::mem::replace(&mut self.variables, vec!["$".to_owned()]);
        let ranges = std::mem::take(&mut self.ranges);
        let (nodes, end) = self.list()?;
        if matches!(end, Part::Else) {
            return Err(self.error(format!("unexpected {{{{else}}}} in {context}")));
        }
        self.variables = variables;
        self.ranges = ranges;
        self.add(name, nodes)
    }

    /// Empty bodies give way to others; two that are not cannot have one name.
    pub(super) fn add(&mut self, name: String, nodes: Vec<Node>) -> Result<(), ParseError> {
        if self.bodies.get(&name).is_none_or(|body| is_empty(body)) {
            self.bodies.insert(name, nodes);
        } else if !is_empty(&nodes) {
            let message = format!("template: multiple definition of template {}", quote(&name));
            return Err(self.error(message));
        }
        Ok(())
    }

    /// Nodes up to an `end` or `else`, which is returned with them.
    fn list(&mut self) -> Result<(Vec<Node>, Part), ParseError> {
        self.enter()?;
        let mut nodes = Vec::new();
        while self.peek_non_space().kind != Kind::Eof {
            match self.part()? {
                Part::Node(node) => nodes.push(node),
                other => {
                    self.depth -= 1;
                    return Ok((nodes, other));
                }
            }
        }
        Err(self.error("unexpected EOF"))
    }

    fn part(&mut self) -> Result<Part, ParseError> {
        let item = self.next_non_space();
        match item.kind {
            Kind::Text => {
                let kind = NodeKind::Text(item.text.into_owned());
                Ok(Part::Node(Node { pos: item.pos, kind }))
            }
            Kind::LeftDelim => {
                self.action_line = Some(item.line);
                let part = self.action()?;
                self.action_line = None;
                Ok(part)
            }
            _ => Err(self.unexpected(&item, "input")),
        }
    }

    fn action(&mut self) -> Result<Part, ParseError> {
        let item = self.next_non_space();
        let node = |kind| Ok(Part::Node(Node { pos: item.pos, kind }));
        let word = if item.kind == Kind::Keyword { &*item.text } else { "" };
        match word {
            "block" => self.block().map(Part::Node),
            "break" => node(self.loop_control("break", NodeKind::Break)?),
            "continue" => node(self.loop_control("continue", NodeKind::Continue)?),
            "else" => {
                let next = self.peek_non_space();
                if !next.is_keyword("if") && !next.is_keyword("with") {
                    self.expect(Kind::RightDelim, "else")?;
                }
                Ok(Part::Else)
            }
            "end" => self.expect(Kind::RightDelim, "end").map(|_| Part::End),
            "if" => self.branch("if", NodeKind::If).map(Part::Node),
            "range" => self.branch("range", NodeKind::Range).map(Part::Node),
            "with" => self.branch("with", NodeKind::With).map(Part::Node),
            "template" => self.template_call().map(Part::Node),
            _ => {
                let pos = item.pos;
                self.back(item);
                let pipe = self.pipeline("command", Kind::RightDelim)?;
                Ok(Part::Node(Node { pos, kind: NodeKind::Action(pipe) }))
            }
        }
    }

    fn loop_control(&mut self, word: &str, kind: NodeKind) -> Result<NodeKind, ParseError> {
        let item = self.next_non_space();
        if item.kind != Kind::RightDelim {
            return Err(self.unexpected(&item, &format!("{{{{{word}}}}}")));
        }
        if self.ranges == 0 {
            return Err(self.error(format!("{{{{{word}}}}} outside {{{{range}}}}")));
        }
        Ok(kind)
    }

    fn branch(&mut self, word: &str, kind: fn(Branch) -> NodeKind) -> Result<Node, ParseError> {
        let declared = self.variables.len();
        let pipe = self.pipeline(word, Kind::RightDelim)?;
        let is_range = usize::from(word == "range");
        self.ranges += is_range;
        let (list, end) = self.list()?;
        self.ranges -= is_range;
        let else_list = match end {
            Part::Else => Some(self.else_list(word, kind)?),
            _ => None,
        };
        self.variables.truncate(declared);
        Ok(Node { pos: pipe.pos, kind: kind(Branch { pipe, list, else_list }) })
    }

    /// What follows an `else`. After `else if` and `else with` it is one such block, whose
    /// `end` is that of both.
    fn else_list(&mut self, word: &str, kind: fn(Branch) -> NodeKind) -> Result<Vec<Node>, ParseError> {
        if word != "range" && self.peek().is_keyword(word) {
            self.next();
            self.enter()?;
            let inner = self.branch(word, kind)?;
            self.depth -= 1;
            return Ok(vec![inner]);
        }
        let (list, end) = self.list()?;
        match end {
            Part::Else => Err(self.error("expected end; found {{else}}")),
            _ => Ok(list),
        }
    }

    fn block(&mut self) -> Result<Node, ParseError> {
        let item = self.next_non_space();
        let name = self.template_name(&item, "block clause")?;
        let pipe = self.pipeline("block clause", Kind::RightDelim)?;
        self.body(name.clone(), "block clause")?;
        Ok(Node { pos: item.pos, kind: NodeKind::Template { name, pipe: Some(pipe) } })
    }

    fn template_call(&mut self) -> Result<Node, ParseError> {
        let item = self.next_non_space();
        let name = self.template_name(&item, "template clause")?;
        let next = self.next_non_space();
        let pipe = if next.kind == Kind::RightDelim {
            None
        } else {
            self.back(next);
            Some(self.pipeline("template clause", Kind::RightDelim)?)
        };
        Ok(Node { pos: item.pos, kind: NodeKind::Template { name, pipe } })
    }

    fn template_name(&mut self, item: &Item<'_>, context: &str) -> Result<String, ParseError> {
        match item.kind {
            Kind::String | Kind::RawString => self.unquote(item),
            _ => Err(self.unexpected(item, context)),
        }
    }
}

/// Whether there is nothing but space.
fn is_empty(nodes: &[Node]) -> bool {
    nodes.iter().all(|node| matches!(&node.kind, NodeKind::Text(text) if text.trim().is_empty()))
}
