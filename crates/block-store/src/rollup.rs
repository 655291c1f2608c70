//! Figures of all samples of a bucket of time, as blocks hold them (`service_api::Aggregate`).
//!
//! A block of figures is a block of metrics like any other. What tells a figure from the others of its series is the
//! time at which it lies (`era.rs`), so what writes, reads, sends and caches blocks need not know of them.

mod era;
mod figures;
mod read;

pub(crate) use era::ERA;
pub use era::{EraRequest, eras};
pub(crate) use figures::FiguresMaker;
