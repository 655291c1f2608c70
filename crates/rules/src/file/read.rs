//! Groups and rules from a tree of YAML; goes on behind what is wrong, to tell all of it.

use super::{
    MAX_RULES, Problem, Reading, RuleFile, check_name,
    fields::{Fields, Text},
    language::{self, Unread},
    yaml::{Kind, Node},
};
use crate::{AlertTemplate, Rule, RuleGroup, RuleKind};
use model::{METRIC_NAME, quote};
use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

const GROUP_FIELDS: [&str; 12] = [
    "name",
    "interval",
    "query_offset",
    "limit",
    "labels",
    "lang",
    "rules",
    // Of others.
    "evaluation_delay",
    "align_evaluation_time_on_interval",
    "partial_response_strategy",
    "source_tenants",
    "remote_write",
];
const RULE_FIELDS: [&str; 8] =
    ["record", "alert", "expr", "lang", "for", "keep_firing_for", "labels", "annotations"];

/// Taken, for files have them, but nothing here goes by them.
const IGNORED: [&str; 2] = ["align_evaluation_time_on_interval", "partial_response_strategy"];

pub struct Reader<'r> {
    reading: &'r Reading,
    problems: Vec<Problem>,
    /// Of which the next problem is.
    group: String,
    rule: String,
    rules: usize,
}

impl<'r> Reader<'r> {
    pub fn new(reading: &'r Reading, problems: Vec<Problem>) -> Self {
        Self { reading, problems, group: String::new(), rule: String::new(), rules: 0 }
    }

    pub fn problem(&mut self, line: Option<usize>, message: impl Into<String>) {
        let (group, rule) = (self.group.clone(), self.rule.clone());
        self.problems.push(Problem { line, group, rule, message: message.into() });
    }

    pub fn is_fine(&self) -> bool {
        self.problems.is_empty()
    }

    pub fn finish(mut self) -> Result<(), Vec<Problem>> {
        if self.rules > MAX_RULES {
            let message =
                format!("there are {} rules, at most {MAX_RULES} are allowed in one file", self.rules);
            self.problems.push(Problem::whole(message));
        }
        self.problems.sort_by_key(|problem| problem.line);
        if self.problems.is_empty() { Ok(()) } else { Err(self.problems) }
    }

    pub fn file(&mut self, node: &Node) -> RuleFile {
        let Some(fields) = Fields::of(node, "a rule file", &["groups", "namespace"], self) else {
            return RuleFile::default();
        };
        let namespace = fields.text("namespace", self).map(|namespace| {
            if let Err(message) = check_name("namespace", &namespace.text) {
                self.problem(Some(namespace.line), message);
            }
            namespace.text
        });
        let groups = fields.node("groups").map(|node| self.groups(&node)).unwrap_or_default();
        RuleFile { namespace, groups }
    }

    pub fn namespaces(&mut self, node: &Node) -> BTreeMap<String, Vec<RuleGroup>> {
        let Kind::Map(entries) = &node.kind else {
            let message = format!("namespaces must be a mapping of lists of groups, not {}", node.what());
            self.problem(Some(node.line), message);
            return BTreeMap::new();
        };
        let mut namespaces = BTreeMap::new();
        for entry in entries {
            if let Err(message) = check_name("namespace", &entry.key) {
                self.problem(Some(entry.line), message);
            }
            namespaces.insert(entry.key.clone(), self.groups(&entry.value));
        }
        namespaces
    }

    fn groups(&mut self, node: &Node) -> Vec<RuleGroup> {
        let mut names = BTreeSet::new();
        let mut groups = Vec::new();
        for item in self.list(node, "groups") {
            let Some(group) = self.group(&item) else { continue };
            if !names.insert(group.name.clone()) && !group.name.is_empty() {
                let message = format!("the group {} is there twice in this file", quote(&group.name));
                self.problem(Some(item.line), message);
            }
            groups.push(group);
        }
        groups
    }

    fn list(&mut self, node: &Node, what: &str) -> Vec<Rc<Node>> {
        match &node.kind {
            Kind::List(items) => items.clone(),
            Kind::Null => Vec::new(),
            _ => {
                self.problem(Some(node.line), format!("{what} must be a list, not {}", node.what()));
                Vec::new()
            }
        }
    }

    pub fn group(&mut self, node: &Node) -> Option<RuleGroup> {
        node.name(&["name"]).unwrap_or_default().clone_into(&mut self.group);
        let fields = Fields::of(node, "a group", &GROUP_FIELDS, self)?;
        let name = fields.text("name", self).map(|name| name.text).unwrap_or_default();
        if let Err(message) = check_name("group", &name) {
            self.problem(Some(fields.line_of("name")), message);
        }
        self.refuse(&fields);
        let labels = self.labels(&fields);
        let rules = fields.node("rules").map(|node| self.list(&node, "rules")).unwrap_or_default();
        self.rules += rules.len();
        let lang = fields.lang(self);
        let unread: Vec<_> = if self.rules > MAX_RULES {
            Vec::new()
        } else {
            rules.iter().filter_map(|rule| self.rule(rule, &labels)).collect()
        };
        self.check_group_templates(&fields, &unread);
        let rules = language::decide(self, lang.or(self.reading.lang), self.reading.promql, unread);
        let old_offset = fields.duration("evaluation_delay", self);
        let group = RuleGroup {
            name,
            interval: fields.duration("interval", self).filter(|interval| !interval.is_zero()),
            query_offset: fields.duration("query_offset", self).or(old_offset),
            limit: fields.limit("limit", self),
            labels,
            lang,
            rules,
            ignored: IGNORED.into_iter().filter(|name| fields.has(name)).collect(),
        };
        self.group.clear();
        Some(group)
    }

    /// What others have and nobody can have here.
    fn refuse(&mut self, fields: &Fields) {
        let reasons = [
            ("source_tenants", "a group reads the data of its own tenant alone"),
            ("remote_write", "results are always written to this server, as series of the tenant"),
        ];
        for (name, reason) in reasons {
            let is_empty = |node: &Node| matches!(&node.kind, Kind::List(items) if items.is_empty());
            if let Some(node) = fields.node(name).filter(|node| !is_empty(node)) {
                self.problem(Some(node.line), format!("{name} is not supported: {reason}; leave it out"));
            }
        }
    }

    fn labels(&mut self, fields: &Fields) -> BTreeMap<String, String> {
        let texts = fields.texts("labels", self);
        for (name, text) in &texts {
            if name.is_empty() || name == METRIC_NAME {
                self.problem(Some(text.line), format!("{} cannot be the name of a label here", quote(name)));
            }
        }
        texts.into_iter().map(|(name, text)| (name, text.text)).collect()
    }

    fn rule(&mut self, node: &Node, of_group: &BTreeMap<String, String>) -> Option<Unread> {
        node.name(&["alert", "record"]).unwrap_or_default().clone_into(&mut self.rule);
        let fields = Fields::of(node, "a rule", &RULE_FIELDS, self)?;
        let name_of = |text: Option<Text>| text.map(|text| text.text).filter(|text| !text.is_empty());
        let (record, alert) = (name_of(fields.text("record", self)), name_of(fields.text("alert", self)));
        let own = self.labels(&fields);
        let mut labels = of_group.clone();
        labels.extend(own.clone());
        let hold = fields.duration("for", self).unwrap_or_default();
        let keep_firing_for = fields.duration("keep_firing_for", self).unwrap_or_default();
        let annotations = fields.texts("annotations", self);
        if let Some(text) = annotations.get("") {
            self.problem(Some(text.line), "an annotation must have a name");
        }
        let kind = match (record, alert) {
            (Some(name), None) => {
                self.check_record(&fields, &name, !hold.is_zero(), !keep_firing_for.is_zero());
                Some(RuleKind::Record(name))
            }
            (None, Some(name)) => {
                self.check_templates(&fields, &name, &annotations);
                let annotations = annotations.into_iter().map(|(name, text)| (name, text.text)).collect();
                Some(RuleKind::Alert { name, hold, keep_firing_for, annotations })
            }
            (Some(_), Some(_)) => {
                self.problem(Some(fields.line_of("record")), "a rule has either record or alert, not both");
                None
            }
            (None, None) => {
                self.problem(Some(fields.line), "a rule must have record or alert");
                None
            }
        };
        let (lang, expr) = (fields.lang(self), fields.text("expr", self));
        let expr = expr.filter(|expr| !expr.text.trim().is_empty());
        if expr.is_none() && !fields.node("expr").is_some_and(|node| !matches!(node.kind, Kind::Text(_))) {
            self.problem(Some(fields.line_of("expr")), "a rule must have an expression in expr");
        }
        let name = std::mem::take(&mut self.rule);
        let Text { line, text } = expr?;
        Some(Unread { name, kind, lang, labels, line, text })
    }

    fn check_record(&mut self, fields: &Fields, name: &str, has_hold: bool, has_keep: bool) {
        if name.contains(['{', '}']) {
            let message = format!("the name {} has braces: an expression belongs into expr", quote(name));
            self.problem(Some(fields.line_of("record")), message);
        }
        let annotations = fields.node("annotations");
        let has_annotations =
            annotations.is_some_and(|node| !matches!(&node.kind, Kind::Map(entries) if entries.is_empty()));
        let wrong = [("for", has_hold), ("keep_firing_for", has_keep), ("annotations", has_annotations)];
        for (field, _) in wrong.iter().filter(|(_, is_there)| *is_there) {
            let message = format!("a rule that records cannot have {field}, which is for alerts");
            self.problem(Some(fields.line_of(field)), message);
        }
    }

    /// Labels of a group are templates where the rule is an alert.
    fn check_group_templates(&mut self, fields: &Fields, rules: &[Unread]) {
        if rules.iter().any(|rule| matches!(rule.kind, Some(RuleKind::Alert { .. }))) {
            self.check_templates(fields, "", &BTreeMap::new());
        }
    }

    fn check_templates(&mut self, fields: &Fields, alert: &str, annotations: &BTreeMap<String, Text>) {
        // What else is wrong with labels has been told.
        let labels = fields.texts("labels", &mut Reader::new(self.reading, Vec::new()));
        let texts = (labels.iter().map(|text| ("label", text)))
            .chain(annotations.iter().map(|text| ("annotation", text)));
        for (what, (name, text)) in texts {
            if let Err(error) = AlertTemplate::parse(&format!("__alert_{alert}"), &text.text) {
                self.problem(Some(text.line), format!("{what} {}: {error}", quote(name)));
            }
        }
    }

    /// A problem of a rule of this group that has been left.
    pub fn problem_of(&mut self, rule: &Unread, message: impl Into<String>) {
        rule.name.clone_into(&mut self.rule);
        self.problem(Some(rule.line), message);
        self.rule.clear();
    }
}

impl Unread {
    /// The rule, now that its expression is known; none if it has no kind.
    pub fn with(self, expr: crate::Expression) -> Option<Rule> {
        Some(Rule { kind: self.kind?, expr, labels: self.labels, lang: self.lang })
    }
}
