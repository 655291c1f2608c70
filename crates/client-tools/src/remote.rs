//! `yagura rules list|get|diff|sync|delete`: the rules that a server has for the tenant.

mod changes;
mod plan;
mod stored;

pub use changes::{SyncOptions, diff_rules, sync_rules};

use crate::{Outcome, Server, table::Table};
use anyhow::{Result, bail};
use reqwest::StatusCode;
use std::io::Write;

pub struct GetOptions {
    pub namespace: String,
    /// All of the namespace if none.
    pub group: Option<String>,
}

pub struct DeleteOptions {
    pub namespace: String,
    /// All of the namespace if none.
    pub group: Option<String>,
}

const PATH: [&str; 3] = ["config", "v1", "rules"];

/// # Errors
/// The server does not answer, or refuses.
pub async fn list_rules(server: &Server, namespaces: &[String], out: &mut dyn Write) -> Result<Outcome> {
    let stored = stored::all(server).await?;
    let mut table = Table::new(&["namespace", "group", ">rules"]);
    let mut groups = 0;
    for (namespace, all) in &stored {
        if !namespaces.is_empty() && !namespaces.contains(namespace) {
            continue;
        }
        for group in all {
            groups += 1;
            table.row(vec![namespace.clone(), group.name.clone(), group.rules.len().to_string()]);
        }
    }
    if groups == 0 {
        writeln!(out, "there are no rule groups")?;
    } else {
        table.print(out)?;
    }
    Ok(Outcome::Good)
}

/// Prints the YAML of a group, or of all groups of a namespace.
///
/// # Errors
/// There is none, or the server does not answer.
pub async fn get_rules(server: &Server, options: &GetOptions, out: &mut dyn Write) -> Result<Outcome> {
    let GetOptions { namespace, group } = options;
    let url = server.url(PATH.into_iter().chain([namespace.as_str()]).chain(group.as_deref()))?;
    let answer = server.get(url).await?;
    if answer.status == StatusCode::NOT_FOUND {
        bail!("there is no {}", named(namespace, group.as_deref()));
    }
    let text = answer.good()?.text;
    writeln!(out, "{}", text.trim_end())?;
    Ok(Outcome::Good)
}

/// # Errors
/// There is none, or the server does not answer.
pub async fn delete_rules(server: &Server, options: &DeleteOptions, out: &mut dyn Write) -> Result<Outcome> {
    let DeleteOptions { namespace, group } = options;
    let url = server.url(PATH.into_iter().chain([namespace.as_str()]).chain(group.as_deref()))?;
    let answer = server.delete(url).await?;
    if answer.status == StatusCode::NOT_FOUND {
        bail!("there is no {}", named(namespace, group.as_deref()));
    }
    answer.good()?;
    writeln!(out, "deleted the {}", named(namespace, group.as_deref()))?;
    Ok(Outcome::Good)
}

fn named(namespace: &str, group: Option<&str>) -> String {
    match group {
        Some(group) => format!("group {group} in the namespace {namespace}"),
        None => format!("namespace {namespace}"),
    }
}

#[cfg(test)]
mod tests;
