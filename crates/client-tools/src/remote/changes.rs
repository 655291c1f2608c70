//! `yagura rules diff` and `yagura rules sync`.

use super::{
    PATH,
    plan::{Change, Plan, Scope},
    stored,
};
use crate::{
    Outcome, Server, documents, files,
    server::{Answer, Body},
};
use anyhow::Result;
use promql::Features;
use reqwest::StatusCode;
use rules::Reading;
use service_api::RuleLanguage;
use std::{io::Write, path::Path};

pub struct SyncOptions {
    pub files: Vec<String>,
    /// What rules are in that do not say so.
    pub lang: Option<RuleLanguage>,
    pub features: Features,
    /// Only these namespaces; all that files name if empty.
    pub namespaces: Vec<String>,
    /// Namespaces that no file names are to be deleted.
    pub prune: bool,
    /// Only says what would be done.
    pub dry_run: bool,
}

/// Says what `sync_rules` would change; `Bad` if there is anything.
///
/// # Errors
/// The server does not answer, or refuses.
pub async fn diff_rules(server: &Server, options: &SyncOptions, out: &mut dyn Write) -> Result<Outcome> {
    let Some(plan) = plan(server, options, out).await? else { return Ok(Outcome::Bad) };
    plan.print(out)?;
    Ok(if plan.changes.is_empty() { Outcome::Good } else { Outcome::Bad })
}

/// Has the server take the rules of files, and forget those of the same namespaces that are in no file.
///
/// # Errors
/// The server does not answer. What it refuses is printed, and the rest is done nevertheless.
pub async fn sync_rules(server: &Server, options: &SyncOptions, out: &mut dyn Write) -> Result<Outcome> {
    let Some(plan) = plan(server, options, out).await? else { return Ok(Outcome::Bad) };
    if options.dry_run {
        plan.print(out)?;
        return Ok(Outcome::Good);
    }
    let mut outcome = Outcome::Good;
    let mut done = 0;
    // What is new comes first: a group that is renamed must not be missing in between.
    let (last, first): (Vec<_>, Vec<_>) =
        plan.changes.iter().partition(|(_, change)| matches!(change, Change::Delete(_)));
    for ((namespace, group), change) in first.into_iter().chain(last) {
        let answer = apply(server, namespace, group, change).await?;
        // Who deletes what somebody else has deleted is content.
        let gone = answer.status == StatusCode::NOT_FOUND && matches!(change, Change::Delete(_));
        if answer.status.is_success() || gone {
            writeln!(out, "{change}d: {namespace} / {group}")?;
            done += 1;
        } else {
            writeln!(out, "cannot {change} {namespace} / {group}: {}", answer.complaint())?;
            outcome = Outcome::Bad;
        }
        // What is forbidden may be this group alone: one that comes from a file of the server.
        if answer.status == StatusCode::UNAUTHORIZED {
            break;
        }
    }
    writeln!(out, "groups: {done} changed, {} as they should be", plan.unchanged)?;
    Ok(outcome)
}

async fn apply(server: &Server, namespace: &str, group: &str, change: &Change) -> Result<Answer> {
    let of_namespace = PATH.into_iter().chain([namespace]);
    match change {
        Change::Create(new) | Change::Update(_, new) => {
            let bytes = rules::write_group(new).into_bytes();
            let body = Body { content_type: "application/yaml", headers: &[], bytes };
            server.post(server.url(of_namespace)?, body).await
        }
        Change::Delete(_) => server.delete(server.url(of_namespace.chain([group]))?).await,
    }
}

/// None if files are wrong, which has been said.
async fn plan(server: &Server, options: &SyncOptions, out: &mut dyn Write) -> Result<Option<Plan>> {
    let reading = Reading { lang: options.lang, promql: options.features.parse_options() };
    let (mut all, mut problems) = (Vec::new(), Vec::new());
    let names = files::rule_files(&options.files).map_err(anyhow::Error::msg)?;
    for name in names {
        let text = if name == "-" {
            files::read_all(std::io::stdin(), "standard input")
        } else {
            files::read_text(Path::new(&name))
        };
        match documents::read(&name, &text.map_err(anyhow::Error::msg)?, &reading) {
            Ok(documents) => all.extend(documents),
            Err(found) => problems.extend(found),
        }
    }
    if !problems.is_empty() {
        problems.iter().try_for_each(|problem| writeln!(out, "{problem}"))?;
        writeln!(out, "nothing was changed")?;
        return Ok(None);
    }
    let scope = Scope { namespaces: &options.namespaces, prune: options.prune };
    Ok(Some(Plan::new(all, stored::all(server).await?, &scope)?))
}
