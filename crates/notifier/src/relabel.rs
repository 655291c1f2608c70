//! Relabelling as Prometheus has it: rules that change labels, or drop what has them.

use md5::{Digest, Md5};
use model::{Labels, LabelsBuilder, capturing_regex, check_regex_work, regex_cost};
use regex::{Captures, Regex};
use serde::Deserialize;

/// Rules of one configuration at most.
const MAX_RULES: usize = 1_000;

/// Rules, applied one after the other.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Relabel(Vec<Rule>);

/// One of `alert_relabel_configs` as it is written.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RelabelConfig {
    source_labels: Option<Vec<String>>,
    separator: String,
    regex: String,
    modulus: u64,
    target_label: String,
    replacement: String,
    action: String,
}

#[derive(Clone, Debug)]
struct Rule {
    config: RelabelConfig,
    action: Action,
    regex: Regex,
    cost: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Replace,
    Keep,
    Drop,
    KeepEqual,
    DropEqual,
    HashMod,
    LabelMap,
    LabelDrop,
    LabelKeep,
    Lowercase,
    Uppercase,
}

const ACTIONS: &[(&str, Action)] = &[
    ("replace", Action::Replace),
    ("keep", Action::Keep),
    ("drop", Action::Drop),
    ("keepequal", Action::KeepEqual),
    ("dropequal", Action::DropEqual),
    ("hashmod", Action::HashMod),
    ("labelmap", Action::LabelMap),
    ("labeldrop", Action::LabelDrop),
    ("labelkeep", Action::LabelKeep),
    ("lowercase", Action::Lowercase),
    ("uppercase", Action::Uppercase),
];

impl Default for RelabelConfig {
    fn default() -> Self {
        Self {
            source_labels: None,
            separator: ";".into(),
            regex: "(.*)".into(),
            modulus: 0,
            target_label: String::new(),
            replacement: "$1".into(),
            action: "replace".into(),
        }
    }
}

impl Relabel {
    pub fn new(configs: Vec<RelabelConfig>) -> Result<Self, String> {
        if configs.len() > MAX_RULES {
            return Err(format!(
                "there are {} relabelling rules, at most {MAX_RULES} are allowed",
                configs.len()
            ));
        }
        configs.into_iter().map(Rule::new).collect::<Result<_, _>>().map(Self)
    }

    /// The labels as they are then; none if a rule drops what has them.
    pub fn apply(&self, labels: &Labels) -> Option<Labels> {
        if self.0.is_empty() {
            return Some(labels.clone());
        }
        let mut builder = LabelsBuilder::from_labels(labels);
        self.0.iter().all(|rule| rule.apply(&mut builder)).then(|| builder.build())
    }
}

impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        self.config == other.config
    }
}

impl Rule {
    fn new(config: RelabelConfig) -> Result<Self, String> {
        let name = config.action.to_lowercase();
        let action = ACTIONS.iter().find(|(known, _)| *known == name).map(|(_, action)| *action);
        let action = action.ok_or_else(|| {
            let known: Vec<&str> = ACTIONS.iter().map(|(name, _)| *name).collect();
            format!("relabelling has no action {:?}; there are {}", config.action, known.join(", "))
        })?;
        check(&config, action, &name)?;
        let regex = capturing_regex(&config.regex)
            .map_err(|e| format!("regex {:?} of a relabelling rule: {e}", config.regex))?;
        let cost = regex_cost(&config.regex);
        Ok(Self { config, action, regex, cost })
    }

    /// Whether to go on.
    fn apply(&self, labels: &mut LabelsBuilder) -> bool {
        let Self { config, action, .. } = self;
        let sources = config.source_labels.iter().flatten();
        let values: Vec<&str> = sources.map(|name| labels.get(name).unwrap_or_default()).collect();
        let value = values.join(&config.separator);
        let target = &config.target_label;
        match action {
            Action::Keep => return self.is_match(&value),
            Action::Drop => return !self.is_match(&value),
            Action::KeepEqual => return labels.get(target).unwrap_or_default() == value,
            Action::DropEqual => return labels.get(target).unwrap_or_default() != value,
            Action::Replace => {
                if let Some(found) = self.captures(&value) {
                    let target = expand(&found, target);
                    if !target.is_empty() {
                        labels.set(&target, &expand(&found, &config.replacement));
                    }
                }
            }
            Action::Lowercase => {
                labels.set(target, &value.to_lowercase());
            }
            Action::Uppercase => {
                labels.set(target, &value.to_uppercase());
            }
            Action::HashMod => {
                labels.set(target, &(last_half(&value) % config.modulus).to_string());
            }
            Action::LabelMap | Action::LabelDrop | Action::LabelKeep => self.names(labels),
        }
        true
    }

    fn names(&self, labels: &mut LabelsBuilder) {
        for (name, value) in labels.build().iter() {
            let found = self.captures(name);
            match (self.action, found) {
                (Action::LabelMap, Some(found)) => {
                    let target = expand(&found, &self.config.replacement);
                    if !target.is_empty() {
                        labels.set(&target, value);
                    }
                }
                (Action::LabelDrop, Some(_)) | (Action::LabelKeep, None) => {
                    labels.remove(name);
                }
                _ => {}
            }
        }
    }

    /// What would take too long does not match.
    fn captures<'t>(&self, value: &'t str) -> Option<Captures<'t>> {
        check_regex_work(self.cost, value.len()).ok()?;
        self.regex.captures(value)
    }

    fn is_match(&self, value: &str) -> bool {
        check_regex_work(self.cost, value.len()).is_ok() && self.regex.is_match(value)
    }
}

fn expand(found: &Captures<'_>, template: &str) -> String {
    let mut out = String::new();
    found.expand(template, &mut out);
    out
}

/// Prometheus takes the last eight bytes of the MD5.
fn last_half(value: &str) -> u64 {
    let digest = Md5::digest(value.as_bytes());
    digest.iter().skip(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

fn check(config: &RelabelConfig, action: Action, name: &str) -> Result<(), String> {
    let usual = RelabelConfig::default();
    let same = |without_regex: bool| {
        (without_regex || config.regex == usual.regex)
            && config.separator == usual.separator
            && config.modulus == usual.modulus
            && config.replacement == usual.replacement
    };
    match action {
        Action::HashMod if config.modulus == 0 => {
            return Err("the relabelling action hashmod needs a modulus above 0".into());
        }
        Action::KeepEqual | Action::DropEqual if !same(false) => {
            return Err(format!("the relabelling action {name} takes source_labels and target_label only"));
        }
        Action::LabelDrop | Action::LabelKeep
            if config.source_labels.is_some() || !config.target_label.is_empty() || !same(true) =>
        {
            return Err(format!("the relabelling action {name} takes a regex only"));
        }
        Action::Lowercase | Action::Uppercase if config.replacement != usual.replacement => {
            return Err(format!("the relabelling action {name} takes no replacement"));
        }
        Action::LabelMap if config.replacement.is_empty() => {
            return Err("the relabelling action labelmap needs a replacement".into());
        }
        _ => {}
    }
    let needs_target = !matches!(
        action,
        Action::Keep | Action::Drop | Action::LabelMap | Action::LabelDrop | Action::LabelKeep
    );
    if needs_target && config.target_label.is_empty() {
        return Err(format!("the relabelling action {name} needs a target_label"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
