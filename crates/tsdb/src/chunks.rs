//! Chunks: samples of one series in Prometheus's three encodings.
//!
//! <https://github.com/prometheus/prometheus/blob/main/tsdb/docs/format/chunks.md>

mod floats;
mod histograms;
mod write;

pub use floats::decode_floats;
pub use histograms::decode_histograms;
pub use write::{CHUNK_SAMPLES, EncodedChunk, encode_floats, encode_histogram};

use crate::{Corrupt, bits::BitReader};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Xor = 1,
    Histogram = 2,
    FloatHistogram = 3,
}

impl Encoding {
    pub(crate) fn of(number: u8) -> Result<Self, Corrupt> {
        match number {
            1 => Ok(Self::Xor),
            2 => Ok(Self::Histogram),
            3 => Ok(Self::FloatHistogram),
            // Thanos writes these when it downsamples.
            0xff => Err(Corrupt("a chunk of aggregates, as downsampling makes them")),
            _ => Err(Corrupt("a chunk of an unknown encoding")),
        }
    }
}

/// The number of samples, which a chunk begins with, and the rest.
fn counted(data: &[u8]) -> Result<(u16, &[u8]), Corrupt> {
    let (count, rest) = data.split_first_chunk().ok_or(Corrupt("a chunk is cut short"))?;
    Ok((u16::from_be_bytes(*count), rest))
}

/// A float that is stored by what differs from the one before it.
#[derive(Clone, Copy, Debug, Default)]
struct XorFloat {
    bits: u64,
    leading: u32,
    trailing: u32,
}

impl XorFloat {
    fn new(bits: u64) -> Self {
        Self { bits, leading: 0, trailing: 0 }
    }

    #[inline]
    fn next(&mut self, input: &mut BitReader<'_>) -> Result<f64, Corrupt> {
        if input.bits(1)? == 1 {
            if input.bits(1)? == 1 {
                self.leading = input.bits(5)? as u32;
                // 64 does not fit into six bits; 0 stands for it.
                let significant = match input.bits(6)? as u32 {
                    0 => 64,
                    bits => bits,
                };
                self.trailing =
                    (64 - self.leading).checked_sub(significant).ok_or(Corrupt("an impossible float"))?;
            }
            self.bits ^= input.bits(64 - self.leading - self.trailing)? << self.trailing;
        }
        Ok(f64::from_bits(self.bits))
    }
}

#[cfg(test)]
mod tests;
