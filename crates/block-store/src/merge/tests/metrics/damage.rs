//! Blocks of which every checksum is right, and whose index contradicts itself or the pages.

use super::*;
use crate::block::{METRICS_MAGIC, PageKind, SeriesWriter, WrittenBlock};
use chunk::{encode_histograms, encode_values};

type Writer = SeriesWriter<Vec<u8>>;

/// Merges a block that somebody has written like that with a sound one.
async fn merged(write: impl Fn(&mut Writer)) -> Result<One, MergeError> {
    let setup = Setup::new(Signal::Metrics);
    let mut writer = SeriesWriter::new(Vec::new(), Vec::new(), PageLimits::BLOCKS);
    write(&mut writer);
    let WrittenBlock { values, times, tail, meta } = writer.finish().unwrap().unwrap();
    let meta = BlockMeta { id: id(7), ..meta };
    let bytes = [METRICS_MAGIC.to_vec(), values, times, tail.concat()].concat();
    setup.put_bytes(&meta, bytes).await;
    let sound = put(&setup.bucket, 1, 0, &[(host(1), floats([(5, 1.0), (6, 2.5)]))]).await;
    setup.merge(&[sound, meta], 10).await
}

/// A page of these values, at the times of vector 0.
fn floats_page(writer: &mut Writer, count: u32, range: (i64, i64), values: &[f64], starts: Option<u32>) {
    let mut page = Vec::new();
    encode_values(values, &mut page);
    let range = TimeRange::new(range.0, range.1);
    writer.take_over(&page, PageKind::Float { time: 0 }, count, range, starts).unwrap();
}

#[tokio::test]
async fn what_contradicts_itself_is_damaged() {
    let times = [1, 2, 3, 4];
    let values = [1.5, 2.5, 4.5, 7.25];
    let out_of_order = |writer: &mut Writer| {
        for number in [2, 1] {
            writer.floats(&times, &values, &[]).unwrap();
            writer.end_series(&host(number));
        }
    };
    let later_first = |writer: &mut Writer| {
        writer.floats(&[7, 8], &[1.0, 2.0], &[]).unwrap();
        writer.floats(&times, &values, &[]).unwrap();
        writer.end_series(&host(1));
    };
    let other_count = |writer: &mut Writer| {
        writer.floats(&times, &values, &[]).unwrap();
        writer.end_series(&host(1));
        floats_page(writer, 3, (1, 4), &values, None);
        writer.end_series(&host(2));
    };
    // A page says nothing of its length: bits that fill its last byte may be taken for some more values.
    let fewer_values = |writer: &mut Writer| {
        let (times, values): (Vec<_>, Vec<_>) = (1..200).map(|at| (at, (at * at % 7) as f64)).unzip();
        writer.floats(&times, &values, &[]).unwrap();
        writer.end_series(&host(1));
        floats_page(writer, 199, (1, 199), &values[..100], None);
        writer.end_series(&host(2));
    };
    let fewer_starts = |writer: &mut Writer| {
        writer.floats(&times, &values, &[]).unwrap();
        writer.floats(&times[..2], &values[..2], &[]).unwrap();
        floats_page(writer, 4, (1, 4), &values, Some(1));
        writer.end_series(&host(1));
    };
    let not_ascending = |writer: &mut Writer| {
        writer.floats(&[1, 3, 2, 4], &values, &[]).unwrap();
        writer.end_series(&host(1));
    };
    let other_histograms = |count: u32, end: i64| {
        move |writer: &mut Writer| {
            let at = |timestamp: i64| HistogramSample { timestamp, histogram: histogram(3, false) };
            let mut page = Vec::new();
            encode_histograms(&[at(1), at(2), at(3)], &mut page);
            let range = TimeRange::new(1, end);
            writer.take_over(&page, PageKind::Histogram { count, range }, count, range, None).unwrap();
            writer.end_series(&host(1));
        }
    };
    let check = |what: &'static str, merged: Result<One, MergeError>| match merged {
        Err(MergeError::Damaged { block, .. }) if block == id(7) => {}
        other => panic!("{what}: {other:?}"),
    };
    check("labels", merged(out_of_order).await);
    check("order", merged(later_first).await);
    check("count", merged(other_count).await);
    check("values", merged(fewer_values).await);
    check("starts", merged(fewer_starts).await);
    check("times", merged(not_ascending).await);
    check("histograms", merged(other_histograms(4, 3)).await);
    check("range", merged(other_histograms(3, 4)).await);
    check("empty", merged(other_histograms(3, 0)).await);
    merged(other_histograms(3, 3)).await.unwrap();
}
