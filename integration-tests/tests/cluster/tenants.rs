//! Row 29: one tenant never reads another one's data, over HTTP and over gRPC.

use super::endpoints::{Endpoint, Kind, endpoints, every_route_is_covered, grpc_methods};
use futures::StreamExt;
use integration_tests::{
    Cluster, Grpc, Layout, LogLine, LogStream, Message, PROTOBUF, PUSH, Random, Role, Version, form, mutate,
    now_ms, push_protobuf, snappy, soak, tell,
};
use std::{collections::BTreeMap, fs, time::Duration};
use tokio::time::timeout;
use tokio_tungstenite::{connect_async, tungstenite::client::IntoClientRequest};

/// Stands in everything that tenant A writes.
const MARK: &str = "mark-of-a";
const TENANT: &str = "x-scope-orgid";

/// Tenants that are not A, however much some look like it.
const OTHERS: &[&str] = &["b", "A", "aa", "b/../a", "../a", "./a", "a/", "%61", "b|b", "a%00", "*", ".", ""];

fn label(name: &str, value: &str) -> Message {
    Message::default().bytes(1, name.as_bytes()).bytes(2, value.as_bytes())
}

/// A series with a sample and an exemplar, and metadata: all with the mark.
async fn write_as_a(cluster: &Cluster) {
    let now = now_ms();
    let base = &cluster.bases(Role::Distributor)[0];
    let exemplar = Message::default().message(1, &label("trace", MARK)).double(2, 1.0).varint(3, now as u64);
    let mut series = Message::default();
    for (name, value) in [("__name__", "secret_total"), ("secret", MARK)] {
        series = series.message(1, &label(name, value));
    }
    let series =
        series.message(2, &Message::default().double(1, 1.0).varint(2, now as u64)).message(3, &exemplar);
    let metadata = Message::default().varint(1, 1).bytes(2, b"secret_total").bytes(4, MARK.as_bytes());
    let request = Message::default().message(1, &series).message(3, &metadata);
    let metadata = BTreeMap::from([("field".to_owned(), MARK.to_owned())]);
    let text = format!("field={MARK} level=info");
    let mut stream = LogStream::new(&[("secret", MARK)], &[]);
    stream.lines.push(LogLine { nanos: now * 1_000_000, text, metadata });
    for (path, headers, body) in [
        ("/api/v1/write", Version::V1.headers(), snappy(&request.0)),
        (PUSH, PROTOBUF, push_protobuf(&[stream])),
    ] {
        let headers = [headers, &[(TENANT, "a")]].concat();
        let answer = cluster.http.send("POST", &format!("{base}{path}"), &headers, body).await.unwrap();
        assert_eq!(answer.status / 100, 2, "{path}: {}", answer.body);
    }
}

/// Asks for everything that a path may show.
fn fields(path: &str) -> String {
    let (start, end) = ((now_ms() / 1000 - 1800).to_string(), (now_ms() / 1000 + 60).to_string());
    let query = match path {
        _ if path.contains("query_exemplars") || !path.starts_with("/loki") => "{secret=~\".+\"}",
        _ if path.ends_with("/query") => "sum by (secret) (count_over_time({secret=~\".+\"}[1h]))",
        _ => "{secret=~\".+\"}",
    };
    form(&[
        ("query", query),
        ("match[]", "{secret=~\".+\"}"),
        ("selector", "{secret=~\".+\"}"),
        ("label_names[]", "secret"),
        ("start", &start),
        ("end", &end),
        ("time", &end),
        ("step", "15"),
        ("limit", "100"),
    ])
}

/// prometheus.ReadRequest: queries = 1 { start = 1, end = 2, matchers = 3 { type = 1, name = 2, value = 3 } }.
fn remote_read() -> Vec<u8> {
    let matcher = Message::default().varint(1, 2).bytes(2, b"secret").bytes(3, b".+");
    let (start, end) = (now_ms() as u64 - 1_800_000, now_ms() as u64 + 60_000);
    snappy(
        &Message::default()
            .message(1, &Message::default().varint(1, start).varint(2, end).message(3, &matcher))
            .0,
    )
}

/// What a path says to whoever comes with these headers: the status and the body as text. Even in
/// snappy's blocks, in which repeated bytes are hidden, the first mark stands as it is.
async fn ask(cluster: &Cluster, base: &str, endpoint: &Endpoint, headers: &[(&str, &str)]) -> (u16, String) {
    let mut url = format!("{base}{}", endpoint.path);
    let mut body = Vec::new();
    if endpoint.method == "GET" {
        url = format!("{url}?{}", fields(&endpoint.path));
    } else if endpoint.path.ends_with("/read") {
        body = remote_read();
    }
    let read = [("content-type", "application/x-protobuf"), ("content-encoding", "snappy")];
    let headers = if body.is_empty() { headers.to_vec() } else { [headers, &read].concat() };
    match cluster.http.send(endpoint.method, &url, &headers, body).await {
        Ok(answer) => (answer.status, answer.body),
        // Not all that we try makes a request.
        Err(error) if error.is_builder() => (400, String::new()),
        Err(error) => panic!("{url}: {error:?}"),
    }
}

#[test]
fn every_endpoint_is_among_those_that_are_tried() {
    every_route_is_covered();
    let known = Vec::from_iter(messages(now_ms(), &[]).into_iter().map(|(method, _)| method));
    for method in grpc_methods() {
        assert!(known.iter().any(|m| *m == method), "{method} is not among the methods of this test");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_29_a_tenant_never_reads_another_one() {
    let rounds = if soak() { 20 } else { 1 };
    let layout = Layout::default().set(&["multitenancy.enabled=true"]);
    let cluster = Cluster::start(layout).await;
    write_as_a(&cluster).await;
    let (mut random, mut tried) = (Random::seeded(29), 0);
    for flushed in [false, true] {
        if flushed {
            cluster.flush_all().await;
            // Heads have these, blocks the first ones.
            write_as_a(&cluster).await;
        }
        a_reads_its_own(&cluster).await;
        for _ in 0..rounds {
            tried += others_over_http(&cluster, &mut random).await;
            tried += others_over_grpc(&cluster, &mut random).await;
        }
        tried += others_tail(&cluster).await;
    }
    tell(&format!("row 29: 0 of {tried} requests of other tenants read anything of tenant a"));
    assert!(tried > 1000, "{tried} tries are too few");
}

/// Without this the rest would show nothing.
async fn a_reads_its_own(cluster: &Cluster) {
    let querier = &cluster.bases(Role::Querier)[0];
    let exemplars_are_in_heads = |path: &str| path.contains("exemplars") || path.contains("metadata");
    for endpoint in endpoints().into_iter().filter(|e| e.kind == Kind::Data) {
        let (status, body) = ask(cluster, querier, &endpoint, &[(TENANT, "a")]).await;
        let sees = body.contains(MARK) || exemplars_are_in_heads(&endpoint.path);
        assert!(status == 200 && sees, "{}: {status} {body}", endpoint.path);
    }
    let mut seen = 0;
    for (address, method, message) in calls(cluster) {
        let metadata = [(TENANT, "a")];
        let answer = Grpc::default().call(&address, &method, &metadata, &message, PATIENCE).await.unwrap();
        seen += usize::from(answer.contains(MARK));
    }
    assert!(seen >= 5, "over gRPC tenant a sees its own data in {seen} answers only");
}

async fn others_over_http(cluster: &Cluster, random: &mut Random) -> usize {
    let mut tried = 0;
    let bases = [Role::Querier, Role::Distributor, Role::Ingester].map(|role| cluster.bases(role)[0].clone());
    for endpoint in endpoints().into_iter().filter(|e| e.kind != Kind::Fatal) {
        for base in &bases {
            // Every other tenant where there is data to be had, some at the rest.
            let tenants = if endpoint.kind == Kind::Data && *base == bases[0] { OTHERS.len() } else { 2 };
            for n in 0..tenants {
                let tenant = OTHERS[if tenants == OTHERS.len() { n } else { random.below(OTHERS.len()) }];
                let (status, body) = ask(cluster, base, &endpoint, &[(TENANT, tenant)]).await;
                assert!(
                    !body.contains(MARK),
                    "{} {} as tenant {tenant:?}: {status} {body}",
                    endpoint.method,
                    endpoint.path
                );
                tried += 1;
            }
            let (status, body) = ask(cluster, base, &endpoint, &[]).await;
            let refused = endpoint.kind != Kind::Data || status / 100 == 4;
            assert!(refused && !body.contains(MARK), "{} of nobody: {status} {body}", endpoint.path);
            tried += 1;
        }
    }
    tried
}

async fn others_tail(cluster: &Cluster) -> usize {
    let base = cluster.bases(Role::Querier)[0].replacen("http", "ws", 1);
    let url = format!("{base}/loki/api/v1/tail?{}", form(&[("query", "{secret=~\".+\"}"), ("limit", "10")]));
    let mut sockets = Vec::new();
    for tenant in ["a", "b", "aa"] {
        let mut request = url.as_str().into_client_request().unwrap();
        request.headers_mut().insert(TENANT, tenant.parse().unwrap());
        sockets.push((tenant, connect_async(request).await.unwrap().0));
    }
    write_as_a(cluster).await;
    for (tenant, mut socket) in sockets {
        let mut seen = false;
        // Pings come for ever.
        let look = async {
            while !seen && let Some(Ok(frame)) = socket.next().await {
                seen = frame.into_text().is_ok_and(|text| text.contains(MARK));
            }
        };
        let _ = timeout(Duration::from_secs(2), look).await;
        assert_eq!(seen, tenant == "a", "tenant {tenant} tails");
    }
    2
}

const PATIENCE: Duration = Duration::from_millis(700);

/// Every method with a message that asks it for all that it has, blocks by their ids among it.
fn messages(now: i64, blocks: &[Vec<u8>]) -> Vec<(&'static str, Vec<Message>)> {
    let zigzag = |n: i64| ((n << 1) ^ (n >> 63)) as u64;
    let matcher = Message::default().varint(1, 2).bytes(2, b"secret").bytes(3, b".+");
    let (from, to) = (now - 3_600_000, now + 3_600_000);
    let (ms, ns) = ((zigzag(from), zigzag(to)), (zigzag(from * 1_000_000), zigzag(to * 1_000_000)));
    let listed = |signal: u64, field: u32, message: Message| {
        // Block: id = 1, min_time = 2, max_time = 3, series = 4, samples = 5, bytes = 7.
        let times = if signal == 0 { ms } else { ns };
        let each = blocks.iter().map(|id| {
            let block = Message::default().bytes(1, id).varint(2, times.0).varint(3, times.1);
            block.varint(4, 1).varint(5, 1).varint(7, 1 << 16)
        });
        let list = each.fold(Message::default().varint(1, signal), |list, block| list.message(2, &block));
        if blocks.is_empty() { message } else { message.message(field, &list) }
    };
    let select = Message::default().message(1, &matcher).varint(2, ms.0).varint(3, ms.1);
    let streams = Message::default().message(1, &matcher).varint(2, ns.0).varint(3, ns.1);
    let streams = Message::default().message(1, &listed(1, 4, streams));
    let labels = |signal: u64| {
        let message = Message::default()
            .varint(1, signal)
            .message(2, &Message::default().message(1, &matcher))
            .varint(3, ms.0)
            .varint(4, ms.1);
        listed(signal, 5, message).bytes(6, b"secret")
    };
    // EvaluateRequest: signal = 1, query = 2, start = 3, interval = 4, steps = 5, lookback = 6.
    let evaluate = |signal: u64, query: &[u8], start: u64, interval: u64| {
        let message = Message::default().varint(1, signal).bytes(2, query).varint(3, start);
        message.varint(4, interval).varint(5, 121).varint(6, 300_000 * (1 - signal))
    };
    let evaluates = vec![
        evaluate(0, b"{secret=~\".+\"}", ms.0, 60_000),
        evaluate(1, b"count_over_time({secret=~\".+\"}[5m])", ns.0, 60_000_000_000),
    ];
    // A series by a key that nobody has.
    let append =
        Message::default().bytes(1, &[7; 16]).bytes(3, &now.to_le_bytes()).bytes(4, &1f64.to_le_bytes());
    let append_logs = Message::default()
        .bytes(1, &[7; 16])
        .packed(2, [1])
        .bytes(3, &(now * 1_000_000).to_le_bytes())
        .packed(4, [4])
        .bytes(5, b"line");
    let both = || vec![labels(0), labels(1)];
    vec![
        ("/yagura.ingester.v1.Ingester/Append", vec![append]),
        ("/yagura.ingester.v1.Ingester/AppendLogs", vec![append_logs]),
        ("/yagura.ingester.v1.Ingester/Tail", vec![Message::default().message(1, &matcher)]),
        ("/yagura.reader.v1.Reader/Select", vec![listed(0, 4, select)]),
        ("/yagura.reader.v1.Reader/SelectStreams", vec![streams]),
        ("/yagura.reader.v1.Reader/Series", both()),
        ("/yagura.reader.v1.Reader/LabelNames", both()),
        ("/yagura.reader.v1.Reader/LabelValues", both()),
        ("/yagura.reader.v1.Reader/Exemplars", vec![labels(0)]),
        ("/yagura.reader.v1.Reader/Metadata", vec![Message::default()]),
        ("/yagura.reader.v1.Reader/Changes", vec![Message::default(), Message::default().varint(1, 1)]),
        ("/yagura.reader.v1.Reader/Evaluate", evaluates),
        ("/yagura.ruler.v1.Ruler/Groups", vec![Message::default()]),
        ("/yagura.ruler.v1.Ruler/Changed", vec![Message::default()]),
        ("/yagura.ruler.v1.Ruler/Alertmanagers", vec![Message::default()]),
        (
            "/grpc.health.v1.Health/Check",
            vec![Message::default(), Message::default().bytes(1, b"ring-store")],
        ),
    ]
}

/// All calls to heads and, where there are blocks of A, for these too: address, method, message.
pub fn calls(cluster: &Cluster) -> Vec<(String, String, Message)> {
    let address = |role: Role| format!("http://{}", cluster.member(&cluster.of(role)[0]).grpc);
    let (ingester, querier) = (address(Role::Ingester), address(Role::Querier));
    let blocks = blocks_of_a(cluster);
    let mut all = Vec::new();
    for (address, blocks) in [(&ingester, &[][..]), (&querier, &blocks), (&ingester, &blocks)] {
        for (method, messages) in messages(now_ms(), blocks) {
            all.extend(messages.into_iter().map(|message| (address.clone(), method.to_owned(), message)));
        }
    }
    all
}

/// The ids of A's blocks: ULIDs are the names of their objects.
fn blocks_of_a(cluster: &Cluster) -> Vec<Vec<u8>> {
    let folders = ["metrics", "logs"].map(|signal| cluster.bucket().join(format!("a/{signal}/blocks")));
    let files = folders.iter().flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten());
    let names = files.map(|file| file.file_name().into_string().unwrap());
    Vec::from_iter(names.filter_map(|name| ulid(&name)))
}

/// Crockford's base 32.
fn ulid(name: &str) -> Option<Vec<u8>> {
    const DIGITS: &str = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let name = name.get(..26)?;
    let number =
        name.chars().try_fold(0u128, |n, c| Some(n << 5 | DIGITS.find(c.to_ascii_uppercase())? as u128))?;
    Some(number.to_be_bytes().to_vec())
}

async fn others_over_grpc(cluster: &Cluster, random: &mut Random) -> usize {
    let (grpc, mut tried) = (Grpc::default(), 0);
    for (address, method, message) in calls(cluster) {
        for _ in 0..3 {
            let tenant = OTHERS[random.below(OTHERS.len())];
            let mut message = message.clone();
            if random.below(3) == 0 {
                mutate(&mut message.0, random);
            }
            let metadata = [(TENANT, tenant)];
            // A message may be broken so that the server breaks the stream.
            let answer =
                grpc.call(&address, &method, &metadata, &message, PATIENCE).await.unwrap_or_default();
            assert!(!answer.contains(MARK), "{method} as tenant {tenant:?} shows tenant a's data");
            tried += 1;
        }
        let answer = grpc.call(&address, &method, &[], &message, PATIENCE).await.unwrap_or_default();
        assert!(!answer.contains(MARK), "{method} of nobody shows tenant a's data");
        tried += 1;
    }
    tried
}
