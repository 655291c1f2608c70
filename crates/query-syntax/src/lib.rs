//! Lexer, Pratt expressions, durations and matchers shared by the query languages.
