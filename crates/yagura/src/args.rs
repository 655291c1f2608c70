//! The command line.

mod bucket;
mod client;

pub use bucket::{BlockArgs, BucketCommand, MakingArgs};
pub use client::{PushArgs, PushCommand, QueryArgs, ReadingArgs, RulesCommand, ServerArgs, SyncArgs};

use clap::{Parser, Subcommand};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  yagura                                    serve on 127.0.0.1:9009, data in ./data
  yagura --config.file=yagura.yaml          take settings from a file
  yagura --set http.listen=0.0.0.0:9009     set one setting; may be repeated
  YAGURA__LOG__LEVEL=debug yagura           the same by an environment variable

Prometheus writes to http://127.0.0.1:9009/api/v1/write, log agents push to
http://127.0.0.1:9009/loki/api/v1/push, and Grafana reads from http://127.0.0.1:9009
as from a Prometheus and from a Loki.";

/// Yagura keeps metrics and logs in object storage and answers PromQL and LogQL.
#[derive(Debug, Parser)]
#[command(name = "yagura", version = env!("YAGURA_VERSION"), after_help = EXAMPLES)]
pub struct Args {
    /// A YAML file with settings
    #[arg(
        long = "config.file",
        alias = "config",
        value_name = "FILE",
        env = "YAGURA_CONFIG_FILE",
        global = true
    )]
    pub config_file: Option<PathBuf>,

    /// Sets one setting over file and environment
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE", global = true)]
    pub set: Vec<String>,

    /// Checks the configuration and ends
    #[arg(long)]
    pub check_config: bool,

    /// Prints the configuration that is in force, secrets hidden, and ends
    #[arg(long)]
    pub print_config: bool,

    /// Prints the page that documents every setting, and ends
    #[arg(long, hide = true)]
    pub print_config_docs: bool,

    /// Without one Yagura serves
    #[command(subcommand)]
    pub command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Looks at the blocks in the bucket, and brings in those of Prometheus
    #[command(subcommand)]
    Bucket(BucketCommand),
    /// Asks a running Yagura whether it can do its work; exits with 1 if not
    Ready {
        /// Where it listens; found in the configuration without it
        #[arg(long, value_name = "HOST:PORT")]
        address: Option<String>,
    },
    /// Checks and tests rules, and brings them to a server
    #[command(subcommand)]
    Rules(RulesCommand),
    /// Asks a server in PromQL or LogQL
    Query(QueryArgs),
    /// Sends samples or lines to a server
    #[command(subcommand)]
    Push(PushCommand),
}

fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => Ok((name.into(), value.into())),
        _ => Err("NAME=VALUE is wanted".to_owned()),
    }
}
