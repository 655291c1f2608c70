//! Which groups and rules are asked for, and which page of them.

use super::shape;
use crate::{
    params::{Params, invalid},
    query::selectors,
};
use model::{Matcher, quote};
use service_api::{GroupState, Result, RuleKindState, RuleState};
use sha2::{Digest, Sha256};
use std::collections::HashSet;

/// The parameters of `rules`; sets that are empty ask for everything.
#[derive(Debug)]
pub struct Filter {
    rules: HashSet<String>,
    groups: HashSet<String>,
    files: HashSet<String>,
    /// One of which must match the rule's labels, templates as they are written.
    matchers: Vec<Vec<Matcher>>,
    kind: Option<Kind>,
    /// Cortex's; empty for any.
    state: String,
    health: String,
    pub exclude_alerts: bool,
    page: Option<Page>,
}

#[derive(Debug, PartialEq)]
enum Kind {
    Alerting,
    Recording,
}

/// So many groups, from the one on that the token names; from the first if it is empty.
#[derive(Debug)]
struct Page {
    limit: usize,
    token: String,
}

impl Filter {
    pub fn new(params: &Params) -> Result<Self> {
        // Prometheus has brackets in these names, and Loki and old Mimirs have none.
        let set = |name: &str, plain: &str| {
            params.all(name).chain(params.all(plain)).map(str::to_owned).collect::<HashSet<_>>()
        };
        let word = |name: &str, known: &[&str]| {
            let word = params.get(name).to_lowercase();
            let is_known = word.is_empty() || known.contains(&word.as_str());
            let unknown = || invalid(name, format!("not supported value {}", quote(&word)));
            is_known.then(|| word.clone()).ok_or_else(unknown)
        };
        Ok(Self {
            rules: set("rule_name[]", "rule_name"),
            groups: set("rule_group[]", "rule_group"),
            files: set("file[]", "file"),
            matchers: selectors::matcher_sets(params)?,
            kind: match word("type", &["alert", "record"])?.as_str() {
                "alert" => Some(Kind::Alerting),
                "record" => Some(Kind::Recording),
                _ => None,
            },
            state: word("state", &["unknown", "inactive", "pending", "firing"])?,
            health: word("health", &["unknown", "ok", "err"])?,
            exclude_alerts: exclude_alerts(params)?,
            page: Page::new(params)?,
        })
    }

    /// Leaves what is asked for, and gives the token of the next page if there is one. Groups of which no rule is
    /// left are left out.
    pub fn apply(&self, groups: Vec<GroupState>) -> Result<(Vec<GroupState>, Option<String>)> {
        let (mut kept, mut groups) = (Vec::new(), groups.into_iter().peekable());
        let page = self.page.as_ref();
        if let Some(page) = page.filter(|page| !page.token.is_empty()) {
            while groups.next_if(|group| token(group) != page.token).is_some() {}
            if groups.peek().is_none() {
                let token = &page.token;
                let why = format!("invalid group_next_token '{token}'. were rule groups changed?");
                return Err(invalid("group_next_token", why));
            }
        }
        for mut group in groups.filter(|group| self.wants_group(group)) {
            group.rules.retain(|rule| self.wants_rule(rule));
            if group.rules.is_empty() {
                continue;
            }
            if page.is_some_and(|page| kept.len() == page.limit) {
                return Ok((kept, Some(token(&group))));
            }
            kept.push(group);
        }
        Ok((kept, None))
    }

    fn wants_group(&self, group: &GroupState) -> bool {
        let any = |set: &HashSet<String>, name| set.is_empty() || set.contains(name);
        any(&self.groups, &group.name) && any(&self.files, &group.namespace)
    }

    fn wants_rule(&self, rule: &RuleState) -> bool {
        let kind = match rule.kind {
            RuleKindState::Recording => Kind::Recording,
            RuleKindState::Alerting { .. } => Kind::Alerting,
        };
        let matches =
            |matchers: &Vec<Matcher>| matchers.iter().all(|matcher| matcher.matches_labels(&rule.labels));
        (self.rules.is_empty() || self.rules.contains(&rule.name))
            && (self.matchers.is_empty() || self.matchers.iter().any(matches))
            && self.kind.as_ref().is_none_or(|wanted| *wanted == kind)
            // What records has no state.
            && (self.state.is_empty() || kind == Kind::Alerting && shape::phase(rule) == self.state)
            && (self.health.is_empty() || shape::health(rule) == self.health)
    }
}

/// As Go reads truth values.
fn exclude_alerts(params: &Params) -> Result<bool> {
    let word = params.get("exclude_alerts").to_lowercase();
    match word.as_str() {
        "" | "0" | "f" | "false" => Ok(false),
        "1" | "t" | "true" => Ok(true),
        _ => {
            let word = quote(&word);
            let why = "error converting exclude_alerts: strconv.ParseBool: parsing";
            Err(invalid("exclude_alerts", format!("{why} {word}: invalid syntax")))
        }
    }
}

impl Page {
    fn new(params: &Params) -> Result<Option<Self>> {
        let (limit, token) = (params.get("group_limit"), params.get("group_next_token"));
        if limit.is_empty() {
            let why = "group_limit needs to be present in order to paginate over the groups";
            return if token.is_empty() { Ok(None) } else { Err(invalid("group_next_token", why)) };
        }
        let number = crate::params::integer(limit).and_then(|number| {
            let range = || format!("strconv.ParseInt: parsing {}: value out of range", quote(limit));
            i32::try_from(number).map_err(|_| range())
        });
        let number = number.map_err(|why| {
            let why = why.replacen("strconv.Atoi", "strconv.ParseInt", 1);
            invalid("group_limit", format!("group_limit needs to be a valid number: {why}"))
        })?;
        match usize::try_from(number).ok().filter(|limit| *limit > 0) {
            Some(limit) => Ok(Some(Self { limit, token: token.to_owned() })),
            None => Err(invalid("group_limit", "group_limit needs to be greater than 0")),
        }
    }
}

/// Names a group in a page's token, as Prometheus does it.
fn token(group: &GroupState) -> String {
    let digest = Sha256::digest(format!("{};{}", group.namespace, group.name));
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
