//! From text to nodes: tokens, pipelines and operands. Blocks and definitions are in `blocks`.

mod blocks;
mod number;

pub use number::parse_integer;

use crate::{
    ast::{Command, Node, Operand, OperandKind, Pipe},
    error::ParseError,
    functions::Functions,
    lex::{Item, Kind, Lexer},
    template::Options,
};
use model::quote;
use query_syntax::{Span, unquote_bytes};
use std::collections::BTreeMap;

/// The bodies of all templates in a text, by name; the text itself under the name given.
pub fn parse(
    options: &Options<'_>,
    text: &str,
    functions: &Functions,
) -> Result<BTreeMap<String, Vec<Node>>, ParseError> {
    let name = options.name;
    let known = options.variables.iter().map(|name| String::from(*name));
    let mut parser = Parser {
        name,
        functions,
        lexer: Lexer::new(text),
        pushed: Vec::new(),
        line: 1,
        action_line: None,
        variables: std::iter::once("$".to_owned()).chain(known).collect(),
        ranges: 0,
        depth: 0,
        max_depth: options.limits.depth,
        bodies: BTreeMap::new(),
    };
    let root = parser.text()?;
    parser.add(name.to_owned(), root)?;
    Ok(parser.bodies)
}

struct Parser<'t> {
    name: &'t str,
    functions: &'t Functions,
    lexer: Lexer<'t>,
    /// Items that were given back, the next one last.
    pushed: Vec<Item<'t>>,
    /// The line of the item that was read last.
    line: usize,
    action_line: Option<usize>,
    /// Those that are declared here.
    variables: Vec<String>,
    /// How many `range` are open.
    ranges: usize,
    depth: usize,
    max_depth: usize,
    bodies: BTreeMap<String, Vec<Node>>,
}

impl<'t> Parser<'t> {
    fn next(&mut self) -> Item<'t> {
        if let Some(item) = self.pushed.pop() {
            return item;
        }
        let item = self.lexer.next_item();
        self.line = item.line;
        item
    }

    fn back(&mut self, item: Item<'t>) {
        self.pushed.push(item);
    }

    fn peek(&mut self) -> Item<'t> {
        let item = self.next();
        self.back(item.clone());
        item
    }

    fn next_non_space(&mut self) -> Item<'t> {
        loop {
            let item = self.next();
            if item.kind != Kind::Space {
                return item;
            }
        }
    }

    fn peek_non_space(&mut self) -> Item<'t> {
        let item = self.next_non_space();
        self.back(item.clone());
        item
    }

    fn error(&self, message: impl Into<String>) -> ParseError {
        ParseError { name: self.name.to_owned(), line: self.line, message: message.into() }
    }

    fn unexpected(&self, item: &Item<'_>, context: &str) -> ParseError {
        if item.kind != Kind::Error {
            return self.error(format!("unexpected {} in {context}", item.shown()));
        }
        let started = match self.action_line {
            Some(line) if line != item.line => {
                let action = if item.text.ends_with(" action") { "" } else { " in action" };
                format!("{action} started at {}:{line}", self.name)
            }
            _ => String::new(),
        };
        self.error(format!("{}{started}", item.text))
    }

    fn expect(&mut self, kind: Kind, context: &str) -> Result<Item<'t>, ParseError> {
        let item = self.next_non_space();
        if item.kind == kind { Ok(item) } else { Err(self.unexpected(&item, context)) }
    }

    fn enter(&mut self) -> Result<(), ParseError> {
        self.depth += 1;
        if self.depth > self.max_depth { Err(self.error("max expression depth exceeded")) } else { Ok(()) }
    }

    fn pipeline(&mut self, context: &str, end: Kind) -> Result<Pipe, ParseError> {
        let pos = self.peek_non_space().pos;
        let mut pipe = Pipe { pos, variables: Vec::new(), assigns: false, commands: Vec::new() };
        while self.declaration(&mut pipe, context)? {}
        loop {
            let item = self.next_non_space();
            match item.kind {
                kind if kind == end => break,
                Kind::Bool
                | Kind::CharConstant
                | Kind::Dot
                | Kind::Field
                | Kind::Identifier
                | Kind::Number
                | Kind::RawString
                | Kind::String
                | Kind::Variable
                | Kind::LeftParen => {
                    self.back(item);
                    let command = self.command()?;
                    pipe.commands.push(command);
                }
                _ if item.is_keyword("nil") => {
                    self.back(item);
                    let command = self.command()?;
                    pipe.commands.push(command);
                }
                _ => return Err(self.unexpected(&item, context)),
            }
        }
        self.check_pipeline(&pipe, context)?;
        Ok(pipe)
    }

    /// Reads `$x :=`, `$x =` or the `$x,` of a range; whether another may follow.
    fn declaration(&mut self, pipe: &mut Pipe, context: &str) -> Result<bool, ParseError> {
        let variable = self.peek_non_space();
        if variable.kind != Kind::Variable {
            return Ok(false);
        }
        self.next();
        let after = self.peek();
        let next = self.peek_non_space();
        let comma = next.kind == Kind::Char && next.text == ",";
        if !comma && !matches!(next.kind, Kind::Assign | Kind::Declare) {
            if after.kind == Kind::Space {
                self.back(after);
            }
            self.back(variable);
            return Ok(false);
        }
        self.next_non_space();
        let name = variable.text.into_owned();
        self.variables.push(name.clone());
        pipe.variables.push(name);
        if !comma {
            pipe.assigns = next.kind == Kind::Assign;
            return Ok(false);
        }
        if context == "range" && pipe.variables.len() < 2 {
            let follows = self.peek_non_space().kind;
            return match follows {
                Kind::Variable | Kind::RightDelim | Kind::RightParen => Ok(true),
                _ => Err(self.error("range can only initialize variables")),
            };
        }
        Err(self.error(format!("too many declarations in {context}")))
    }

    fn check_pipeline(&self, pipe: &Pipe, context: &str) -> Result<(), ParseError> {
        if pipe.commands.is_empty() {
            return Err(self.error(format!("missing value for {context}")));
        }
        for (i, command) in pipe.commands.iter().enumerate().skip(1) {
            let first = command.args.first().map(|arg| &arg.kind);
            if let Some(
                OperandKind::Bool(_)
                | OperandKind::Dot
                | OperandKind::Nil
                | OperandKind::Number(_)
                | OperandKind::Text { .. },
            ) = first
            {
                let stage = i + 1;
                return Err(self.error(format!("non executable command in pipeline stage {stage}")));
            }
        }
        Ok(())
    }

    /// Operands with spaces between them, up to a `|`, which is read, or the end.
    fn command(&mut self) -> Result<Command, ParseError> {
        let mut command = Command { pos: self.peek_non_space().pos, args: Vec::new() };
        loop {
            self.peek_non_space();
            command.args.extend(self.operand()?);
            let item = self.next();
            match item.kind {
                Kind::Space => continue,
                Kind::RightDelim | Kind::RightParen => self.back(item),
                Kind::Pipe => {}
                _ => return Err(self.unexpected(&item, "operand")),
            }
            break;
        }
        if command.args.is_empty() { Err(self.error("empty command")) } else { Ok(command) }
    }

    /// A term and the fields taken of it; `None` if there is no term here.
    fn operand(&mut self) -> Result<Option<Operand>, ParseError> {
        let Some(mut operand) = self.term()? else { return Ok(None) };
        let first = self.peek();
        if first.kind != Kind::Field {
            return Ok(Some(operand));
        }
        let mut fields = Vec::new();
        while self.peek().kind == Kind::Field {
            fields.push(self.next().text[1..].to_owned());
        }
        match &mut operand.kind {
            OperandKind::Field(names) | OperandKind::Variable(_, names) => {
                names.append(&mut fields);
                operand.pos = first.pos;
            }
            OperandKind::Bool(_)
            | OperandKind::Text { .. }
            | OperandKind::Number(_)
            | OperandKind::Nil
            | OperandKind::Dot => {
                let message = format!("unexpected . after term {}", quote(&operand.to_string()));
                return Err(self.error(message));
            }
            OperandKind::Function(_) | OperandKind::Pipe(_) | OperandKind::Chain(..) => {
                operand = Operand { pos: first.pos, kind: OperandKind::Chain(Box::new(operand), fields) };
            }
        }
        Ok(Some(operand))
    }

    fn term(&mut self) -> Result<Option<Operand>, ParseError> {
        let item = self.next_non_space();
        let kind = match item.kind {
            Kind::Identifier => match self.functions.get(&item.text) {
                Some(function) => OperandKind::Function(*function),
                None => return Err(self.error(format!("function {} not defined", quote(&item.text)))),
            },
            Kind::Dot => OperandKind::Dot,
            Kind::Keyword if item.text == "nil" => OperandKind::Nil,
            Kind::Variable => {
                if !self.variables.iter().any(|name| *name == item.text) {
                    return Err(self.error(format!("undefined variable {}", quote(&item.text))));
                }
                OperandKind::Variable(item.text.into_owned(), Vec::new())
            }
            Kind::Field => OperandKind::Field(vec![item.text[1..].to_owned()]),
            Kind::Bool => OperandKind::Bool(item.text == "true"),
            Kind::CharConstant | Kind::Number => {
                let number = if item.kind == Kind::Number {
                    number::parse(&item.text)
                } else {
                    number::parse_char(&item.text)
                };
                OperandKind::Number(number.map_err(|message| self.error(message))?)
            }
            Kind::LeftParen => {
                self.enter()?;
                let pipe = self.pipeline("parenthesized pipeline", Kind::RightParen)?;
                self.depth -= 1;
                OperandKind::Pipe(pipe)
            }
            Kind::String | Kind::RawString => {
                let text = self.unquote(&item)?;
                OperandKind::Text { quoted: item.text.into_owned(), text }
            }
            _ => {
                self.back(item);
                return Ok(None);
            }
        };
        Ok(Some(Operand { pos: item.pos, kind }))
    }

    fn unquote(&self, item: &Item<'_>) -> Result<String, ParseError> {
        let bytes = unquote_bytes(&item.text, Span::default()).map_err(|_| self.error("invalid syntax"))?;
        let text = crate::format::text_of(bytes);
        Ok(if item.kind == Kind::RawString { text.replace('\r', "") } else { text })
    }
}
