//! Puts other stores in the place of those that a selection's pages are in.

use service_api::{PageData, PageStore, StreamSet};
use std::{collections::HashMap, sync::Arc};

/// What tells a store from the others of a selection, as long as it is there.
pub(crate) fn address(store: &Arc<dyn PageStore>) -> usize {
    Arc::as_ptr(store).cast::<()>() as usize
}

struct Replaced {
    /// Kept, so that no other store gets its address meanwhile.
    _old: Arc<dyn PageStore>,
    new: Arc<dyn PageStore>,
}

/// Asks once for each store what is to be in its place.
pub(crate) fn replace(set: &mut StreamSet, mut by: impl FnMut(&Arc<dyn PageStore>) -> Arc<dyn PageStore>) {
    let mut replaced: HashMap<usize, Replaced> = HashMap::new();
    for page in set.streams.iter_mut().flat_map(|stream| &mut stream.pages) {
        if let PageData::Stored(store, _) = &mut page.data {
            let known = replaced.entry(address(store));
            let known = known.or_insert_with(|| Replaced { _old: Arc::clone(store), new: by(store) });
            *store = Arc::clone(&known.new);
        }
    }
}
