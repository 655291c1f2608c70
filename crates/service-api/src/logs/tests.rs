//! Pages find their way back from several stores, and sets become one.

use super::*;
use model::{Nanos, TenantId};
use parking_lot::Mutex;

struct One(Nanos);

impl LineSource for One {
    fn read(&self, needles: &Needles, out: &mut Lines) -> Result<bool> {
        out.clear();
        out.push(self.0, b"text", []);
        Ok(needles.may_be_in(&out.text))
    }
}

#[derive(Default)]
struct Store(Mutex<Vec<Vec<u64>>>);

#[async_trait]
impl PageStore for Store {
    async fn fetch(&self, _: &ReadContext, pages: &[u64]) -> Result<Vec<Arc<dyn LineSource>>> {
        self.0.lock().push(pages.to_vec());
        Ok(pages.iter().map(|&page| Arc::new(One(page as Nanos)) as Arc<dyn LineSource>).collect())
    }
}

fn page(start: Nanos, data: PageData) -> LogPage {
    LogPage {
        range: NanoRange::new(start, start + 5),
        lines: 1,
        text_bytes: 4,
        stored_bytes: 0,
        origin: 0,
        is_cut: false,
        data,
    }
}

#[tokio::test]
async fn each_store_is_asked_once_and_the_order_stays() {
    let (a, b) = (Arc::new(Store::default()), Arc::new(Store::default()));
    let stored = |store: &Arc<Store>, number| PageData::Stored(store.clone(), number);
    let pages = [
        page(0, stored(&a, 7)),
        page(0, PageData::Here(Arc::new(One(1)))),
        page(0, stored(&b, 8)),
        page(0, stored(&a, 9)),
    ];
    let ctx = ReadContext::new(TenantId::anonymous(), 1000);
    let found = fetch_pages(&ctx, &pages.each_ref()).await.unwrap();
    let mut lines = Lines::default();
    let mut times = Vec::new();
    for page in found {
        assert!(page.read(&Needles::default(), &mut lines).unwrap());
        assert!(!page.read(&Needles::new([&b"text"[..], b"other"]), &mut lines).unwrap());
        times.push(lines.timestamps[0]);
    }
    assert_eq!(times, [7, 1, 8, 9]);
    assert_eq!((a.0.lock().clone(), b.0.lock().clone()), (vec![vec![7, 9]], vec![vec![8]]));
}

/// A store that takes its time, and how many of its kind are at work, now and at most.
struct Slow {
    turns: usize,
    at_work: Arc<Mutex<(usize, usize)>>,
}

#[async_trait]
impl PageStore for Slow {
    async fn fetch(&self, _: &ReadContext, pages: &[u64]) -> Result<Vec<Arc<dyn LineSource>>> {
        {
            let (now, most) = &mut *self.at_work.lock();
            *now += 1;
            *most = (*most).max(*now);
        }
        for _ in 0..self.turns {
            tokio::task::yield_now().await;
        }
        self.at_work.lock().0 -= 1;
        Ok(pages.iter().map(|&page| Arc::new(One(page as Nanos)) as Arc<dyn LineSource>).collect())
    }
}

#[tokio::test]
async fn some_stores_are_asked_at_once_and_the_order_stays() {
    let at_work = Arc::default();
    let pages: Vec<LogPage> = (0..20)
        .map(|at| {
            let store = Arc::new(Slow { turns: 20 - at, at_work: Arc::clone(&at_work) });
            page(0, PageData::Stored(store, at as u64))
        })
        .collect();
    let ctx = ReadContext::new(TenantId::anonymous(), 1000);
    let found = fetch_pages(&ctx, &pages.iter().collect::<Vec<_>>()).await.unwrap();
    let mut lines = Lines::default();
    for (at, page) in found.iter().enumerate() {
        page.read(&Needles::default(), &mut lines).unwrap();
        assert_eq!(lines.timestamps, [at as Nanos]);
    }
    assert_eq!(*at_work.lock(), (0, 8));
}

#[test]
fn streams_with_the_same_labels_become_one_with_pages_in_time_order() {
    let set = |streams: &[(&str, &[Nanos])]| StreamSet {
        streams: streams
            .iter()
            .map(|(name, starts)| LogStream {
                labels: Labels::from_pairs([("app", *name)]),
                pages: starts.iter().map(|start| page(*start, PageData::Here(Arc::new(One(0))))).collect(),
            })
            .collect(),
        warnings: vec!["once".to_owned()],
    };
    let merged = merge_stream_sets(vec![
        set(&[("a", &[3]), ("c", &[1, 9])]),
        StreamSet::default(),
        set(&[("b", &[1]), ("c", &[2, 5])]),
    ]);
    let starts = |stream: &LogStream| stream.pages.iter().map(|p| p.range.start).collect::<Vec<_>>();
    let names: Vec<_> = merged.streams.iter().map(|s| (s.labels.get("app").unwrap(), starts(s))).collect();
    assert_eq!(names, [("a", vec![3]), ("b", vec![1]), ("c", vec![1, 2, 5, 9])]);
    assert_eq!(merged.warnings, ["once"]);
}
