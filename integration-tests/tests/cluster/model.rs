//! Row 18: entries out of order, twice, and sent again are what a plain model says they are.

use integration_tests::{
    Cluster, Http, Layout, LogQuery, LogStream, PROTOBUF, PUSH, Query, Random, Role, TimeSeries, Version,
    now_ms, push_protobuf, soak, tell,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::time::sleep;

const SERIES: usize = 20;
/// How far back entries go, in milliseconds: within the out-of-order window.
const BACK: i64 = 3_000_000;

/// What must be there.
#[derive(Debug, Default)]
struct Model {
    samples: BTreeMap<usize, BTreeMap<i64, f64>>,
    lines: BTreeMap<usize, BTreeSet<(i64, String)>>,
}

/// A request of either signal.
#[derive(Clone)]
struct Push {
    path: &'static str,
    headers: &'static [(&'static str, &'static str)],
    body: Vec<u8>,
}

impl Push {
    async fn send(&self, http: &Http, base: &str) -> u16 {
        let url = format!("{base}{}", self.path);
        let answer = http.send("POST", &url, self.headers, self.body.clone()).await.unwrap();
        assert!(answer.status < 500, "{}: {} {}", self.path, answer.status, answer.body);
        answer.status
    }
}

/// One value for each series and time, so that every copy is the same.
fn value(series: usize, time: i64) -> f64 {
    (time % 100_000) as f64 + series as f64 / 100.0
}

fn samples(series: &[(usize, Vec<(i64, f64)>)], random: &mut Random) -> Push {
    let one = |(n, samples): &(usize, Vec<(i64, f64)>)| {
        TimeSeries::new(&[("__name__", "model"), ("series", &n.to_string())], samples)
    };
    let version = if random.below(2) == 0 { Version::V1 } else { Version::V2 };
    let body = version.body(&series.iter().map(one).collect::<Vec<_>>());
    Push { path: "/api/v1/write", headers: version.headers(), body }
}

fn lines(streams: &[(usize, Vec<(i64, String)>)]) -> Push {
    let one = |(n, lines): &(usize, Vec<(i64, String)>)| {
        let lines: Vec<(i64, &str)> = lines.iter().map(|(t, text)| (*t, text.as_str())).collect();
        LogStream::new(&[("app", "model"), ("stream", &n.to_string())], &lines)
    };
    let body = push_protobuf(&streams.iter().map(one).collect::<Vec<_>>());
    Push { path: PUSH, headers: PROTOBUF, body }
}

impl Model {
    /// A request with entries from anywhere in the window, some of them twice.
    fn random_push(&mut self, random: &mut Random, now: i64) -> Push {
        let metrics = random.below(2) == 0;
        let (mut series, mut streams) = (Vec::new(), Vec::new());
        for _ in 0..1 + random.below(5) {
            let n = random.below(SERIES);
            let times =
                Vec::from_iter((0..1 + random.below(8)).map(|_| now - random.below(BACK as usize) as i64));
            let times = Vec::from_iter(times.iter().chain(times.iter().take(random.below(3))).copied());
            if metrics {
                let found = times.iter().map(|t| (*t, value(n, *t)));
                self.samples.entry(n).or_default().extend(found.clone());
                series.push((n, found.collect()));
            } else {
                // Several texts at one time are several lines.
                let found =
                    times.iter().map(|t| (*t * 1_000_000, format!("text {} of {t}", random.below(3))));
                let found = Vec::from_iter(found);
                self.lines.entry(n).or_default().extend(found.iter().cloned());
                streams.push((n, found));
            }
        }
        if metrics { samples(&series, random) } else { lines(&streams) }
    }

    /// Samples that are there already, with values that they do not have.
    fn contradictions(&self, random: &mut Random) -> Push {
        let wrong = |(t, v): (&i64, &f64)| (*t, v + 1.0);
        let each = self.samples.iter().map(|(n, there)| (*n, there.iter().take(3).map(wrong).collect()));
        samples(&each.collect::<Vec<_>>(), random)
    }

    async fn check(&self, http: &Http, base: &str, now: i64) {
        let mut found: BTreeMap<usize, BTreeMap<i64, f64>> = BTreeMap::new();
        for series in Query::new(http.clone(), base).series("model[2h]", now).await {
            let n = series.labels["series"].parse().unwrap();
            let (points, count) = (BTreeMap::from_iter(series.points.iter().copied()), series.points.len());
            assert_eq!(points.len(), count, "series {n} has samples twice");
            found.insert(n, points);
        }
        assert!(found == self.samples, "samples differ:\n{}", first_difference(&found, &self.samples));
        for (n, there) in &self.lines {
            let query = format!("{{app=\"model\", stream=\"{n}\"}}");
            let (from, to) = ((now - 7_200_000) * 1_000_000, now * 1_000_000);
            let streams = LogQuery::new(http.clone(), base).lines(&query, from, to).await;
            let mut lines = Vec::from_iter(streams.into_iter().flat_map(|stream| stream.lines));
            lines.sort_by(|a, b| (a.nanos, &a.text).cmp(&(b.nanos, &b.text)));
            let lines = Vec::from_iter(lines.into_iter().map(|line| (line.nanos, line.text)));
            let wanted = Vec::from_iter(there.iter().cloned());
            let first = lines.iter().zip(&wanted).find(|(a, b)| a != b);
            assert!(
                lines == wanted,
                "stream {n} has {} lines instead of {}, the first difference: {first:?}",
                lines.len(),
                wanted.len()
            );
        }
    }
}

fn first_difference(
    found: &BTreeMap<usize, BTreeMap<i64, f64>>,
    wanted: &BTreeMap<usize, BTreeMap<i64, f64>>,
) -> String {
    let all = |map: &BTreeMap<usize, BTreeMap<i64, f64>>| {
        BTreeSet::from_iter(map.iter().flat_map(|(n, s)| s.iter().map(|(t, v)| (*n, *t, v.to_bits()))))
    };
    let (found, wanted) = (all(found), all(wanted));
    let show = |(n, t, bits): &(usize, i64, u64)| format!("series {n} at {t}: {}", f64::from_bits(*bits));
    let (more, less) = (found.difference(&wanted), wanted.difference(&found));
    format!(
        "too much: {:?}\nmissing: {:?}",
        more.map(show).take(5).collect::<Vec<_>>(),
        less.map(show).take(5).collect::<Vec<_>>()
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_18_out_of_order_duplicates_and_retries_equal_the_model() {
    let pushes = if soak() { 8000 } else { 600 };
    let cluster = Cluster::start(Layout::default()).await;
    let bases = Arc::new(cluster.bases(Role::Distributor));
    let (mut model, mut random) = (Model::default(), Random::seeded(18));
    let start = now_ms();
    for round in 0..2 {
        let mut flying = tokio::task::JoinSet::new();
        for n in 0..pushes / 2 {
            let push = model.random_push(&mut random, start);
            let (http, bases, first) = (cluster.http.clone(), Arc::clone(&bases), random.below(2));
            // One in three is sent again: later, or to another distributor at the same time.
            let again = random.below(6);
            flying.spawn(async move {
                let other = &bases[(first + 1) % bases.len()];
                let statuses = match again {
                    0 => {
                        let (one, two) =
                            tokio::join!(push.send(&http, &bases[first]), push.send(&http, other));
                        [one, two]
                    }
                    1 => {
                        let one = push.send(&http, &bases[first]).await;
                        sleep(Duration::from_millis(20)).await;
                        [one, push.send(&http, other).await]
                    }
                    _ => [push.send(&http, &bases[first]).await; 2],
                };
                assert!(statuses.iter().all(|s| s / 100 == 2), "push {n} was answered with {statuses:?}");
            });
            if flying.len() >= 8 {
                flying.join_next().await.unwrap().unwrap();
            }
        }
        while let Some(done) = flying.join_next().await {
            done.unwrap();
        }
        if round == 0 {
            // A replica that was not waited for has them by now too, and all refuse what contradicts
            // them. Later, when they are in blocks only, nobody would look.
            sleep(Duration::from_secs(1)).await;
            let status = model.contradictions(&mut random).send(&cluster.http, &bases[0]).await;
            assert_eq!(status, 400, "samples with other values at the same times were taken");
        }
        for base in cluster.bases(Role::Querier) {
            model.check(&cluster.http, &base, start).await;
        }
        // The second round's entries fall between those that are in blocks then.
        cluster.flush_all().await;
        for base in cluster.bases(Role::Querier) {
            model.check(&cluster.http, &base, start).await;
        }
    }
    let samples: usize = model.samples.values().map(BTreeMap::len).sum();
    let lines: usize = model.lines.values().map(BTreeSet::len).sum();
    tell(&format!("row 18: {pushes} pushes; {samples} samples and {lines} lines equal the model"));
}
