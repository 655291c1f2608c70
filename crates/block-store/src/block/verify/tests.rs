//! Good blocks are found good, and damaged ones damaged, wherever the damage is.

use super::*;
use crate::{BlockObject, BlockWriter, EncodedPage, LogBlockWriter, Ulid};
use bytes::Bytes;
use model::{Buckets, CounterResetHint, Histogram, HistogramSample, Labels, Lines, Matcher, Span, TimeRange};
use object_store::memory::InMemory;
use service_api::{ReadContext, SampleBuffer, StartTimestamps};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

fn tenant() -> TenantId {
    TenantId::anonymous()
}

/// Numbers that look random and are the same every time.
struct Random(u64);

impl Random {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % below
    }
}

fn histogram(timestamp: i64) -> HistogramSample {
    let histogram = Histogram {
        counter_reset_hint: CounterResetHint::Unknown,
        schema: 1,
        zero_threshold: 0.5,
        sum: timestamp as f64,
        positive_spans: vec![Span { offset: 0, length: 2 }],
        negative_spans: vec![],
        buckets: Buckets::Integer { count: 3, zero_count: 1, positive: vec![1, 0], negative: vec![] },
        custom_values: vec![],
    };
    HistogramSample { timestamp, histogram }
}

/// Floats in many groups, histograms, both in one series, starts.
fn metrics_block() -> BlockObject {
    let (mut writer, mut random) = (BlockWriter::new(), Random(7));
    for n in 0..40 {
        let labels = Labels::from_pairs([("__name__", "m".to_owned()), ("n", format!("{n:04}"))]);
        let timestamps: Vec<i64> = (0..400).map(|t| t * 1_000 + n % 3).collect();
        let values = timestamps.iter().map(|_| f64::from_bits(random.next(1 << 50) << 10)).collect();
        let histograms = if n % 10 == 0 { (0..300).map(histogram).collect() } else { Vec::new() };
        let floats = if n % 7 == 0 { vec![5; 400] } else { Vec::new() };
        let starts = StartTimestamps { floats, histograms: Vec::new() };
        writer.add(&labels, &SampleBuffer { timestamps, values, histograms, starts }).unwrap();
    }
    writer.finish(Ulid::from_parts(1, 1), "test", 0).unwrap().unwrap()
}

fn logs_block() -> BlockObject {
    let (mut writer, mut random) = (LogBlockWriter::new(), Random(9));
    for stream in 0..12 {
        let mut lines = Lines::default();
        for n in 0..120 {
            let text = format!("line {n} of {stream}: {} {}", random.next(1 << 40), random.next(1 << 40));
            lines.push(n * 1_000_000, text.as_bytes(), [("k", "v")]);
        }
        let labels = Labels::from_pairs([("app", format!("{stream:02}")), ("job", "j".to_owned())]);
        writer.add(&labels, EncodedPage::encode_all(&lines).unwrap()).unwrap();
    }
    writer.finish(Ulid::from_parts(2, 1), "test", 0).unwrap().unwrap()
}

struct World {
    bucket: Bucket,
    signal: Signal,
    meta: BlockMeta,
    bytes: Vec<u8>,
}

impl World {
    async fn new(signal: Signal) -> Self {
        let block = if signal == Signal::Metrics { metrics_block() } else { logs_block() };
        let bytes = block.parts.concat();
        let world =
            Self { bucket: Bucket::new(Arc::new(InMemory::new()), ""), signal, meta: block.meta, bytes };
        world.put(&world.bytes).await;
        world
    }

    async fn put(&self, bytes: &[u8]) {
        let name = self.meta.object(&tenant(), self.signal);
        self.bucket.put(&name, vec![Bytes::copy_from_slice(bytes)]).await.unwrap();
    }

    async fn verify(&self, meta: &BlockMeta) -> Vec<String> {
        verify_block(&self.bucket, &tenant(), self.signal, meta, &|_| {}).await.unwrap().problems
    }
}

#[tokio::test]
async fn a_good_block_is_read_to_the_last_byte_and_found_good() {
    for signal in Signal::ALL {
        let world = World::new(signal).await;
        let read = AtomicU64::new(0);
        let progress = |bytes| {
            read.fetch_add(bytes, Relaxed);
        };
        let found = verify_block(&world.bucket, &tenant(), signal, &world.meta, &progress).await.unwrap();
        assert_eq!(found, Verified::default());
        assert_eq!(read.load(Relaxed), world.meta.bytes);
    }
}

#[tokio::test]
async fn every_flipped_bit_is_found() {
    for signal in Signal::ALL {
        let (world, mut random) = (World::new(signal).await, Random(3));
        let bits = world.bytes.len() as u64 * 8;
        // The ends, where all the rest hangs on, bit by bit.
        let ends = (0..64).chain(bits - 2_000..bits).step_by(5);
        let anywhere: Vec<u64> = (0..400).map(|_| random.next(bits)).collect();
        for bit in ends.chain(anywhere) {
            let mut flipped = world.bytes.clone();
            flipped[(bit / 8) as usize] ^= 1 << (bit % 8);
            world.put(&flipped).await;
            assert!(!world.verify(&world.meta).await.is_empty(), "bit {bit} of a block of {signal}");
        }
    }
}

#[tokio::test]
async fn what_the_list_says_of_a_block_is_compared() {
    for signal in Signal::ALL {
        let world = World::new(signal).await;
        let changes: [fn(&mut BlockMeta); 4] = [
            |meta| meta.samples += 1,
            |meta| meta.series -= 1,
            |meta| meta.max_time += 1,
            |meta| meta.text_bytes += 1,
        ];
        for change in changes {
            let mut meta = world.meta.clone();
            change(&mut meta);
            let problems = world.verify(&meta).await;
            assert!(problems.len() == 1 && problems[0].contains("the list"), "{problems:?}");
        }
        let (mut longer, mut other) = (world.meta.clone(), world.meta.clone());
        longer.bytes += 1;
        assert!(world.verify(&longer).await[0].contains("by the list it should have"));
        other.id = Ulid::from_parts(9, 9);
        assert!(world.verify(&other).await[0].contains("is not in the bucket"));
        world.put(&world.bytes[..100]).await;
        let mut short = world.meta.clone();
        short.bytes = 100;
        assert!(world.verify(&short).await.iter().any(|p| p.contains("footer")));
    }
}

#[tokio::test]
async fn several_damages_are_all_named_with_what_they_hit() {
    let world = World::new(Signal::Metrics).await;
    let mut broken = world.bytes.clone();
    (broken[100], broken[60_000]) = (!broken[100], !broken[60_000]);
    world.put(&broken).await;
    let problems = world.verify(&world.meta).await;
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(
        problems[0].contains("page group 0 (from series {__name__=\"m\", n=\"0000\"} on)"),
        "{problems:?}"
    );
    let world = World::new(Signal::Logs).await;
    let mut broken = world.bytes.clone();
    broken[20] = !broken[20];
    world.put(&broken).await;
    let problems = world.verify(&world.meta).await;
    assert_eq!(
        problems,
        [r#"page 0 (stream {app="00", job="j"}): corrupt data: the checksum does not match"#]
    );
}

#[tokio::test]
async fn what_is_said_of_a_block_adds_up() {
    for signal in Signal::ALL {
        let world = World::new(signal).await;
        let found = crate::inspect_block(&world.bucket, &tenant(), signal, &world.meta, 3).await.unwrap();
        let sections: u64 = found.sections.iter().map(|section| section.stored).sum();
        let pages: u64 = found.pages.iter().map(|pages| pages.bytes).sum();
        assert_eq!(8 + pages + sections + found.footer_bytes, world.meta.bytes);
        let names: Vec<_> = found.labels.iter().map(|l| (l.name.as_str(), l.values, l.series)).collect();
        match signal {
            Signal::Metrics => {
                assert_eq!(names, [("n", 40, 40), ("__name__", 1, 40)]);
                assert_eq!((found.largest[0].name.as_str(), found.largest[0].count), ("m", 40));
            }
            Signal::Logs => {
                assert_eq!(names, [("app", 12, 12), ("job", 1, 12)]);
                assert_eq!((found.largest.len(), found.largest[0].count), (3, 120));
            }
        }
    }
}

#[tokio::test]
async fn a_scan_gives_all_series_that_match_in_order() {
    let world = World::new(Signal::Metrics).await;
    let ctx = ReadContext::new(tenant(), 1 << 30);
    let matchers = [Matcher::new(model::MatchOp::Regex, "n", "00[13].").unwrap()];
    let range = TimeRange::new(1_000, 5_999);
    let mut scan = crate::BlockScan::open(&ctx, &world.bucket, &world.meta, &matchers, range).await.unwrap();
    let (mut found, mut samples) = (Vec::new(), SampleBuffer::default());
    while let Some(series) = scan.next(&ctx).await.unwrap() {
        for one in series {
            samples.clear();
            one.data.read(range, &mut samples).unwrap();
            assert_eq!(samples.timestamps.len(), 5);
            found.push(one.labels.get("n").unwrap().to_owned());
        }
    }
    let expected: Vec<String> = (10..20).chain(30..40).map(|n| format!("{n:04}")).collect();
    assert_eq!(found, expected);
}
