//! Merges recent data and blocks and runs queries over them.
