//! PromQL: parse, plan, evaluate.

pub mod ast;
mod downsampling;
pub mod engine;
mod features;
pub mod functions;
pub mod notation;
pub mod parse;
mod print;
mod signatures;

pub use downsampling::Downsampling;
pub use engine::Engine;
pub use features::Features;
pub use parse::{MAX_DEPTH, ParseError, ParseOptions, parse, parse_metric_selector};
pub use print::pretty;
pub use query_syntax::selects_something;
pub use signatures::{FUNCTIONS, Signature};
