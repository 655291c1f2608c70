//! The bytes of a segment: its header and its frames. `docs/wal-format.md` says the same in words.

use super::WalError;

pub(super) const VERSION: u16 = 1;
/// The header lies here twice, in two sectors, so that no single damaged one costs a whole segment.
pub(super) const HEADER_COPIES: [usize; 2] = [0, 512];
pub(super) const HEADER_AREA: usize = 1024;
pub(super) const FRAME_HEADER: usize = 24;
pub(super) const ALIGN: usize = 8;
pub(super) const MAX_PAYLOAD: usize = 64 << 20;
pub(super) const FRAME_MAGIC: [u8; 4] = *b"YFrm";

const SEGMENT_MAGIC: [u8; 8] = *b"YaguraWL";
const HEADER_LEN: usize = 36;

/// What a segment says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    /// Differs from segment to segment, so that nobody who sends data can forge a frame inside of a payload.
    pub salt: u32,
    pub number: u64,
    /// Where the segment before this one ends; what lies behind was never finished.
    pub previous_end: u64,
}

impl SegmentHeader {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut copy = Vec::with_capacity(HEADER_LEN);
        copy.extend_from_slice(&SEGMENT_MAGIC);
        copy.extend_from_slice(&VERSION.to_le_bytes());
        copy.extend_from_slice(&[0; 2]);
        copy.extend_from_slice(&self.salt.to_le_bytes());
        copy.extend_from_slice(&self.number.to_le_bytes());
        copy.extend_from_slice(&self.previous_end.to_le_bytes());
        copy.extend_from_slice(&crc32c::crc32c(&copy).to_le_bytes());
        let mut area = vec![0; HEADER_AREA];
        for at in HEADER_COPIES {
            area[at..at + HEADER_LEN].copy_from_slice(&copy);
        }
        area
    }

    /// The header, if one of its copies is sound and belongs to the segment of that number.
    pub(super) fn decode(area: &[u8], number: u64, file: &str) -> Result<Option<Self>, WalError> {
        for at in HEADER_COPIES {
            let Some(copy) = area.get(at..at + HEADER_LEN) else { continue };
            let sound = copy[..8] == SEGMENT_MAGIC && u32_at(copy, 32) == crc32c::crc32c(&copy[..32]);
            if !sound {
                continue;
            }
            let version = u16::from_le_bytes([copy[8], copy[9]]);
            if version != VERSION {
                return Err(WalError::Version { file: file.into(), version, known: VERSION });
            }
            let header =
                Self { salt: u32_at(copy, 12), number: u64_at(copy, 16), previous_end: u64_at(copy, 24) };
            return Ok((header.number == number).then_some(header));
        }
        Ok(None)
    }

    /// Ties a frame to its place: one that lies elsewhere, or was copied, is not valid.
    fn seed(&self, offset: u64) -> u32 {
        let mut place = [0; 20];
        place[..4].copy_from_slice(&self.salt.to_le_bytes());
        place[4..12].copy_from_slice(&self.number.to_le_bytes());
        place[12..].copy_from_slice(&offset.to_le_bytes());
        crc32c::crc32c(&place)
    }
}

/// The header of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameHeader {
    pub length: usize,
    pub sequence: u64,
    pub payload_crc: u32,
}

impl FrameHeader {
    /// From the first [`FRAME_HEADER`] bytes at `offset`, if they are the header of a frame written there.
    pub(super) fn decode(bytes: &[u8], segment: &SegmentHeader, offset: u64) -> Option<Self> {
        let bytes = bytes.get(..FRAME_HEADER)?;
        if bytes[..4] != FRAME_MAGIC
            || u32_at(bytes, 20) != crc32c::crc32c_append(segment.seed(offset), &bytes[..20])
        {
            return None;
        }
        let length = u32_at(bytes, 4) as usize;
        let header = Self { length, sequence: u64_at(bytes, 8), payload_crc: u32_at(bytes, 16) };
        (length <= MAX_PAYLOAD).then_some(header)
    }

    /// With header and padding.
    pub(super) fn frame_len(&self) -> usize {
        (FRAME_HEADER + self.length).next_multiple_of(ALIGN)
    }
}

/// Makes a frame of what begins at `start`: [`FRAME_HEADER`] bytes to be filled in, then the payload.
pub(super) fn finish_frame(
    buffer: &mut Vec<u8>,
    start: usize,
    segment: &SegmentHeader,
    offset: u64,
    sequence: u64,
) {
    let frame = &mut buffer[start..];
    let length = (frame.len() - FRAME_HEADER) as u32;
    let payload_crc = crc32c::crc32c(&frame[FRAME_HEADER..]);
    frame[..4].copy_from_slice(&FRAME_MAGIC);
    frame[4..8].copy_from_slice(&length.to_le_bytes());
    frame[8..16].copy_from_slice(&sequence.to_le_bytes());
    frame[16..20].copy_from_slice(&payload_crc.to_le_bytes());
    let crc = crc32c::crc32c_append(segment.seed(offset), &frame[..20]);
    frame[20..24].copy_from_slice(&crc.to_le_bytes());
    buffer.resize(buffer.len().next_multiple_of(ALIGN), 0);
}

pub(super) fn file_name(segment: u64) -> String {
    format!("{segment:08}")
}

pub(super) fn parse_file_name(name: &str) -> Option<u64> {
    let number = name.parse().ok()?;
    (file_name(number) == name && number > 0).then_some(number)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

#[cfg(test)]
mod tests;
