//! Rows of a table of series or streams: the labels of each, and what its table says of it.
//!
//! The section: the number of shapes (sets of label names); for each the number of names and their
//! symbols (each the difference to the one before); the number of rows, and for each its shape,
//! the symbols of its values, and what follows of it in `series.rs` or `logs/index.rs`. All are varints.

use super::symbols::Symbols;
use chunk::{Corrupt, Cursor, put_uvarint};
use model::Labels;

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
pub(super) struct Rows {
    section: Vec<u8>,
    shapes: Vec<Vec<u32>>,
    /// Where each begins in the section.
    starts: Vec<u32>,
    /// Where the last one ends.
    end: usize,
}

/// The labels of one row, as symbols; reused from row to row.
#[derive(Debug, Default)]
pub(super) struct Row {
    shape: usize,
    pub(super) values: Vec<u32>,
}

impl Rows {
    /// `rest` reads what follows the labels of each row.
    pub(super) fn decode(
        section: Vec<u8>,
        symbols: &Symbols,
        mut rest: impl FnMut(&mut Cursor<'_>) -> Result<(), Corrupt>,
    ) -> Result<Self, Corrupt> {
        let mut input = Cursor::new(&section);
        let shapes = decode_shapes(&mut input, symbols)?;
        let count = input.count((section.len() / 2).min(u32::MAX as usize))?;
        let (mut starts, mut row) = (Vec::with_capacity(count), Row::default());
        for _ in 0..count {
            starts.push((section.len() - input.rest().len()) as u32);
            row.read(&mut input, &shapes)?;
            if row.values.iter().any(|symbol| *symbol as usize >= symbols.len()) {
                return Err(Corrupt("symbol out of bounds"));
            }
            rest(&mut input)?;
        }
        let end = section.len() - input.rest().len();
        Ok(Self { section, shapes, starts, end })
    }

    /// What the section has behind the rows.
    pub(super) fn behind(&self) -> Cursor<'_> {
        Cursor::new(&self.section[self.end..])
    }

    pub(super) fn len(&self) -> usize {
        self.starts.len()
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.section.len() + self.starts.len() * size_of::<u32>()
    }

    /// Reads the labels of a row; gives what follows them.
    #[inline]
    pub(super) fn read(&self, number: u32, row: &mut Row) -> Result<Cursor<'_>, Corrupt> {
        let start = self.starts.get(number as usize).ok_or(Corrupt("series out of bounds"))?;
        let mut input = Cursor::new(&self.section[*start as usize..]);
        row.read(&mut input, &self.shapes)?;
        Ok(input)
    }

    /// What the table says of a row behind its labels.
    pub(super) fn behind_labels(&self, number: u32) -> Result<Cursor<'_>, Corrupt> {
        let start = self.starts.get(number as usize).ok_or(Corrupt("series out of bounds"))?;
        let mut input = Cursor::new(&self.section[*start as usize..]);
        let shape = input.uvarint()? as usize;
        for _ in self.shapes.get(shape).ok_or(Corrupt("shape out of bounds"))? {
            input.uvarint()?;
        }
        Ok(input)
    }

    pub(super) fn labels(&self, row: &Row, symbols: &Symbols) -> Labels {
        let pairs = self.names(row).iter().zip(&row.values);
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
    fn read(&mut self, input: &mut Cursor<'_>, shapes: &[Vec<u32>]) -> Result<(), Corrupt> {
        self.values.clear();
        self.shape = input.uvarint()? as usize;
        let names = shapes.get(self.shape).ok_or(Corrupt("shape out of bounds"))?.len();
        for _ in 0..names {
            self.values.push(input.count(u32::MAX as usize)? as u32);
        }
        Ok(())
    }
}
