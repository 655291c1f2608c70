//! Go's text/template: parsing, execution, and the functions that log and alert templates use.

mod ast;
mod error;
mod exec;
mod format;
pub mod functions;
mod lex;
mod limits;
mod methods;
mod parse;
mod reads;
mod regexes;
mod template;
mod time;
mod value;

pub use error::{ExecError, ParseError};
pub use functions::{Call, Function, Functions, Kind, Run};
pub use limits::Limits;
pub use template::{Env, Fields, MissingKey, Options, Template, TemplateQuerier};
pub use time::{Time, Zone};
pub use value::{Data, Map, Struct, Value};
