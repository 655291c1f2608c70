//! Commands as a whole, on a bucket in memory, and on blocks that a fixture lays out as Prometheus does.

use super::*;
use block_store::{Bucket, Manifests, S3Config, Ulid};
use model::{Labels, Signal, TenantId};
use object_store::memory::InMemory;
use runtime::ManualClock;
use service_api::{Limits, LimitsSource};
use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tempfile::TempDir;
use tsdb::{EncodedChunk, encode_floats, encode_histogram, fixture};

const DAY: i64 = 86_400_000;
const NOW: i64 = 20_000 * DAY;

/// Everybody has the same limits.
struct Same(Limits);

impl LimitsSource for Same {
    fn limits(&self, _: &TenantId) -> Arc<Limits> {
        Arc::new(self.0.clone())
    }
}

struct World {
    tools: Tools,
    dir: TempDir,
}

impl World {
    fn new() -> Self {
        Self::with_limits(Limits::default())
    }

    fn with_limits(limits: Limits) -> Self {
        let (dir, clock) = (tempfile::tempdir().unwrap(), Arc::new(ManualClock::at(NOW)));
        let bucket = Bucket::new(Arc::new(InMemory::new()), "");
        let ids = AtomicU64::new(0);
        let tools = Tools {
            manifests: Arc::new(Manifests::new(bucket, clock.clone(), Duration::ZERO)),
            url: "memory".to_owned(),
            s3: S3Config::default(),
            clock,
            limits: Arc::new(Same(limits)),
            new_id: Arc::new(move || Ulid::from_parts(NOW as u64, ids.fetch_add(1, Relaxed).into())),
            scratch: dir.path().to_owned(),
            console: Console::Quiet,
        };
        Self { tools, dir }
    }

    fn from(&self) -> String {
        self.dir.path().join("blocks").display().to_string()
    }

    /// Lays out a block in the folder that is imported.
    fn lay(&self, ulid: &str, files: &fixture::Files) {
        for (name, bytes) in files {
            let path = Path::new(&self.from()).join(ulid).join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    }

    async fn import(&self, change: impl FnOnce(&mut ImportOptions)) -> (anyhow::Result<Outcome>, String) {
        let mut options =
            ImportOptions { tenant: "a".to_owned(), from: self.from(), ..ImportOptions::default() };
        change(&mut options);
        let mut out = Vec::new();
        let outcome = import(&self.tools, &options, &mut out).await;
        (outcome, String::from_utf8(out).unwrap())
    }

    /// All that the tenant has, as `cat` prints it, block after block.
    async fn printed(&self) -> String {
        let tenant = TenantId::new("a").unwrap();
        let mut out = Vec::new();
        for block in self.tools.listed(&tenant, Signal::Metrics).await.unwrap() {
            let options =
                CatOptions { tenant: "a".to_owned(), block: block.id.to_string(), ..CatOptions::default() };
            cat(&self.tools, &options, &mut out).await.unwrap();
        }
        String::from_utf8(out).unwrap()
    }

    async fn verified(&self) -> (Outcome, String) {
        let mut out = Vec::new();
        let outcome = verify(&self.tools, &VerifyOptions::default(), &mut out).await.unwrap();
        (outcome, String::from_utf8(out).unwrap())
    }
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    Labels::from_pairs(pairs.iter().copied())
}

fn chunk(times: &[i64]) -> EncodedChunk {
    encode_floats(times, &times.iter().map(|t| (*t / 1000) as f64).collect::<Vec<_>>())
}

const ULID: &str = "01HF7YAT000000000000000007";

fn two_days() -> Vec<(Labels, Vec<EncodedChunk>)> {
    vec![
        (labels(&[("__name__", "m"), ("a", "1")]), vec![chunk(&[1000, 2000]), chunk(&[DAY - 1, DAY])]),
        (labels(&[("__name__", "m"), ("a", "1"), ("b", "2")]), vec![chunk(&[3000])]),
    ]
}

#[tokio::test]
async fn a_block_becomes_one_for_each_day_and_only_once() {
    let world = World::new();
    world.lay(ULID, &fixture::block(ULID, &two_days(), ""));
    let (outcome, said) = world.import(|options| options.dry_run = true).await;
    assert_eq!(outcome.unwrap(), Outcome::Good);
    assert!(
        said.contains("would be imported: 1970-01-01T00:00:01Z to 1970-01-02T00:00:00Z, 2 series"),
        "{said}"
    );
    assert!(world.printed().await.is_empty());
    let (outcome, said) = world.import(|_| {}).await;
    assert_eq!(outcome.unwrap(), Outcome::Good);
    assert!(said.contains("2 series, 5 samples in 2 blocks"), "{said}");
    let expected = "m{a=\"1\"} 1 1.000\nm{a=\"1\"} 2 2.000\nm{a=\"1\"} 86399 86399.999\n\
                    m{a=\"1\",b=\"2\"} 3 3.000\n# EOF\nm{a=\"1\"} 86400 86400.000\n# EOF\n";
    assert_eq!(world.printed().await, expected);
    let (_, said) = world.import(|_| {}).await;
    assert!(said.contains("skipped: it has been imported before"), "{said}");
    assert_eq!(world.printed().await, expected);
    let (outcome, said) = world.verified().await;
    assert!(
        outcome == Outcome::Good && said.contains("2 blocks") && said.contains("0 damaged; 0 obj"),
        "{said}"
    );
}

#[tokio::test]
async fn labels_of_the_block_and_of_the_command_become_labels_of_the_series() {
    let world = World::new();
    let thanos = r#""thanos":{"labels":{"z":"eu","__org_id__":"x","c":"block"}},"#;
    world.lay(ULID, &fixture::block(ULID, &two_days()[..], thanos));
    let own = [("c".to_owned(), "mine".to_owned())];
    let (outcome, said) = world.import(|options| options.labels = own.to_vec()).await;
    outcome.unwrap();
    // The second series comes before the first one now, and still there is one block a day.
    assert!(said.contains("in 2 blocks"), "{said}");
    let printed = world.printed().await;
    assert!(
        printed.starts_with("m{a=\"1\",b=\"2\",c=\"mine\",z=\"eu\"} 3 3.000\nm{a=\"1\",c=\"mine\""),
        "{printed}"
    );
    let world = World::new();
    world.lay(ULID, &fixture::block(ULID, &two_days(), ""));
    let same = [("b".to_owned(), "2".to_owned())];
    let (outcome, said) = world.import(|options| options.labels = same.to_vec()).await;
    assert_eq!(outcome.unwrap(), Outcome::Bad);
    assert!(said.contains("not imported: two series become one with the labels that are added"), "{said}");
    assert!(world.printed().await.is_empty());
}

#[tokio::test]
async fn what_was_deleted_stays_deleted() {
    let world = World::new();
    let mut files = fixture::block(ULID, &two_days(), "");
    // The first series, by where the index has it.
    let index = &files[1].1;
    let toc = tsdb::Toc::parse(&index[index.len() - tsdb::TOC_LEN..], index.len() as u64).unwrap();
    let stones = [(toc.series.start / 16, 2000, DAY - 1), (7, 0, DAY)];
    files.push(("tombstones".to_owned(), fixture::tombstones(&stones)));
    world.lay(ULID, &files);
    let (outcome, said) = world.import(|_| {}).await;
    outcome.unwrap();
    assert!(said.contains("3 samples in 2 blocks") && said.contains("have deleted 2 samples"), "{said}");
    let expected =
        "m{a=\"1\"} 1 1.000\nm{a=\"1\",b=\"2\"} 3 3.000\n# EOF\nm{a=\"1\"} 86400 86400.000\n# EOF\n";
    assert_eq!(world.printed().await, expected);
}

#[tokio::test]
async fn marked_downsampled_unfinished_and_old_blocks_are_left_and_named() {
    let limits = Limits { retention: 10 * 86_400, ..Limits::default() };
    let world = World::with_limits(limits);
    let ulid = |n: u8| format!("01HF7YAT00000000000000000{n}");
    let mut marked = fixture::block(&ulid(1), &two_days(), "");
    marked.push(("deletion-mark.json".to_owned(), b"{}".to_vec()));
    world.lay(&ulid(1), &marked);
    let downsampled = r#""thanos":{"downsample":{"resolution":300000}},"#;
    world.lay(&ulid(2), &fixture::block(&ulid(2), &two_days(), downsampled));
    world.lay(&ulid(3), &fixture::block(&ulid(3), &two_days(), "")[1..].to_vec());
    world.lay(&ulid(4), &fixture::block(&ulid(4), &two_days(), ""));
    world.lay(&ulid(5), &fixture::block(&ulid(5), &two_days(), ""));
    world.lay("markers", &vec![(format!("{}-deletion-mark.json", ulid(5)), b"{}".to_vec())]);
    let (outcome, said) = world.import(|_| {}).await;
    assert_eq!(outcome.unwrap(), Outcome::Bad);
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines.len(), 4, "{said}");
    assert!(lines[0].contains("1: skipped: it is marked for deletion"), "{said}");
    assert!(lines[1].contains("2: skipped: it is downsampled to 300 s"), "{said}");
    assert!(lines[2].contains("4: skipped: it ends at") && lines[2].contains("--force"), "{said}");
    assert!(lines[3].contains("5: skipped: it is marked for deletion"), "{said}");
    let (outcome, said) =
        world.import(|options| (options.force, options.blocks) = (true, vec![ulid(4)])).await;
    assert_eq!(outcome.unwrap(), Outcome::Good);
    assert_eq!(said.lines().count(), 1);
}

#[tokio::test]
async fn a_damaged_block_is_named_with_its_file_and_nothing_of_it_is_listed() {
    let good = fixture::block(ULID, &two_days(), "");
    // A byte of the index in its symbols and in a series, of the segment, and of the description.
    let index = &good[1].1;
    let toc = tsdb::Toc::parse(&index[index.len() - tsdb::TOC_LEN..], index.len() as u64).unwrap();
    for (file, at) in [(1, 20), (1, toc.series.start as usize + 3), (2, 12), (0, 0)] {
        let world = World::new();
        let mut files = good.clone();
        files[file].1[at] ^= 0x10;
        world.lay(ULID, &files);
        let (outcome, said) = world.import(|_| {}).await;
        // A block whose description cannot be read has no name.
        let said = outcome.map_or_else(
            |error| format!("{error:#}"),
            |outcome| {
                assert_eq!(outcome, Outcome::Bad);
                said
            },
        );
        assert!(said.contains(good[file].0.as_str()), "{said}");
        assert!(world.printed().await.is_empty());
    }
}

#[tokio::test]
async fn every_flipped_bit_of_what_is_imported_is_found_or_harmless() {
    let good = fixture::block(ULID, &two_days(), "");
    let world = World::new();
    world.lay(ULID, &good);
    world.import(|_| {}).await.0.unwrap();
    let expected = world.printed().await;
    for (file, (_, bytes)) in good.iter().enumerate().skip(1) {
        for bit in (0..bytes.len() * 8).step_by(7) {
            let world = World::new();
            let mut files = good.clone();
            files[file].1[bit / 8] ^= 1 << (bit % 8);
            world.lay(ULID, &files);
            if matches!(world.import(|_| {}).await.0, Ok(Outcome::Good)) {
                assert_eq!(world.printed().await, expected, "bit {bit} of {}", files[file].0);
            }
        }
    }
}

#[tokio::test]
async fn histograms_are_imported_beside_floats() {
    let world = World::new();
    let histogram = model::Histogram {
        counter_reset_hint: model::CounterResetHint::Gauge,
        schema: 3,
        zero_threshold: 0.25,
        sum: 7.0,
        positive_spans: vec![model::Span { offset: -2, length: 2 }],
        negative_spans: Vec::new(),
        buckets: model::Buckets::Integer {
            count: 3,
            zero_count: 1,
            positive: vec![1, 0],
            negative: Vec::new(),
        },
        custom_values: Vec::new(),
    };
    let sample = model::HistogramSample { timestamp: 5000, histogram };
    let series = vec![(labels(&[("__name__", "h")]), vec![chunk(&[1000]), encode_histogram(&sample)])];
    world.lay(ULID, &fixture::block(ULID, &series, ""));
    world.import(|_| {}).await.0.unwrap();
    let printed = world.printed().await;
    assert!(printed.starts_with("h 1 1.000\n# h {\"count\":3,"), "{printed}");
    assert!(
        printed.contains("\"positive_deltas\":[1,0]") && printed.contains("\"reset\":\"Gauge\""),
        "{printed}"
    );
}

#[tokio::test]
async fn a_place_without_blocks_is_explained() {
    let world = World::new();
    let refused = |from: String| {
        let world = &world;
        async move { format!("{:#}", world.import(|options| options.from = from).await.0.unwrap_err()) }
    };
    let error = refused(world.from()).await;
    assert!(error.contains("there is no folder") && error.contains("s3://BUCKET/PREFIX"), "{error}");
    assert!(refused("gs://x".to_owned()).await.contains("neither a folder nor s3://"));
    let tenant = Path::new("team-a").join(ULID);
    world.lay(tenant.to_str().unwrap(), &fixture::block(ULID, &two_days(), ""));
    let error = refused(world.from()).await;
    assert!(error.contains("in its folders team-a: name one of them, such as"), "{error}");
    // A block alone, and blocks by their folder.
    let from = Path::new(&world.from()).join("team-a");
    for from in [from.join(ULID), from] {
        let (outcome, said) = world.import(|options| options.from = from.display().to_string()).await;
        outcome.unwrap();
        assert!(said.starts_with(ULID), "{said}");
    }
}

async fn backfilled(world: &World, text: &str, force: bool) -> (anyhow::Result<()>, String) {
    let file = world.dir.path().join("text").display().to_string();
    fs::write(&file, text).unwrap();
    let options = BackfillOptions { tenant: "a".to_owned(), file, force, ..BackfillOptions::default() };
    let mut out = Vec::new();
    let done = backfill(&world.tools, &options, &mut out).await;
    (done, String::from_utf8(out).unwrap())
}

#[tokio::test]
async fn text_becomes_blocks_once_and_mistakes_become_none() {
    let world = World::new();
    let text = "# TYPE m gauge\nm{a=\"2\"} 5 86400\nm{a=\"1\"} 1 1\nm{a=\"2\"} 3 3\nm{a=\"2\"} 4 3\n# EOF\n";
    let (done, said) = backfilled(&world, text, false).await;
    done.unwrap();
    assert!(said.contains("2 series, 3 samples") && said.contains("2 blocks"), "{said}");
    assert!(said.contains("1 sample had the time of another"), "{said}");
    let expected = "m{a=\"1\"} 1 1.000\nm{a=\"2\"} 3 3.000\n# EOF\nm{a=\"2\"} 5 86400.000\n# EOF\n";
    assert_eq!(world.printed().await, expected);
    assert!(backfilled(&world, text, false).await.1.contains("has been read before"));
    let (done, _) = backfilled(&world, "m 1 1\nm 1\n# EOF\n", false).await;
    let error = format!("{:#}", done.unwrap_err());
    assert!(error.contains("text: line 2, column 4"), "{error}");
    assert_eq!(world.printed().await, expected);
    let (_, said) = backfilled(&world, "# EOF\n", false).await;
    assert!(said.contains("there are no samples"), "{said}");
}

#[tokio::test]
async fn text_that_is_past_the_retention_is_refused() {
    let world = World::with_limits(Limits { retention: 86_400, ..Limits::default() });
    let error = backfilled(&world, "m 1 1\n# EOF\n", false).await.0.unwrap_err().to_string();
    assert!(error.contains("limits.retention") && error.contains("--force"), "{error}");
    backfilled(&world, "m 1 1\n# EOF\n", true).await.0.unwrap();
}

#[tokio::test]
async fn tenants_and_blocks_are_listed_and_looked_into() {
    let world = World::new();
    world.lay(ULID, &fixture::block(ULID, &two_days(), ""));
    world.import(|_| {}).await.0.unwrap();
    let listed = async |options: LsOptions| {
        let mut out = Vec::new();
        ls(&world.tools, &options, &mut out).await.unwrap();
        String::from_utf8(out).unwrap()
    };
    let all = listed(LsOptions::default()).await;
    assert!(all.lines().nth(1).unwrap().starts_with("a       metrics       2"), "{all}");
    let of_tenant = LsOptions { tenant: Some("a".to_owned()), ..LsOptions::default() };
    let blocks = listed(of_tenant.clone()).await;
    assert!(
        blocks.contains(&format!("import of {ULID}")) && blocks.contains("2 blocks, 5 samples"),
        "{blocks}"
    );
    let json = listed(LsOptions { json: true, ..of_tenant }).await;
    let lines: Vec<serde_json::Value> =
        json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines.len(), &lines[0]["samples"], &lines[1]["min_time"]), (2, &4.into(), &DAY.into()));

    let block = lines[0]["block"].as_str().unwrap().to_lowercase();
    let options = InspectOptions { tenant: "a".to_owned(), signal: None, block: block.clone() };
    let mut out = Vec::new();
    inspect(&world.tools, &options, &mut out).await.unwrap();
    let text = String::from_utf8(out).unwrap();
    for part in ["holds    2 series, 4 samples", "section postings", "m            2", "label"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    let refused = async |tenant: &str, block: &str| {
        let options = InspectOptions { tenant: tenant.to_owned(), signal: None, block: block.to_owned() };
        inspect(&world.tools, &options, &mut Vec::new()).await.unwrap_err().to_string()
    };
    assert!(refused("b", "01").await.contains("there is no tenant b in the bucket memory; there are: a"));
    assert!(refused("a", "zz").await.contains("`yagura bucket ls --tenant a`"));
    assert!(refused("a", &block[..20]).await.contains("2 blocks begin with"));
}

#[tokio::test]
async fn damage_and_what_nobody_lists_is_named() {
    let world = World::new();
    world.lay(ULID, &fixture::block(ULID, &two_days(), ""));
    world.import(|_| {}).await.0.unwrap();
    let tenant = TenantId::new("a").unwrap();
    let (bucket, blocks) =
        (world.tools.manifests.bucket(), world.tools.listed(&tenant, Signal::Metrics).await.unwrap());
    let name = blocks[0].object(&tenant, Signal::Metrics);
    let mut bytes = bucket.get(&name).await.unwrap().to_vec();
    bytes[10] ^= 1;
    bucket.put(&name, vec![bytes.into()]).await.unwrap();
    bucket.delete(&blocks[1].object(&tenant, Signal::Metrics)).await.unwrap();
    bucket.put("a/metrics/blocks/01HF7YAT000000000000000009", vec![b"x".as_slice().into()]).await.unwrap();
    let (outcome, said) = world.verified().await;
    assert_eq!(outcome, Outcome::Bad);
    let lines: Vec<_> = said.lines().collect();
    assert!(lines[0].contains(&blocks[0].id.to_string()) && lines[0].contains("checksum"), "{said}");
    assert!(lines[1].contains("it is listed, but a/metrics/blocks/"), "{said}");
    assert!(lines[2].contains("01HF7YAT000000000000000009: no list names this object"), "{said}");
    assert!(lines[3].ends_with("2 damaged; 1 object that no list names"), "{said}");
}

#[tokio::test]
async fn a_block_that_was_set_aside_is_read_again_once_it_is_sound() {
    let world = World::new();
    world.lay(ULID, &fixture::block(ULID, &two_days(), ""));
    world.import(|_| {}).await.0.unwrap();
    let tenant = TenantId::new("a").unwrap();
    let manifests = &world.tools.manifests;
    let block = world.tools.listed(&tenant, Signal::Metrics).await.unwrap()[0].id;
    assert!(manifests.set_aside(&tenant, Signal::Metrics, block, "a test").await.unwrap());
    let mut out = Vec::new();
    let options = LsOptions { tenant: Some("a".to_owned()), ..LsOptions::default() };
    ls(&world.tools, &options, &mut out).await.unwrap();
    assert!(String::from_utf8(out).unwrap().contains("set aside: a test"));
    let (outcome, said) = world.verified().await;
    assert!(outcome == Outcome::Good && said.contains("with --restore it is read again"), "{said}");
    let mut out = Vec::new();
    let options = VerifyOptions { restore: true, ..VerifyOptions::default() };
    verify(&world.tools, &options, &mut out).await.unwrap();
    assert!(String::from_utf8(out).unwrap().contains("it is read again"));
    assert!(
        manifests.refresh(&tenant, Signal::Metrics).await.unwrap().blocks.iter().all(|b| b.damaged.is_none())
    );
}
