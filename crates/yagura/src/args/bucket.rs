//! The command line of `yagura bucket`.

use super::label;
use clap::{Args, Subcommand, ValueEnum};
use model::Signal;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub enum BucketCommand {
    /// Lists tenants, or the blocks of one
    Ls {
        /// Whose blocks are listed; without it all tenants are, with their sums
        #[arg(long, value_name = "TENANT")]
        tenant: Option<String>,
        #[arg(long)]
        signal: Option<SignalName>,
        /// One JSON object a line, for machines
        #[arg(long)]
        json: bool,
    },
    /// Shows what a block is made of
    Inspect(BlockArgs),
    /// Reads every byte of blocks and says what is damaged; exits with 1 if anything is
    Verify {
        /// Without it blocks of all tenants are read
        #[arg(long, value_name = "TENANT")]
        tenant: Option<String>,
        #[arg(long)]
        signal: Option<SignalName>,
        /// Has blocks read again that were set aside as damaged, and are sound
        #[arg(long)]
        restore: bool,
        /// Ids, or beginnings of them; all blocks without any
        #[arg(value_name = "BLOCK", requires = "tenant")]
        blocks: Vec<String>,
    },
    /// Prints the samples or lines of a block as text
    Cat {
        #[command(flatten)]
        block: BlockArgs,
        /// Only what this matches, such as '{job="node"}'
        #[arg(long = "match", value_name = "SELECTOR")]
        matching: Option<String>,
        /// From this time on: RFC 3339, or seconds since 1970
        #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
        start: Option<String>,
        /// Up to this time
        #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
        end: Option<String>,
    },
    /// Imports blocks of Prometheus, Thanos, Cortex or Mimir
    Import {
        /// Who gets the data
        #[arg(long, value_name = "TENANT")]
        tenant: String,
        /// A folder or s3://BUCKET/PREFIX with blocks, or with one
        #[arg(value_name = "PATH_OR_URL")]
        from: String,
        /// Only this block; may be repeated
        #[arg(long = "block", value_name = "ULID")]
        blocks: Vec<String>,
        /// A label that all series get; may be repeated
        #[arg(long = "label", value_name = "NAME=VALUE", value_parser = label)]
        labels: Vec<(String, String)>,
        #[command(flatten)]
        making: MakingArgs,
    },
    /// Makes blocks of OpenMetrics text
    Backfill {
        /// Who gets the data
        #[arg(long, value_name = "TENANT")]
        tenant: String,
        /// The text, or - for standard input
        #[arg(value_name = "FILE")]
        file: String,
        #[command(flatten)]
        making: MakingArgs,
    },
}

#[derive(Debug, Args)]
pub struct BlockArgs {
    /// A block's id, or the beginning of one
    #[arg(value_name = "BLOCK")]
    pub block: String,
    #[arg(long, value_name = "TENANT")]
    pub tenant: String,
    #[arg(long)]
    pub signal: Option<SignalName>,
}

#[derive(Debug, Args)]
pub struct MakingArgs {
    /// Says what would be done, and does nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Also takes what is past the tenant's retention
    #[arg(long)]
    pub force: bool,
    /// The folder for new blocks until they are whole; data_dir, if it is there, without it
    #[arg(long, value_name = "FOLDER")]
    pub scratch: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum SignalName {
    Metrics,
    Logs,
}

impl From<SignalName> for Signal {
    fn from(name: SignalName) -> Self {
        match name {
            SignalName::Metrics => Self::Metrics,
            SignalName::Logs => Self::Logs,
        }
    }
}
