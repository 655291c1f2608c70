//! What is to be left out of data: requests to delete and rules of retention, from how they are written to
//! what they say of each series and stream.

mod deletions;
mod lines;
mod retention;
mod selection;

pub use deletions::Deletions;
pub use retention::{Expired, Retention};
pub use selection::Selection;
