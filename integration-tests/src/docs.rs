//! Runs the commands of the documentation and compares what comes with what is written there.
//!
//! `docs/README.md` says how a page marks what is done with its blocks.

mod compare;
mod files;
mod parse;
mod ports;
mod programs;
mod run;
mod shell;

pub use compare::{Form, difference};
pub use files::pages;
pub use parse::{Block, Kind, Output, Page};
pub use ports::Ports;
pub use programs::Programs;
pub use run::{Tally, run};
