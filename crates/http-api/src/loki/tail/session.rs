//! One tail from its first frame to its end.

use super::frame::{Frame, Sent};
use crate::{loki::result::Show, query::slots, state::ApiState, tenant::Tenants};
use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use logql::{
    ast::{Expr, LogQuery},
    engine::{Data, Direction, Query},
    pipeline::{Pipeline, PipelineRun},
};
use model::{Nanos, TenantId};
use service_api::{Error, Result, TailItem, TailedStream};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::mpsc::Receiver,
    time::{MissedTickBehavior, interval, timeout},
};

/// How long a tail lasts at most (Loki's).
const LONGEST: Duration = Duration::from_secs(3600);
const PING_EVERY: Duration = Duration::from_secs(1);
/// A client that takes nothing for so long is gone.
const PATIENCE: Duration = Duration::from_secs(30);
/// Lines may have been taken in while the limit on their future was another.
const FUTURE_SLACK: Duration = Duration::from_secs(3600);
/// Frames are put together from what comes within this time.
const GATHER: Duration = Duration::from_millis(100);
/// Items that are put into one frame at most, and how long that may take.
const FRAME_ITEMS: usize = 500;
const FRAME_TIME: Duration = Duration::from_secs(1);
/// Label sets that are known at a time; then all are forgotten.
const LABEL_SETS: usize = 100_000;

pub struct Session {
    state: ApiState,
    tenant: Tenants,
    query: LogQuery,
    show: Show,
    delay: Duration,
    /// Away while it works on another thread.
    run: Option<PipelineRun>,
    /// Opened before the store is asked, so that nothing falls in between.
    news: Receiver<TailItem>,
    sent: Arc<Sent>,
}

impl Session {
    pub fn new(
        state: &ApiState,
        tenant: TenantId,
        query: LogQuery,
        show: Show,
        delay: Duration,
    ) -> Result<Self> {
        let pipeline = Arc::new(Pipeline::new(&query.stages)?);
        let news = state.deps.tail.tail(&tenant, query.matchers.clone())?;
        let run = Some(PipelineRun::new(pipeline, LABEL_SETS));
        Ok(Self {
            state: state.clone(),
            tenant: tenant.into(),
            query,
            show,
            delay,
            run,
            news,
            sent: Arc::default(),
        })
    }

    pub async fn run(mut self, mut socket: WebSocket, start: Nanos, limit: u64) {
        let ended = timeout(LONGEST, self.talk(&mut socket, start, limit)).await;
        let (code, reason) = match ended {
            Ok(Ok(())) => return,
            Ok(Err(error)) => (close_code::ERROR, error.message.into_owned()),
            Err(_) => (close_code::NORMAL, "reached tail max duration limit".to_owned()),
        };
        let close = CloseFrame { code, reason: shortened(reason).into() };
        // Whether it arrives or not, we are done.
        let _ = timeout(PATIENCE, socket.send(Message::Close(Some(close)))).await;
    }

    /// Until the client goes away.
    async fn talk(&mut self, socket: &mut WebSocket, start: Nanos, limit: u64) -> Result<()> {
        let mut frame = self.history(start, limit).await?;
        let mut ping = interval(PING_EVERY);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            if !frame.is_empty() && !send(socket, Message::text(frame.take(self.show))).await {
                return Ok(());
            }
            tokio::select! {
                item = self.news.recv() => match item {
                    Some(item) => self.gather(item, &mut frame).await?,
                    None => return Err(Error::unavailable("the process is stopping")),
                },
                heard = socket.recv() => match heard {
                    None | Some(Err(_) | Ok(Message::Close(_))) => return Ok(()),
                    Some(Ok(_)) => {}
                },
                _ = ping.tick() => {
                    if !send(socket, Message::Ping(Default::default())).await {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// The newest lines that are stored.
    async fn history(&mut self, start: Nanos, limit: u64) -> Result<Frame> {
        // What clocks ahead of ours have sent is stored, too.
        let ahead = Duration::from_secs(self.state.limits(&self.tenant).max_sample_future);
        let ahead = Nanos::try_from((ahead + FUTURE_SLACK).as_nanos()).unwrap_or(Nanos::MAX);
        let query = Query {
            expr: Expr::Logs(self.query.clone()),
            start,
            end: self.state.now_nanos().saturating_add(ahead),
            step: 0,
            direction: Direction::Backward,
            limit,
            interval: 0,
        };
        let deps = &self.state.deps;
        let work = async |ctx: &_| deps.log_engine.query(ctx, Arc::clone(&deps.logs), query).await;
        let found = slots::run(&self.state, &self.tenant, None, work).await?;
        let mut frame = Frame::default();
        if let Data::Streams(streams) = found.data {
            self.sent = Arc::new(streams.iter().flat_map(|stream| stream.entries.iter().cloned()).collect());
            frame.add_found(streams);
        }
        Ok(frame)
    }

    /// Puts what has come, and what comes right behind it, into a frame.
    async fn gather(&mut self, first: TailItem, frame: &mut Frame) -> Result<()> {
        tokio::time::sleep(GATHER.max(self.delay)).await;
        let clock = Arc::clone(&self.state.deps.clock);
        let started = clock.monotonic();
        let mut item = first;
        for taken in 1.. {
            match item {
                TailItem::Stored(stored) => self.add(stored, frame).await?,
                TailItem::Missed { labels, timestamp, .. } => frame.add_missed(labels, timestamp),
            }
            let late = clock.monotonic().saturating_sub(started) >= FRAME_TIME;
            if taken >= FRAME_ITEMS || frame.is_full() || late {
                break; // the others wait, and are told as missed if they are too many
            }
            let Ok(next) = self.news.try_recv() else { break };
            item = next;
        }
        // Ids are not kept from frame to frame.
        self.run.iter_mut().for_each(PipelineRun::clear_label_sets);
        Ok(())
    }

    /// Adds lines to a frame; their stages may take long.
    async fn add(&mut self, stored: TailedStream, frame: &mut Frame) -> Result<()> {
        let Some(mut run) = self.run.take() else { return Err(Error::internal("a tail lost its stages")) };
        let (mut filled, sent) = (std::mem::take(frame), Arc::clone(&self.sent));
        let work = move || {
            filled.add_stored(&stored, &mut run, &sent);
            (run, filled)
        };
        let (run, filled) = slots::off_thread(work).await?;
        (self.run, *frame) = (Some(run), filled);
        Ok(())
    }
}

/// False if the client is gone.
async fn send(socket: &mut WebSocket, message: Message) -> bool {
    matches!(timeout(PATIENCE, socket.send(message)).await, Ok(Ok(())))
}

/// A close frame has room for 123 bytes.
fn shortened(mut reason: String) -> String {
    let end = (0..=reason.len().min(123)).rev().find(|&at| reason.is_char_boundary(at)).unwrap_or(0);
    reason.truncate(end);
    reason
}
