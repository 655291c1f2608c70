//! Broken and hostile bodies on the write endpoints: the sender's error, never ours.

use integration_tests::{Random, Settings, TimeSeries, Version, Yagura, mutate, now_ms, snappy};

const MUTATIONS: usize = 1000;
const PATHS: [&str; 2] = ["/api/v1/write", "/api/v1/push"];
const MIB: u64 = 1 << 20;

/// Memory that the process may gain (row 26 of the reliability table).
pub const MAX_GROWTH: u64 = 64 * MIB;

fn valid(version: Version) -> Vec<u8> {
    let now = now_ms();
    let series = |n: usize| {
        let (instance, le) = (format!("host-{n}:9100"), format!("{}", 0.1 * n as f64));
        let labels = [("__name__", "fuzz_bucket"), ("instance", &instance), ("le", &le)];
        TimeSeries::new(&labels, &[(now - 2000, n as f64), (now - 1000, f64::NAN), (now, -1.5)])
    };
    version.message(&(0..8).map(series).collect::<Vec<_>>())
}

#[tokio::test]
async fn mutated_bodies_are_never_our_error() {
    let settings = Settings::default();
    let yagura = settings.start().await;
    let mut random = Random::seeded(2);
    for version in [Version::V1, Version::V2] {
        let message = valid(version);
        // The first, unbroken one warms up what stays in memory.
        assert_eq!(yagura.post(PATHS[0], version.headers(), snappy(&message)).await.status / 100, 2);
        let before = yagura.process.resident_bytes();
        for path in PATHS {
            let mut refused = 0;
            for n in 0..MUTATIONS {
                let mut body = if n % 2 == 0 { message.clone() } else { snappy(&message) };
                mutate(&mut body, &mut random);
                if n % 2 == 0 {
                    body = snappy(&body);
                }
                let answer = yagura.post(path, version.headers(), body.clone()).await;
                // A flipped bit in a value leaves a good request.
                let fine = answer.status / 100 == 2 || answer.status / 100 == 4;
                assert!(
                    fine,
                    "{version:?} {path}, mutation {n}: {} {} for {body:?}",
                    answer.status, answer.body
                );
                refused += usize::from(answer.status / 100 == 4);
            }
            println!("{version:?} on {path}: {refused} of {MUTATIONS} mutations refused");
            assert!(
                refused > MUTATIONS / 2,
                "only {refused} of {MUTATIONS} mutations of {path} were refused"
            );
        }
        alive_and_lean(&yagura, before).await;
    }
}

/// Still the same process, still taking writes, not much bigger.
pub async fn alive_and_lean(yagura: &Yagura, before: u64) {
    let growth = yagura.process.resident_bytes().saturating_sub(before);
    assert!(growth < MAX_GROWTH, "memory grew by {} MiB", growth / MIB);
    let now = now_ms();
    let series = [TimeSeries::new(&[("__name__", "still_alive")], &[(now, 42.0)])];
    assert_eq!(yagura.write(Version::V1, &series).await.status / 100, 2);
    let found = yagura.query().series("still_alive", now).await;
    assert_eq!(found.last().unwrap().points, [(now, 42.0)]);
    let log = yagura.process.log();
    assert!(!log.contains("panicked"), "{log}");
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

/// Snappy that claims `claimed` bytes and has 60 zero bytes and `copies` copies of them.
fn zeros(claimed: u64, copies: usize) -> Vec<u8> {
    let mut body = varint(claimed);
    // A literal, then copies with the offset in two bytes: the length less one stands in the
    // upper six bits of the tag (snappy's format_description.txt).
    body.extend([59 << 2]);
    body.extend([0; 60]);
    for _ in 0..copies {
        body.extend([59 << 2 | 2, 60, 0]);
    }
    body
}

#[tokio::test]
async fn bombs_are_refused_in_little_memory() {
    let settings = Settings::default();
    let yagura = settings.start().await;
    let before = yagura.process.resident_bytes();
    let many_series = [0x0a, 0x00].repeat(15 << 20);
    let many_symbols = [0x22, 0x00].repeat(15 << 20);
    let bombs: [(&str, Version, Vec<u8>); 9] = [
        ("claims 4 GiB", Version::V1, [varint(u64::from(u32::MAX)), vec![0; 100]].concat()),
        ("claims 2^63 bytes", Version::V1, [varint(1 << 63), vec![0; 100]].concat()),
        ("1 GiB of zeros", Version::V1, zeros(1 << 30, 1 << 18)),
        ("15 MiB of zeros", Version::V1, zeros(60 + (60 << 18), 1 << 18)),
        ("more than it claims", Version::V1, zeros(60, 1 << 18)),
        ("nothing", Version::V2, Vec::new()),
        ("15 million empty series", Version::V1, snappy(&many_series)),
        ("15 million empty symbols", Version::V2, snappy(&many_symbols)),
        ("a body over the limit", Version::V1, vec![0; 20 << 20]),
    ];
    for _ in 0..3 {
        for (name, version, body) in &bombs {
            for path in PATHS {
                let sent = yagura.http.send("POST", &yagura.url(path), version.headers(), body.clone()).await;
                // A body that is cut off may be answered by closing the connection.
                let status = sent.map_or(413, |answer| answer.status);
                assert!((400..500).contains(&status), "{name} on {path}: {status}");
            }
        }
    }
    alive_and_lean(&yagura, before).await;
}

#[tokio::test]
async fn what_is_no_remote_write_is_said_to_be_none() {
    let settings = Settings::default();
    let yagura = settings.start().await;
    let body = snappy(&valid(Version::V1));
    let protobuf = ("content-type", "application/x-protobuf");
    let snappy_encoding = ("content-encoding", "snappy");
    for (headers, want) in [
        (vec![("content-type", "application/json"), snappy_encoding], 415),
        (vec![("content-type", "application/x-protobuf;proto=io.example.Other"), snappy_encoding], 415),
        (vec![protobuf, ("content-encoding", "gzip")], 415),
        (vec![protobuf, ("content-encoding", "zstd")], 415),
    ] {
        for path in PATHS {
            let answer = yagura.post(path, &headers, body.clone()).await;
            assert_eq!(answer.status, want, "{path} {headers:?}: {}", answer.body);
        }
    }
    for path in PATHS {
        assert_eq!(yagura.get(path).await.status, 405, "{path}");
        let uncompressed = yagura.post(path, Version::V1.headers(), valid(Version::V1)).await;
        assert_eq!(uncompressed.status, 400, "{path}: {}", uncompressed.body);
    }
}
