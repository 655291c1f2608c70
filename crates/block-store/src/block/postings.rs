//! Postings: for each label name and value the numbers of the series that have it.
//!
//! The section: the number of names; for each its symbol, the number of its values, and
//! for each value its symbol (difference to the one before), the number of its series and
//! the length of its list; then all lists in that order, each the differences between the
//! series' numbers as varints.

use super::symbols::Symbols;
use chunk::{Corrupt, Cursor, put_uvarint};
use std::ops::Range;

/// `lists`: symbols of name and value with their series, ascending.
pub(super) fn encode(lists: &[((u32, u32), &[u32])]) -> Vec<u8> {
    let names: Vec<_> = lists.chunk_by(|a, b| a.0.0 == b.0.0).collect();
    let (mut out, mut data) = (Vec::new(), Vec::new());
    put_uvarint(&mut out, names.len() as u64);
    for values in names {
        put_uvarint(&mut out, u64::from(values[0].0.0));
        put_uvarint(&mut out, values.len() as u64);
        let mut symbol_before = 0;
        for ((_, symbol), series) in values {
            let start = data.len();
            let mut before = 0;
            for number in *series {
                put_uvarint(&mut data, u64::from(number - before));
                before = *number;
            }
            put_uvarint(&mut out, u64::from(symbol - symbol_before));
            put_uvarint(&mut out, series.len() as u64);
            put_uvarint(&mut out, (data.len() - start) as u64);
            symbol_before = *symbol;
        }
    }
    out.extend_from_slice(&data);
    out
}

#[derive(Debug)]
pub(super) struct Postings {
    section: Vec<u8>,
    /// Ascending by symbol.
    names: Vec<(u32, Range<u32>)>,
    /// Ascending by symbol within a name.
    values: Vec<Value>,
    series: u32,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Value {
    pub(super) symbol: u32,
    pub(super) count: u32,
    start: u32,
    len: u32,
}

impl Postings {
    pub(super) fn decode(section: Vec<u8>, symbols: &Symbols, series: u32) -> Result<Self, Corrupt> {
        let mut input = Cursor::new(&section);
        let (mut names, mut values): (Vec<(u32, Range<u32>)>, Vec<Value>) = Default::default();
        let mut start = 0u64;
        for _ in 0..input.count(symbols.len())? {
            let name = input.count(symbols.len().saturating_sub(1))? as u32;
            if names.last().is_some_and(|(before, _)| *before >= name) {
                return Err(Corrupt("label names out of order"));
            }
            let from = values.len() as u32;
            let mut symbol = 0;
            for at in 0..input.count(symbols.len())? {
                let more = input.count(symbols.len())?;
                symbol += more;
                if symbol >= symbols.len() || (at > 0 && more == 0) {
                    return Err(Corrupt("label values out of order"));
                }
                let count = input.count(series as usize)? as u32;
                let len = input.count(section.len())?;
                values.push(Value { symbol: symbol as u32, count, start: start as u32, len: len as u32 });
                start += len as u64;
            }
            names.push((name, from..values.len() as u32));
        }
        let data = (section.len() - input.rest().len()) as u64;
        if data + start != section.len() as u64 {
            return Err(Corrupt("postings out of bounds"));
        }
        for value in &mut values {
            value.start += data as u32;
        }
        Ok(Self { section, names, values, series })
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.section.len() + self.names.len() * 12 + self.values.len() * size_of::<Value>()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = u32> {
        self.names.iter().map(|(name, _)| *name)
    }

    /// The values of a name, ascending.
    pub(super) fn values(&self, name: u32) -> &[Value] {
        match self.names.binary_search_by_key(&name, |(symbol, _)| *symbol) {
            Ok(at) => {
                let range = &self.names[at].1;
                &self.values[range.start as usize..range.end as usize]
            }
            Err(_) => &[],
        }
    }

    /// Appends the numbers of a value's series, ascending.
    pub(super) fn list(&self, value: &Value, out: &mut Vec<u32>) -> Result<(), Corrupt> {
        let bytes = self.section.get(value.start as usize..(value.start + value.len) as usize);
        let mut input = Cursor::new(bytes.ok_or(Corrupt("postings out of bounds"))?);
        out.reserve(value.count as usize);
        let mut number = 0;
        for _ in 0..value.count {
            number += input.count(self.series as usize)?;
            if number >= self.series as usize {
                return Err(Corrupt("postings out of bounds"));
            }
            out.push(number as u32);
        }
        Ok(())
    }
}
