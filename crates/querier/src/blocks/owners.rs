//! Which querier reads which blocks.

use super::hiding::Hiding;
use block_store::BlockMeta;
use hash_ring::{Member, RingView};
use std::collections::{BTreeMap, BTreeSet};
use xxhash_rust::xxh3::xxh3_64;

/// Some blocks of a query and who is to read them: a member of the ring, or this process.
pub(crate) struct Part {
    pub owner: Option<u16>,
    /// In time order.
    pub blocks: Vec<BlockMeta>,
    /// What is to be left out of all of them.
    pub hiding: Hiding,
}

/// The owners of blocks, as far as they have not failed in this query.
pub(crate) struct Owners<'a> {
    view: &'a RingView,
    us: Option<u16>,
    failed: BTreeSet<u16>,
}

impl<'a> Owners<'a> {
    pub fn new(view: &'a RingView, instance: &str) -> Self {
        Self { view, us: view.position(instance), failed: BTreeSet::new() }
    }

    /// Nobody is asked twice who has failed once.
    pub fn fail(&mut self, owner: u16) {
        self.failed.insert(owner);
    }

    pub fn has_failed(&self, owner: u16) -> bool {
        self.failed.contains(&owner)
    }

    /// Whether there is anybody but us.
    pub fn has_others(&self) -> bool {
        let members = 0..self.view.members().len();
        members.into_iter().any(|member| Some(member as u16) != self.us)
    }

    /// Blocks, of which the same is to be left out, by their owners.
    pub fn parts(&self, blocks: Vec<BlockMeta>, hiding: &Hiding) -> Vec<Part> {
        let mut parts: BTreeMap<Option<u16>, Vec<BlockMeta>> = BTreeMap::new();
        for block in blocks {
            parts.entry(self.owner(&block)).or_default().push(block);
        }
        let part = |(owner, blocks)| Part { owner, blocks, hiding: hiding.clone() };
        parts.into_iter().map(part).collect()
    }

    /// Who owns most of these blocks, by their bytes. None if it is us, or nobody can be asked.
    pub fn of_most<'b>(&self, blocks: impl Iterator<Item = &'b BlockMeta>) -> Option<u16> {
        let mut bytes: BTreeMap<Option<u16>, u64> = BTreeMap::new();
        blocks.for_each(|block| *bytes.entry(self.owner(block)).or_default() += block.bytes);
        bytes.into_iter().max_by_key(|(_, bytes)| *bytes).and_then(|(owner, _)| owner)
    }

    pub fn member(&self, owner: u16) -> &'a Member {
        &self.view.members()[usize::from(owner)]
    }

    /// None if we own it, or nobody can be asked.
    fn owner(&self, block: &BlockMeta) -> Option<u16> {
        let token = xxh3_64(&block.id.to_bytes());
        let owner = self.view.owner(token, self.us, |owner| self.has_failed(owner));
        owner.filter(|owner| Some(*owner) != self.us)
    }
}
