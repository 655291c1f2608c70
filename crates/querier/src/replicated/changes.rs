//! What has changed in the heads, of enough ingesters that no acknowledged entry can be missing.

use super::{PATIENCE, ReplicatedReader};
use async_trait::async_trait;
use model::{Signal, TimeRange};
use service_api::{Change, Changes, DataVersion, ReadContext, Result};
use std::sync::Arc;

/// A result was computed from what some ingesters said, each of them at least as far as the version has
/// it. An acknowledged entry that is not in it came to each of these *after* that version, if it came at
/// all. So where those that can tell are enough for a read, one of them has it and says so; others need
/// not be asked. Where they are too few, all that the others hold may be new.
#[async_trait]
impl Changes for ReplicatedReader {
    async fn changes(
        &self,
        ctx: &ReadContext,
        signal: Signal,
        _: TimeRange,
        since: &DataVersion,
    ) -> Result<Change> {
        let view = (self.ring)();
        let answers = self.ask_members(ctx, &view, Some(PATIENCE), |member, source| {
            let since = since.heads.get(&*member.id).copied();
            async move { source.head_changes(ctx, signal, since).await }
        });
        let answers = answers.await?;
        let id = |index: u16| Arc::clone(&view.members()[usize::from(index)].id);
        let heads = answers.iter().map(|(index, change)| (id(*index), change.version)).collect();
        let version = DataVersion { heads, ..DataVersion::default() };
        let tells = |index: u16| version.shares_life(since, &id(index));
        let able: Vec<u16> = answers.iter().map(|(index, _)| *index).filter(|index| tells(*index)).collect();
        let is_enough = view.read_plan().is_enough(&able);
        let counts = |index: u16| !is_enough || able.contains(&index);
        let counted = Vec::from_iter(answers.iter().filter(|(index, _)| counts(*index)));
        let earliest = counted.iter().filter_map(|(_, change)| change.earliest).min();
        let counted = counted.iter().map(|(index, _)| id(*index)).collect();
        Ok(Change { earliest, version, counted })
    }
}

#[cfg(test)]
mod tests;
