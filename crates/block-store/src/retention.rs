//! Forgetting: blocks past their retention, and objects that no manifest lists.

use crate::{BlockMeta, Manifests, ObjectInfo, Ulid, manifest, manifest::LISTING_LIMIT};
use model::{Signal, TenantId, Timestamp};
use service_api::{Code, Result};
use std::{collections::HashSet, time::Duration};

/// Versions of a manifest that are kept, whatever their age, so that a writer that slept finds its number taken.
/// They do not keep what they list.
const KEPT_MANIFESTS: usize = 16;

/// What a garbage collection removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    pub blocks: u64,
    pub manifests: u64,
}

/// Drops the blocks that end before a time from the manifest; gives those. Their objects go with a later
/// `collect_garbage`.
pub async fn apply_retention(
    manifests: &Manifests,
    tenant: &TenantId,
    signal: Signal,
    oldest: Timestamp,
) -> Result<Vec<BlockMeta>> {
    let mut dropped = Vec::new();
    let drop_old = |current: &manifest::Manifest| {
        let (kept, old): (Vec<_>, Vec<_>) =
            current.blocks.iter().cloned().partition(|b| b.max_time >= oldest);
        dropped = old;
        (!dropped.is_empty()).then(|| current.with_blocks(kept))
    };
    manifests.update(tenant, signal, drop_old).await?;
    Ok(dropped)
}

/// Removes what is older than `grace` and no longer used: versions of the manifest but for
/// the newest few, and blocks, those of rollups among them, that no version lists that was the newest
/// since. `grace` must be longer than any query; if it is shorter than twice the time in which a block must be
/// listed, that is taken. Several processes may do this at once, and beside any that write.
pub async fn collect_garbage(
    manifests: &Manifests,
    tenant: &TenantId,
    signal: Signal,
    now: i64,
    grace: Duration,
) -> Result<Collected> {
    // Twice, so that clocks may differ by as much as a writer may take.
    let grace = grace.max(2 * LISTING_LIMIT);
    let oldest = now.saturating_sub_unsigned(grace.as_millis().try_into().unwrap_or(u64::MAX));
    let bucket = manifests.bucket();
    // Blocks first: one that is here but not yet in the versions read below is too young to go.
    let blocks_folder = manifest::blocks_folder(tenant, signal);
    let blocks = bucket.list(&blocks_folder).await?;
    let Versions { recent, old } = versions(manifests, tenant, signal, oldest).await?;
    let listed = listed_blocks(manifests, tenant, signal, &recent).await?;
    let mut collected = Collected::default();
    for block in blocks {
        let Ok(id) = Ulid::from_string(&block.name) else { continue };
        if (id.timestamp_ms() as i64) < oldest && !listed.contains(&id) {
            bucket.delete(&format!("{blocks_folder}/{}", block.name)).await?;
            collected.blocks += 1;
        }
    }
    for sequence in old {
        bucket.delete(&manifest::path(tenant, signal, sequence)).await?;
        collected.manifests += 1;
    }
    Ok(collected)
}

/// Objects among a tenant's blocks that no version of the list names: they are about to be listed, or are what
/// somebody left who did not come so far, and will go.
pub async fn unlisted_objects(
    manifests: &Manifests,
    tenant: &TenantId,
    signal: Signal,
) -> Result<Vec<ObjectInfo>> {
    // Objects first: a block that is listed later was there before.
    let mut objects = manifests.bucket().list(&manifest::blocks_folder(tenant, signal)).await?;
    let versions = versions(manifests, tenant, signal, i64::MIN).await?;
    let listed = listed_blocks(manifests, tenant, signal, &versions.recent).await?;
    let is_listed = |name: &str| Ulid::from_string(name).is_ok_and(|id| listed.contains(&id));
    objects.retain(|object| !is_listed(&object.name));
    Ok(objects)
}

#[derive(Default)]
struct Versions {
    /// Those that were the newest at any time since `oldest`: a query may still read what they list.
    recent: Vec<u64>,
    /// Those to remove.
    old: Vec<u64>,
}

async fn versions(manifests: &Manifests, tenant: &TenantId, signal: Signal, oldest: i64) -> Result<Versions> {
    let objects = manifests.bucket().list(&manifest::folder(tenant, signal)).await?;
    let newest = objects.len().saturating_sub(KEPT_MANIFESTS);
    let mut versions = Versions::default();
    for (at, object) in objects.iter().enumerate() {
        let Ok(sequence) = object.name.parse() else { continue };
        if objects.get(at + 1).is_none_or(|next| next.modified >= oldest) {
            versions.recent.push(sequence);
        } else if at < newest {
            versions.old.push(sequence);
        }
    }
    Ok(versions)
}

async fn listed_blocks(
    manifests: &Manifests,
    tenant: &TenantId,
    signal: Signal,
    versions: &[u64],
) -> Result<HashSet<Ulid>> {
    let mut listed = HashSet::new();
    for sequence in versions {
        match manifests.read(tenant, signal, *sequence).await {
            Ok(manifest) => {
                let of_rollups = manifest.rollups.iter().flat_map(|rollup| &rollup.blocks);
                listed.extend(manifest.blocks.iter().chain(of_rollups).map(|b| b.id));
            }
            // Another collector was faster: it has not been the newest for long.
            Err(e) if e.code == Code::NotFound => {}
            Err(e) => return Err(e),
        }
    }
    Ok(listed)
}
