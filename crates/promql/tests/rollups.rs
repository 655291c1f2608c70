//! Long queries read rollups in the place of samples where that gives the same answer to the bit, or where
//! somebody allowed that the last digits differ.

// Tests may fail by panicking.
#![allow(clippy::unwrap_used)]

#[path = "reference/random.rs"]
#[allow(dead_code)]
mod random;

mod rollups {
    pub mod ask;
    pub mod data;
    pub mod equal;
    pub mod properties;
    pub mod reader;
    pub mod usage;
}
