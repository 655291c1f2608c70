//! The manifest: the one list of a tenant's blocks of one signal. Each version is an object of its own.

mod as_text;
mod deletion;
mod encoding;
mod listed_rollups;
mod meta;
mod rollup;

pub use deletion::{Deletion, Settled};
pub(crate) use meta::folder as blocks_folder;
pub use meta::{BlockMeta, Manifest, SourceBlock};
pub use rollup::{ROLLED_UP, Rollup};

use crate::{Bucket, Ulid};
use model::{Signal, TenantId};
use parking_lot::Mutex;
use runtime::Clock;
use service_api::{Code, Error, Result};
use std::{collections::HashMap, sync::Arc, time::Duration};

/// Each conflict means that another writer got through, so this is far from ever reached.
const MAX_ATTEMPTS: usize = 1_000;

/// A block is listed before it is this old, or not at all: what is older and in no list may be removed.
pub(crate) const LISTING_LIMIT: Duration = Duration::from_secs(30 * 60);

/// Reads and writes the manifests of all tenants.
pub struct Manifests {
    bucket: Bucket,
    clock: Arc<dyn Clock>,
    /// How old what we know may be.
    poll: Duration,
    /// One for each signal.
    known: [Mutex<HashMap<TenantId, Known>>; 2],
}

struct Known {
    manifest: Arc<Manifest>,
    /// By the monotonic clock.
    checked: Duration,
}

impl Manifests {
    /// `poll`: for how long a manifest is believed to be the newest without asking.
    pub fn new(bucket: Bucket, clock: Arc<dyn Clock>, poll: Duration) -> Self {
        Self { bucket, clock, poll, known: Default::default() }
    }

    pub fn bucket(&self) -> &Bucket {
        &self.bucket
    }

    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The newest manifest, up to the poll interval old. Without any it is empty.
    pub async fn latest(&self, tenant: &TenantId, signal: Signal) -> Result<Arc<Manifest>> {
        let fresh = |known: &&Known| self.clock.monotonic().saturating_sub(known.checked) < self.poll;
        let known = self.known(signal).lock().get(tenant).filter(fresh).map(|k| Arc::clone(&k.manifest));
        match known {
            Some(manifest) => Ok(manifest),
            None => self.refresh(tenant, signal).await,
        }
    }

    /// As `latest`, but of version `sequence` or newer: never an older one.
    pub async fn at_least(&self, tenant: &TenantId, signal: Signal, sequence: u64) -> Result<Arc<Manifest>> {
        let manifest = self.latest(tenant, signal).await?;
        if manifest.sequence >= sequence {
            return Ok(manifest);
        }
        let manifest = self.refresh(tenant, signal).await?;
        if manifest.sequence >= sequence {
            return Ok(manifest);
        }
        let found = manifest.sequence;
        Err(Error::unavailable(format!(
            "version {sequence} of the list of {signal} blocks of tenant {tenant} is known to exist, but the newest \
             in the bucket is {found}"
        )))
    }

    /// The newest version that this process has heard of; 0 if none. Nothing is asked for it.
    pub fn known_sequence(&self, tenant: &TenantId, signal: Signal) -> u64 {
        self.known(signal).lock().get(tenant).map_or(0, |known| known.manifest.sequence)
    }

    /// The newest manifest at this moment.
    pub async fn refresh(&self, tenant: &TenantId, signal: Signal) -> Result<Arc<Manifest>> {
        let checked = self.clock.monotonic();
        let known = self.known(signal).lock().get(tenant).map(|k| Arc::clone(&k.manifest));
        let mut manifest = known.unwrap_or_default();
        // The newest one is never removed, but until we read it it may have ceased to be that.
        for _ in 0..MAX_ATTEMPTS {
            let folder = folder(tenant, signal);
            let newer = self.bucket.list_after(&folder, &object_name(manifest.sequence)).await?;
            let Some(sequence) = newer.iter().filter_map(|o| o.name.parse().ok()).max() else {
                return Ok(self.learn(tenant, signal, manifest, checked));
            };
            match self.read(tenant, signal, sequence).await {
                Ok(read) => return Ok(self.learn(tenant, signal, Arc::new(read), checked)),
                Err(e) if e.code == Code::NotFound => manifest = Arc::default(),
                Err(e) => return Err(e),
            }
        }
        Err(Error::unavailable(format!("manifests of tenant {tenant} vanish while they are read")))
    }

    /// Replaces the manifest by what `change` makes of the newest one, with the next number; nothing is
    /// written if that is `None`. `change` is called again when another writer was faster.
    pub async fn update(
        &self,
        tenant: &TenantId,
        signal: Signal,
        mut change: impl FnMut(&Manifest) -> Option<Manifest> + Send,
    ) -> Result<Arc<Manifest>> {
        for _ in 0..MAX_ATTEMPTS {
            let checked = self.clock.monotonic();
            let current = self.refresh(tenant, signal).await?;
            let Some(changed) = change(&current) else { return Ok(current) };
            // Whatever has changed: no version lists figures of what it does not list.
            let next = Manifest { sequence: current.sequence + 1, ..changed }.with_valid_rollups();
            let name = path(tenant, signal, next.sequence);
            let data = encoding::encode(&next)?;
            let written = self.bucket.put_new(&name, data.clone().into()).await?;
            // A put whose answer was lost is sent again, and then meets its own object.
            if written || self.bucket.get(&name).await.is_ok_and(|found| found == data) {
                return Ok(self.learn(tenant, signal, Arc::new(next), checked));
            }
        }
        Err(Error::unavailable(format!("the manifest of tenant {tenant} is written by too many at once")))
    }

    /// Lists a block that is in the bucket. Listing it again changes nothing.
    ///
    /// # Errors
    /// `Code::Unavailable` also if so much time has passed since the block was made that it may be
    /// taken for garbage; the list is then without it, and it is to be made anew.
    pub async fn add_block(
        &self,
        tenant: &TenantId,
        signal: Signal,
        block: &BlockMeta,
    ) -> Result<Arc<Manifest>> {
        let add = |current: &Manifest| Some(current.swap(&[], std::slice::from_ref(block)));
        let listed = self.swap(tenant, signal, (&[], std::slice::from_ref(block)), add).await?;
        listed.ok_or_else(|| Error::internal("a block that nothing speaks against was not listed"))
    }

    /// Lists all of these blocks in one step, so that nobody ever sees some of them: unless one that is
    /// listed already is `like` them. Gives whether they are listed now. They come from elsewhere, and older
    /// requests to delete do not mean them. Errors are as for `add_block`.
    pub async fn add_blocks(
        &self,
        tenant: &TenantId,
        signal: Signal,
        blocks: &[BlockMeta],
        like: impl Fn(&BlockMeta) -> bool + Send + Sync,
    ) -> Result<bool> {
        let add = |current: &Manifest| {
            let of_now = |block: &BlockMeta| BlockMeta {
                cleared: current.cleared(block.time_range()),
                ..block.clone()
            };
            let is_new = !current.blocks.iter().any(&like);
            is_new.then(|| current.swap(&[], &blocks.iter().map(of_now).collect::<Vec<_>>()))
        };
        Ok(self.swap(tenant, signal, (&[], blocks), add).await?.is_some())
    }

    /// Lists blocks that are in the bucket in the place of others, in one step. None if not all of those
    /// are listed any more, or not all of the deletions that were `applied`: somebody else was faster, and
    /// nothing is changed. Done again, it changes nothing.
    ///
    /// # Errors
    /// As of `add_block`. Then the list has what was to be replaced.
    pub async fn replace(
        &self,
        tenant: &TenantId,
        signal: Signal,
        old: &[BlockMeta],
        new: &[BlockMeta],
        applied: &[Ulid],
    ) -> Result<Option<Arc<Manifest>>> {
        let replace = |current: &Manifest| {
            let is_listed = |id: &Ulid| current.deletions.iter().any(|deletion| deletion.id == *id);
            let may = old.iter().all(|block| current.lists(block.id)) && applied.iter().all(is_listed);
            may.then(|| current.swap(old, new))
        };
        self.swap(tenant, signal, (old, new), replace).await
    }

    /// Makes one of the newest versions another one with new blocks in the place of old ones, unless it has
    /// them already. None if `change` is, which is not asked then.
    async fn swap(
        &self,
        tenant: &TenantId,
        signal: Signal,
        (old, new): (&[BlockMeta], &[BlockMeta]),
        change: impl Fn(&Manifest) -> Option<Manifest> + Send + Sync,
    ) -> Result<Option<Arc<Manifest>>> {
        new.iter().try_for_each(|block| self.in_time(block))?;
        let (mut changed, mut refused) = (false, false);
        let swap = |current: &Manifest| {
            let done = !new.is_empty() && new.iter().all(|block| current.lists(block.id));
            let next = if done { None } else { change(current) };
            refused = !done && next.is_none();
            changed |= next.is_some();
            next
        };
        let listed = self.update(tenant, signal, swap).await;
        match new.iter().try_for_each(|block| self.in_time(block)) {
            // The process stood still: a collector may have looked at the list before we wrote it.
            Err(late) if changed => {
                let back = |current: &Manifest| {
                    let any = new.iter().any(|block| current.lists(block.id));
                    any.then(|| current.swap(new, old))
                };
                self.update(tenant, signal, back).await?;
                Err(late)
            }
            _ => listed.map(|listed| (!refused).then_some(listed)),
        }
    }

    /// Notes of a listed block that it cannot be read, and why: queries and merges go on without it. False if it
    /// is not listed, or that has been noted.
    pub async fn set_aside(&self, tenant: &TenantId, signal: Signal, block: Ulid, why: &str) -> Result<bool> {
        self.note(tenant, signal, block, Some(why)).await
    }

    /// Takes that back: the block can be read again. False if it is not listed, or not set aside.
    pub async fn restore(&self, tenant: &TenantId, signal: Signal, block: Ulid) -> Result<bool> {
        self.note(tenant, signal, block, None).await
    }

    async fn note(
        &self,
        tenant: &TenantId,
        signal: Signal,
        block: Ulid,
        damaged: Option<&str>,
    ) -> Result<bool> {
        let mut noted = false;
        let note = |current: &Manifest| {
            let mut blocks = current.blocks.clone();
            let other =
                |meta: &&mut BlockMeta| meta.id == block && meta.damaged.is_some() != damaged.is_some();
            let found = blocks.iter_mut().find(other);
            noted = found.is_some();
            found?.damaged = damaged.map(str::to_owned);
            Some(current.with_blocks(blocks))
        };
        self.update(tenant, signal, note).await?;
        Ok(noted)
    }

    /// Notes of blocks, if they are listed, that they hold nothing of what was to be left out of them.
    pub async fn settle(
        &self,
        tenant: &TenantId,
        signal: Signal,
        settled: &[(Ulid, Settled)],
    ) -> Result<Arc<Manifest>> {
        let settle = |current: &Manifest| {
            let (mut blocks, mut changed) = (current.blocks.clone(), false);
            for block in &mut blocks {
                let Some((_, settled)) = settled.iter().find(|(id, _)| *id == block.id) else { continue };
                let is_listed = |id: &&Ulid| current.deletions.iter().any(|deletion| deletion.id == **id);
                let is_new = |id: &&Ulid| is_listed(id) && !block.cleared.contains(id);
                let new: Vec<Ulid> = settled.cleared.iter().filter(is_new).copied().collect();
                changed |= !new.is_empty() || block.rules != settled.rules;
                block.cleared.extend(new);
                block.rules = settled.rules;
            }
            changed.then(|| current.with_blocks(blocks))
        };
        self.update(tenant, signal, settle).await
    }

    fn in_time(&self, block: &BlockMeta) -> Result<()> {
        let age = self.clock.now_ms().saturating_sub_unsigned(block.id.timestamp_ms());
        if age <= LISTING_LIMIT.as_millis() as i64 {
            return Ok(());
        }
        Err(Error::unavailable(format!(
            "block {} was not listed within {LISTING_LIMIT:?} of its making",
            block.id
        )))
    }

    /// One version; `Code::NotFound` if there is none.
    pub async fn read(&self, tenant: &TenantId, signal: Signal, sequence: u64) -> Result<Manifest> {
        let name = path(tenant, signal, sequence);
        let manifest = encoding::decode(&name, &self.bucket.get(&name).await?)?;
        if manifest.sequence != sequence {
            return Err(crate::error::corrupt(&name, "it is another version's"));
        }
        Ok(manifest)
    }

    /// Everyone who has anything in the bucket.
    pub async fn tenants(&self) -> Result<Vec<TenantId>> {
        let folders = self.bucket.folders("").await?;
        let mut tenants: Vec<_> = folders.iter().filter_map(|name| TenantId::new(name).ok()).collect();
        tenants.sort();
        Ok(tenants)
    }

    fn known(&self, signal: Signal) -> &Mutex<HashMap<TenantId, Known>> {
        &self.known[signal as usize]
    }

    fn learn(
        &self,
        tenant: &TenantId,
        signal: Signal,
        manifest: Arc<Manifest>,
        checked: Duration,
    ) -> Arc<Manifest> {
        let mut known = self.known(signal).lock();
        match known.get_mut(tenant) {
            // Somebody else learnt of a newer one meanwhile.
            Some(known) if known.manifest.sequence > manifest.sequence => Arc::clone(&known.manifest),
            _ => {
                known.insert(tenant.clone(), Known { manifest: Arc::clone(&manifest), checked });
                manifest
            }
        }
    }
}

pub(crate) fn folder(tenant: &TenantId, signal: Signal) -> String {
    format!("{tenant}/{signal}/manifest")
}

pub(crate) fn path(tenant: &TenantId, signal: Signal, sequence: u64) -> String {
    format!("{}/{}", folder(tenant, signal), object_name(sequence))
}

/// Zeros in front, so that names order as numbers do.
fn object_name(sequence: u64) -> String {
    format!("{sequence:020}")
}
