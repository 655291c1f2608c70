//! Settings of the querier.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QuerierConfig {
    /// Blocks that have together no more bytes than this are read where the query arrived: to ask
    /// their owners would take longer.
    pub small_query_bytes: u64,
    /// Queriers that one query asks for blocks at once.
    pub concurrent_owners: usize,
    /// Tenants that one query reads at once.
    pub concurrent_tenants: usize,
    /// Seconds. Range queries are cut at its multiples, and each piece is evaluated by the querier that owns
    /// most of the blocks it reads; 0 is never.
    pub split_interval: u64,
    /// Pieces of range queries, of this querier's and of others', that are evaluated here at once.
    pub concurrent_stretches: usize,
}

impl Default for QuerierConfig {
    fn default() -> Self {
        Self {
            small_query_bytes: 4 << 20,
            concurrent_owners: 16,
            concurrent_tenants: 8,
            split_interval: 86_400,
            concurrent_stretches: 8,
        }
    }
}
