//! Symbols: every label name and value once, known by its number.

use crate::{Corrupt, checked};
use chunk::Cursor;

/// Symbols that take more are not believed.
const MAX_BYTES: u64 = 1 << 30;

/// How long a section is, its length and checksum included, of which these are the first four bytes.
pub fn section_len(first: [u8; 4]) -> Result<u64, Corrupt> {
    let len = u64::from(u32::from_be_bytes(first));
    if len > MAX_BYTES { Err(Corrupt("a section of more than 1 GiB")) } else { Ok(len + 8) }
}

/// All symbols of a block in memory.
#[derive(Clone, Debug)]
pub struct Symbols {
    text: String,
    /// Where each ends.
    ends: Vec<u32>,
}

impl Symbols {
    /// Reads a whole section of symbols.
    pub fn parse(section: &[u8]) -> Result<Self, Corrupt> {
        let mut input = Cursor::new(checked(section)?);
        let count = u32::from_be_bytes(input.array()?) as usize;
        // Each takes a byte at least.
        if count > input.rest().len() {
            return Err(Corrupt("more symbols than there can be"));
        }
        let (mut text, mut ends) = (String::new(), Vec::with_capacity(count));
        for _ in 0..count {
            let len = input.count(input.rest().len())?;
            let symbol = input.take(len)?;
            text.push_str(std::str::from_utf8(symbol).map_err(|_| Corrupt("a symbol is not UTF-8"))?);
            ends.push(text.len() as u32);
        }
        Ok(Self { text, ends })
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    pub fn get(&self, number: u64) -> Result<&str, Corrupt> {
        let unknown = Corrupt("a symbol that there is not");
        let at = usize::try_from(number).map_err(|_| unknown)?;
        let end = *self.ends.get(at).ok_or(unknown)? as usize;
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        self.text.get(start..end).ok_or(unknown)
    }
}
