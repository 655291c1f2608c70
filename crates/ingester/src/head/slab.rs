//! The series' slots, in pages with a lock each.

use parking_lot::{Mutex, MutexGuard, RwLock};
use std::sync::Arc;

/// Series that share a lock. Series that are written together have been created together,
/// so a batch takes few locks; a read holds one only while it copies one series.
pub const PAGE: usize = 128;

pub type Page<S> = Arc<Mutex<Slots<S>>>;

pub struct Slots<S>(Vec<Option<S>>);

pub struct Slab<S> {
    pub pages: RwLock<Vec<Page<S>>>,
}

impl<S> Default for Slab<S> {
    fn default() -> Self {
        Self { pages: RwLock::default() }
    }
}

impl<S> Slots<S> {
    #[inline]
    pub fn get(&mut self, series: u32) -> Option<&mut S> {
        self.0.get_mut(series as usize % PAGE)?.as_mut()
    }
}

/// Slots one after the other, each behind the lock of its page, which is kept while the next one is in it too.
pub struct Walk<'a, S> {
    pages: &'a [Page<S>],
    page: usize,
    slots: Option<MutexGuard<'a, Slots<S>>>,
}

impl<'a, S> Walk<'a, S> {
    pub fn new(pages: &'a [Page<S>]) -> Self {
        Self { pages, page: usize::MAX, slots: None }
    }

    #[inline]
    pub fn slot(&mut self, series: u32) -> Option<&mut S> {
        let page = series as usize / PAGE;
        if page != self.page {
            self.slots = None;
            self.slots = self.pages.get(page).map(|page| page.lock());
            self.page = page;
        }
        self.slots.as_mut()?.get(series)
    }
}

impl<S: Default> Slab<S> {
    /// Makes a slot: the next one, or one that was freed. Called under the index's lock.
    pub fn create(&self, series: u32) {
        let mut pages = self.pages.write();
        let page = series as usize / PAGE;
        if pages.len() <= page {
            pages.push(Arc::new(Mutex::new(Slots(Vec::with_capacity(PAGE)))));
        }
        let mut slots = pages[page].lock();
        let at = series as usize % PAGE;
        if slots.0.len() <= at {
            slots.0.resize_with(at + 1, || None);
        }
        slots.0[at] = Some(S::default());
    }

    pub fn with<T>(&self, series: u32, f: impl FnOnce(&mut S) -> T) -> Option<T> {
        let page = Arc::clone(self.pages.read().get(series as usize / PAGE)?);
        let mut slots = page.lock();
        slots.get(series).map(f)
    }

    /// Visits every series, page by page, with nobody kept out of the other pages.
    pub fn for_each(&self, mut f: impl FnMut(u32, &mut S)) {
        let pages = self.pages.read().clone();
        for (number, page) in pages.iter().enumerate() {
            for (at, slot) in page.lock().0.iter_mut().enumerate() {
                if let Some(series) = slot {
                    f((number * PAGE + at) as u32, series);
                }
            }
        }
    }

    /// Empties a slot. Called under the index's lock.
    pub fn free(&self, series: u32) {
        if let Some(page) = self.pages.read().get(series as usize / PAGE)
            && let Some(slot) = page.lock().0.get_mut(series as usize % PAGE)
        {
            *slot = None;
        }
    }
}
