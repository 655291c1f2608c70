//! Execution: walks the nodes of a template and writes what they make of the data.

mod eval;

use crate::{
    ast::{Branch, Command, Node, NodeKind, Operand, Pipe},
    error::ExecError,
    format,
    template::{Env, Template},
    value::Value,
};
use model::quote;
use smallvec::SmallVec;
use std::fmt::Display;

pub struct Exec<'e, 'a> {
    template: &'a Template,
    /// The template whose nodes are walked: the main one or one it calls.
    name: &'a str,
    env: &'e Env<'a>,
    out: &'e mut String,
    /// Where the output of this execution began.
    start: usize,
    steps: usize,
    depth: usize,
    /// Declared variables, the innermost last. The first is `$`.
    variables: SmallVec<[(&'a str, Value<'a>); 2]>,
    /// What is being evaluated, for errors.
    at: Option<At<'a>>,
}

/// A node that an error can name.
#[derive(Clone, Copy)]
enum At<'a> {
    Node(&'a Node),
    Pipe(&'a Pipe),
    Command(&'a Command),
    Operand(&'a Operand),
}

/// How a list of nodes ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Next,
    Break,
    Continue,
}

impl<'e, 'a> Exec<'e, 'a> {
    pub fn new(template: &'a Template, env: &'e Env<'a>, out: &'e mut String) -> Self {
        let start = out.len();
        Self {
            template,
            name: &template.name,
            env,
            out,
            start,
            steps: 0,
            depth: 0,
            variables: SmallVec::new(),
            at: None,
        }
    }

    pub fn run(mut self, dot: Value<'a>, variables: Vec<(&'a str, Value<'a>)>) -> Result<(), ExecError> {
        self.variables.push(("$", dot.clone()));
        self.variables.extend(variables);
        let template = self.template;
        let Some(nodes) = template.bodies.get(&template.name) else { return Ok(()) };
        self.list(&dot, nodes).map(|_| ())
    }

    fn error(&self, message: impl Display) -> ExecError {
        let (pos, context): (usize, &dyn Display) = match self.at {
            None => (0, &""),
            Some(At::Node(node)) => (node.pos, node),
            Some(At::Pipe(pipe)) => (pipe.pos, pipe),
            Some(At::Command(command)) => (command.pos, command),
            Some(At::Operand(operand)) => (operand.pos, operand),
        };
        let before = self.template.text.get(..pos).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.len() - before.rfind('\n').map_or(0, |at| at + 1);
        let (parsed, name) = (&self.template.name, quote(self.name));
        ExecError(format!("template: {parsed}:{line}:{column}: executing {name} at <{context}>: {message}"))
    }

    /// Counts work, and fails when there was too much.
    fn step(&mut self, count: usize) -> Result<(), ExecError> {
        self.steps += count;
        let limit = self.template.limits.steps;
        if self.steps > limit { Err(self.error(format!("exceeded {limit} steps"))) } else { Ok(()) }
    }

    fn enter(&mut self) -> Result<(), ExecError> {
        self.depth += 1;
        // What is nested in one template counts as well as templates that call each other.
        let limit = 2 * self.template.limits.depth;
        if self.depth > limit {
            let message = format!("exceeded maximum template depth ({limit})");
            return Err(self.error(message));
        }
        Ok(())
    }

    fn check_output(&self) -> Result<(), ExecError> {
        let limit = self.template.limits.output_bytes;
        if self.out.len() - self.start > limit {
            return Err(self.error(format!("output is longer than {limit} bytes")));
        }
        Ok(())
    }

    fn list(&mut self, dot: &Value<'a>, nodes: &'a [Node]) -> Result<Flow, ExecError> {
        self.enter()?;
        for node in nodes {
            self.at = Some(At::Node(node));
            self.step(1)?;
            let flow = self.node(dot, node)?;
            if flow != Flow::Next {
                self.depth -= 1;
                return Ok(flow);
            }
        }
        self.depth -= 1;
        Ok(Flow::Next)
    }

    fn node(&mut self, dot: &Value<'a>, node: &'a Node) -> Result<Flow, ExecError> {
        match &node.kind {
            NodeKind::Text(text) => {
                self.out.push_str(text);
                self.check_output()?;
            }
            NodeKind::Action(pipe) => {
                let value = self.pipeline(dot, pipe)?;
                if pipe.variables.is_empty() {
                    self.at = Some(At::Node(node));
                    let room = self.template.limits.output_bytes.saturating_sub(self.out.len() - self.start);
                    format::print(self.out, &value, room);
                    self.check_output()?;
                }
            }
            NodeKind::If(branch) => return self.conditional(dot, branch, false),
            NodeKind::With(branch) => return self.conditional(dot, branch, true),
            NodeKind::Range(branch) => return self.range(dot, branch),
            NodeKind::Template { name, pipe } => self.call_template(dot, node, name, pipe.as_ref())?,
            NodeKind::Break => return Ok(Flow::Break),
            NodeKind::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::Next)
    }

    fn conditional(
        &mut self,
        dot: &Value<'a>,
        branch: &'a Branch,
        sets_dot: bool,
    ) -> Result<Flow, ExecError> {
        let mark = self.variables.len();
        let value = self.pipeline(dot, &branch.pipe)?;
        let flow = match (value.is_true(), &branch.else_list) {
            (true, _) => self.list(if sets_dot { &value } else { dot }, &branch.list)?,
            (false, Some(list)) => self.list(dot, list)?,
            (false, None) => Flow::Next,
        };
        self.variables.truncate(mark);
        Ok(flow)
    }

    fn range(&mut self, dot: &Value<'a>, branch: &'a Branch) -> Result<Flow, ExecError> {
        let mark = self.variables.len();
        let value = self.pipeline(dot, &branch.pipe)?;
        let ran = match &value {
            Value::Int(_) | Value::Int64(_) | Value::Byte(_) => self.range_number(&value, branch)?,
            Value::List(list) => {
                let items = list.iter().cloned().zip(0..);
                self.range_over(branch, items.map(|(item, index)| (Value::Int(index), item)))?
            }
            Value::NoValue | Value::Nil => false,
            other => match other.sorted_entries() {
                Some(entries) => {
                    self.step(entries.len())?;
                    let entries = entries.into_iter();
                    self.range_over(branch, entries.map(|(key, item)| (Value::Str(key), item)))?
                }
                None => {
                    let shown = format::shown(other);
                    return Err(self.error(format!("range can't iterate over {shown}")));
                }
            },
        };
        let flow = match &branch.else_list {
            Some(list) if !ran => self.list(dot, list)?,
            _ => Flow::Next,
        };
        self.variables.truncate(mark);
        Ok(flow)
    }

    fn range_number(&mut self, count: &Value<'a>, branch: &'a Branch) -> Result<bool, ExecError> {
        if branch.pipe.variables.len() > 1 {
            let shown = format::shown(count);
            return Err(self.error(format!("can't use {shown} to iterate over more than one variable")));
        }
        match count {
            Value::Int(n) => self.range_over(branch, (0..*n).map(|i| (Value::NoValue, Value::Int(i)))),
            Value::Int64(n) => self.range_over(branch, (0..*n).map(|i| (Value::NoValue, Value::Int64(i)))),
            Value::Byte(n) => self.range_over(branch, (0..*n).map(|i| (Value::NoValue, Value::Byte(i)))),
            _ => Ok(false),
        }
    }

    /// Walks the body once for each item; whether there was any.
    fn range_over(
        &mut self,
        branch: &'a Branch,
        items: impl Iterator<Item = (Value<'a>, Value<'a>)>,
    ) -> Result<bool, ExecError> {
        let mark = self.variables.len();
        let mut ran = false;
        for (index, item) in items {
            ran = true;
            self.step(1)?;
            self.set_range_variables(&branch.pipe, index, &item)?;
            let flow = self.list(&item, &branch.list)?;
            self.variables.truncate(mark);
            if flow == Flow::Break {
                break;
            }
        }
        Ok(ran)
    }

    fn set_range_variables(
        &mut self,
        pipe: &'a Pipe,
        index: Value<'a>,
        item: &Value<'a>,
    ) -> Result<(), ExecError> {
        let (first, second) = match &*pipe.variables {
            [] => return Ok(()),
            [only] => (None, only),
            [first, second, ..] => (Some(first), second),
        };
        if pipe.assigns {
            if let Some(first) = first {
                self.assign(first, index)?;
            }
            return self.assign(second, item.clone());
        }
        // Declared by the pipeline, they are on top.
        let top = self.variables.len();
        if let Some(slot) = self.variables.get_mut(top - 1) {
            slot.1 = item.clone();
        }
        if let (Some(_), Some(slot)) = (first, self.variables.get_mut(top.saturating_sub(2))) {
            slot.1 = index;
        }
        Ok(())
    }

    fn call_template(
        &mut self,
        dot: &Value<'a>,
        node: &'a Node,
        name: &'a str,
        pipe: Option<&'a Pipe>,
    ) -> Result<(), ExecError> {
        let template = self.template;
        let Some(nodes) = template.bodies.get(name) else {
            self.at = Some(At::Node(node));
            return Err(self.error(format!("template {} not defined", quote(name))));
        };
        let dot = match pipe {
            Some(pipe) => self.pipeline(dot, pipe)?,
            None => Value::NoValue,
        };
        let mut variables = SmallVec::new();
        variables.push(("$", dot.clone()));
        let outer_variables = std::mem::replace(&mut self.variables, variables);
        let outer_name = std::mem::replace(&mut self.name, name);
        self.list(&dot, nodes)?;
        self.variables = outer_variables;
        self.name = outer_name;
        Ok(())
    }
}
