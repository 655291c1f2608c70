//! The series table: labels of each series and its pages.
//!
//! The section: the number of shapes (sets of label names); for each the number of names
//! and their symbols (each the difference to the one before); the number of series; for each its shape,
//! the symbols of its values, the number of its float pages, for each of them the number
//! of its timestamps' vector and its length; then the number of its histogram pages, for
//! each of them the number of histograms, its length, the first time (zigzag) and how much
//! later the last is. All are varints. Pages lie in the order of this table.

use super::{symbols::Symbols, times::TimePage};
use chunk::{Corrupt, Cursor, MAX_PAGE_SAMPLES, put_ivarint, put_uvarint};
use model::{Labels, TimeRange};

/// One page of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) offset: u64,
    pub(super) len: u32,
    pub(super) kind: PageKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PageKind {
    /// Values at the timestamps of that vector.
    Float {
        time: u32,
    },
    Histogram {
        count: u32,
        range: TimeRange,
    },
}

/// A series being written: the symbols of its values, and its pages in order.
#[derive(Default)]
pub(super) struct RowWriter {
    pub(super) shape: u32,
    pub(super) pages: Vec<Page>,
}

/// `values`: the symbols of a row's values.
pub(super) fn encode_row(row: &RowWriter, values: impl Iterator<Item = u32>, out: &mut Vec<u8>) {
    put_uvarint(out, u64::from(row.shape));
    for symbol in values {
        put_uvarint(out, u64::from(symbol));
    }
    let floats = row.pages.iter().filter(|p| matches!(p.kind, PageKind::Float { .. })).count();
    put_uvarint(out, floats as u64);
    for page in &row.pages {
        if let PageKind::Float { time } = page.kind {
            put_uvarint(out, u64::from(time));
            put_uvarint(out, u64::from(page.len));
        }
    }
    put_uvarint(out, (row.pages.len() - floats) as u64);
    for page in &row.pages {
        if let PageKind::Histogram { count, range } = page.kind {
            put_uvarint(out, u64::from(count));
            put_uvarint(out, u64::from(page.len));
            put_ivarint(out, range.start);
            put_uvarint(out, range.end.wrapping_sub(range.start) as u64);
        }
    }
}

pub(super) fn encode_shapes(shapes: &[Vec<u32>], out: &mut Vec<u8>) {
    put_uvarint(out, shapes.len() as u64);
    for names in shapes {
        put_uvarint(out, names.len() as u64);
        let mut before = 0;
        for name in names {
            put_uvarint(out, u64::from(name - before));
            before = *name;
        }
    }
}

#[derive(Debug)]
pub(super) struct SeriesTable {
    section: Vec<u8>,
    shapes: Vec<Vec<u32>>,
    rows: Vec<RowPlace>,
}

#[derive(Clone, Copy, Debug)]
struct RowPlace {
    at: u32,
    /// Of its first page.
    page: u64,
}

/// What one row says; reused from row to row.
#[derive(Debug, Default)]
pub(super) struct Row {
    pub(super) shape: usize,
    pub(super) values: Vec<u32>,
    pub(super) pages: Vec<Page>,
}

impl SeriesTable {
    pub(super) fn decode(section: Vec<u8>, symbols: &Symbols, times: usize) -> Result<Self, Corrupt> {
        let mut input = Cursor::new(&section);
        let shapes = decode_shapes(&mut input, symbols)?;
        let count = input.count(section.len() / 3)?;
        let mut rows = Vec::with_capacity(count);
        let (mut page, mut row) = (0, Row::default());
        for _ in 0..count {
            let at = (section.len() - input.rest().len()) as u32;
            rows.push(RowPlace { at, page });
            row.read(&mut input, &shapes, page)?;
            if row.values.iter().any(|symbol| *symbol as usize >= symbols.len()) {
                return Err(Corrupt("symbol out of bounds"));
            }
            let unknown = |p: &Page| matches!(p.kind, PageKind::Float { time } if time as usize >= times);
            if row.pages.iter().any(unknown) {
                return Err(Corrupt("timestamps out of bounds"));
            }
            page = row.pages.last().map_or(page, |last| last.offset + u64::from(last.len));
        }
        Ok(Self { section, shapes, rows })
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.section.len() + self.rows.len() * size_of::<RowPlace>()
    }

    /// Reads a series into `row`.
    #[inline]
    pub(super) fn read(&self, series: u32, row: &mut Row) -> Result<(), Corrupt> {
        let place = self.rows.get(series as usize).ok_or(Corrupt("series out of bounds"))?;
        let mut input = Cursor::new(&self.section[place.at as usize..]);
        row.read(&mut input, &self.shapes, place.page)
    }

    pub(super) fn labels(&self, row: &Row, symbols: &Symbols) -> Labels {
        let names = self.shapes.get(row.shape).map_or(&[][..], Vec::as_slice);
        let pairs = names.iter().zip(&row.values);
        Labels::from_sorted(pairs.map(|(name, value)| (symbols.get(*name), symbols.get(*value))))
    }

    /// The symbols of a row's label names.
    pub(super) fn names(&self, row: &Row) -> &[u32] {
        self.shapes.get(row.shape).map_or(&[], Vec::as_slice)
    }
}

fn decode_shapes(input: &mut Cursor<'_>, symbols: &Symbols) -> Result<Vec<Vec<u32>>, Corrupt> {
    let count = input.count(input.rest().len())?;
    let mut shapes = Vec::new();
    for _ in 0..count {
        let names = input.count(input.rest().len())?;
        let (mut shape, mut name) = (Vec::with_capacity(names), 0);
        for at in 0..names {
            let more = input.count(symbols.len())?;
            name += more;
            if name >= symbols.len() || (at > 0 && more == 0) {
                return Err(Corrupt("label names out of order"));
            }
            shape.push(name as u32);
        }
        shapes.push(shape);
    }
    Ok(shapes)
}

impl Row {
    #[inline]
    fn read(&mut self, input: &mut Cursor<'_>, shapes: &[Vec<u32>], page: u64) -> Result<(), Corrupt> {
        self.values.clear();
        self.pages.clear();
        self.shape = input.uvarint()? as usize;
        let names = shapes.get(self.shape).ok_or(Corrupt("shape out of bounds"))?.len();
        for _ in 0..names {
            self.values.push(input.count(u32::MAX as usize)? as u32);
        }
        let mut offset = page;
        for _ in 0..input.count(input.rest().len())? {
            let time = input.count(u32::MAX as usize)? as u32;
            let len = input.count(u32::MAX as usize)? as u32;
            self.pages.push(Page { offset, len, kind: PageKind::Float { time } });
            offset += u64::from(len);
        }
        for _ in 0..input.count(input.rest().len())? {
            let count = input.count(MAX_PAGE_SAMPLES)? as u32;
            let len = input.count(u32::MAX as usize)? as u32;
            let start = input.ivarint()?;
            let range = TimeRange::new(start, start.wrapping_add(input.uvarint()? as i64));
            self.pages.push(Page { offset, len, kind: PageKind::Histogram { count, range } });
            offset += u64::from(len);
        }
        Ok(())
    }
}

impl Page {
    pub(super) fn range(&self, times: &[TimePage]) -> Option<TimeRange> {
        match self.kind {
            PageKind::Float { time } => times.get(time as usize).map(TimePage::range),
            PageKind::Histogram { range, .. } => Some(range),
        }
    }
}
