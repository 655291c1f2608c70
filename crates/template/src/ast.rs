//! Parsed templates. Nodes print themselves as Go's do, for errors name the place that way.

use crate::functions::Function;
use model::quote;
use std::fmt::{self, Display, Formatter};

/// Positions are bytes from the start of the template's text.
pub struct Node {
    pub pos: usize,
    pub kind: NodeKind,
}

pub enum NodeKind {
    Text(String),
    Action(Pipe),
    If(Branch),
    With(Branch),
    Range(Branch),
    Template { name: String, pipe: Option<Pipe> },
    Break,
    Continue,
}

pub struct Branch {
    pub pipe: Pipe,
    pub list: Vec<Node>,
    pub else_list: Option<Vec<Node>>,
}

pub struct Pipe {
    pub pos: usize,
    /// Variables that take the value, with their `$`.
    pub variables: Vec<String>,
    /// They are assigned, not declared.
    pub assigns: bool,
    pub commands: Vec<Command>,
}

pub struct Command {
    pub pos: usize,
    /// Never empty.
    pub args: Vec<Operand>,
}

pub struct Operand {
    pub pos: usize,
    pub kind: OperandKind,
}

pub enum OperandKind {
    Bool(bool),
    Dot,
    Nil,
    Number(Number),
    Text {
        quoted: String,
        text: String,
    },
    Field(Vec<String>),
    /// Its name, with the `$`, and fields of it.
    Variable(String, Vec<String>),
    Function(Function),
    Pipe(Pipe),
    Chain(Box<Operand>, Vec<String>),
}

/// A constant is every type of number that can hold it.
pub struct Number {
    pub text: String,
    pub int: Option<i64>,
    pub float: Option<f64>,
    /// Whether it is a float where the type is free.
    pub is_float: bool,
}

impl Display for Node {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.kind {
            NodeKind::Text(text) => f.write_str(text),
            NodeKind::Action(pipe) => write!(f, "{{{{{pipe}}}}}"),
            NodeKind::If(branch) => write_branch(f, "if", branch),
            NodeKind::With(branch) => write_branch(f, "with", branch),
            NodeKind::Range(branch) => write_branch(f, "range", branch),
            NodeKind::Template { name, pipe: None } => write!(f, "{{{{template {}}}}}", quote(name)),
            NodeKind::Template { name, pipe: Some(pipe) } => {
                write!(f, "{{{{template {} {pipe}}}}}", quote(name))
            }
            NodeKind::Break => f.write_str("{{break}}"),
            NodeKind::Continue => f.write_str("{{continue}}"),
        }
    }
}

fn write_branch(f: &mut Formatter<'_>, word: &str, branch: &Branch) -> fmt::Result {
    write!(f, "{{{{{word} {}}}}}", branch.pipe)?;
    branch.list.iter().try_for_each(|node| node.fmt(f))?;
    if let Some(list) = &branch.else_list {
        f.write_str("{{else}}")?;
        list.iter().try_for_each(|node| node.fmt(f))?;
    }
    f.write_str("{{end}}")
}

impl Display for Pipe {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if !self.variables.is_empty() {
            let sign = if self.assigns { "=" } else { ":=" };
            write!(f, "{} {sign} ", self.variables.join(", "))?;
        }
        for (i, command) in self.commands.iter().enumerate() {
            let separator = if i > 0 { " | " } else { "" };
            write!(f, "{separator}{command}")?;
        }
        Ok(())
    }
}

impl Display for Command {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (i, arg) in self.args.iter().enumerate() {
            let separator = if i > 0 { " " } else { "" };
            match &arg.kind {
                OperandKind::Pipe(pipe) => write!(f, "{separator}({pipe})")?,
                _ => write!(f, "{separator}{arg}")?,
            }
        }
        Ok(())
    }
}

impl Display for Operand {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let fields = match &self.kind {
            OperandKind::Bool(b) => return b.fmt(f),
            OperandKind::Dot => return f.write_str("."),
            OperandKind::Nil => return f.write_str("nil"),
            OperandKind::Number(number) => return f.write_str(&number.text),
            OperandKind::Text { quoted, .. } => return f.write_str(quoted),
            OperandKind::Function(function) => return f.write_str(function.name),
            OperandKind::Pipe(pipe) => return pipe.fmt(f),
            OperandKind::Field(fields) => fields,
            OperandKind::Variable(name, fields) => {
                f.write_str(name)?;
                fields
            }
            OperandKind::Chain(operand, fields) => {
                match &operand.kind {
                    OperandKind::Pipe(pipe) => write!(f, "({pipe})")?,
                    _ => write!(f, "{operand}")?,
                }
                fields
            }
        };
        fields.iter().try_for_each(|field| write!(f, ".{field}"))
    }
}
