//! Clients and servers of this crate against each other, over connections in memory.

mod evaluate;
mod fake;
mod net;
mod reads;
mod rules;
mod writes;
