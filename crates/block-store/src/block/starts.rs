//! Which pages have start timestamps: what lies behind the table of series.
//!
//! A page's starts are a vector like those of timestamps, stored beside them and once for all pages that have the
//! same ones. Here: the number of pages that have any, and for each the number of its series (difference to the
//! one before), its place among the series' pages, and the number of the vector. All are varints. A block without
//! starts ends its table as it always did, and whoever does not know of starts does not look behind it.

use super::series::Page;
use chunk::{Corrupt, Cursor, put_uvarint};

#[derive(Clone, Copy, Debug)]
pub(super) struct PageStarts {
    pub(super) series: u32,
    pub(super) page: u32,
    pub(super) vector: u32,
}

/// Behind the rows, of the pages that have any; the entries ascend by series, and by page.
pub(super) fn encode(known: &[PageStarts], out: &mut Vec<u8>) {
    if known.is_empty() {
        return;
    }
    put_uvarint(out, known.len() as u64);
    let mut before = 0;
    for PageStarts { series, page, vector } in known {
        put_uvarint(out, u64::from(series - before));
        put_uvarint(out, u64::from(*page));
        put_uvarint(out, u64::from(*vector));
        before = *series;
    }
}

/// Tells the pages of a series of their starts.
pub(super) fn assign(known: &[PageStarts], series: u32, pages: &mut [Page]) -> Result<(), Corrupt> {
    let from = known.partition_point(|starts| starts.series < series);
    for starts in known[from..].iter().take_while(|starts| starts.series == series) {
        let page = pages.get_mut(starts.page as usize).ok_or(Corrupt("starts of no page"))?;
        page.starts = Some(starts.vector);
    }
    Ok(())
}

/// `vectors`: how many the block has. The entries ascend by series, and by page.
pub(super) fn decode(mut input: Cursor<'_>, vectors: usize) -> Result<Vec<PageStarts>, Corrupt> {
    if input.is_empty() {
        return Ok(Vec::new());
    }
    let count = input.count(input.rest().len() / 3)?;
    let mut all: Vec<PageStarts> = Vec::with_capacity(count);
    for _ in 0..count {
        let more = input.count(u32::MAX as usize)? as u32;
        let page = input.count(u32::MAX as usize)? as u32;
        let vector = input.count(u32::MAX as usize)? as u32;
        let (series, follows) = match all.last() {
            None => (Some(more), true),
            Some(last) => (last.series.checked_add(more), more > 0 || page > last.page),
        };
        let Some(series) = series.filter(|_| follows && (vector as usize) < vectors) else {
            return Err(Corrupt("start timestamps out of bounds"));
        };
        all.push(PageStarts { series, page, vector });
    }
    Ok(all)
}
