//! The native histograms of a row.

use histogram::FloatHistogram;
use std::sync::Arc;

/// The histograms of a row, step by step. Almost all rows have none, and then this holds nothing.
#[derive(Clone, Debug, Default)]
pub struct Histograms(Vec<Option<Arc<FloatHistogram>>>);

impl Histograms {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn has(&self, step: usize) -> bool {
        self.get(step).is_some()
    }

    pub fn get(&self, step: usize) -> Option<&Arc<FloatHistogram>> {
        self.0.get(step)?.as_ref()
    }

    /// `steps` is how many the row has.
    pub fn set(&mut self, step: usize, steps: usize, histogram: Arc<FloatHistogram>) {
        if self.0.len() < steps {
            self.0.resize(steps, None);
        }
        if let Some(place) = self.0.get_mut(step) {
            *place = Some(histogram);
        }
    }

    pub fn remove(&mut self, step: usize) -> Option<Arc<FloatHistogram>> {
        self.0.get_mut(step)?.take()
    }

    /// Keeps the histograms of the steps that `keep` names, as `keep` leaves them.
    pub fn retain(&mut self, mut keep: impl FnMut(usize, &mut Arc<FloatHistogram>) -> bool) {
        for (step, place) in self.0.iter_mut().enumerate() {
            if place.as_mut().is_some_and(|histogram| !keep(step, histogram)) {
                *place = None;
            }
        }
        if self.0.iter().all(Option::is_none) {
            self.0 = Vec::new();
        }
    }

    /// The steps that have one.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &Arc<FloatHistogram>)> {
        self.iter_from(0)
    }

    /// The steps from `first` on that have one.
    pub fn iter_from(&self, first: usize) -> impl Iterator<Item = (usize, &Arc<FloatHistogram>)> {
        let from = self.0.iter().enumerate().skip(first);
        from.filter_map(|(step, place)| Some((step, place.as_ref()?)))
    }

    /// What it holds; a histogram that stands for several steps counts once.
    pub fn heap_bytes(&self) -> usize {
        let mut bytes = self.0.capacity() * size_of::<Option<Arc<FloatHistogram>>>();
        let mut last: Option<&Arc<FloatHistogram>> = None;
        for (_, histogram) in self.iter() {
            if last.is_none_or(|last| !Arc::ptr_eq(last, histogram)) {
                bytes += size_of::<FloatHistogram>() + histogram.heap_bytes();
            }
            last = Some(histogram);
        }
        bytes
    }
}

/// The value of a series at one time.
#[derive(Clone, Debug, PartialEq)]
pub enum Sample {
    Float(f64),
    Histogram(Arc<FloatHistogram>),
}
