//! A few log streams in memory, in one page each.

use async_trait::async_trait;
use model::{Labels, Lines, Matcher, NanoRange, TenantId};
use service_api::{
    Error, LabelQuery, LabelsReader, LineSource, LogPage, LogStream, LogsReader, LogsTail, Needles, PageData,
    ReadContext, Result, StreamSet, StreamsRequest, TailItem, Warned,
};
use std::{collections::BTreeSet, sync::Arc};
use tokio::sync::mpsc;

const SECOND: i64 = 1_000_000_000;

/// Streams at 100 to 400 s, sorted by labels.
pub struct MemoryLogs(Vec<(Labels, Arc<Page>)>);

pub struct Page(Lines);

impl LineSource for Page {
    fn read(&self, needles: &Needles, out: &mut Lines) -> Result<bool> {
        out.clone_from(&self.0);
        Ok(needles.may_be_in(&out.text))
    }
}

type Line<'a> = (i64, &'a str, &'a [(&'a str, &'a str)]);

fn stream(labels: &[(&str, &str)], all: &[Line<'_>]) -> (Labels, Arc<Page>) {
    let mut lines = Lines::default();
    for (seconds, text, metadata) in all {
        lines.push(seconds * SECOND, text.as_bytes(), metadata.iter().copied());
    }
    (Labels::from_pairs(labels.iter().copied()), Arc::new(Page(lines)))
}

impl MemoryLogs {
    pub fn new() -> Self {
        Self(vec![
            stream(
                &[("app", "api"), ("env", "prod")],
                &[
                    (100, "level=info msg=\"hello <you>\" took=5ms", &[("trace", "t1")]),
                    (200, "level=error msg=\"über\" took=1.5s", &[]),
                    (300, "plain \"quoted\"\ttext", &[("trace", "t2")]),
                ],
            ),
            stream(
                &[("app", "web"), ("env", "prod")],
                &[(150, r#"{"a":{"b":1},"ok":true}"#, &[]), (400, "last", &[])],
            ),
        ])
    }

    fn matching(&self, matchers: &[Matcher], range: NanoRange) -> impl Iterator<Item = &(Labels, Arc<Page>)> {
        self.0.iter().filter(move |(labels, page)| {
            matchers.iter().all(|m| m.matches_labels(labels)) && page.range().overlaps(&range)
        })
    }

    fn labels(&self, query: &LabelQuery) -> Vec<Labels> {
        let everything = [Vec::new()];
        let sets = if query.matcher_sets.is_empty() { &everything[..] } else { &query.matcher_sets };
        let range = query.range.into();
        let found: BTreeSet<Labels> =
            sets.iter().flat_map(|set| self.matching(set, range)).map(|(labels, _)| labels.clone()).collect();
        found.into_iter().collect()
    }
}

impl Page {
    fn range(&self) -> NanoRange {
        NanoRange::new(self.0.timestamps[0], self.0.timestamps[self.0.len() - 1])
    }
}

#[async_trait]
impl LabelsReader for MemoryLogs {
    async fn series(&self, _: &ReadContext, query: &LabelQuery) -> Result<Warned<Vec<Labels>>> {
        Ok(self.labels(query).into())
    }

    async fn label_names(&self, _: &ReadContext, query: &LabelQuery) -> Result<Warned<Vec<String>>> {
        let labels = self.labels(query);
        let names: BTreeSet<_> =
            labels.iter().flat_map(Labels::iter).map(|(name, _)| name.to_owned()).collect();
        Ok(names.into_iter().collect::<Vec<_>>().into())
    }

    async fn label_values(
        &self,
        _: &ReadContext,
        name: &str,
        query: &LabelQuery,
    ) -> Result<Warned<Vec<String>>> {
        let labels = self.labels(query);
        let values: BTreeSet<_> =
            labels.iter().filter_map(|labels| labels.get(name)).map(str::to_owned).collect();
        Ok(values.into_iter().collect::<Vec<_>>().into())
    }
}

#[async_trait]
impl LogsReader for MemoryLogs {
    async fn select(&self, _: &ReadContext, request: &StreamsRequest) -> Result<StreamSet> {
        let stream = |(labels, page): &(Labels, Arc<Page>)| LogStream {
            labels: labels.clone(),
            pages: vec![LogPage {
                range: page.range(),
                lines: page.0.len() as u32,
                text_bytes: (page.0.text.len() - page.0.len()) as u64,
                stored_bytes: 0,
                origin: 0,
                is_cut: false,
                data: PageData::Here(page.clone()),
            }],
        };
        let streams = self.matching(&request.matchers, request.range).map(stream).collect();
        Ok(StreamSet { streams, warnings: Vec::new() })
    }
}

pub struct NoTail;

impl LogsTail for NoTail {
    fn tail(&self, _: &TenantId, _: Vec<Matcher>) -> Result<mpsc::Receiver<TailItem>> {
        Err(Error::unavailable("nothing is tailed here"))
    }
}
