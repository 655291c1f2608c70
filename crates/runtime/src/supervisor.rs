//! The life of a process's services: started in order, watched, drained in reverse order.

use futures::{FutureExt, StreamExt, stream::FuturesUnordered};
use std::{any::Any, error::Error, future::Future, panic::AssertUnwindSafe, time::Duration};
use tokio::{task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;

type BoxError = Box<dyn Error + Send + Sync>;

/// Runs named services and stops them in the reverse of the order in which they started,
/// so that whoever takes work in goes before whoever it hands the work to.
#[derive(Default)]
pub struct Supervisor {
    services: Vec<Running>,
}

struct Running {
    name: &'static str,
    drain: CancellationToken,
    task: JoinHandle<Result<(), BoxError>>,
}

/// A service that ended though nobody asked it to, or that failed while it drained.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    #[error("service {0} ended by itself")]
    Ended(&'static str),
    #[error("service {0} failed: {1}")]
    Failed(&'static str, #[source] BoxError),
}

/// What went wrong while draining; every service is stopped all the same.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("; "))]
pub struct DrainError(Vec<String>);

impl Supervisor {
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a service that has been made ready. `run` works until the token it is given is
    /// cancelled, then finishes what it has begun and returns.
    pub fn spawn<F, R, E>(&mut self, name: &'static str, run: R)
    where
        R: FnOnce(CancellationToken) -> F,
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<BoxError> + 'static,
    {
        let drain = CancellationToken::new();
        let work = AssertUnwindSafe(run(drain.clone()));
        let task = tokio::spawn(async move {
            match work.catch_unwind().await {
                Ok(result) => result.map_err(Into::into),
                Err(panic) => Err(panic_message(panic.as_ref()).into()),
            }
        });
        tracing::debug!(service = name, "started");
        self.services.push(Running { name, drain, task });
    }

    /// Waits until a service ends that nobody asked to. Pends for ever when all is well.
    pub async fn failure(&mut self) -> ServiceError {
        let mut ends: FuturesUnordered<_> =
            self.services.iter_mut().map(|s| (&mut s.task).map(|end| (s.name, end))).collect();
        match ends.next().await {
            Some((name, Ok(Ok(())))) => ServiceError::Ended(name),
            Some((name, Ok(Err(cause)))) => ServiceError::Failed(name, cause),
            Some((name, Err(cause))) => ServiceError::Failed(name, cause.into()),
            None => futures::future::pending().await,
        }
    }

    /// Drains every service, the last one started first, all of them within `deadline`. Each
    /// may use half of the time that is left and the last one all of it, so that one that
    /// hangs does not take the time of those behind it.
    ///
    /// # Errors
    /// Names the services that failed or had to be cut off.
    pub async fn drain(self, deadline: Duration) -> Result<(), DrainError> {
        let end = Instant::now() + deadline;
        let mut problems = Vec::new();
        for (behind, Running { name, drain, mut task }) in self.services.into_iter().enumerate().rev() {
            if task.is_finished() {
                continue;
            }
            drain.cancel();
            let left = end.saturating_duration_since(Instant::now());
            let share = if behind == 0 { left } else { left / 2 };
            match tokio::time::timeout(share, &mut task).await {
                Ok(Ok(Ok(()))) => tracing::debug!(service = name, "drained"),
                Ok(Ok(Err(cause))) => problems.push(format!("service {name} failed while draining: {cause}")),
                Ok(Err(cause)) => problems.push(format!("service {name} failed while draining: {cause}")),
                Err(_) => {
                    task.abort();
                    problems.push(format!("service {name} did not drain in time and was cut off"));
                }
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(DrainError(problems)) }
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panicked: {}", text.unwrap_or("(no message)"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{convert::Infallible, io, sync::mpsc};

    #[tokio::test]
    async fn services_drain_in_the_reverse_of_their_start() {
        let (ends, ended) = mpsc::channel();
        let mut supervisor = Supervisor::new();
        for name in ["storage", "ingester", "http"] {
            let ends = ends.clone();
            supervisor.spawn(name, async move |drain: CancellationToken| {
                drain.cancelled().await;
                ends.send(name).unwrap();
                Ok::<(), Infallible>(())
            });
        }
        supervisor.drain(Duration::from_secs(5)).await.unwrap();
        assert_eq!(ended.try_iter().collect::<Vec<_>>(), ["http", "ingester", "storage"]);
    }

    #[tokio::test]
    async fn a_failing_service_is_named_with_its_cause() {
        let mut supervisor = Supervisor::new();
        supervisor.spawn("quiet", async |drain: CancellationToken| {
            drain.cancelled().await;
            Ok::<(), io::Error>(())
        });
        supervisor.spawn("wal", async |_| Err(io::Error::other("fdatasync failed")));
        assert_eq!(supervisor.failure().await.to_string(), "service wal failed: fdatasync failed");
        supervisor.drain(Duration::from_secs(5)).await.unwrap();
    }

    #[tokio::test]
    async fn a_panicking_service_and_one_that_just_ends_are_failures_too() {
        let mut supervisor = Supervisor::new();
        supervisor.spawn("head", async |_| -> Result<(), Infallible> { panic!("index {} is out", 7) });
        assert_eq!(supervisor.failure().await.to_string(), "service head failed: panicked: index 7 is out");

        let mut supervisor = Supervisor::new();
        supervisor.spawn("idle", async |_| Ok::<(), Infallible>(()));
        assert_eq!(supervisor.failure().await.to_string(), "service idle ended by itself");
    }

    #[tokio::test]
    async fn a_service_that_hangs_is_cut_off_and_named_and_the_others_still_drain() {
        let (ends, ended) = mpsc::channel();
        let mut supervisor = Supervisor::new();
        supervisor.spawn("storage", async move |drain: CancellationToken| {
            drain.cancelled().await;
            ends.send(()).unwrap();
            Ok::<(), Infallible>(())
        });
        supervisor.spawn("stuck", async |_| futures::future::pending::<Result<(), Infallible>>().await);
        let error = supervisor.drain(Duration::from_millis(200)).await.unwrap_err();
        assert_eq!(error.to_string(), "service stuck did not drain in time and was cut off");
        ended.try_recv().unwrap();
    }
}
