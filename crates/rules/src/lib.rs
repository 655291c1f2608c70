//! Rule groups: what is written in their files, and what comes of evaluating them.
//!
//! Nothing here knows where rules are kept, who runs them or when: that is crate `ruler`, and for unit tests of
//! rules crate `client-tools`. Data is reached through [`Queries`], and results go to [`Results`].

mod expression;
mod group;
mod sources;

pub use expression::Expression;
pub use group::{GroupName, Rule, RuleGroup, RuleKind};
pub use sources::{Answer, Queries, ResultSample, Results, RuleStore, StoredGroup};
