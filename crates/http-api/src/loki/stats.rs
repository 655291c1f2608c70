//! What a query took, in the shape in which Loki tells it.

use logql::engine::Stats;
use std::time::Duration;

/// Appends `,"stats":{…}`. Loki's fields of stages that there are none of here are zeros: Grafana
/// expects all of them. What was read of blocks counts as the querier's, and so does the head's.
pub fn write_stats(out: &mut Vec<u8>, stats: &Stats, took: Duration) {
    let seconds = took.as_secs_f64();
    let per_second = |n: u64| if seconds > 0.0 { (n as f64 / seconds) as u64 } else { 0 };
    let Stats { bytes, lines, lines_after_filter, metadata_bytes, entries, .. } = stats;
    let summary = format!(
        r#"{{"bytesProcessedPerSecond":{},"linesProcessedPerSecond":{},"totalBytesProcessed":{bytes},"totalLinesProcessed":{lines},"execTime":{seconds},"queueTime":0,"subqueries":0,"totalEntriesReturned":{entries},"splits":0,"shards":0,"totalPostFilterLines":{lines_after_filter},"totalStructuredMetadataBytesProcessed":{metadata_bytes}}}"#,
        per_second(*bytes),
        per_second(*lines),
    );
    let querier = store(stats);
    let ingester = store(&Stats::default());
    let text = format!(
        r#","stats":{{"summary":{summary},"querier":{{"store":{querier}}},"ingester":{{"totalReached":0,"totalChunksMatched":0,"totalBatches":0,"totalLinesSent":0,"store":{ingester}}},"cache":{},"index":{{"totalChunks":{},"postFilterChunks":{},"shardsDuration":0,"usedBloomFilters":false,"totalStreams":{}}}}}"#,
        caches(),
        stats.pages_selected,
        stats.pages_selected,
        stats.streams,
    );
    out.extend_from_slice(text.as_bytes());
}

fn store(stats: &Stats) -> String {
    format!(
        r#"{{"totalChunksRef":{},"totalChunksDownloaded":{},"chunksDownloadTime":0,"queryReferencedStructuredMetadata":{},"chunk":{{"headChunkBytes":0,"headChunkLines":0,"decompressedBytes":{},"decompressedLines":{},"compressedBytes":{},"totalDuplicates":{},"postFilterLines":{},"headChunkStructuredMetadataBytes":0,"decompressedStructuredMetadataBytes":{}}},"chunkRefsFetchTime":0,"congestionControlLatency":0,"pipelineWrapperFilteredLines":0}}"#,
        stats.pages_selected,
        stats.pages_read,
        stats.metadata_bytes > 0,
        stats.bytes,
        stats.lines,
        stats.stored_bytes,
        stats.duplicates,
        stats.lines_after_filter,
        stats.metadata_bytes,
    )
}

/// Each of Loki's caches, none of which is here.
fn caches() -> String {
    const EMPTY: &str = r#"{"entriesFound":0,"entriesRequested":0,"entriesStored":0,"bytesReceived":0,"bytesSent":0,"requests":0,"downloadTime":0,"queryLengthServed":0}"#;
    let names = [
        "chunk",
        "index",
        "result",
        "statsResult",
        "volumeResult",
        "seriesResult",
        "labelResult",
        "instantMetricResult",
    ];
    let fields: Vec<String> = names.iter().map(|name| format!(r#""{name}":{EMPTY}"#)).collect();
    format!("{{{}}}", fields.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_that_grafana_looks_for_is_there() {
        let mut out = b"{\"data\":0".to_vec();
        let stats = Stats { bytes: 1000, lines: 10, entries: 3, ..Stats::default() };
        write_stats(&mut out, &stats, Duration::from_millis(500));
        out.push(b'}');
        let parsed: serde_json::Value = serde_json::from_slice(&out).unwrap();
        let summary = &parsed["stats"]["summary"];
        assert_eq!(summary["bytesProcessedPerSecond"], 2000);
        assert_eq!(summary["totalEntriesReturned"], 3);
        assert_eq!(parsed["stats"]["querier"]["store"]["chunk"]["decompressedBytes"], 1000);
        assert_eq!(parsed["stats"]["ingester"]["store"]["chunk"]["decompressedBytes"], 0);
        assert_eq!(parsed["stats"]["cache"]["result"]["requests"], 0);
    }
}
