//! Runs rule groups: where they are kept, whose they are, when they are due.
