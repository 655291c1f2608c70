//! Where the windows of all steps lie in a series' samples.
//!
//! Series of one target are scraped together and so have the same timestamps. What follows
//! from timestamps alone is computed once for all of them.

use super::shift::Shift;
use crate::functions::rate::RateKind;
use model::Timestamp;
use vectors::Steps;

/// Which windows are wanted: at each step, the `range` milliseconds up to it, open on the
/// left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WindowSpec {
    pub steps: Steps,
    pub shift: Shift,
    pub range: i64,
    /// Extrapolation is prepared for this function.
    pub rate: Option<RateKind>,
}

/// The windows over one sequence of timestamps.
#[derive(Debug, Default)]
pub(crate) struct Windows {
    timestamps: Vec<Timestamp>,
    /// For each step the indexes from the window's first sample to behind its last.
    pub bounds: Vec<(u32, u32)>,
    /// For each step, if asked for.
    pub stretches: Vec<Stretch>,
}

/// How `rate` and its like stretch what happened between a window's first and last sample.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stretch {
    /// Seconds from the first to the last sample.
    pub sampled: f64,
    /// Seconds by which the start is moved back, and the end forward.
    pub to_start: f64,
    pub to_end: f64,
    /// What the change is multiplied with.
    pub factor: f64,
    /// What a rate divides by: the range in seconds, else 1.
    pub per: f64,
}

impl WindowSpec {
    pub fn window_end(&self, step: usize) -> Timestamp {
        self.shift.apply(self.steps.time(step))
    }
}

impl Windows {
    fn fits(&self, timestamps: &[Timestamp]) -> bool {
        self.timestamps == timestamps
    }

    fn bytes(&self) -> usize {
        self.timestamps.len() * size_of::<Timestamp>()
            + self.bounds.len() * size_of::<(u32, u32)>()
            + self.stretches.len() * size_of::<Stretch>()
    }

    fn fit(&mut self, spec: &WindowSpec, timestamps: &[Timestamp]) {
        self.timestamps.clear();
        self.timestamps.extend_from_slice(timestamps);
        self.bounds.clear();
        self.stretches.clear();
        let (mut first, mut behind) = (0, 0);
        for step in 0..spec.steps.count {
            let end = spec.window_end(step);
            let start = end.saturating_sub(spec.range);
            while timestamps.get(behind).is_some_and(|t| *t <= end) {
                behind += 1;
            }
            while first < behind && timestamps[first] <= start {
                first += 1;
            }
            self.bounds.push((first as u32, behind as u32));
            if let Some(kind) = spec.rate {
                self.stretches.push(match &timestamps[first..behind] {
                    window @ [first, .., last] => {
                        Stretch::of((*first, *last), window.len() as u64, (start, end), kind)
                    }
                    _ => Stretch::default(),
                });
            }
        }
    }
}

impl Stretch {
    /// All the way to the window's ends where the next sample would be due about there
    /// (within 1.1 mean intervals), else by half an interval. There must be two samples or more.
    pub fn of(
        (first, last): (Timestamp, Timestamp),
        samples: u64,
        (start, end): (Timestamp, Timestamp),
        kind: RateKind,
    ) -> Self {
        let seconds = |from: Timestamp, to: Timestamp| (to - from) as f64 / 1000.0;
        let sampled = seconds(first, last);
        let interval = sampled / (samples - 1) as f64;
        let stretch = |gap: f64| if gap >= interval * 1.1 { interval / 2.0 } else { gap };
        let (to_start, to_end) = (stretch(seconds(start, first)), stretch(seconds(last, end)));
        let per = if kind == RateKind::Rate { seconds(start, end) } else { 1.0 };
        let mut result = Self { sampled, to_start, to_end, factor: 0.0, per };
        result.factor = result.factor_with(to_start);
        result
    }

    /// The factor if the start is moved back by less.
    pub fn factor_with(&self, to_start: f64) -> f64 {
        let factor =
            if self.sampled == 0.0 { 1.0 } else { (self.sampled + to_start + self.to_end) / self.sampled };
        factor / self.per
    }
}

/// Windows of recently seen timestamps. Sorted by labels, series of different targets may
/// take turns; a few sequences are kept for that.
#[derive(Debug)]
pub(crate) struct WindowCache {
    spec: WindowSpec,
    kept: Vec<Windows>,
    recent: usize,
    next: usize,
}

const MAX_KEPT: usize = 64;
const MAX_BYTES: usize = 4 << 20;

impl WindowCache {
    pub fn new(spec: WindowSpec) -> Self {
        Self { spec, kept: Vec::new(), recent: 0, next: 0 }
    }

    pub fn spec(&self) -> &WindowSpec {
        &self.spec
    }

    pub fn windows(&mut self, timestamps: &[Timestamp]) -> &Windows {
        let fits = |w: &Windows| w.fits(timestamps);
        if !self.kept.get(self.recent).is_some_and(fits) {
            // Target after target, the one behind the last is the likeliest.
            let after = self.kept.iter().enumerate().skip(self.recent + 1);
            let before = self.kept.iter().enumerate().take(self.recent);
            self.recent = match after.chain(before).find(|(_, w)| fits(w)) {
                Some((at, _)) => at,
                None => self.add(timestamps),
            };
        }
        &self.kept[self.recent]
    }

    fn add(&mut self, timestamps: &[Timestamp]) -> usize {
        let mut windows = if self.is_full() { self.take_oldest() } else { Windows::default() };
        windows.fit(&self.spec, timestamps);
        let at = self.next.min(self.kept.len());
        self.kept.insert(at, windows);
        self.next = if at + 1 >= MAX_KEPT { 0 } else { at + 1 };
        at
    }

    fn is_full(&self) -> bool {
        let bytes = self.kept.first().map_or(0, Windows::bytes) * (self.kept.len() + 1);
        !self.kept.is_empty() && (self.kept.len() >= MAX_KEPT || bytes > MAX_BYTES)
    }

    fn take_oldest(&mut self) -> Windows {
        if self.next >= self.kept.len() {
            self.next = 0;
        }
        self.kept.remove(self.next)
    }
}
