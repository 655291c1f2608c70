//! The groups that a server has.

use super::PATH;
use crate::Server;
use anyhow::{Result, bail};
use promql::ParseOptions;
use reqwest::StatusCode;
use rules::{Reading, RuleGroup};
use std::collections::BTreeMap;

/// All groups by namespace.
pub async fn all(server: &Server) -> Result<BTreeMap<String, Vec<RuleGroup>>> {
    let answer = server.get(server.url(PATH)?).await?;
    // Mimir and Cortex say so if there are no rules at all.
    if answer.status == StatusCode::NOT_FOUND {
        return if answer.text.contains("no rule groups") {
            Ok(BTreeMap::new())
        } else {
            bail!("{}: is the ruler on?", answer.complaint())
        };
    }
    let reading = Reading { lang: None, promql: ParseOptions::all_features() };
    rules::read_namespaces(&answer.good()?.text, &reading).map_err(|problems| {
        let first = problems.first().map(ToString::to_string).unwrap_or_default();
        anyhow::anyhow!("the server's rules cannot be read here: {first}")
    })
}
