//! A manifest's bytes: magic and version, crc32c of the rest, the rest: JSON under zstd.

use super::{BlockMeta, Deletion, Manifest, Rollup};
use crate::error::corrupt;
use serde::{Deserialize, Serialize};
use service_api::{Error, Result};

const MAGIC: &[u8; 8] = b"YGMANIF\x01";
const ZSTD_LEVEL: i32 = 3;
/// JSON that is larger is not believed: some 500,000 blocks.
const MAX_JSON: usize = 128 << 20;

#[derive(Serialize)]
struct Written<'a> {
    sequence: u64,
    blocks: &'a [BlockMeta],
    #[serde(skip_serializing_if = "<[Deletion]>::is_empty")]
    deletions: &'a [Deletion],
    #[serde(skip_serializing_if = "<[Rollup]>::is_empty")]
    rollups: &'a [Rollup],
}

#[derive(Deserialize)]
struct Read {
    sequence: u64,
    blocks: Vec<BlockMeta>,
    #[serde(default)]
    deletions: Vec<Deletion>,
    #[serde(default)]
    rollups: Vec<Rollup>,
}

pub(super) fn encode(manifest: &Manifest) -> Result<Vec<u8>> {
    let Manifest { sequence, blocks, deletions, rollups } = manifest;
    let written = Written { sequence: *sequence, blocks, deletions, rollups };
    let json = serde_json::to_vec(&written).map_err(|e| Error::internal(e.to_string()))?;
    if json.len() > MAX_JSON {
        return Err(Error::internal("the manifest lists too many blocks"));
    }
    let packed = zstd::bulk::compress(&json, ZSTD_LEVEL).map_err(|e| Error::internal(e.to_string()))?;
    Ok([MAGIC.as_slice(), &crc32c::crc32c(&packed).to_le_bytes(), &packed].concat())
}

pub(super) fn decode(name: &str, data: &[u8]) -> Result<Manifest> {
    let wrong = |why: &str| corrupt(name, why);
    let rest = data.strip_prefix(MAGIC).ok_or_else(|| wrong("no manifest of a version we know"))?;
    let (checksum, packed) = rest.split_first_chunk().ok_or_else(|| wrong("cut short"))?;
    if crc32c::crc32c(packed) != u32::from_le_bytes(*checksum) {
        return Err(wrong("checksum does not match"));
    }
    let size = zstd::bulk::Decompressor::upper_bound(packed).unwrap_or(0).min(MAX_JSON);
    let json = zstd::bulk::decompress(packed, size).map_err(|e| corrupt(name, e))?;
    let read = serde_json::from_slice(&json).map_err(|e| corrupt(name, e))?;
    let Read { sequence, blocks, deletions, rollups } = read;
    Ok(Manifest { sequence, blocks, deletions, rollups })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SourceBlock;
    use ulid::Ulid;

    fn manifest() -> Manifest {
        let block = BlockMeta {
            id: Ulid::from_parts(1_700_000_000_000, 7),
            min_time: -5,
            max_time: 1_700_000_000_000,
            series: 3,
            samples: 9,
            text_bytes: 0,
            bytes: 100,
            level: 0,
            source: "ingester-0@17".to_owned(),
            created: 1_700_000_000_001,
            sources: Vec::new(),
            damaged: None,
            cleared: Vec::new(),
            rules: 0,
        };
        Manifest { sequence: 12, blocks: vec![block], ..Manifest::default() }
    }

    fn rolled_up() -> Manifest {
        let mut rolled_up = manifest();
        let of = vec![rolled_up.blocks[0].id];
        let day = |day: i64| (day * 86_400_000, (day + 1) * 86_400_000);
        let ((start, end), blocks) = (day(19_674), rolled_up.blocks.clone());
        rolled_up.rollups.push(Rollup { start, end, of: of.clone(), blocks, unsuitable: false });
        let (start, end) = day(19_675);
        rolled_up.rollups.push(Rollup { start, end, of, blocks: Vec::new(), unsuitable: true });
        rolled_up
    }

    fn merged() -> Manifest {
        let mut merged = manifest();
        let block = &mut merged.blocks[0];
        (block.level, block.source) = (1, "merge of 2 blocks".to_owned());
        let source = |id, min_time| SourceBlock { id, min_time, max_time: 7 };
        block.sources =
            vec![source(Ulid::from_parts(1, 0), -5), source(Ulid::from_parts(1_700_000_000_000, 6), 6)];
        block.damaged = Some("torn".to_owned());
        (block.cleared, block.rules) = (vec![Ulid::from_parts(1_700_000_000_002, 9)], 77);
        let queries = vec!["up".to_owned(), "{a=\"b\"}".to_owned()];
        let deletion =
            Deletion { id: block.cleared[0], queries, min_time: -9, max_time: 5, due: 8, heads_until: 9 };
        merged.deletions.push(deletion);
        merged
    }

    #[test]
    fn comes_back_and_no_flipped_bit_goes_unseen() {
        let data = encode(&manifest()).unwrap();
        assert_eq!(decode("m", &data).unwrap(), manifest());
        let mut of_lines = manifest();
        of_lines.blocks[0].text_bytes = 7;
        assert_eq!(decode("m", &encode(&of_lines).unwrap()).unwrap(), of_lines);
        assert_eq!(decode("m", &encode(&merged()).unwrap()).unwrap(), merged());
        assert_eq!(decode("m", &encode(&rolled_up()).unwrap()).unwrap(), rolled_up());
        for at in 0..data.len() {
            let mut flipped = data.clone();
            flipped[at] ^= 1;
            assert!(decode("m", &flipped).is_err(), "byte {at}");
            assert!(decode("m", &data[..at]).is_err(), "cut at {at}");
        }
    }

    /// What version 1 wrote, written down: it must be readable for ever.
    #[test]
    fn golden_bytes() {
        let json = r#"{"sequence":12,"blocks":[{"id":"01HF7YAT000000000000000007","min_time":-5,"max_time":1700000000000,"series":3,"samples":9,"bytes":100,"level":0,"source":"ingester-0@17","created":1700000000001}]}"#;
        let packed = zstd::bulk::compress(json.as_bytes(), 1).unwrap();
        let data = [b"YGMANIF\x01", &crc32c::crc32c(&packed).to_le_bytes()[..], &packed].concat();
        assert_eq!(decode("m", &data).unwrap(), manifest());
        let block = serde_json::to_string(&merged().blocks[0]).unwrap();
        assert_eq!(
            block,
            r#"{"id":"01HF7YAT000000000000000007","min_time":-5,"max_time":1700000000000,"series":3,"samples":9,"bytes":100,"level":1,"source":"merge of 2 blocks","created":1700000000001,"sources":[{"id":"00000000010000000000000000","min_time":-5,"max_time":7},{"id":"01HF7YAT000000000000000006","min_time":6,"max_time":7}],"damaged":"torn","cleared":["01HF7YAT020000000000000009"],"rules":77}"#
        );
        let deletion = serde_json::to_string(&merged().deletions[0]).unwrap();
        assert_eq!(
            deletion,
            r#"{"id":"01HF7YAT020000000000000009","queries":["up","{a=\"b\"}"],"min_time":-9,"max_time":5,"due":8,"heads_until":9}"#
        );
        let json = r#"{"sequence":12,"blocks":[{"id":"01HF7YAT000000000000000007","min_time":-5,"max_time":1700000000000,"series":3,"samples":9,"bytes":100,"level":0,"source":"ingester-0@17","created":1700000000001}],"rollups":[{"start":1699833600000,"end":1699920000000,"of":["01HF7YAT000000000000000007"],"blocks":[{"id":"01HF7YAT000000000000000007","min_time":-5,"max_time":1700000000000,"series":3,"samples":9,"bytes":100,"level":0,"source":"ingester-0@17","created":1700000000001}]},{"start":1699920000000,"end":1700006400000,"of":["01HF7YAT000000000000000007"],"blocks":[],"unsuitable":true}]}"#;
        let packed = zstd::bulk::compress(json.as_bytes(), 1).unwrap();
        let data = [b"YGMANIF\x01", &crc32c::crc32c(&packed).to_le_bytes()[..], &packed].concat();
        assert_eq!(decode("m", &data).unwrap(), rolled_up());
        let written = encode(&rolled_up()).unwrap();
        assert_eq!(zstd::bulk::decompress(&written[12..], MAX_JSON).unwrap(), json.as_bytes());
    }
}
