//! Starts Yagura.

fn main() {}
