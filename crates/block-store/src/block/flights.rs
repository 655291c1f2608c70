//! Reads under way: who wants what is being read already waits for that.

use bytes::Bytes;
use futures::{
    FutureExt,
    future::{BoxFuture, Shared, WeakShared},
};
use parking_lot::Mutex;
use service_api::Result;
use std::{collections::HashMap, future::Future, ops::Range, sync::Arc};

type Reading = BoxFuture<'static, Result<Bytes>>;
/// An object and a range of it.
type Part = (Arc<str>, Range<u64>);
type UnderWay = Mutex<HashMap<Part, WeakShared<Reading>>>;

/// One for each part that somebody waits for.
#[derive(Default)]
pub(super) struct Flights(Arc<UnderWay>);

impl Flights {
    /// What `read` gives, or what a read of the same part gives that began before. It ends when nobody waits
    /// for it any more, and not before: it is not one query's.
    pub(super) async fn join<F: Future<Output = Result<Bytes>> + Send + 'static>(
        &self,
        object: &Arc<str>,
        range: &Range<u64>,
        read: impl FnOnce() -> F,
    ) -> Result<Bytes> {
        let reading = self.find_or_start((Arc::clone(object), range.clone()), read);
        reading.await
    }

    fn find_or_start<F: Future<Output = Result<Bytes>> + Send + 'static>(
        &self,
        part: Part,
        read: impl FnOnce() -> F,
    ) -> Shared<Reading> {
        let mut under_way = self.0.lock();
        if let Some(reading) = under_way.get(&part).and_then(WeakShared::upgrade) {
            return reading;
        }
        let landing = Landing { under_way: Arc::clone(&self.0), part: part.clone() };
        let read = read();
        let reading = async move {
            let _landing = landing;
            read.await
        };
        let reading = reading.boxed().shared();
        if let Some(weak) = reading.downgrade() {
            under_way.insert(part, weak);
        }
        reading
    }
}

/// Takes a read off the list, however it ends.
struct Landing {
    under_way: Arc<UnderWay>,
    part: Part,
}

impl Drop for Landing {
    fn drop(&mut self) {
        self.under_way.lock().remove(&self.part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use service_api::Error;
    use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
    use tokio::sync::Semaphore;

    #[tokio::test]
    async fn many_who_want_the_same_at_once_read_once_and_nothing_stays() {
        let (flights, started) = (Flights::default(), Arc::new(AtomicU64::new(0)));
        let (gate, object) = (Arc::new(Semaphore::new(0)), Arc::<str>::from("a"));
        let read = |answer: Result<Bytes>| {
            let (started, gate) = (Arc::clone(&started), Arc::clone(&gate));
            move || async move {
                started.fetch_add(1, SeqCst);
                gate.acquire().await.unwrap().forget();
                answer
            }
        };
        let ok = || Ok(Bytes::from_static(b"x"));
        let part = 0..1;
        // One that began and was given up leaves the others waiting.
        let given_up = flights.join(&object, &part, read(ok())).now_or_never();
        assert!(given_up.is_none() && flights.0.lock().is_empty());
        started.store(0, SeqCst);
        let mut first = Box::pin(flights.join(&object, &part, read(ok())));
        assert!(futures::poll!(&mut first).is_pending());
        let mut second = Box::pin(flights.join(&object, &part, read(ok())));
        assert!(futures::poll!(&mut second).is_pending());
        drop(first);
        gate.add_permits(1);
        assert_eq!(second.await, ok());
        assert_eq!((started.load(SeqCst), flights.0.lock().len()), (1, 0));

        let failed = || Err(Error::unavailable("away"));
        let (a, b, other) = (0..1, 0..1, 0..2);
        let answers = tokio::join!(
            flights.join(&object, &a, read(failed())),
            flights.join(&object, &b, read(ok())),
            flights.join(&object, &other, read(ok())),
            async { gate.add_permits(2) },
        );
        assert_eq!(answers, (failed(), failed(), ok(), ()));
        assert_eq!((started.load(SeqCst), flights.0.lock().len()), (3, 0));
    }
}
