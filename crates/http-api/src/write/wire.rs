//! Walks protobuf in place: fields of a message, without building one.
//!
//! <https://protobuf.dev/programming-guides/encoding/>

/// Why a message cannot be walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    #[error("the message ends in the middle of a field")]
    Truncated,
    #[error("a varint is longer than ten bytes")]
    Varint,
    #[error("field number or wire type is not valid")]
    Tag,
    #[error("field {0} has the wrong wire type")]
    Type(u32),
    #[error("a string is not valid UTF-8")]
    Utf8,
    #[error("a symbol reference points outside the symbol table")]
    Symbol,
    #[error("a native histogram has no valid form: {0}")]
    Histogram(&'static str),
    #[error("values nest more than {0} levels deep")]
    Depth(usize),
    #[error("the request holds more than {0} entries")]
    TooMany(usize),
}

/// One field's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(&'a [u8]),
}

/// A position in a message.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    /// Bytes not walked yet.
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Passes over a run of short (under 128 bytes) length-delimited fields that begin with
    /// `tag`, and returns its length. The same as `field` in a loop, and several times as fast.
    #[inline]
    pub fn skip_run(&mut self, tag: u8) -> usize {
        let mut at = 0;
        while let Some([t, len]) = self.rest.get(at..at + 2).and_then(|b| b.first_chunk::<2>()) {
            let end = at + 2 + *len as usize;
            if *t != tag || *len >= 0x80 || end > self.rest.len() {
                break;
            }
            at = end;
        }
        self.rest = &self.rest[at..];
        at
    }

    /// The next field's number and value; none at the end.
    #[inline]
    pub fn field(&mut self) -> Result<Option<(u32, Value<'a>)>, WireError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).map_err(|_| WireError::Tag)?;
        if number == 0 {
            return Err(WireError::Tag);
        }
        let value = match tag & 7 {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let len = self.varint()?;
                let len = usize::try_from(len).map_err(|_| WireError::Truncated)?;
                Value::Bytes(self.take(len)?)
            }
            5 => Value::Fixed32(u32::from_le_bytes(self.array()?)),
            _ => return Err(WireError::Tag),
        };
        Ok(Some((number, value)))
    }

    #[inline]
    pub fn varint(&mut self) -> Result<u64, WireError> {
        match self.rest {
            [a, rest @ ..] if *a < 0x80 => {
                self.rest = rest;
                Ok(u64::from(*a))
            }
            [a, b, rest @ ..] if *b < 0x80 => {
                self.rest = rest;
                Ok(u64::from(a & 0x7f) | u64::from(*b) << 7)
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, WireError> {
        let mut value = 0u64;
        for (i, byte) in self.rest.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f).wrapping_shl(7 * i as u32);
            if *byte < 0x80 {
                self.rest = &self.rest[i + 1..];
                return Ok(value);
            }
        }
        Err(if self.rest.len() < 10 { WireError::Truncated } else { WireError::Varint })
    }

    #[inline]
    fn take(&mut self, len: usize) -> Result<&'a [u8], WireError> {
        let (head, rest) = self.rest.split_at_checked(len).ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(head)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(*head)
    }
}

impl<'a> Value<'a> {
    #[inline]
    pub fn bytes(self, field: u32) -> Result<&'a [u8], WireError> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(WireError::Type(field)),
        }
    }

    pub fn str(self, field: u32) -> Result<&'a str, WireError> {
        std::str::from_utf8(self.bytes(field)?).map_err(|_| WireError::Utf8)
    }

    #[inline]
    pub fn varint(self, field: u32) -> Result<u64, WireError> {
        match self {
            Self::Varint(v) => Ok(v),
            _ => Err(WireError::Type(field)),
        }
    }

    #[inline]
    pub fn double(self, field: u32) -> Result<f64, WireError> {
        match self {
            Self::Fixed64(bits) => Ok(f64::from_bits(bits)),
            _ => Err(WireError::Type(field)),
        }
    }

    /// The bits of a 64-bit field.
    pub fn fixed64(self, field: u32) -> Result<u64, WireError> {
        match self {
            Self::Fixed64(bits) => Ok(bits),
            _ => Err(WireError::Type(field)),
        }
    }

    /// The bits of a 32-bit field.
    pub fn fixed32(self, field: u32) -> Result<u32, WireError> {
        match self {
            Self::Fixed32(bits) => Ok(bits),
            _ => Err(WireError::Type(field)),
        }
    }

    /// The elements of a repeated varint field, packed or (as parsers must accept) single.
    pub fn varints(self, field: u32, mut each: impl FnMut(u64)) -> Result<(), WireError> {
        match self {
            Self::Varint(v) => each(v),
            Self::Bytes(packed) => {
                let mut reader = Reader::new(packed);
                while reader.remaining() > 0 {
                    each(reader.varint()?);
                }
            }
            _ => return Err(WireError::Type(field)),
        }
        Ok(())
    }

    /// The elements of a repeated double field, packed or single.
    pub fn doubles(self, field: u32, mut each: impl FnMut(f64)) -> Result<(), WireError> {
        match self {
            Self::Fixed64(bits) => each(f64::from_bits(bits)),
            Self::Bytes(packed) => {
                let (elements, rest) = packed.as_chunks::<8>();
                if !rest.is_empty() {
                    return Err(WireError::Truncated);
                }
                elements.iter().for_each(|b| each(f64::from_le_bytes(*b)));
            }
            _ => return Err(WireError::Type(field)),
        }
        Ok(())
    }
}

/// Undoes the zigzag form of `sint32` and `sint64`.
pub fn zigzag(v: u64) -> i64 {
    (v >> 1) as i64 ^ -((v & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encode(mut v: u64) -> Vec<u8> {
        let mut out = Vec::new();
        while v >= 0x80 {
            out.push(v as u8 | 0x80);
            v >>= 7;
        }
        out.push(v as u8);
        out
    }

    #[test]
    fn broken_messages_are_named() {
        let walk = |bytes: &[u8]| {
            let mut reader = Reader::new(bytes);
            while let Some(_field) = reader.field()? {}
            Ok::<_, WireError>(())
        };
        assert_eq!(walk(&[0x0a, 0x05, 1]), Err(WireError::Truncated));
        assert_eq!(walk(&[0x08, 0x80]), Err(WireError::Truncated));
        assert_eq!(walk(&[0x08, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255]), Err(WireError::Varint));
        assert_eq!(walk(&[0x00]), Err(WireError::Tag));
        assert_eq!(walk(&[0x0b]), Err(WireError::Tag));
        assert_eq!(walk(&[0x09, 1, 2]), Err(WireError::Truncated));
    }

    proptest! {
        #[test]
        fn varints_round_trip(v: u64, tail: Vec<u8>) {
            let mut bytes = encode(v);
            bytes.extend_from_slice(&tail);
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(reader.varint(), Ok(v));
            prop_assert_eq!(reader.remaining(), tail.len());
        }

        #[test]
        fn any_bytes_end_in_a_result(bytes: Vec<u8>) {
            let mut reader = Reader::new(&bytes);
            while let Ok(Some(_)) = reader.field() {}
        }
    }
}
