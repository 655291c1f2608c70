//! A place in the log.

use std::{fmt, str::FromStr};

/// The end of a frame: its segment and the offset of the byte behind it. Later records have greater positions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    pub segment: u64,
    pub offset: u64,
}

impl Position {
    /// One number in the same order. Exact while segments are under 4 GiB (the settings see to it) and fewer
    /// than 2^32.
    pub fn pack(self) -> u64 {
        (self.segment << 32) | (self.offset & u64::from(u32::MAX))
    }

    pub fn unpack(packed: u64) -> Self {
        Self { segment: packed >> 32, offset: packed & u64::from(u32::MAX) }
    }
}

/// `00000012:4096`
impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08}:{}", self.segment, self.offset)
    }
}

impl FromStr for Position {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parse = || {
            let (segment, offset) = text.split_once(':')?;
            Some(Self { segment: segment.parse().ok()?, offset: offset.parse().ok()? })
        };
        parse().ok_or_else(|| format!("not a position in the log: {text:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_survives_packing_and_printing() {
        let places = [(0, 0), (1, 1024), (1, 4_000_000_000), (2, 0), (99_999_999, 8)];
        let places = places.map(|(segment, offset)| Position { segment, offset });
        assert!(places.is_sorted() && places.map(Position::pack).is_sorted());
        for place in places {
            assert_eq!(Position::unpack(place.pack()), place);
            assert_eq!(place.to_string().parse(), Ok(place));
        }
        assert!("7".parse::<Position>().is_err());
    }
}
