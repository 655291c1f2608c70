//! LogQL: parser, pipelines over log lines, metric queries.

mod arithmetic;
pub mod ast;
pub mod engine;
pub mod fields;
pub mod parse;
pub mod patterns;
pub mod pipeline;
mod print;

pub use engine::Engine;
pub use parse::{ParseError, parse, parse_matchers};
pub use print::pretty;
