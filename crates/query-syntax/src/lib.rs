//! Lexer, Pratt expressions, durations and matchers shared by the query languages.

mod cursor;
mod duration;
mod error;
mod labels;
mod matchers;
mod number;
mod pratt;
mod span;
mod string;
mod token;

pub use cursor::Cursor;
pub use duration::{InvalidDuration, format_duration, parse_duration};
pub use error::SyntaxError;
pub use labels::parse_label_list;
pub use matchers::parse_matchers;
pub use number::{parse_number, scan_duration, scan_number};
pub use pratt::{Grammar, Infix, climb};
pub use span::Span;
pub use string::{scan_string, unquote, unquote_bytes};
pub use token::{Kind, Token, Tokens};
