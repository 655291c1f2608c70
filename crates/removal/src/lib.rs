//! What is to be left out of data: requests to delete and rules of retention, from how they are written to
//! what they say of each series and stream.

mod deletions;
mod lines;
mod requests;
mod retention;
mod selection;

pub use deletions::Deletions;
pub use requests::{NewId, Requests};
pub use retention::{Expired, Retention};
pub use selection::Selection;
