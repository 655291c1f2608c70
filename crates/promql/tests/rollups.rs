//! Long queries read rollups in the place of samples where that gives the same answer to the bit, or where
//! somebody allowed that the last digits differ.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "reference/random.rs"]
#[allow(dead_code, reason = "the test that it stands with uses the rest")]
mod random;

mod rollups {
    pub mod ask;
    pub mod data;
    pub mod equal;
    pub mod properties;
    pub mod reader;
    pub mod usage;
}
