//! The format, pinned down.

use super::*;

const HEADER: SegmentHeader = SegmentHeader { salt: 0xDEAD_BEEF, number: 7, previous_end: 4096 };

/// What is on disks today must stay readable.
#[test]
fn the_bytes_are_those_of_version_1() {
    let area = HEADER.encode();
    assert_eq!(area.len(), HEADER_AREA);
    let golden = "596167757261574c01000000efbeadde07000000000000000010000000000000";
    assert_eq!(hex(&area[..32]), golden);
    assert_eq!(area[..36], area[512..548]);

    let mut frame = vec![0; FRAME_HEADER];
    frame.extend_from_slice(b"123456789");
    finish_frame(&mut frame, 0, &HEADER, 1024, 42);
    // 0xE3069283 is the check value of CRC-32C (RFC 3720, and every catalogue of CRCs).
    assert_eq!(hex(&frame[..20]), "5946726d090000002a00000000000000839206e3");
    assert_eq!(hex(&frame[24..]), "31323334353637383900000000000000");
    assert_eq!((hex(&area[32..36]), hex(&frame[20..24])), ("65a241af".into(), "8dad673f".into()));
}

#[test]
fn a_frame_is_valid_only_where_it_was_written() {
    let mut frame = vec![0; FRAME_HEADER];
    frame.extend_from_slice(b"payload");
    finish_frame(&mut frame, 0, &HEADER, 1024, 1);
    assert!(FrameHeader::decode(&frame, &HEADER, 1024).is_some());
    assert_eq!(FrameHeader::decode(&frame, &HEADER, 1032), None);
    let other = SegmentHeader { number: 8, ..HEADER };
    assert_eq!(FrameHeader::decode(&frame, &other, 1024), None);
    let other = SegmentHeader { salt: 1, ..HEADER };
    assert_eq!(FrameHeader::decode(&frame, &other, 1024), None);
}

#[test]
fn one_sound_copy_of_the_header_is_enough() {
    for broken in 0..36 {
        let mut area = HEADER.encode();
        area[broken] ^= 1;
        assert_eq!(SegmentHeader::decode(&area, 7, "f").unwrap(), Some(HEADER));
        area[512 + broken] ^= 1;
        assert_eq!(SegmentHeader::decode(&area, 7, "f").unwrap(), None);
    }
    assert_eq!(SegmentHeader::decode(&HEADER.encode(), 8, "f").unwrap(), None);
    assert_eq!(SegmentHeader::decode(&[], 7, "f").unwrap(), None);
}

#[test]
fn a_later_version_is_an_error_that_names_the_file() {
    let mut area = HEADER.encode();
    area[8] = 2;
    let crc = crc32c::crc32c(&area[..32]);
    area[32..36].copy_from_slice(&crc.to_le_bytes());
    let error = SegmentHeader::decode(&area, 7, "wal/00000007").unwrap_err();
    assert_eq!(error.to_string(), "wal/00000007: format version 2 is not known to this program (it knows 1)");
}

#[test]
fn only_names_of_segments_are_numbers() {
    assert_eq!(parse_file_name("00000012"), Some(12));
    assert_eq!(parse_file_name("123456789"), Some(123_456_789));
    for name in ["12", "00000000", "000000012", "0000001x", "+0000001", "00000001.tmp", ""] {
        assert_eq!(parse_file_name(name), None, "{name}");
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
