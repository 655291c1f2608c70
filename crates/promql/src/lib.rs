//! PromQL: parse, plan, evaluate.
