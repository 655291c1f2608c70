//! Which deletions concern which blocks of a query.

use crate::without::{Hidden, Without};
use block_store::{BlockMeta, Deletion, Ulid};
use model::{Signal, TimeRange};
use removal::Deletions;
use service_api::{Omit, Result, Source};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// Something that is to be left out of some blocks, or nothing.
#[derive(Clone, Default)]
pub(crate) struct Hiding(Option<Arc<dyn Omit>>);

impl Hiding {
    /// A source of blocks without it.
    pub fn of(&self, blocks: &[BlockMeta], source: Arc<dyn Source>) -> Arc<dyn Source> {
        let Some(omit) = &self.0 else { return source };
        let start = blocks.iter().map(|block| block.min_time).min().unwrap_or(i64::MIN);
        let end = blocks.iter().map(|block| block.max_time).max().unwrap_or(i64::MAX);
        Arc::new(Without::new(source, Hidden::new(Arc::clone(omit), TimeRange::new(start, end))))
    }
}

/// The blocks by what is to be left out of them: of each exactly what the deletions name that concern it. A
/// block that was imported after a deletion keeps what its neighbours must not show.
pub(crate) fn apart(
    signal: Signal,
    blocks: Vec<BlockMeta>,
    deletions: &[Deletion],
) -> Result<Vec<(Hiding, Vec<BlockMeta>)>> {
    let mut apart: BTreeMap<Vec<Ulid>, Vec<BlockMeta>> = BTreeMap::new();
    for block in blocks {
        let concerning = deletions.iter().filter(|deletion| deletion.concerns(&block));
        apart.entry(concerning.map(|deletion| deletion.id).collect()).or_default().push(block);
    }
    // Each is understood once, however many blocks it concerns.
    let mut understood: HashMap<Ulid, Arc<dyn Omit>> = HashMap::new();
    for deletion in deletions.iter().filter(|deletion| apart.keys().any(|ids| ids.contains(&deletion.id))) {
        understood.insert(deletion.id, Arc::new(Deletions::new(signal, [deletion])?));
    }
    let hiding = |ids: Vec<Ulid>| {
        let all: Vec<Arc<dyn Omit>> = ids.iter().filter_map(|id| understood.get(id).cloned()).collect();
        Hiding((!all.is_empty()).then(|| Arc::new(all) as Arc<dyn Omit>))
    };
    Ok(apart.into_iter().map(|(ids, blocks)| (hiding(ids), blocks)).collect())
}
