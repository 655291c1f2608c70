//! Vectors over the steps of a query, and what PromQL and LogQL both do with them.
