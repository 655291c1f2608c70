//! Both languages are answered, within the limits of queries.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

use super::*;
use model::{Lines, Nanos, stale_nan};
use promql::ParseOptions;
use runtime::ManualClock;
use service_api::{
    ExemplarSeries, LabelQuery, LabelsReader, Limits, LineSource, LogPage, LogStream, MetricMetadata,
    Needles, PageData, RuleLanguage, Series, SeriesData, StreamSet, StreamsRequest, Warned,
};

/// One series and one stream.
struct Data {
    /// Whoever selects the series waits for ever.
    hangs: bool,
    samples: usize,
}

struct Counting(usize);

impl SeriesData for Counting {
    fn read(&self, _: TimeRange, out: &mut SampleBuffer) -> Result<()> {
        for i in 0..self.0 {
            out.timestamps.push(i as i64);
            out.values.push(if i + 1 == self.0 { stale_nan() } else { i as f64 });
        }
        Ok(())
    }
}

struct Page(Lines);

impl LineSource for Page {
    fn read(&self, needles: &Needles, out: &mut Lines) -> Result<bool> {
        out.clone_from(&self.0);
        Ok(needles.may_be_in(&out.text))
    }
}

#[async_trait]
impl LabelsReader for Data {
    async fn series(&self, _: &ReadContext, _: &LabelQuery) -> Result<Warned<Vec<Labels>>> {
        unreachable!("rules have no use for label sets alone")
    }

    async fn label_names(&self, _: &ReadContext, _: &LabelQuery) -> Result<Warned<Vec<String>>> {
        unreachable!("rules have no use for label names alone")
    }

    async fn label_values(&self, _: &ReadContext, _: &str, _: &LabelQuery) -> Result<Warned<Vec<String>>> {
        unreachable!("rules have no use for label values alone")
    }
}

#[async_trait]
impl MetricsReader for Data {
    async fn select(&self, _: &ReadContext, _: &SelectRequest) -> Result<SeriesSet> {
        if self.hangs {
            std::future::pending::<()>().await;
        }
        let labels = Labels::from_pairs([("__name__", "m")]);
        let series = vec![Series { labels, data: Arc::new(Counting(self.samples)) }];
        Ok(SeriesSet { series, warnings: vec!["half of it".to_owned()] })
    }

    async fn exemplars(&self, _: &ReadContext, _: &LabelQuery) -> Result<Vec<ExemplarSeries>> {
        unreachable!("rules have no use for exemplars")
    }

    async fn metadata(&self, _: &ReadContext, _: Option<&str>) -> Result<Vec<MetricMetadata>> {
        unreachable!("rules have no use for metadata")
    }
}

#[async_trait]
impl LogsReader for Data {
    async fn select(&self, _: &ReadContext, _: &StreamsRequest) -> Result<StreamSet> {
        let mut lines = Lines::default();
        let texts: [(Nanos, &str); 3] =
            [(1, "level=warn n=1"), (2, "level=error n=x"), (3, "level=error n=3")];
        for (second, text) in texts {
            lines.push(second * 1_000_000_000, text.as_bytes(), std::iter::empty());
        }
        let page = LogPage {
            range: model::NanoRange::new(1_000_000_000, 3_000_000_000),
            lines: 3,
            text_bytes: lines.text.len() as u64,
            stored_bytes: 0,
            origin: 0,
            is_cut: false,
            data: PageData::Here(Arc::new(Page(lines))),
        };
        let stream = LogStream { labels: Labels::from_pairs([("app", "api")]), pages: vec![page] };
        Ok(StreamSet { streams: vec![stream], warnings: Vec::new() })
    }
}

fn engines(data: Data, limits: Limits) -> Engines {
    let data = Arc::new(data);
    Engines {
        promql: Arc::default(),
        logql: Arc::default(),
        metrics: Arc::clone(&data) as Arc<dyn MetricsReader>,
        logs: data,
        limits: Arc::new(Arc::new(limits)),
        clock: Arc::new(ManualClock::at(0)),
    }
}

async fn instant(engines: &Engines, lang: RuleLanguage, text: &str, at: Timestamp) -> Result<Answer> {
    let expr = Expression::parse(lang, text, ParseOptions::default()).unwrap();
    engines.instant(&TenantId::anonymous(), &expr, at).await
}

#[tokio::test]
async fn promql_is_answered_with_its_warnings() {
    let engines = engines(Data { hangs: false, samples: 10 }, Limits::default());
    let answer = instant(&engines, RuleLanguage::Promql, "m * 2", 8).await.unwrap();
    assert_eq!(answer.samples, [(Labels::empty(), vectors::Sample::Float(16.0))]);
    assert_eq!(answer.warnings, ["half of it"]);
    // The series has ended by then.
    let answer = instant(&engines, RuleLanguage::Promql, "m", 9).await.unwrap();
    assert!(answer.samples.is_empty());
    let answer = instant(&engines, RuleLanguage::Promql, "time()", 9000).await.unwrap();
    assert_eq!(answer.samples, [(Labels::empty(), vectors::Sample::Float(9.0))]);
}

#[tokio::test]
async fn logql_is_answered_and_an_error_of_a_pipeline_is_one() {
    let engines = engines(Data { hangs: false, samples: 0 }, Limits::default());
    let counts = "sum by (level) (count_over_time({app=\"api\"} | logfmt [1m]))";
    let answer = instant(&engines, RuleLanguage::Logql, counts, 10_000).await.unwrap();
    let found: Vec<_> = answer.samples.iter().map(|(labels, value)| format!("{labels} {value:?}")).collect();
    assert_eq!(found, ["{level=\"error\"} Float(2.0)", "{level=\"warn\"} Float(1.0)"]);
    let sum = "sum(sum_over_time({app=\"api\"} | logfmt | unwrap n [1m]))";
    let error = instant(&engines, RuleLanguage::Logql, sum, 10_000).await.unwrap_err();
    assert!(error.message.contains("pipeline error"), "{error}");
    let error = instant(&engines, RuleLanguage::Logql, sum, i64::MAX).await.unwrap_err();
    assert_eq!(error.code, Code::BadRequest);
}

#[tokio::test(start_paused = true)]
async fn a_query_ends_at_its_timeout() {
    let limits = Limits { query_timeout: 7, ..Limits::default() };
    let engines = engines(Data { hangs: true, samples: 0 }, limits);
    let error = instant(&engines, RuleLanguage::Promql, "m", 0).await.unwrap_err();
    assert_eq!(error.code, Code::Timeout);
    assert!(error.message.contains("limits.query_timeout"), "{error}");
}

#[tokio::test]
async fn the_last_sample_is_found_though_it_be_a_stale_marker() {
    let last = async |samples| {
        let engines = engines(Data { hangs: false, samples }, Limits::default());
        engines.last(&TenantId::anonymous(), &[], TimeRange::ALL).await
    };
    let found = last(3).await.unwrap()[0].1;
    assert!(found.timestamp == 2 && model::is_stale(found.value));
    assert!(last(0).await.unwrap().is_empty());
}
