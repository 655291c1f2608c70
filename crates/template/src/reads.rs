//! What a template reads, found out without executing it.

use crate::ast::{Branch, Node, NodeKind, Operand, OperandKind, Pipe};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
pub struct Reads<'t> {
    pub fields: BTreeSet<&'t str>,
    pub all: bool,
    /// Regular expressions that stand in the text.
    pub patterns: Vec<&'t str>,
    /// Functions that are called.
    pub calls: BTreeSet<&'static str>,
    /// Fields of variables, and of fields.
    pub paths: BTreeSet<(&'t str, &'t str)>,
}

/// What the dot and the dollar are at some place.
#[derive(Clone, Copy)]
struct Scope {
    dot_is_data: bool,
    dollar_is_data: bool,
}

impl<'t> Reads<'t> {
    pub fn of(name: &str, bodies: &'t BTreeMap<String, Vec<Node>>) -> Self {
        let mut reads = Self::default();
        for (body, nodes) in bodies {
            // Others get the data only where it is handed to them as a whole, which is seen there.
            let is_data = body == name;
            reads.nodes(nodes, Scope { dot_is_data: is_data, dollar_is_data: is_data });
        }
        reads
    }

    fn nodes(&mut self, nodes: &'t [Node], scope: Scope) {
        for node in nodes {
            match &node.kind {
                NodeKind::Text(_) | NodeKind::Break | NodeKind::Continue => {}
                NodeKind::Template { pipe: None, .. } => {}
                NodeKind::Action(pipe) | NodeKind::Template { pipe: Some(pipe), .. } => {
                    self.pipe(pipe, scope);
                }
                NodeKind::If(branch) => self.branch(branch, scope, scope),
                NodeKind::With(branch) | NodeKind::Range(branch) => {
                    self.branch(branch, scope, Scope { dot_is_data: false, ..scope });
                }
            }
        }
    }

    fn branch(&mut self, branch: &'t Branch, scope: Scope, inner: Scope) {
        self.pipe(&branch.pipe, scope);
        self.nodes(&branch.list, inner);
        if let Some(list) = &branch.else_list {
            self.nodes(list, scope);
        }
    }

    fn pipe(&mut self, pipe: &'t Pipe, scope: Scope) {
        for command in &pipe.commands {
            for arg in &command.args {
                self.operand(arg, scope);
            }
            if let [first, second, ..] = &*command.args
                && let OperandKind::Function(function) = &first.kind
                && let OperandKind::Text { text, .. } = &second.kind
                && function.takes_pattern
            {
                self.patterns.push(text);
            }
        }
    }

    fn operand(&mut self, operand: &'t Operand, scope: Scope) {
        match &operand.kind {
            OperandKind::Variable(name, names) => {
                self.paths.extend(first(names).map(|field| (&**name, field)))
            }
            OperandKind::Field(names) if scope.dot_is_data => {
                self.paths.extend(first(names).zip(names.get(1).map(String::as_str)));
            }
            _ => {}
        }
        match &operand.kind {
            OperandKind::Function(function) => drop(self.calls.insert(function.name)),
            OperandKind::Dot => self.all |= scope.dot_is_data,
            OperandKind::Field(names) if scope.dot_is_data => self.fields.extend(first(names)),
            OperandKind::Variable(name, names) if name == "$" && scope.dollar_is_data => match first(names) {
                Some(name) => drop(self.fields.insert(name)),
                None => self.all = true,
            },
            OperandKind::Pipe(pipe) => self.pipe(pipe, scope),
            OperandKind::Chain(inner, _) => self.operand(inner, scope),
            _ => {}
        }
    }
}

fn first(names: &[String]) -> Option<&str> {
    names.first().map(String::as_str)
}

/// The field, if the nodes are `{{.field}}` and nothing else.
pub fn single_field(nodes: &[Node]) -> Option<&str> {
    let [Node { kind: NodeKind::Action(pipe), .. }] = nodes else { return None };
    let [command] = &*pipe.commands else { return None };
    let [Operand { kind: OperandKind::Field(names), .. }] = &*command.args else { return None };
    match &**names {
        [name] if pipe.variables.is_empty() => Some(name),
        _ => None,
    }
}
