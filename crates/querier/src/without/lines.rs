//! Pages of log lines of which some lines are not to be seen.

use crate::stores;
use async_trait::async_trait;
use model::{Labels, Lines};
use service_api::{
    Cut, LineSource, MemoryBudget, Needles, Omit, PageData, PageStore, ReadContext, Reservation, Result,
    StreamSet,
};
use std::{collections::HashMap, sync::Arc};

/// Pages of a store by their numbers.
type Cuts = HashMap<u64, Arc<StreamCut>>;

/// Leaves out pages of which nothing is to be seen, and makes those of which something is not such that it is
/// taken out when they are read.
pub(super) fn cut_streams(budget: &Arc<MemoryBudget>, omit: &dyn Omit, set: &mut StreamSet) -> Result<()> {
    // By the address of the store.
    let mut stored: HashMap<usize, Cuts> = HashMap::new();
    for stream in &mut set.streams {
        let cut = omit.of(&stream.labels);
        stream.pages.retain(|page| !cut.covers(page.range.millis()));
        if !stream.pages.iter().any(|page| cut.touches(page.range.millis())) {
            continue;
        }
        let _held = budget.reserve(size_of::<StreamCut>() + cut.heap_bytes())?;
        let of = Arc::new(StreamCut { labels: stream.labels.clone(), cut, _held });
        for page in stream.pages.iter_mut().filter(|page| of.cut.touches(page.range.millis())) {
            page.is_cut = true;
            match &mut page.data {
                PageData::Here(page) => *page = CutPage::of(Arc::clone(page), &of),
                PageData::Stored(store, number) => {
                    stored.entry(stores::address(store)).or_default().insert(*number, Arc::clone(&of));
                }
            }
        }
    }
    set.streams.retain(|stream| !stream.pages.is_empty());
    let mut replaced: HashMap<usize, (Cuts, Reservation)> = HashMap::with_capacity(stored.len());
    for (store, cuts) in stored {
        let held = budget.reserve(cuts.capacity() * size_of::<(u64, Arc<StreamCut>)>())?;
        replaced.insert(store, (cuts, held));
    }
    // All pages of a store stay pages of one, so that they are still fetched together.
    stores::replace(set, |store| match replaced.remove(&stores::address(store)) {
        Some((cuts, _held)) => Arc::new(CutPages { store: Arc::clone(store), cuts, _held }),
        None => Arc::clone(store),
    });
    Ok(())
}

/// What is not to be seen of a stream.
struct StreamCut {
    labels: Labels,
    cut: Cut,
    _held: Reservation,
}

struct CutPages {
    store: Arc<dyn PageStore>,
    cuts: Cuts,
    _held: Reservation,
}

#[async_trait]
impl PageStore for CutPages {
    async fn fetch(&self, ctx: &ReadContext, pages: &[u64]) -> Result<Vec<Arc<dyn LineSource>>> {
        let fetched = self.store.fetch(ctx, pages).await?;
        let cut = |(page, number)| match self.cuts.get(number) {
            Some(of) => CutPage::of(page, of),
            None => page,
        };
        Ok(fetched.into_iter().zip(pages).map(cut).collect())
    }
}

/// It has no encoded form: that would have all lines.
struct CutPage {
    page: Arc<dyn LineSource>,
    of: Arc<StreamCut>,
}

impl CutPage {
    fn of(page: Arc<dyn LineSource>, of: &Arc<StreamCut>) -> Arc<dyn LineSource> {
        Arc::new(Self { page, of: Arc::clone(of) })
    }
}

impl LineSource for CutPage {
    fn read(&self, needles: &Needles, out: &mut Lines) -> Result<bool> {
        let may_match = self.page.read(needles, out)?;
        if may_match {
            self.of.cut.of_stream(&self.of.labels).take_out(out);
        }
        Ok(may_match)
    }
}

#[cfg(test)]
mod tests;
