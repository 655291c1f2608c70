//! Which language the rules of a group are in that do not say so.

use super::read::Reader;
use crate::{Expression, Rule, RuleKind};
use model::METRIC_NAME;
use promql::{ParseOptions, ast::Expr};
use service_api::RuleLanguage::{self, Logql, Promql};
use std::collections::BTreeMap;

/// A rule whose expression is still text.
pub struct Unread {
    pub name: String,
    /// None if it is wrong.
    pub kind: Option<RuleKind>,
    pub lang: Option<RuleLanguage>,
    pub labels: BTreeMap<String, String>,
    /// Of the expression.
    pub line: usize,
    pub text: String,
}

/// An expression as each language has it.
struct Both {
    promql: Result<Expression, String>,
    logql: Result<Expression, String>,
}

/// What can be said of a rule without the others.
enum Found {
    /// It says its language, or its group.
    Told(RuleLanguage, Result<Expression, String>),
    /// It is one in a single language.
    Sure(RuleLanguage, Expression),
    Either(Box<Both>),
    Neither(Box<Both>),
}

/// Reads the expressions of a group's rules. `lang` is for those that do not say.
pub fn decide(
    reader: &mut Reader<'_>,
    lang: Option<RuleLanguage>,
    options: ParseOptions,
    rules: Vec<Unread>,
) -> Vec<Rule> {
    let found: Vec<_> = rules.iter().map(|rule| find(rule, rule.lang.or(lang), options)).collect();
    let has = |wanted: RuleLanguage| {
        found
            .iter()
            .any(|found| matches!(found, Found::Told(lang, _) | Found::Sure(lang, _) if *lang == wanted))
    };
    let mates_are_logql = has(Logql) && !has(Promql);
    let mut read = Vec::new();
    for (rule, found) in rules.into_iter().zip(found) {
        let expr = match found {
            Found::Told(_, expr) => expr,
            Found::Sure(_, expr) => Ok(expr),
            Found::Either(both) if mates_are_logql => both.logql,
            Found::Either(both) => both.promql,
            Found::Neither(both) if mates_are_logql || has_pipe(&rule.text) => both.logql,
            Found::Neither(both) => both.promql,
        };
        match expr {
            Ok(expr) => read.extend(rule.with(expr)),
            Err(message) => reader.problem_of(&rule, format!("expr: {message}")),
        }
    }
    read
}

fn find(rule: &Unread, lang: Option<RuleLanguage>, options: ParseOptions) -> Found {
    let parse = |lang| Expression::parse(lang, &rule.text, options);
    if let Some(lang) = lang {
        return Found::Told(lang, parse(lang));
    }
    let both = Both { promql: parse(Promql), logql: parse(Logql) };
    match (&both.promql, &both.logql) {
        (Ok(expr), Ok(_)) if names_metrics(expr) => Found::Sure(Promql, expr.clone()),
        (Ok(_), Ok(_)) => Found::Either(Box::new(both)),
        (Ok(expr), Err(_)) => Found::Sure(Promql, expr.clone()),
        (Err(_), Ok(expr)) => Found::Sure(Logql, expr.clone()),
        (Err(_), Err(_)) => Found::Neither(Box::new(both)),
    }
}

/// Whether the expression was taken as PromQL, and would select lines if it were LogQL.
pub fn could_be_logql(expr: &Expression) -> bool {
    let Expression::Promql { text, expr: tree } = expr else { return false };
    let mut selectors = 0;
    any_selector(tree, &mut |_| {
        selectors += 1;
        false
    });
    selectors > 0 && !names_metrics(expr) && Expression::parse(Logql, text, ParseOptions::default()).is_ok()
}

/// Streams have no `__name__`.
fn names_metrics(expr: &Expression) -> bool {
    let Expression::Promql { expr, .. } = expr else { return false };
    any_selector(expr, &mut |selector| selector.matchers.iter().any(|matcher| matcher.name == METRIC_NAME))
}

fn any_selector(expr: &Expr, found: &mut dyn FnMut(&promql::ast::VectorSelector) -> bool) -> bool {
    match expr {
        Expr::VectorSelector(selector) => found(selector),
        Expr::MatrixSelector(matrix) => found(&matrix.selector),
        _ => expr.children().into_iter().any(|child| any_selector(child, found)),
    }
}

/// Whether there is a `|` outside of texts, as only LogQL has it.
fn has_pipe(text: &str) -> bool {
    let mut inside = None;
    let mut is_escaped = false;
    for c in text.chars() {
        match inside {
            Some(quote) if c == quote && !is_escaped => inside = None,
            Some('`') | None if c == '|' && inside.is_none() => return true,
            None if matches!(c, '"' | '\'' | '`') => inside = Some(c),
            _ => {}
        }
        is_escaped = c == '\\' && !is_escaped && inside.is_some_and(|quote| quote != '`');
    }
    false
}
