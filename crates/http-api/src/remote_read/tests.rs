//! Remote read as a client sees it.

use super::messages::{
    ChunkedReadResponse, LabelMatcher, Query, ReadRequest, ResponseType, TimeSeries, ZeroCount,
};
use crate::tests::fixture::{Answer, Api, Fixture};
use axum::body::Body;
use http::{Request, StatusCode, header};
use prost::Message;

#[derive(Clone, PartialEq, prost::Message)]
struct ReadResponse {
    #[prost(message, repeated, tag = "1")]
    results: Vec<QueryResult>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct QueryResult {
    #[prost(message, repeated, tag = "1")]
    timeseries: Vec<TimeSeries>,
}

fn query(name: &str, start_timestamp_ms: i64, end_timestamp_ms: i64) -> Query {
    let matcher = LabelMatcher { kind: 0, name: "__name__".to_owned(), value: name.to_owned() };
    Query { start_timestamp_ms, end_timestamp_ms, matchers: vec![matcher] }
}

async fn read(queries: Vec<Query>, accepted: &[ResponseType]) -> Answer {
    let accepted_response_types = accepted.iter().map(|t| *t as i32).collect();
    send(&ReadRequest { queries, accepted_response_types }.encode_to_vec()).await
}

async fn send(message: &[u8]) -> Answer {
    let body = snap::raw::Encoder::new().compress_vec(message).unwrap();
    Api::new(Fixture::default()).send(Request::post("/api/v1/read").body(Body::from(body)).unwrap()).await
}

/// The frames of a streamed answer, their checksums checked.
fn frames(mut body: &[u8]) -> Vec<ChunkedReadResponse> {
    let mut frames = Vec::new();
    while !body.is_empty() {
        let length = prost::encoding::decode_varint(&mut body).unwrap() as usize;
        let (crc, rest) = body.split_first_chunk::<4>().unwrap();
        let (message, rest) = rest.split_at(length);
        assert_eq!(u32::from_be_bytes(*crc), crc32c::crc32c(message));
        frames.push(ChunkedReadResponse::decode(message).unwrap());
        body = rest;
    }
    frames
}

#[tokio::test]
async fn samples_come_in_one_message_with_a_result_for_each_query() {
    let answer = read(vec![query("requests_total", 15_000, 30_000), query("nothing", 0, 1)], &[]).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/x-protobuf");
    assert_eq!(answer.headers[header::CONTENT_ENCODING], "snappy");
    let message = snap::raw::Decoder::new().decompress_vec(&answer.body).unwrap();
    let response = ReadResponse::decode(message.as_slice()).unwrap();
    assert_eq!(response.results.len(), 2);
    assert!(response.results[1].timeseries.is_empty());
    let [series] = response.results[0].timeseries.as_slice() else { panic!("one series") };
    let labels: Vec<_> = series.labels.iter().map(|l| (l.name.as_str(), l.value.as_str())).collect();
    assert_eq!(labels, [("__name__", "requests_total"), ("job", "api")]);
    let samples: Vec<_> = series.samples.iter().map(|s| (s.timestamp, s.value)).collect();
    assert_eq!(samples, [(15_000, 7.5), (30_000, 15.0)]);
}

#[tokio::test]
async fn histograms_and_stale_markers_are_among_the_samples() {
    let answer =
        read(vec![query("latency", 0, 20_000), query("up", 600_000, 600_000)], &[ResponseType::Samples])
            .await;
    let message = snap::raw::Decoder::new().decompress_vec(&answer.body).unwrap();
    let response = ReadResponse::decode(message.as_slice()).unwrap();
    let histograms = &response.results[0].timeseries[0].histograms;
    assert_eq!(histograms.iter().map(|h| h.timestamp).collect::<Vec<_>>(), [0, 15_000]);
    assert_eq!(histograms[0].positive_deltas, [1, 2, -1]);
    assert_eq!((histograms[0].zero_count, histograms[0].reset_hint), (Some(ZeroCount::Integer(2)), 2));
    assert_eq!(response.results[1].timeseries[1].samples[0].value.to_bits(), model::STALE_NAN);
}

#[tokio::test]
async fn chunks_are_streamed_in_frames_of_one_series() {
    let queries = vec![query("up", 0, 600_000), query("latency", 0, 15_000)];
    let answer = read(queries, &[ResponseType::StreamedXorChunks, ResponseType::Samples]).await;
    assert_eq!(answer.status, StatusCode::OK);
    let content_type = "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse";
    assert_eq!(answer.headers[header::CONTENT_TYPE], content_type);
    let frames = frames(&answer.body);
    let queries: Vec<_> = frames.iter().map(|f| f.query_index).collect();
    assert_eq!(queries, [0, 0, 1]);
    let shapes = |frame: usize| {
        let chunks = frames[frame].chunked_series[0].chunks.iter();
        chunks.map(|c| (c.min_time_ms, c.max_time_ms, c.encoding)).collect::<Vec<_>>()
    };
    assert_eq!(shapes(0), [(0, 600_000, 1)]);
    assert_eq!(shapes(2), [(0, 0, 2), (15_000, 15_000, 2)]);
    assert_eq!(frames[1].chunked_series[0].labels[1].value, "y:1");
}

#[tokio::test]
async fn nothing_selected_is_an_empty_stream() {
    let answer = read(vec![query("nothing", 0, 1)], &[ResponseType::StreamedXorChunks]).await;
    assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, 0));
}

#[tokio::test]
async fn requests_that_cannot_be_served_say_why() {
    let answer =
        send(&ReadRequest { queries: Vec::new(), accepted_response_types: vec![7] }.encode_to_vec()).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        answer.text(),
        "server does not support any of the requested response types: [7]; supported: SAMPLES, STREAMED_XOR_CHUNKS\n"
    );
    let mut bad = query("up", 0, 1);
    bad.matchers[0].kind = 9;
    let answer = read(vec![bad.clone()], &[]).await;
    assert_eq!((answer.status, answer.text()), (StatusCode::BAD_REQUEST, "invalid matcher type\n"));
    bad.matchers[0] = LabelMatcher { kind: 2, name: "a".to_owned(), value: "(".to_owned() };
    assert_eq!(read(vec![bad], &[]).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_bomb_is_refused_before_it_is_unpacked() {
    let api = Api::new(Fixture::default());
    // A snappy header that promises 4 GiB.
    let bomb = vec![0xff, 0xff, 0xff, 0xff, 0x0f, 0];
    let answer = api.send(Request::post("/api/v1/read").body(Body::from(bomb)).unwrap()).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
}
