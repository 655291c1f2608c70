//! Which pages a selection needs, and the series that read them.

use super::{
    index::{MetricsIndex, SeriesRow},
    series::PageKind,
    times::TimePage,
};
use crate::error::corrupt;
use bytes::Bytes;
use chunk::{Corrupt, decode_histograms, decode_timestamps, decode_values};
use model::{Labels, Matcher, Signal, TimeRange, Timestamp, pad_starts};
use service_api::{EncodedChunk, ReadContext, Reservation, Result, SampleBuffer, Series, SeriesData};
use std::{
    collections::BTreeSet,
    sync::{Arc, OnceLock},
};

/// What a selection found in the index.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    series: Vec<(Labels, std::ops::Range<u32>)>,
    pages: Vec<PlannedPage>,
    times: Vec<PlannedTimes>,
    /// The page groups to have at hand, ascending.
    pub(super) groups: Vec<u32>,
}

/// Numbers of groups until `Plan::number_groups`, then places in `Plan::groups`.
#[derive(Clone, Copy, Debug)]
struct Place {
    group: u32,
    at: u32,
    len: u32,
}

#[derive(Clone, Copy, Debug)]
struct PlannedPage {
    place: Place,
    /// The timestamps' place in `times`, or the histograms' own range.
    kind: PlannedKind,
    /// The place of its starts in `times`, if any is known.
    starts: Option<u32>,
}

#[derive(Clone, Copy, Debug)]
enum PlannedKind {
    Float { time: u32 },
    Histogram { count: u32, range: TimeRange },
}

#[derive(Clone, Copy, Debug)]
struct PlannedTimes {
    place: Place,
    count: u32,
    range: TimeRange,
}

impl MetricsIndex {
    /// Finds the matching series and their pages in the range; `check` is asked between series
    /// whether to go on.
    pub(super) fn plan(
        &self,
        ctx: &ReadContext,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Plan, PlanError> {
        self.plan_series(ctx, &self.labels.matching(ctx, matchers)?, range)
    }

    /// Finds the pages of these series in the range.
    pub(super) fn plan_series(
        &self,
        ctx: &ReadContext,
        series: &[u32],
        range: TimeRange,
    ) -> Result<Plan, PlanError> {
        let mut planner = Planner { index: self, plan: Plan::default(), times: vec![None; self.times.len()] };
        let mut row = SeriesRow::default();
        for series in series {
            ctx.check()?;
            self.read(*series, &mut row)?;
            planner.add(&row, range)?;
            ctx.check_count(Signal::Metrics, planner.plan.series.len())?;
        }
        Ok(planner.finish())
    }
}

/// The query must end, or the block is broken.
#[derive(Debug)]
pub(super) enum PlanError {
    Stop(service_api::Error),
    Corrupt(Corrupt),
}

impl From<service_api::Error> for PlanError {
    fn from(error: service_api::Error) -> Self {
        Self::Stop(error)
    }
}

impl From<Corrupt> for PlanError {
    fn from(error: Corrupt) -> Self {
        Self::Corrupt(error)
    }
}

struct Planner<'a> {
    index: &'a MetricsIndex,
    plan: Plan,
    /// Of each vector of timestamps, its place in the plan.
    times: Vec<Option<u32>>,
}

impl Planner<'_> {
    fn add(&mut self, row: &SeriesRow, range: TimeRange) -> Result<(), Corrupt> {
        let from = self.plan.pages.len() as u32;
        for page in &row.pages {
            if !page.range(&self.index.times).is_some_and(|r| r.overlaps(&range)) {
                continue;
            }
            let place = self.place(page.offset, page.len)?;
            let (kind, count) = match page.kind {
                PageKind::Float { time } => {
                    let time = self.time(time)?;
                    (PlannedKind::Float { time }, self.plan.times[time as usize].count)
                }
                PageKind::Histogram { count, range } => (PlannedKind::Histogram { count, range }, count),
            };
            let starts = page.starts.map(|vector| self.time(vector)).transpose()?;
            if starts.is_some_and(|starts| self.plan.times[starts as usize].count != count) {
                return Err(Corrupt("not as many start timestamps as entries"));
            }
            self.plan.pages.push(PlannedPage { place, kind, starts });
        }
        let to = self.plan.pages.len() as u32;
        if from < to {
            self.plan.series.push((self.index.labels.of(&row.labels), from..to));
        }
        Ok(())
    }

    fn place(&self, offset: u64, len: u32) -> Result<Place, Corrupt> {
        let (group, at) = self.index.groups.locate(offset, u64::from(len))?;
        Ok(Place { group, at, len })
    }

    fn time(&mut self, time: u32) -> Result<u32, Corrupt> {
        let Some(known) = self.times.get(time as usize) else {
            return Err(Corrupt("timestamps out of bounds"));
        };
        if let Some(place) = known {
            return Ok(*place);
        }
        let TimePage { offset, len, count, .. } = self.index.times[time as usize];
        let place = self.place(offset, len)?;
        let planned = self.plan.times.len() as u32;
        self.times[time as usize] = Some(planned);
        self.plan.times.push(PlannedTimes { place, count, range: self.index.times[time as usize].range() });
        Ok(planned)
    }

    fn finish(self) -> Plan {
        let mut plan = self.plan;
        let mut places: Vec<&mut Place> = plan
            .pages
            .iter_mut()
            .map(|p| &mut p.place)
            .chain(plan.times.iter_mut().map(|t| &mut t.place))
            .collect();
        let groups: BTreeSet<u32> = places.iter().map(|p| p.group).collect();
        plan.groups = groups.into_iter().collect();
        for place in &mut places {
            place.group = plan.groups.partition_point(|group| *group < place.group) as u32;
        }
        plan
    }
}

impl Plan {
    /// Memory that the selection will hold beside the page groups.
    pub(super) fn heap_bytes(&self) -> usize {
        let times: usize = self.times.iter().map(|t| t.count as usize * 8).sum();
        let labels: usize = self.series.iter().map(|(labels, _)| labels.heap_bytes() + 96).sum();
        times + labels + self.pages.len() * size_of::<PlannedPage>()
    }

    /// `groups`: the bytes of `self.groups`, in that order.
    pub(super) fn into_series(
        self,
        block: String,
        groups: Vec<Bytes>,
        reservation: Reservation,
    ) -> Vec<Series> {
        let decoded = self.times.iter().map(|_| OnceLock::new()).collect();
        let (pages, times) = (self.pages, self.times);
        let selection =
            Arc::new(Selection { block, groups, pages, times, decoded, _reservation: reservation });
        let series = |(labels, pages)| {
            let data = BlockSeries { selection: Arc::clone(&selection), pages };
            Series { labels, data: Arc::new(data) }
        };
        self.series.into_iter().map(series).collect()
    }
}

/// What all series of one selection share.
struct Selection {
    block: String,
    groups: Vec<Bytes>,
    pages: Vec<PlannedPage>,
    times: Vec<PlannedTimes>,
    /// Series of one target have the same timestamps: they are decoded once.
    decoded: Vec<OnceLock<Result<Box<[Timestamp]>, Corrupt>>>,
    _reservation: Reservation,
}

struct BlockSeries {
    selection: Arc<Selection>,
    pages: std::ops::Range<u32>,
}

impl SeriesData for BlockSeries {
    fn read(&self, range: TimeRange, out: &mut SampleBuffer) -> Result<()> {
        let selection = &self.selection;
        for page in &selection.pages[self.pages.start as usize..self.pages.end as usize] {
            selection.read(page, range, out).map_err(|e| corrupt(&selection.block, e))?;
        }
        Ok(())
    }

    fn encoded(&self, range: TimeRange, each: &mut dyn FnMut(EncodedChunk<'_>)) -> Result<bool> {
        let selection = &self.selection;
        for page in &selection.pages[self.pages.start as usize..self.pages.end as usize] {
            selection.encoded(page, range, each).map_err(|e| corrupt(&selection.block, e))?;
        }
        Ok(true)
    }
}

impl Selection {
    fn read(&self, page: &PlannedPage, range: TimeRange, out: &mut SampleBuffer) -> Result<(), Corrupt> {
        match page.kind {
            PlannedKind::Float { time } => self.read_floats(page, time, range, out),
            PlannedKind::Histogram { count, range: own } => {
                if !own.overlaps(&range) {
                    return Ok(());
                }
                let start = out.histograms.len();
                decode_histograms(self.bytes(page.place)?, count as usize, &mut out.histograms)?;
                let from = out.histograms[start..].partition_point(|h| h.timestamp < range.start);
                let to = out.histograms[start..].partition_point(|h| h.timestamp <= range.end);
                let to = to.max(from);
                out.histograms.truncate(start + to);
                out.histograms.drain(start..start + from);
                self.read_starts(page.starts, from..to, start, &mut out.starts.histograms)
            }
        }
    }

    fn encoded(
        &self,
        page: &PlannedPage,
        wanted: TimeRange,
        each: &mut dyn FnMut(EncodedChunk<'_>),
    ) -> Result<(), Corrupt> {
        match page.kind {
            PlannedKind::Float { time } => {
                let PlannedTimes { place, count, range } = self.times[time as usize];
                if range.overlaps(&wanted) {
                    let (timestamps, values) = (self.bytes(place)?, self.bytes(page.place)?);
                    let starts = self.encoded_starts(page)?;
                    each(EncodedChunk::Floats { range, count, timestamps, values, starts });
                }
            }
            PlannedKind::Histogram { count, range } => {
                if range.overlaps(&wanted) {
                    let (data, starts) = (self.bytes(page.place)?, self.encoded_starts(page)?);
                    each(EncodedChunk::Histograms { range, count, data, starts });
                }
            }
        }
        Ok(())
    }

    /// In the form of `chunk::encode_starts`, which is that of timestamps.
    fn encoded_starts(&self, page: &PlannedPage) -> Result<&[u8], Corrupt> {
        page.starts.map_or(Ok(&[]), |starts| self.bytes(self.times[starts as usize].place))
    }

    /// Appends the starts of those of a page's entries that are read, before which are `before` others.
    fn read_starts(
        &self,
        starts: Option<u32>,
        read: std::ops::Range<usize>,
        before: usize,
        out: &mut Vec<Timestamp>,
    ) -> Result<(), Corrupt> {
        match starts {
            None => pad_starts(out, before + read.len()),
            Some(starts) => {
                let of_page = self.timestamps(starts)?;
                out.resize(before, 0);
                out.extend_from_slice(of_page.get(read).ok_or(Corrupt("start timestamps out of bounds"))?);
            }
        }
        Ok(())
    }

    fn read_floats(
        &self,
        page: &PlannedPage,
        time: u32,
        range: TimeRange,
        out: &mut SampleBuffer,
    ) -> Result<(), Corrupt> {
        if !self.times[time as usize].range.overlaps(&range) {
            return Ok(());
        }
        let times = self.timestamps(time)?;
        let from = times.partition_point(|t| *t < range.start);
        let to = times.partition_point(|t| *t <= range.end).max(from);
        let start = out.values.len();
        decode_values(self.bytes(page.place)?, times.len(), &mut out.values)?;
        out.values.truncate(start + to);
        out.values.drain(start..start + from);
        out.timestamps.extend_from_slice(&times[from..to]);
        self.read_starts(page.starts, from..to, start, &mut out.starts.floats)
    }

    fn timestamps(&self, time: u32) -> Result<&[Timestamp], Corrupt> {
        let planned = &self.times[time as usize];
        let decoded = self.decoded[time as usize].get_or_init(|| {
            let mut times = Vec::new();
            decode_timestamps(self.bytes(planned.place)?, planned.count as usize, &mut times)?;
            Ok(times.into_boxed_slice())
        });
        decoded.as_ref().map(|times| &**times).map_err(|e| *e)
    }

    fn bytes(&self, place: Place) -> Result<&[u8], Corrupt> {
        let group = self.groups.get(place.group as usize).ok_or(Corrupt("page out of bounds"))?;
        let at = place.at as usize;
        group.get(at..at + place.len as usize).ok_or(Corrupt("page out of bounds"))
    }
}
