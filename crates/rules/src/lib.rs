//! Rule groups: what is written in their files, and what comes of evaluating them.
//!
//! Nothing here knows where rules are kept, who runs them or when: that is crate `ruler`, and for unit tests of
//! rules crate `client-tools`. Data is reached through [`Queries`], and results go to [`Results`].

mod engines;
mod expand;
mod expression;
mod file;
mod group;
mod lint;
mod pushed;
mod run;
mod sources;

pub use engines::Engines;
pub use expand::{AlertTemplate, Expansion};
pub use expression::Expression;
pub use file::{
    MAX_FILE_BYTES, MAX_RULES, Problem, Reading, RuleFile, read_file, read_group, read_namespaces,
    read_rule_file, write_group, write_namespaces, write_rule_file,
};
pub use group::{GroupName, MAX_NAME_BYTES, Rule, RuleGroup, RuleKind, check_name};
pub use lint::{Lint, Severity, lint};
pub use pushed::Pushed;
pub use run::{Around, Evaluation, GroupRun, RunConfig, Timing};
pub use sources::{Answer, Queries, ResultSample, Results, RuleStore, StoredGroup};
pub use template::TemplateQuerier;
