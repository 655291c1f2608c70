//! Checks, limits and places incoming writes.
