//! Lexer, Pratt expressions, durations and matchers shared by the query languages.

mod bytes;
mod cursor;
mod duration;
mod error;
mod go_duration;
mod labels;
mod matchers;
mod number;
mod pratt;
mod print_number;
mod span;
mod string;
mod token;

pub use bytes::{InvalidBytes, format_bytes, parse_bytes};
pub use cursor::Cursor;
pub use duration::{InvalidDuration, format_duration, parse_duration};
pub use error::SyntaxError;
pub use go_duration::{InvalidGoDuration, format_go_duration, go_seconds, parse_go_duration};
pub use labels::parse_label_list;
pub use matchers::{parse_matcher, parse_matchers, selects_something};
pub use number::{parse_float, parse_number, scan_duration, scan_number};
pub use pratt::{Grammar, Infix, climb};
pub use print_number::{PlainNumber, ShortNumber};
pub use span::Span;
pub use string::{scan_string, unquote, unquote_bytes};
pub use token::{Kind, Token, Tokens};
