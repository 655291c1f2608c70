//! `yagura bucket …`: from what was typed and configured to what `bucket-tools` does.

use crate::{
    app::block_ids,
    args::{BlockArgs, BucketCommand, MakingArgs},
    async_runtime,
    config::Config,
    limits::TenantLimits,
    reread::Reread,
};
use anyhow::{Context, bail};
use block_store::Manifests;
use bucket_tools::{
    BackfillOptions, CatOptions, Console, ImportOptions, InspectOptions, LsOptions, Outcome, Tools,
    VerifyOptions, backfill, cat, import, inspect, ls, verify,
};
use prometheus_client::registry::Registry;
use runtime::{Clock, SystemClock};
use std::{
    io::{self, BufWriter, IsTerminal, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

pub fn run(config: &Config, command: BucketCommand) -> anyhow::Result<Outcome> {
    // Before the bucket is opened, which may need TLS.
    let runtime = async_runtime()?;
    let tools = tools(config, &command)?;
    let mut out = BufWriter::new(io::stdout());
    let done = runtime.block_on(dispatch(&tools, command, &mut out));
    match out.flush() {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        _ => done,
    }
}

async fn dispatch(tools: &Tools, command: BucketCommand, out: &mut dyn Write) -> anyhow::Result<Outcome> {
    match command {
        BucketCommand::Ls { tenant, signal, json } => {
            ls(tools, &LsOptions { tenant, signal: signal.map(Into::into), json }, out).await?;
        }
        BucketCommand::Inspect(BlockArgs { block, tenant, signal }) => {
            inspect(tools, &InspectOptions { tenant, signal: signal.map(Into::into), block }, out).await?;
        }
        BucketCommand::Verify { tenant, signal, restore, blocks } => {
            let options = VerifyOptions { tenant, signal: signal.map(Into::into), blocks, restore };
            return verify(tools, &options, out).await;
        }
        BucketCommand::Cat { block: BlockArgs { block, tenant, signal }, matching, start, end } => {
            let signal = signal.map(Into::into);
            cat(tools, &CatOptions { tenant, signal, block, matching, start, end }, out).await?;
        }
        BucketCommand::Import { tenant, from, blocks, labels, making } => {
            let MakingArgs { dry_run, force, .. } = making;
            let options = ImportOptions { tenant, from, blocks, labels, dry_run, force };
            return import(tools, &options, out).await;
        }
        BucketCommand::Backfill { tenant, file, making: MakingArgs { dry_run, force, .. } } => {
            backfill(tools, &BackfillOptions { tenant, file, dry_run, force }, out).await?;
        }
    }
    Ok(Outcome::Good)
}

/// How often a list is asked for: always.
const NO_POLL: Duration = Duration::ZERO;

fn tools(config: &Config, command: &BucketCommand) -> anyhow::Result<Tools> {
    let bucket = config.bucket(&config.data_dir);
    let making = match command {
        BucketCommand::Import { making, .. } | BucketCommand::Backfill { making, .. } => Some(making),
        _ => None,
    };
    // What only reads should not make an empty bucket where the name was mistyped.
    if let Some(folder) = bucket.url.strip_prefix("file:")
        && making.is_none_or(|making| making.dry_run)
        && !Path::new(folder.strip_prefix("//").filter(|f| f.starts_with('/')).unwrap_or(folder)).is_dir()
    {
        bail!(
            "there is no bucket at {folder}: bucket.url or data_dir says where it is (--set data_dir=…, --config.file)"
        );
    }
    let opened = bucket.open(&config.s3).with_context(|| format!("cannot open the bucket {}", bucket.url))?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let limits = TenantLimits::open(config, &Reread::new(&mut Registry::default()))?;
    let scratch = making.and_then(|making| making.scratch.clone());
    Ok(Tools {
        manifests: Arc::new(Manifests::new(opened, Arc::clone(&clock), NO_POLL)),
        url: bucket.url,
        s3: config.s3.clone(),
        limits,
        new_id: block_ids(Arc::clone(&clock)),
        clock,
        scratch: scratch.unwrap_or_else(|| default_scratch(&config.data_dir)),
        console: if io::stderr().is_terminal() { Console::Terminal } else { Console::Lines },
    })
}

/// There is room where the data is; whoever looks at a bucket from elsewhere has no such folder.
fn default_scratch(data_dir: &Path) -> PathBuf {
    if data_dir.is_dir() { data_dir.to_owned() } else { std::env::temp_dir() }
}
