//! Work that would hold up an async thread.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
};
use tokio::runtime::{Handle, RuntimeFlavor};

/// The work panicked, or the runtime ended before it was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("work on another thread was lost")]
pub struct Lost;

/// Starts work that computes long or waits for a disk, on a thread where it keeps no task waiting.
/// It goes on when the future is dropped.
///
/// A runtime with one thread is a test's or a simulation's: there the work is done at once, on that
/// thread, so that nothing happens in an order that chance decides.
pub fn blocking<T, F>(work: F) -> impl Future<Output = Result<T, Lost>> + Send + use<T, F>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    let running = match Handle::current().runtime_flavor() {
        RuntimeFlavor::CurrentThread => Err(catch_unwind(AssertUnwindSafe(work))),
        _ => Ok(tokio::task::spawn_blocking(work)),
    };
    async move {
        match running {
            Ok(task) => task.await.map_err(|_panicked| Lost),
            Err(done) => done.map_err(|_panicked| Lost),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[tokio::test]
    async fn one_thread_does_it_all_and_at_once() {
        let here = thread::current().id();
        let work = blocking(move || thread::current().id() == here);
        assert_eq!(work.await, Ok(true));
        assert_eq!(blocking(|| panic!("on purpose")).await, Err::<(), _>(Lost));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn of_several_threads_the_async_ones_are_left_alone() {
        let here = tokio::spawn(async { thread::current().id() }).await.unwrap();
        let elsewhere = tokio::spawn(blocking(move || thread::current().id() != here));
        assert_eq!(elsewhere.await.unwrap(), Ok(true));
        assert_eq!(blocking(|| panic!("on purpose")).await, Err::<(), _>(Lost));
    }
}
