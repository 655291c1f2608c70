//! The command lines of `yagura rules`, `yagura query` and `yagura push`.

use super::label;
use clap::{Args, Subcommand, ValueEnum};
use client_tools::Output;
use runtime::Secret;
use service_api::RuleLanguage;
use std::{convert::Infallible, path::PathBuf};

#[derive(Debug, Subcommand)]
pub enum RulesCommand {
    /// Says what is wrong with rule files; exits with 1 if anything is
    Check {
        /// Files, folders with .yaml and .yml, or - for standard input
        #[arg(value_name = "FILE", required = true)]
        files: Vec<String>,
        #[command(flatten)]
        reading: ReadingArgs,
        /// Exits with 3 if there are warnings
        #[arg(long)]
        lint_fatal: bool,
    },
    /// Runs unit tests of rules, as promtool's with log streams beside series; exits with 1 if any fails
    Test {
        #[arg(value_name = "FILE", required = true)]
        files: Vec<String>,
        /// Only tests in whose name this is found
        #[arg(long, value_name = "REGEX")]
        run: Option<String>,
        /// Shows line by line what differs
        #[arg(long)]
        diff: bool,
        #[command(flatten)]
        reading: ReadingArgs,
    },
    /// Lists the rule groups of a server
    List {
        #[command(flatten)]
        server: ServerArgs,
        /// Only these namespaces
        #[arg(long, value_name = "NAMESPACE,…", value_delimiter = ',')]
        namespaces: Vec<String>,
    },
    /// Prints the groups of a namespace, or one of them
    Get {
        #[arg(value_name = "NAMESPACE")]
        namespace: String,
        #[arg(value_name = "GROUP")]
        group: Option<String>,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Shows how files differ from what a server has; exits with 1 if they do
    Diff(SyncArgs),
    /// Has a server take the rules of files, and forget others of their namespaces
    Sync {
        #[command(flatten)]
        sync: SyncArgs,
        /// Says what would be done, and does nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Deletes the groups of a namespace, or one of them
    Delete {
        #[arg(value_name = "NAMESPACE")]
        namespace: String,
        #[arg(value_name = "GROUP")]
        group: Option<String>,
        #[command(flatten)]
        server: ServerArgs,
    },
}

#[derive(Debug, Args)]
pub struct SyncArgs {
    /// Files or folders; a file's namespace is its name without ending, or what `namespace:` in it says
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<String>,
    #[command(flatten)]
    pub reading: ReadingArgs,
    #[command(flatten)]
    pub server: ServerArgs,
    /// Only these namespaces
    #[arg(long, value_name = "NAMESPACE,…", value_delimiter = ',')]
    pub namespaces: Vec<String>,
    /// Also deletes the groups of namespaces that no file names
    #[arg(long)]
    pub prune: bool,
}

/// How rule files are read.
#[derive(Debug, Args)]
pub struct ReadingArgs {
    /// What rules are in that do not say so; found out without it
    #[arg(long, value_name = "LANGUAGE")]
    pub lang: Option<LanguageName>,
    /// Features of PromQL that are behind a flag, by Prometheus's names with commas between
    #[arg(long, value_name = "FEATURE,…", default_value = "")]
    pub features: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum LanguageName {
    Promql,
    Logql,
}

impl From<LanguageName> for RuleLanguage {
    fn from(name: LanguageName) -> Self {
        match name {
            LanguageName::Promql => Self::Promql,
            LanguageName::Logql => Self::Logql,
        }
    }
}

/// Where the server is, and who asks.
#[derive(Debug, Args)]
pub struct ServerArgs {
    /// Where the server is
    #[arg(long, env = "YAGURA_ADDRESS", value_name = "URL", default_value = "http://127.0.0.1:9009")]
    pub address: String,
    /// Whose data it is, where a server tells tenants apart
    #[arg(long, env = "YAGURA_TENANT", value_name = "TENANT")]
    pub tenant: Option<String>,
    /// The token that says who asks; better given by the environment, where nobody sees it
    #[arg(long, env = "YAGURA_TOKEN", value_name = "TOKEN", hide_env_values = true, value_parser = secret)]
    pub token: Option<Secret>,
    /// Certificates, one of which must have signed the server's
    #[arg(long, env = "YAGURA_TLS_CA", value_name = "FILE")]
    pub tls_ca: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct QueryArgs {
    /// PromQL or LogQL; a selector with --labels, --label-values and --series
    #[arg(value_name = "EXPR", required_unless_present_any = ["labels", "label_values", "series"])]
    pub expr: Option<String>,
    /// The expression is LogQL; found out without it where it can be nothing else
    #[arg(long)]
    pub logs: bool,
    /// The time to ask for: RFC 3339, seconds since 1970, -1h or now
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub time: Option<String>,
    /// From this time on, step by step
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub start: Option<String>,
    /// Up to this time
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub end: Option<String>,
    /// From step to step, such as 15s
    #[arg(long, value_name = "DURATION")]
    pub step: Option<String>,
    /// Lines that are wanted at most
    #[arg(long, value_name = "LINES", default_value_t = 100)]
    pub limit: u64,
    /// Oldest lines first
    #[arg(long)]
    pub forward: bool,
    /// How the answer is printed: without it a table on a terminal, and JSON else
    #[arg(long, short, value_name = "FORM")]
    pub output: Option<OutputName>,
    /// Lists names of labels
    #[arg(long, conflicts_with_all = ["label_values", "series"])]
    pub labels: bool,
    /// Lists values of a label
    #[arg(long, value_name = "LABEL", conflicts_with = "series")]
    pub label_values: Option<String>,
    /// Lists series or streams
    #[arg(long, requires = "expr")]
    pub series: bool,
    #[command(flatten)]
    pub server: ServerArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum OutputName {
    /// For people
    Table,
    /// What the server answers
    Json,
    /// A column for each label
    Csv,
    /// Values, or lines, and nothing else
    Raw,
    /// One JSON object a value or line
    Lines,
}

impl From<OutputName> for Output {
    fn from(name: OutputName) -> Self {
        match name {
            OutputName::Table => Self::Table,
            OutputName::Json => Self::Json,
            OutputName::Csv => Self::Csv,
            OutputName::Raw => Self::Raw,
            OutputName::Lines => Self::Lines,
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum PushCommand {
    /// Sends text of a scrape as samples; those without a time are of now
    Metrics(PushArgs),
    /// Sends lines as lines of one stream
    Logs(PushArgs),
}

#[derive(Debug, Args)]
pub struct PushArgs {
    /// What is sent
    #[arg(value_name = "FILE", default_value = "-")]
    pub file: String,
    /// A label of the stream, or of all series; may be repeated
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = label)]
    pub labels: Vec<(String, String)>,
    #[command(flatten)]
    pub server: ServerArgs,
}

fn secret(text: &str) -> Result<Secret, Infallible> {
    Ok(Secret::new(text))
}
