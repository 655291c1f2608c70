//! What an ingester says of changes, so that results may be kept.

use super::Ingester;
use crate::{head::Slot, heads::Heads};
use async_trait::async_trait;
use model::Signal;
use service_api::{HeadChange, HeadChanges, HeadVersion, ReadContext, Result};
use std::sync::atomic::Ordering;

impl Ingester {
    fn changed<S: Slot>(
        &self,
        heads: &Heads<S>,
        ctx: &ReadContext,
        since: Option<HeadVersion>,
    ) -> HeadChange {
        let mut change = HeadChange { earliest: None, version: HeadVersion { life: self.life, sequence: 0 } };
        if let Some(head) = heads.get(&ctx.tenant) {
            let known = since.filter(|version| version.life == self.life).map(|version| version.sequence);
            (change.earliest, change.version.sequence) = head.changes.since(known);
            // Afterwards, as it is with every read: what has been forgotten is in that list.
            ctx.listed.raise(S::SIGNAL, head.listed.load(Ordering::Acquire));
        }
        change
    }
}

#[async_trait]
impl HeadChanges for Ingester {
    async fn head_changes(
        &self,
        ctx: &ReadContext,
        signal: Signal,
        since: Option<HeadVersion>,
    ) -> Result<HeadChange> {
        Ok(match signal {
            Signal::Metrics => self.changed(&self.heads, ctx, since),
            Signal::Logs => self.changed(&self.log_heads, ctx, since),
        })
    }
}
