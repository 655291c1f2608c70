//! Evaluation of pipelines, commands and their arguments.

use super::{At, Exec};
use crate::{
    ast::{Command, Number, Operand, OperandKind, Pipe},
    error::ExecError,
    functions::{Call, Code, Function, Kind, alerts},
    limits::Limits,
    methods,
    template::MissingKey,
    time::Time,
    value::Value,
};
use smallvec::SmallVec;

type Evaluated<'a> = Result<Value<'a>, ExecError>;

impl<'a> Exec<'_, 'a> {
    pub(super) fn pipeline(&mut self, dot: &Value<'a>, pipe: &'a Pipe) -> Evaluated<'a> {
        self.at = Some(At::Pipe(pipe));
        self.enter()?;
        let mut last = None;
        for command in &pipe.commands {
            last = Some(match self.command(dot, command, last)? {
                Value::Nil => Value::NoValue,
                value => value,
            });
        }
        self.depth -= 1;
        let value = last.unwrap_or_default();
        for name in &pipe.variables {
            if pipe.assigns {
                self.assign(name, value.clone())?;
            } else {
                self.variables.push((name, value.clone()));
            }
        }
        Ok(value)
    }

    pub(super) fn assign(&mut self, name: &str, value: Value<'a>) -> Result<(), ExecError> {
        match self.variables.iter_mut().rev().find(|(known, _)| *known == name) {
            Some((_, slot)) => *slot = value,
            None => return Err(self.error(format!("undefined variable: {name}"))),
        }
        Ok(())
    }

    fn variable(&self, name: &str) -> Evaluated<'a> {
        match self.variables.iter().rev().find(|(known, _)| *known == name) {
            Some((_, value)) => Ok(value.clone()),
            None => Err(self.error(format!("undefined variable: {name}"))),
        }
    }

    /// `last` is what the command before gave, which becomes the last argument.
    fn command(&mut self, dot: &Value<'a>, command: &'a Command, last: Option<Value<'a>>) -> Evaluated<'a> {
        self.step(1)?;
        let [first, args @ ..] = &*command.args else { return Ok(Value::NoValue) };
        if let OperandKind::Function(function) = &first.kind {
            self.at = Some(At::Operand(first));
            return self.call(dot, function, At::Command(command), args, last);
        }
        let has_args = !args.is_empty() || last.is_some();
        if let OperandKind::Field(_) | OperandKind::Chain(..) | OperandKind::Variable(..) = &first.kind {
            if has_args && let Some(receiver) = self.receiver(dot, first, "Format")? {
                return self.format_time(dot, first, receiver, args, last);
            }
            return self.fields_of(dot, first, has_args);
        }
        if has_args {
            if !matches!(first.kind, OperandKind::Pipe(_)) {
                self.at = Some(At::Operand(first));
            }
            return Err(self.error(format!("can't give argument to non-function {first}")));
        }
        match &first.kind {
            OperandKind::Nil => {
                self.at = Some(At::Operand(first));
                Err(self.error("nil is not a command"))
            }
            _ => self.free_value(dot, first),
        }
    }

    /// The value of an operand whose type nothing decides.
    fn free_value(&mut self, dot: &Value<'a>, operand: &'a Operand) -> Evaluated<'a> {
        self.at = Some(At::Operand(operand));
        match &operand.kind {
            OperandKind::Bool(b) => Ok(Value::Bool(*b)),
            OperandKind::Dot => Ok(dot.clone()),
            OperandKind::Nil => Ok(Value::Nil),
            OperandKind::Text { text, .. } => Ok(Value::str(text.as_str())),
            OperandKind::Number(number) => self.constant(number),
            OperandKind::Field(_) | OperandKind::Variable(..) | OperandKind::Chain(..) => {
                self.fields_of(dot, operand, false)
            }
            OperandKind::Function(function) => self.call(dot, function, At::Operand(operand), &[], None),
            OperandKind::Pipe(pipe) => self.pipeline(dot, pipe),
        }
    }

    fn constant(&self, number: &Number) -> Evaluated<'a> {
        match (number.is_float, number.float, number.int) {
            (true, Some(float), _) => Ok(Value::Float(float)),
            (_, _, Some(int)) => Ok(Value::Int(int)),
            _ => Err(self.error(format!("{} overflows int", number.text))),
        }
    }

    /// The value of a field, a variable or a chain.
    fn fields_of(&mut self, dot: &Value<'a>, operand: &'a Operand, has_args: bool) -> Evaluated<'a> {
        self.at = Some(At::Operand(operand));
        match &operand.kind {
            OperandKind::Field(names) => self.chain(dot, names, has_args),
            OperandKind::Variable(name, names) => {
                let value = self.variable(name)?;
                if names.is_empty() && has_args {
                    return Err(self.error(format!("can't give argument to non-function {operand}")));
                }
                self.chain(&value, names, has_args)
            }
            OperandKind::Chain(inner, names) => {
                let value = match &inner.kind {
                    OperandKind::Nil => {
                        return Err(self.error(format!("indirection through explicit nil in {operand}")));
                    }
                    _ => self.free_value(dot, inner)?,
                };
                self.chain(&value, names, has_args)
            }
            _ => Ok(Value::NoValue),
        }
    }

    /// The time whose method `name` an operand names.
    fn receiver(
        &mut self,
        dot: &Value<'a>,
        operand: &'a Operand,
        name: &str,
    ) -> Result<Option<Time>, ExecError> {
        let (OperandKind::Field(names) | OperandKind::Variable(_, names) | OperandKind::Chain(_, names)) =
            &operand.kind
        else {
            return Ok(None);
        };
        let Some((_, before)) = names.split_last().filter(|(last, _)| *last == name) else { return Ok(None) };
        let from = match &operand.kind {
            OperandKind::Variable(name, _) => self.variable(name)?,
            OperandKind::Chain(inner, _) if !matches!(inner.kind, OperandKind::Nil) => {
                self.free_value(dot, inner)?
            }
            _ => dot.clone(),
        };
        match self.chain(&from, before, false)? {
            Value::Time(time) => Ok(Some(time)),
            _ => Ok(None),
        }
    }

    /// Go's `time.Time.Format`, the one method that has an argument.
    fn format_time(
        &mut self,
        dot: &Value<'a>,
        operand: &'a Operand,
        time: Time,
        args: &'a [Operand],
        last: Option<Value<'a>>,
    ) -> Evaluated<'a> {
        let count = args.len() + usize::from(last.is_some());
        self.at = Some(At::Operand(operand));
        let layout = match (args, last) {
            ([arg], None) => self.argument(dot, Kind::Str, arg)?,
            ([], Some(last)) => self.checked(last, Kind::Str)?,
            _ => return Err(self.error(format!("wrong number of args for Format: want 1 got {count}"))),
        };
        let Value::Str(layout) = layout else { return Ok(Value::NoValue) };
        self.step(layout.len() / Limits::STEP_BYTES)?;
        Ok(Value::str(time.format(&layout)))
    }

    fn chain(&mut self, from: &Value<'a>, names: &'a [String], has_args: bool) -> Evaluated<'a> {
        let mut value = from.clone();
        // Of what comes out of a map of anything, Go knows no more than that.
        let mut is_interface = false;
        for (i, name) in names.iter().enumerate() {
            let inside = match &value {
                Value::Data(data) => !data.holds_strings(),
                Value::Labels(_) => false,
                Value::Struct(_) => name == "Value",
                _ => true,
            };
            value = self.field(value, name, has_args && i + 1 == names.len(), is_interface)?;
            is_interface = inside;
        }
        Ok(value)
    }

    fn field(&mut self, from: Value<'a>, name: &'a str, has_args: bool, is_interface: bool) -> Evaluated<'a> {
        let (found, holds_strings) = match &from {
            Value::NoValue if self.template.missing_key == MissingKey::Error => {
                return Err(self.error(format!("nil data; no entry for key {}", model::quote(name))));
            }
            Value::NoValue => return Ok(Value::NoValue),
            Value::Nil => {
                return Err(self.error(format!("nil pointer evaluating interface {{}}.{name}")));
            }
            Value::Data(data) => (data.field(name), data.holds_strings()),
            Value::Map(map) => (map.get(name).cloned(), false),
            Value::Labels(labels) => (labels.get(name).map(|value| Value::str(value.to_owned())), true),
            Value::Struct(fields) if fields.field(name).is_some() => (fields.field(name).cloned(), false),
            Value::Time(_) | Value::Duration(_) if methods::call(&from, name).is_some() => {
                (methods::call(&from, name), false)
            }
            other => {
                let typ = if is_interface { "interface {}" } else { other.type_name() };
                return Err(self.error(format!("can't evaluate field {name} in type {typ}")));
            }
        };
        if has_args {
            return Err(self.error(format!("{name} is not a method but has arguments")));
        }
        match (found, self.template.missing_key) {
            (Some(value), _) => Ok(value),
            (None, MissingKey::Zero) if holds_strings => Ok(Value::str("")),
            (None, MissingKey::Zero) => Ok(Value::Nil),
            (None, MissingKey::NoValue) => Ok(Value::NoValue),
            (None, MissingKey::Error) => {
                Err(self.error(format!("map has no entry for key {}", model::quote(name))))
            }
        }
    }

    fn call(
        &mut self,
        dot: &Value<'a>,
        function: &'a Function,
        at: At<'a>,
        args: &'a [Operand],
        last: Option<Value<'a>>,
    ) -> Evaluated<'a> {
        self.check_count(function, args.len(), last.is_some())?;
        let run = match function.code {
            Code::Run(run) => run,
            Code::And => return self.short_circuit(dot, args, last, false),
            Code::Or => return self.short_circuit(dot, args, last, true),
            Code::CallValue => return self.call_value(dot, at, args, last),
        };
        let mut values: SmallVec<[Value<'a>; 4]> = SmallVec::new();
        for (i, arg) in args.iter().enumerate() {
            let value = self.argument(dot, kind_of(function, i), arg)?;
            values.push(value);
        }
        if let Some(value) = last {
            let value = self.checked(value, kind_of(function, args.len()))?;
            values.push(value);
        }
        let work: usize = values.iter().map(Value::text_bytes).sum();
        self.step(work / Limits::STEP_BYTES)?;
        let template = self.template;
        let call = Call { env: self.env, limits: &template.limits, regexes: &template.regexes };
        let result = run(&call, &values).and_then(|value| match &value {
            Value::Str(text) => call.fits(text.len()).map(|()| value),
            _ => Ok(value),
        });
        let value = self.or_error(result, function, at)?;
        self.step(value.text_bytes() / Limits::STEP_BYTES)?;
        Ok(value)
    }

    fn or_error(
        &mut self,
        result: Result<Value<'a>, String>,
        function: &Function,
        at: At<'a>,
    ) -> Evaluated<'a> {
        result.map_err(|message| {
            self.at = Some(at);
            self.error(format!("error calling {}: {message}", function.name))
        })
    }

    fn check_count(&self, function: &Function, given: usize, has_last: bool) -> Result<(), ExecError> {
        let (name, wanted) = (function.name, function.params.len());
        let count = given + usize::from(has_last);
        if function.is_variadic && count + 1 < wanted {
            let wanted = wanted - 1;
            let message = format!("wrong number of args for {name}: want at least {wanted} got {given}");
            return Err(self.error(message));
        }
        if !function.is_variadic && count != wanted {
            return Err(self.error(format!("wrong number of args for {name}: want {wanted} got {count}")));
        }
        Ok(())
    }

    /// `and` and `or`: the first value that decides, or the last one.
    fn short_circuit(
        &mut self,
        dot: &Value<'a>,
        args: &'a [Operand],
        last: Option<Value<'a>>,
        deciding: bool,
    ) -> Evaluated<'a> {
        let mut value = Value::NoValue;
        for arg in args {
            value = self.argument(dot, Kind::Any, arg)?;
            if value.is_true() == deciding {
                return Ok(value);
            }
        }
        Ok(last.unwrap_or(value))
    }

    fn call_value(
        &mut self,
        dot: &Value<'a>,
        at: At<'a>,
        args: &'a [Operand],
        last: Option<Value<'a>>,
    ) -> Evaluated<'a> {
        let (callee, name) = match args.first() {
            Some(arg) => (self.argument(dot, Kind::Any, arg)?, arg.to_string()),
            None => {
                let value = last.unwrap_or_default();
                let name = crate::format::shown(&value);
                (value, name)
            }
        };
        self.at = Some(at);
        if callee.is_nil() {
            return Err(self.error("error calling call: call of nil"));
        }
        let typ = callee.type_name();
        Err(self.error(format!("error calling call: non-function {name} of type {typ}")))
    }

    fn argument(&mut self, dot: &Value<'a>, kind: Kind, operand: &'a Operand) -> Evaluated<'a> {
        self.at = Some(At::Operand(operand));
        match (&operand.kind, kind) {
            (OperandKind::Nil, Kind::Any) => Ok(Value::NoValue),
            (OperandKind::Nil, _) => Err(self.error(format!("cannot assign nil to {}", kind.type_name()))),
            (OperandKind::Bool(_) | OperandKind::Text { .. } | OperandKind::Number(_), Kind::Any)
            | (OperandKind::Text { .. }, Kind::Str) => self.free_value(dot, operand),
            (OperandKind::Number(Number { int: Some(int), .. }), Kind::Int) => Ok(Value::Int(*int)),
            (OperandKind::Number(Number { float: Some(float), .. }), Kind::Float) => Ok(Value::Float(*float)),
            (OperandKind::Bool(_) | OperandKind::Text { .. } | OperandKind::Number(_), kind) => {
                let expected = match kind {
                    Kind::Int => "integer",
                    Kind::Float => "float",
                    Kind::Any | Kind::Str => "string",
                    Kind::Time | Kind::Samples | Kind::Sample => {
                        let name = kind.type_name();
                        let message = format!("can't handle {operand} for arg of type {name}");
                        return Err(self.error(message));
                    }
                };
                Err(self.error(format!("expected {expected}; found {operand}")))
            }
            _ => {
                let value = self.free_value(dot, operand)?;
                self.checked(value, kind)
            }
        }
    }

    fn checked(&self, value: Value<'a>, kind: Kind) -> Evaluated<'a> {
        match (kind, &value) {
            (Kind::Any, _)
            | (Kind::Str, Value::Str(_))
            | (Kind::Int, Value::Int(_))
            | (Kind::Float, Value::Float(_))
            | (Kind::Time, Value::Time(_)) => Ok(value),
            (Kind::Samples, Value::List(list)) if list.iter().all(alerts::is_sample) => Ok(value),
            (Kind::Sample, sample) if alerts::is_sample(sample) => Ok(value),
            (_, Value::NoValue) => Err(self.error(format!("invalid value; expected {}", kind.type_name()))),
            _ => {
                let got = if value.is_nil() { "interface {}" } else { value.type_name() };
                let expected = kind.type_name();
                Err(self.error(format!("wrong type for value; expected {expected}; got {got}")))
            }
        }
    }
}

fn kind_of(function: &Function, index: usize) -> Kind {
    function.params.get(index).or(function.params.last()).copied().unwrap_or(Kind::Any)
}
