//! Logs that another version wrote, that hold nonsense, or that have been taken away.

use crate::{
    FlushWhich, Ingester, StartError,
    fs::{Fs, sim::SimFs},
    test_support::{World, append, head_rows},
    wal::{self, Position, Wal, WalError},
};
use std::{path::Path, sync::Arc};

const LOG: &str = "/data/wal";

fn world(fs: &SimFs) -> World {
    let mut world = World::new(Arc::new(fs.clone()));
    world.config.block_duration = 60;
    world.config.wal.segment_size = 64 << 10;
    world
}

/// A payload that no append wrote.
struct Raw(&'static [u8]);

impl wal::Record for Raw {
    fn encode(&mut self, _: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(self.0);
    }

    fn committed(self: Box<Self>, result: Result<Position, WalError>) {
        result.unwrap();
    }
}

async fn log(world: &World, payload: &'static [u8]) {
    let (config, clock) = (world.config.wal.clone(), world.clock.clone());
    let (wal, _) = Wal::open(world.fs.clone(), Path::new(LOG), config, clock, &mut |_, _| {}).unwrap();
    wal.append(Box::new(Raw(payload)), 300).await.unwrap();
    wal.close().await;
}

fn segments(fs: &dyn Fs) -> Vec<String> {
    let mut names = fs.list(Path::new(LOG)).unwrap();
    names.sort();
    names
}

async fn refill(ingester: &Ingester) -> u64 {
    append(ingester, &[("a=1", &[(10_000, 1.0), (70_000, 2.0)])]).await.unwrap().pushed.samples
}

#[tokio::test]
async fn a_log_of_a_newer_version_is_neither_read_nor_lost() {
    let fs = SimFs::new(1);
    let world = world(&fs);
    log(&world, b"\x03whatever is new").await;
    for _ in 0..2 {
        let error = world.try_start_in(Path::new("/data")).err().unwrap();
        assert!(matches!(error, StartError::Version { version: 3, position } if position.segment == 1));
        let text = error.to_string();
        assert!(text.contains("version 3") && text.contains("start the newer version"), "{text}");
    }
    assert_eq!(segments(&fs), ["00000001"]);
}

#[tokio::test]
async fn a_record_that_cannot_be_read_keeps_its_segment_and_no_other() {
    let fs = SimFs::new(1);
    let world = world(&fs);
    let ingester = world.start();
    refill(&ingester).await;
    ingester.wal.close().await;
    log(&world, b"\x01\xff\xff nonsense").await;
    let mut expected = None;
    for _ in 0..3 {
        let ingester = world.start();
        assert_eq!(ingester.traces.metrics.unreadable_records.get(), 1);
        refill(&ingester).await;
        ingester.flush(FlushWhich::All).await.unwrap();
        let left = segments(&fs);
        assert!(left.len() == 2 && left[0] == "00000002", "{left:?}");
        let rows = world.read(&ingester).await;
        assert_eq!(&rows, expected.get_or_insert_with(|| rows.clone()));
        fs.crash();
    }
}

#[tokio::test]
async fn marks_of_a_log_that_was_taken_away_swallow_nothing_of_the_next() {
    let fs = SimFs::new(1);
    let world = world(&fs);
    let ingester = world.start();
    for _ in 0..20 {
        refill(&ingester).await;
    }
    ingester.flush(FlushWhich::All).await.unwrap();
    ingester.wal.close().await;
    drop(ingester);
    for name in segments(&fs) {
        fs.remove(&Path::new(LOG).join(name)).unwrap();
    }
    let ingester = world.start();
    assert_eq!(refill(&ingester).await, 2);
    let rows = head_rows(&ingester, vec![]).await;
    assert_eq!(rows, [(r#"{a="1"}"#.to_owned(), vec![(10_000, 1.0), (70_000, 2.0)])]);
    ingester.wal.close().await;
    drop(ingester);
    fs.crash();
    assert_eq!(head_rows(&world.start(), vec![]).await, rows);
}
