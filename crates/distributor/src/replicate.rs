//! Writes one batch to the replicas of each of its series, and answers when enough of them have it.

mod answers;

use crate::{
    append::Names,
    batch::Batch,
    detached::{Detached, Hold},
    ingesters::{Ingester, Known},
    metrics::Metrics,
    plan::Plan,
    quorum::Quorum,
};
use futures::{StreamExt, stream::FuturesUnordered};
use model::TenantId;
use service_api::{AppendOutcome, Code, Error, Limits, PushOutcome, Rejection, Result, Wanted};
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::{Instant, timeout_at};

/// How long an answer is put off for slower replicas to have their say about entries that only some of the
/// quicker ones refuse.
const DISAGREEMENT: Duration = Duration::from_secs(1);

/// A batch on its way to its replicas.
pub struct Write<B> {
    pub tenant: TenantId,
    pub limits: Arc<Limits>,
    pub batch: Arc<B>,
    pub known: Arc<Known>,
    plan: Plan,
    quorum: Quorum,
    names: Names,
    requests: FuturesUnordered<Request>,
    failures: Vec<(u16, Error)>,
    rejections: Vec<Rejection>,
}

/// One request to one ingester.
struct Request {
    group: usize,
    step: Step,
    hold: Option<Hold>,
    running: Pin<Box<dyn Future<Output = Result<AppendOutcome>> + Send>>,
}

enum Step {
    /// Everything that the ingester holds, by key.
    Keys,
    /// What it did not know, with labels.
    Named(Vec<u32>),
}

struct Answer {
    group: usize,
    step: Step,
    hold: Option<Hold>,
    result: Result<AppendOutcome>,
}

impl<B: Batch> Write<B> {
    /// `batch` as it is placed among the ingesters of `known`.
    pub fn new(tenant: TenantId, limits: Arc<Limits>, batch: B, known: Arc<Known>) -> Self {
        let view = &known.view;
        let (members, needed) = (view.members().len(), view.write_quorum());
        let shard = view.shard(&tenant, limits.ingestion_shard_size);
        let (plan, quorum) = if batch.len() == 0 && batch.has_metadata() {
            Plan::of_metadata(shard.replicas(tenant_token(&tenant)), needed)
        } else {
            Plan::new(&batch, members, needed, |token| shard.replicas(token))
        };
        Self {
            tenant,
            limits,
            batch: Arc::new(batch),
            known,
            plan,
            quorum,
            names: Names::default(),
            requests: FuturesUnordered::new(),
            failures: Vec::new(),
            rejections: Vec::new(),
        }
    }

    /// Sends it, and returns when each series has its quorum or one of them cannot have it any more. What slower
    /// replicas have not taken by then goes on for as long as there is room and time.
    pub async fn run(
        mut self,
        timeout: Duration,
        detached: &Arc<Detached>,
        metrics: &Metrics,
    ) -> Result<PushOutcome> {
        let end = Instant::now() + timeout;
        let decided = timeout_at(end, self.decide()).await;
        if let Err(error) = decided.unwrap_or_else(|_| Err(self.too_late(timeout))) {
            metrics.quorum_failures.inc();
            return Err(error);
        }
        if self.quorum.is_open() {
            let patience = end.min(Instant::now() + DISAGREEMENT);
            // When it is over, what was heard so far counts.
            let _ = timeout_at(patience, self.agree()).await;
        }
        let outcome = self.outcome(metrics);
        self.detach(end, detached, metrics);
        Ok(outcome)
    }

    async fn decide(&mut self) -> Result<()> {
        if self.quorum.lost() == 0 {
            (0..self.plan.groups.len()).for_each(|group| self.start(group));
        }
        while self.quorum.lost() == 0 && !self.quorum.reached() {
            let Some(answer) = self.requests.next().await else { break };
            self.take(answer)?;
        }
        if self.quorum.lost() == 0 { Ok(()) } else { Err(self.failed()) }
    }

    async fn agree(&mut self) -> Result<()> {
        while self.quorum.is_open()
            && let Some(answer) = self.requests.next().await
        {
            self.take(answer)?;
        }
        Ok(())
    }

    fn start(&mut self, group: usize) {
        let member = usize::from(self.plan.groups[group].member);
        if let Some(why) = self.known.unable(member) {
            self.fail(group, None, Error::unavailable(why));
        } else {
            self.ask(group, Step::Keys, None, self.plan.wanted(group));
        }
    }

    fn ask(&self, group: usize, step: Step, hold: Option<Hold>, which: Wanted) {
        let ingester = Arc::clone(self.ingester(group));
        let (tenant, batch) = (self.tenant.clone(), Arc::clone(&self.batch));
        ingester.requests.inc();
        let running = Box::pin(async move { batch.append(&*ingester.client, &tenant, which).await });
        self.requests.push(Request { group, step, hold, running });
    }

    fn ingester(&self, group: usize) -> &Arc<Ingester> {
        &self.known.ingesters[usize::from(self.plan.groups[group].member)]
    }

    /// Lets what is under way go on where there is room for it, and gives up the rest.
    fn detach(mut self, end: Instant, detached: &Arc<Detached>, metrics: &Metrics) {
        let bytes = self.batch.bytes();
        for mut request in std::mem::take(&mut self.requests) {
            request.hold = detached.hold(self.ingester(request.group), bytes);
            match &request.hold {
                Some(_) => {
                    metrics.detached_requests.inc();
                    self.requests.push(request);
                }
                None => {
                    metrics.abandoned_requests.inc();
                }
            }
        }
        if self.requests.is_empty() {
            return;
        }
        let finish = async move {
            while let Some(answer) = self.requests.next().await {
                // The write is answered: failures are counted and change nothing.
                let _ = self.take(answer);
            }
        };
        tokio::spawn(timeout_at(end, finish));
    }
}

impl Future for Request {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Answer> {
        let result = ready!(self.running.as_mut().poll(context));
        let step = std::mem::replace(&mut self.step, Step::Keys);
        Poll::Ready(Answer { group: self.group, step, hold: self.hold.take(), result })
    }
}

/// Where what a tenant has beside its series goes.
fn tenant_token(tenant: &TenantId) -> u64 {
    xxhash_rust::xxh3::xxh3_64(tenant.as_str().as_bytes())
}

/// Whether a failure is the sender's to mend.
fn is_of_sender(error: &Error) -> bool {
    matches!(error.code, Code::BadRequest | Code::TooLarge | Code::RateLimited | Code::Unprocessable)
}
