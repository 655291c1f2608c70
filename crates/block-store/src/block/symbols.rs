//! Symbols: every label name and value once, sorted, so that their numbers order as they do.
//!
//! The section: how many, and for each how many bytes it shares with the one before, how
//! many follow, and those.

use chunk::{Corrupt, Cursor, put_uvarint};

pub(super) fn encode<'a>(sorted: impl ExactSizeIterator<Item = &'a str>) -> Vec<u8> {
    let mut out = Vec::new();
    put_uvarint(&mut out, sorted.len() as u64);
    let mut before = "";
    for symbol in sorted {
        let equal = before.bytes().zip(symbol.bytes()).take_while(|(a, b)| a == b).count();
        put_uvarint(&mut out, equal as u64);
        put_uvarint(&mut out, (symbol.len() - equal) as u64);
        out.extend_from_slice(&symbol.as_bytes()[equal..]);
        before = symbol;
    }
    out
}

#[derive(Debug)]
pub(super) struct Symbols {
    text: String,
    /// Where each ends.
    ends: Vec<u32>,
}

/// All symbols together are not believed to be larger.
const MAX_TEXT: usize = 1 << 30;

impl Symbols {
    pub(super) fn decode(section: &[u8]) -> Result<Self, Corrupt> {
        let mut input = Cursor::new(section);
        let count = input.count(section.len() / 2)?;
        let (mut text, mut ends) = (Vec::<u8>::new(), Vec::with_capacity(count));
        let (mut start, mut end) = (0, 0);
        for _ in 0..count {
            let equal = input.count(end - start)?;
            let len = input.count(input.rest().len())?;
            if end + equal + len > MAX_TEXT {
                return Err(Corrupt("too many symbols"));
            }
            text.extend_from_within(start..start + equal);
            text.extend_from_slice(input.take(len)?);
            if !ends.is_empty() && text[start..end] >= text[end..] {
                return Err(Corrupt("symbols out of order"));
            }
            (start, end) = (end, text.len());
            ends.push(end as u32);
        }
        let text = String::from_utf8(text).map_err(|_| Corrupt("symbol is not UTF-8"))?;
        if ends.iter().any(|end| !text.is_char_boundary(*end as usize)) {
            return Err(Corrupt("symbol is not UTF-8"));
        }
        Ok(Self { text, ends })
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.text.len() + self.ends.len() * 4
    }

    #[inline]
    pub(super) fn get(&self, number: u32) -> &str {
        let at = number as usize;
        let start = at.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |end| *end as usize);
        self.ends.get(at).and_then(|end| self.text.get(start..*end as usize)).unwrap_or("")
    }

    pub(super) fn find(&self, symbol: &str) -> Option<u32> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = (low + high) / 2;
            match self.get(middle as u32).cmp(symbol) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Some(middle as u32),
            }
        }
        None
    }
}
