//! Labels being written: symbols, the rows of a table, and postings.

use super::{postings, rows::encode_shapes, symbols};
use chunk::put_uvarint;
use model::Labels;
use std::collections::HashMap;

type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// The labels of series or streams, which come in label order.
#[derive(Default)]
pub(super) struct LabelsWriter {
    symbols: Map<Box<str>, u32>,
    /// Of their texts.
    symbol_bytes: usize,
    pairs: Map<(u32, u32), u32>,
    /// Of each pair, its name and value, and the rows that have it.
    pair_lists: Vec<((u32, u32), Vec<u32>)>,
    shapes: Map<Vec<u32>, u32>,
    rows: Vec<RowWriter>,
    /// The pairs of all rows, one row's behind the other's.
    row_pairs: Vec<u32>,
    last: Option<Labels>,
}

struct RowWriter {
    shape: u32,
    /// Where its pairs end in `row_pairs`.
    end: usize,
}

/// Three sections, before zstd.
pub(super) struct LabelSections {
    pub(super) symbols: Vec<u8>,
    pub(super) rows: Vec<u8>,
    pub(super) postings: Vec<u8>,
}

impl LabelsWriter {
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// About what all of it takes.
    pub(super) fn heap_bytes(&self) -> usize {
        // A slot of a table has a byte beside it; lists grow to twice their length.
        let symbols = self.symbol_bytes + self.symbols.capacity() * (size_of::<(Box<str>, u32)>() + 1);
        let pairs = self.pairs.capacity() * (size_of::<((u32, u32), u32)>() + 1);
        let lists = self.pair_lists.capacity() * size_of::<((u32, u32), Vec<u32>)>();
        let rows = self.rows.capacity() * size_of::<RowWriter>();
        let numbers = self.row_pairs.capacity() + 2 * self.row_pairs.len();
        symbols + pairs + lists + rows + numbers * size_of::<u32>()
    }

    /// Whether these come behind all labels so far.
    pub(super) fn may_follow(&self, labels: &Labels) -> bool {
        self.last.as_ref().is_none_or(|last| last < labels)
    }

    /// Adds the next row.
    pub(super) fn add(&mut self, labels: &Labels) {
        let number = self.rows.len() as u32;
        let from = self.row_pairs.len();
        let before_from = self.rows.len().checked_sub(2).map_or(0, |at| self.rows[at].end);
        let before = self.last.take().unwrap_or_default();
        // Neighbours have many pairs in common, often at the same places.
        let mut before = before.iter();
        for (at, pair) in labels.iter().enumerate() {
            let pair = match before.next() {
                Some(same) if same == pair => self.row_pairs[before_from + at],
                _ => self.pair(pair),
            };
            self.pair_lists[pair as usize].1.push(number);
            self.row_pairs.push(pair);
        }
        let names = self.row_pairs[from..].iter().map(|pair| self.pair_lists[*pair as usize].0.0).collect();
        let next = self.shapes.len() as u32;
        let shape = *self.shapes.entry(names).or_insert(next);
        self.rows.push(RowWriter { shape, end: self.row_pairs.len() });
        self.last = Some(labels.clone());
    }

    fn pair(&mut self, (name, value): (&str, &str)) -> u32 {
        let pair = (self.symbol(name), self.symbol(value));
        let next = self.pair_lists.len() as u32;
        let number = *self.pairs.entry(pair).or_insert(next);
        if number == next {
            self.pair_lists.push((pair, Vec::new()));
        }
        number
    }

    fn symbol(&mut self, text: &str) -> u32 {
        if let Some(number) = self.symbols.get(text) {
            return *number;
        }
        let number = self.symbols.len() as u32;
        self.symbols.insert(text.into(), number);
        self.symbol_bytes += text.len();
        number
    }

    /// The sections; `rest` writes what follows the labels of each row.
    pub(super) fn finish(mut self, rest: impl FnMut(usize, &mut Vec<u8>)) -> LabelSections {
        let (sorted, order) = self.sort_symbols();
        LabelSections {
            symbols: symbols::encode(sorted.iter().map(|symbol| &**symbol)),
            rows: self.rows_section(&order, rest),
            postings: self.postings_section(&order),
        }
    }

    /// All symbols sorted, and for each number so far the number it gets by that.
    fn sort_symbols(&mut self) -> (Vec<Box<str>>, Vec<u32>) {
        let mut sorted: Vec<_> = std::mem::take(&mut self.symbols).into_iter().collect();
        sorted.sort_unstable();
        let mut order = vec![0; sorted.len()];
        for (place, (_, number)) in sorted.iter().enumerate() {
            order[*number as usize] = place as u32;
        }
        (sorted.into_iter().map(|(symbol, _)| symbol).collect(), order)
    }

    fn rows_section(&self, order: &[u32], mut rest: impl FnMut(usize, &mut Vec<u8>)) -> Vec<u8> {
        let mut shapes = vec![Vec::new(); self.shapes.len()];
        for (names, number) in &self.shapes {
            shapes[*number as usize] = names.iter().map(|name| order[*name as usize]).collect();
        }
        let mut out = Vec::new();
        encode_shapes(&shapes, &mut out);
        put_uvarint(&mut out, self.rows.len() as u64);
        let mut from = 0;
        for (number, row) in self.rows.iter().enumerate() {
            put_uvarint(&mut out, u64::from(row.shape));
            for pair in &self.row_pairs[from..row.end] {
                put_uvarint(&mut out, u64::from(order[self.pair_lists[*pair as usize].0.1 as usize]));
            }
            rest(number, &mut out);
            from = row.end;
        }
        out
    }

    fn postings_section(&self, order: &[u32]) -> Vec<u8> {
        let mut lists: Vec<((u32, u32), &[u32])> = self
            .pair_lists
            .iter()
            .map(|((name, value), list)| ((order[*name as usize], order[*value as usize]), list.as_slice()))
            .collect();
        lists.sort_unstable_by_key(|(pair, _)| *pair);
        postings::encode(&lists)
    }
}
