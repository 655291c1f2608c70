//! What has to change on a server so that it has the rules of files.

use crate::{diff, documents::Document};
use anyhow::{Result, bail};
use rules::RuleGroup;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    io::{self, Write},
};

/// A group by namespace and name.
type Name = (String, String);

#[derive(Debug)]
pub enum Change {
    Create(RuleGroup),
    /// From one to another.
    Update(RuleGroup, RuleGroup),
    Delete(RuleGroup),
}

#[derive(Debug, Default)]
pub struct Plan {
    /// By namespace and group.
    pub changes: BTreeMap<Name, Change>,
    pub unchanged: usize,
}

/// What is looked at.
pub struct Scope<'a> {
    /// Only these namespaces; all if empty.
    pub namespaces: &'a [String],
    /// Also namespaces that no file names.
    pub prune: bool,
}

impl Scope<'_> {
    fn has(&self, namespace: &str) -> bool {
        self.namespaces.is_empty() || self.namespaces.iter().any(|name| name == namespace)
    }
}

impl Plan {
    /// # Errors
    /// A group is in the files twice.
    pub fn new(
        documents: Vec<Document>,
        stored: BTreeMap<String, Vec<RuleGroup>>,
        scope: &Scope<'_>,
    ) -> Result<Self> {
        let mut wanted: BTreeMap<Name, RuleGroup> = BTreeMap::new();
        let mut touched: BTreeSet<String> = BTreeSet::new();
        for Document { namespace, groups } in documents {
            if !scope.has(&namespace) {
                continue;
            }
            for group in groups {
                let name = (namespace.clone(), group.name.clone());
                if wanted.contains_key(&name) {
                    bail!("the group {} of the namespace {} is in the files twice", name.1, name.0);
                }
                wanted.insert(name, group);
            }
            touched.insert(namespace);
        }
        let mut plan = Self::default();
        for (namespace, groups) in stored {
            if !scope.has(&namespace) || !(scope.prune || touched.contains(&namespace)) {
                continue;
            }
            for group in groups {
                let name = (namespace.clone(), group.name.clone());
                match wanted.remove(&name) {
                    Some(same) if same == group => plan.unchanged += 1,
                    Some(other) => drop(plan.changes.insert(name, Change::Update(group, other))),
                    None => drop(plan.changes.insert(name, Change::Delete(group))),
                }
            }
        }
        plan.changes.extend(wanted.into_iter().map(|(name, group)| (name, Change::Create(group))));
        Ok(plan)
    }

    /// What would change, line by line.
    pub fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        for ((namespace, group), change) in &self.changes {
            let (old, new) = match change {
                Change::Create(new) => (String::new(), rules::write_group(new)),
                Change::Update(old, new) => (rules::write_group(old), rules::write_group(new)),
                Change::Delete(old) => (rules::write_group(old), String::new()),
            };
            writeln!(out, "{change}: {namespace} / {group}")?;
            write!(out, "{}", diff::print(&old, &new, 3, "  "))?;
            writeln!(out)?;
        }
        writeln!(out, "{}", self.sum())
    }

    fn sum(&self) -> String {
        let count =
            |wanted: fn(&Change) -> bool| self.changes.values().filter(|change| wanted(change)).count();
        format!(
            "groups: {} to be created, {} to be updated, {} to be deleted, {} as they should be",
            count(|change| matches!(change, Change::Create(_))),
            count(|change| matches!(change, Change::Update(..))),
            count(|change| matches!(change, Change::Delete(_))),
            self.unchanged
        )
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create(_) => "create",
            Self::Update(..) => "update",
            Self::Delete(_) => "delete",
        })
    }
}
