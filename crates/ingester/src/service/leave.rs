//! Leaving a cluster: no more writes, and everything into blocks.

use super::Ingester;
use crate::flush::Which;
use service_api::{Error, Result};
use std::sync::Arc;
use tokio::sync::RwLockReadGuard;

impl Ingester {
    /// Refuses writes from here on and brings all that is here into blocks, after which
    /// `remaining` is 0. Reads go on.
    ///
    /// # Errors
    /// Something could not be written. It is still here, and writes are still refused: call again,
    /// or stay with the disk.
    pub async fn leave(self: &Arc<Self>) -> Result<()> {
        // Waits for those that are on their way into the log.
        *self.open.write().await = false;
        self.flush(Which::All).await?;
        match self.remaining() {
            0 => Ok(()),
            windows => Err(Error::unavailable(format!("{windows} windows of time are not in blocks yet"))),
        }
    }

    /// Windows of tenants of which something is here and in no block.
    pub fn remaining(&self) -> usize {
        self.traces.ledger.pending().len()
    }

    /// Whether a write may come in; what this returns is held until it is in the log.
    pub(super) async fn opened(&self) -> Result<RwLockReadGuard<'_, bool>> {
        let open = self.open.read().await;
        if *open { Ok(open) } else { Err(Error::unavailable("the ingester is leaving")) }
    }
}
