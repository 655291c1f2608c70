//! What can be wrong with a template, worded as Go does.

/// A template that is not one: `template: line:1: function "f" not defined`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("template: {name}:{line}: {message}")]
pub struct ParseError {
    pub name: String,
    /// Counted from 1.
    pub line: usize,
    pub message: String,
}

/// A template that could not be executed to its end. What was written until then stays in
/// the output.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ExecError(pub(crate) String);
