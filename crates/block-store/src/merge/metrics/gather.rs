//! Gathers the pages of one series from all inputs, encoded as they are.

use super::{
    Want,
    input::{Input, Vector},
    stored_page::{Kind, StoredPage},
    times_cache::TimesCache,
};
use crate::{
    block::{Page, PageKind},
    merge::{MergeError, labels::LabelMerge},
};
use model::{Labels, TimeRange};
use service_api::{Cut, Omit};
use std::{ops::Range, sync::Arc};

/// More than this is not kept for the next series.
const KEPT_BYTES: usize = 1 << 20;

/// The series that is being merged.
#[derive(Default)]
pub struct Gathered {
    labels: Option<Labels>,
    /// What is to be gathered, each input's pages in their order.
    rows: Vec<Row>,
    pub pages: Vec<StoredPage>,
    /// Of all pages: copies, so that nothing holds on to what was read ahead.
    pub bytes: Vec<u8>,
    /// Entries of all series so far that were left out with their pages.
    pub omitted: u64,
}

#[derive(Default)]
struct Row {
    input: usize,
    pages: Vec<Page>,
    next: usize,
    /// What of the series is to be left out of the input.
    cut: Cut,
}

impl Gathered {
    /// Begins a series, of which an input has each of these rows; inputs ascend. `omissions`: of each input.
    pub fn begin(
        &mut self,
        series: Labels,
        rows: &[(usize, u32)],
        labels: &LabelMerge,
        inputs: &mut [Input],
        omissions: &[Option<Arc<dyn Omit>>],
    ) -> Result<(), MergeError> {
        self.pages.clear();
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES);
        self.rows.resize_with(rows.len(), Row::default);
        for (row, (input, number)) in self.rows.iter_mut().zip(rows) {
            (row.input, row.next) = (*input, 0);
            row.cut = omissions[*input].as_ref().map(|omit| omit.of(&series)).unwrap_or_default();
            inputs[*input].begin_row(labels.table(*input), *number, &mut row.pages)?;
        }
        self.labels = Some(series);
        Ok(())
    }

    /// What of the series is to be left out of an input.
    pub fn cut(&self, input: usize) -> Option<&Cut> {
        self.rows.iter().find(|row| row.input == input).map(|row| &row.cut)
    }

    /// The labels, once all is gathered.
    pub fn take_labels(&mut self) -> Option<Labels> {
        self.labels.take()
    }

    pub fn heap_bytes(&self) -> usize {
        let rows: usize = self.rows.iter().map(|row| row.pages.capacity() * size_of::<Page>()).sum();
        rows + self.pages.capacity() * size_of::<StoredPage>() + self.bytes.capacity()
    }

    /// Gathers what is here; gives what is to be read for the rest.
    pub fn gather(&mut self, inputs: &mut [Input], times: &mut TimesCache) -> Result<Vec<Want>, MergeError> {
        let mut wants = Vec::new();
        times.begin_round();
        let mut rows = std::mem::take(&mut self.rows);
        for row in &mut rows {
            while let Some(page) = row.pages.get(row.next)
                && self.take(row, page, &mut inputs[row.input], times, &mut wants)?
            {
                row.next += 1;
            }
        }
        self.rows = rows;
        Ok(wants)
    }

    /// Takes the next page of an input; if something of it is not here, nothing, and says what.
    fn take(
        &mut self,
        &Row { input: number, ref cut, .. }: &Row,
        page: &Page,
        input: &mut Input,
        cache: &mut TimesCache,
        wants: &mut Vec<Want>,
    ) -> Result<bool, MergeError> {
        let (count, range) = (input.count(page), input.range(page));
        if cut.covers(range) {
            if !input.has_values() {
                wants.push(Want::Values(number));
                return Ok(false);
            }
            input.take_values(page.len)?;
            self.omitted += u64::from(count);
            return Ok(true);
        }
        let (kind, times) = match page.kind {
            PageKind::Float { time } => (Kind::Float, Some(input.vector(time)?)),
            PageKind::Histogram { .. } => (Kind::Histogram, None),
        };
        let starts = page.starts.map(|vector| input.vector(vector)).transpose()?;
        let (before, pinned) = (wants.len(), cache.pinned());
        if !input.has_values() {
            wants.push(Want::Values(number));
        }
        for vector in [times, starts].into_iter().flatten() {
            let wanted =
                |want: &Want| matches!(want, Want::Times(_, run) if run.pieces.contains(&vector.group));
            if !wants[before..].iter().any(wanted)
                && let Err(run) = cache.pin(number, vector.group, input.time_groups())
            {
                let run = run.ok_or_else(|| input.damaged(chunk::Corrupt("timestamps out of bounds")))?;
                wants.push(Want::Times(number, run));
            }
        }
        if wants.len() > before {
            return Ok(false);
        }
        cache.unpin(pinned);
        let starts_range = starts.map_or(TimeRange::new(0, 0), |vector| vector.range);
        let times = self.copy_vector(number, times, cache);
        let starts = self.copy_vector(number, starts, cache);
        let values = self.copy(input.take_values(page.len)?);
        self.pages.push(StoredPage {
            input: number,
            kind,
            count,
            range,
            values,
            times,
            starts,
            starts_range,
            is_cut: cut.touches(range),
        });
        Ok(true)
    }

    fn copy_vector(&mut self, input: usize, vector: Option<Vector>, cache: &mut TimesCache) -> Range<usize> {
        let Some(Vector { group, at, len, .. }) = vector else { return 0..0 };
        // It was located in its group.
        self.copy(cache.get(input, group).and_then(|group| group.get(at..at + len)).unwrap_or(&[]))
    }

    fn copy(&mut self, bytes: &[u8]) -> Range<usize> {
        let from = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        from..self.bytes.len()
    }
}
