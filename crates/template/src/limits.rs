//! Bounds on what a template may cost. Templates come from users and run once for every line.

/// Exceeding any of these is an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the template's text.
    pub template_bytes: usize,
    /// Parentheses and blocks inside each other, and templates that call templates.
    pub depth: usize,
    /// Bytes of what one execution writes, and of any text made on the way.
    pub output_bytes: usize,
    /// Nodes and calls evaluated in one execution. Every [`Limits::STEP_BYTES`] of text that
    /// a function reads or makes count as one more.
    pub steps: usize,
}

impl Limits {
    pub const STEP_BYTES: usize = 256;
}

impl Default for Limits {
    fn default() -> Self {
        Self { template_bytes: 64 << 10, depth: 100, output_bytes: 1 << 20, steps: 100_000 }
    }
}
