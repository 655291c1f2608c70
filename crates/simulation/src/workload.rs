//! Senders and readers: what goes in is in the ledger, and what comes out is compared with it.

use crate::{
    batches::{found_lines, found_samples, lines, samples, tenant},
    ledger::{Entry, Kind},
    world::{Host, Phase, World},
};
use distributor::Distributor;
use ingester::fs::sim::Random;
use model::{NanoRange, TimeRange};
use querier::Querier;
use service_api::{
    LogsReader, MetricsReader, Push, PushLogs, PushOutcome, ReadContext, Result, SelectRequest,
    StreamsRequest,
};
use std::{sync::atomic::Ordering, time::Duration};
use tokio::time::{sleep, timeout};

/// Series, and as many streams, that are written through one distributor.
const SERIES: u64 = 12;
/// How often a sender tries to get a request through.
const TRIES: usize = 3;
/// What readers wait for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Writes for ever.
pub async fn send(
    world: &World,
    host: &Host,
    distributor: &Distributor,
    seed: u64,
) -> std::result::Result<(), String> {
    let mut random = Random(seed);
    loop {
        sleep(Duration::from_millis(50 + random.below(300))).await;
        let time = host.next_time.fetch_add(2, Ordering::SeqCst);
        let mut entries = Vec::new();
        for _ in 0..1 + random.below(6) {
            let series = (host.number * SERIES + random.below(SERIES)) as u32;
            let kind = if random.below(2) == 0 { Kind::Sample } else { Kind::Line };
            for time in time..=time + (random.below(2) as i64) {
                entries.push(Entry { kind, series, time });
            }
        }
        entries.sort_unstable();
        entries.dedup();
        let (of_samples, of_lines) = entries.split_at(entries.partition_point(|e| e.kind == Kind::Sample));
        for (kind, entries) in [(Kind::Sample, of_samples), (Kind::Line, of_lines)] {
            if !entries.is_empty() {
                write(world, host, distributor, kind, entries).await;
            }
        }
    }
}

async fn write(world: &World, host: &Host, distributor: &Distributor, kind: Kind, entries: &[Entry]) {
    world.ledger.sent(entries);
    let mut calm = world.phase();
    for _ in 0..TRIES {
        let result = match kind {
            Kind::Sample => distributor.push(&tenant(), samples(entries)).await,
            Kind::Line => distributor.push_logs(&tenant(), lines(entries)).await,
        };
        note_written(world, host, kind, entries, &result);
        match result {
            Ok(_) => return,
            Err(error) if calm == Phase::Calm => {
                world.violation(&host.name, &format!("a write fails without a cause: {error}"));
            }
            Err(_) => {}
        }
        sleep(Duration::from_millis(300)).await;
        calm = world.phase();
    }
}

fn note_written(world: &World, host: &Host, kind: Kind, entries: &[Entry], result: &Result<PushOutcome>) {
    let first = entries[0];
    match result {
        Ok(outcome) if outcome.rejected == 0 => {
            world.ledger.acknowledged(entries);
            world.counts.acknowledged.fetch_add(entries.len() as u64, Ordering::Relaxed);
            world.history.note(&host.name, format_args!("{} {kind:?} from {first:?} written", entries.len()));
        }
        Ok(outcome) => {
            world.violation(&host.name, &format!("good entries are refused: {:?}", outcome.rejections));
        }
        Err(error) => {
            world.counts.refused.fetch_add(entries.len() as u64, Ordering::Relaxed);
            world.history.note(&host.name, format_args!("{kind:?} from {first:?} not written: {error}"));
        }
    }
}

/// Reads everything, for ever.
pub async fn ask(world: &World, host: &Host, querier: &Querier) -> std::result::Result<(), String> {
    loop {
        sleep(Duration::from_millis(1200)).await;
        for kind in [Kind::Sample, Kind::Line] {
            let (calm, asked) = (world.phase(), world.ledger.now());
            let answer = timeout(PATIENCE, read(querier, kind)).await;
            match answer {
                Ok(Ok(Ok(found))) => {
                    world.counts.answered.fetch_add(1, Ordering::Relaxed);
                    world.history.note(&host.name, format_args!("{} of {kind:?} found", found.len()));
                    if let Err(wrong) = world.ledger.check(asked, &found, |entry| entry.kind == kind) {
                        world.violation(&host.name, &wrong);
                    }
                }
                Ok(Ok(Err(wrong))) => world.violation(&host.name, &wrong),
                Ok(Err(error)) => unanswered(world, host, calm, &error.to_string()),
                Err(_) => unanswered(world, host, calm, "no answer in time"),
            }
        }
    }
}

fn unanswered(world: &World, host: &Host, phase: Phase, why: &str) {
    world.counts.unanswered.fetch_add(1, Ordering::Relaxed);
    world.history.note(&host.name, format_args!("no answer: {why}"));
    if phase == Phase::Calm {
        world.violation(&host.name, &format!("a query fails without a cause: {why}"));
    }
}

async fn read(querier: &Querier, kind: Kind) -> Result<std::result::Result<Vec<Entry>, String>> {
    let ctx = ReadContext::new(tenant(), 1 << 30);
    match kind {
        Kind::Sample => {
            let request = SelectRequest { matchers: vec![], range: TimeRange::ALL };
            let set = MetricsReader::select(querier, &ctx, &request).await?;
            Ok(found_samples(&set.series))
        }
        Kind::Line => {
            let request = StreamsRequest { matchers: vec![], range: NanoRange::ALL };
            let set = LogsReader::select(querier, &ctx, &request).await?;
            found_lines(&ctx, &set.streams).await
        }
    }
}
