//! The series' slots, in pages with a lock each.

use super::series::Series;
use parking_lot::{Mutex, RwLock};
use std::sync::Arc;

/// Series that share a lock. Series that are written together have been created together,
/// so a batch takes few locks; a read holds one only while it copies one series.
pub const PAGE: usize = 128;

pub type Page = Arc<Mutex<Slots>>;

#[derive(Default)]
pub struct Slots(Vec<Option<Series>>);

#[derive(Default)]
pub struct Slab {
    pub pages: RwLock<Vec<Page>>,
}

impl Slots {
    #[inline]
    pub fn get(&mut self, series: u32) -> Option<&mut Series> {
        self.0.get_mut(series as usize % PAGE)?.as_mut()
    }
}

impl Slab {
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
        slots.0[at] = Some(Series::default());
    }

    pub fn with<T>(&self, series: u32, f: impl FnOnce(&mut Series) -> T) -> Option<T> {
        let page = Arc::clone(self.pages.read().get(series as usize / PAGE)?);
        let mut slots = page.lock();
        slots.get(series).map(f)
    }

    /// Visits every series, page by page, with nobody kept out of the other pages.
    pub fn for_each(&self, mut f: impl FnMut(u32, &mut Series)) {
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
