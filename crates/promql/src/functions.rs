//! What PromQL's functions compute, on plain numbers and labels and without the engine.

pub mod histogram;
pub mod kahan;
pub mod label_join;
pub mod math;
pub mod over_time;
pub mod rate;
pub mod sort;
pub mod time;
