//! Compiled regular expressions of a template: those in its text once, others in a small cache.

use model::search_regex;
use parking_lot::Mutex;
use regex::Regex;
use std::collections::VecDeque;

/// How many are kept of either kind. One may take a few megabytes.
const KEPT: usize = 16;

type Compiled = (String, Result<Regex, String>);

#[derive(Default)]
pub struct Regexes {
    literals: Vec<Compiled>,
    others: Mutex<VecDeque<Compiled>>,
}

impl Regexes {
    /// Compiles patterns ahead. A wrong one is an error only where it is used, as in Go.
    pub fn new(literals: &[&str]) -> Self {
        let mut kept: Vec<Compiled> = Vec::new();
        for pattern in literals {
            if kept.len() < KEPT && kept.iter().all(|(known, _)| known != pattern) {
                kept.push((String::from(*pattern), compile(pattern)));
            }
        }
        Self { literals: kept, others: Mutex::default() }
    }

    pub fn get(&self, pattern: &str) -> Result<Regex, String> {
        if let Some((_, compiled)) = self.literals.iter().find(|(known, _)| known == pattern) {
            return compiled.clone();
        }
        let mut others = self.others.lock();
        if let Some((_, compiled)) = others.iter().find(|(known, _)| known == pattern) {
            return compiled.clone();
        }
        let compiled = compile(pattern);
        if others.len() == KEPT {
            others.pop_front();
        }
        others.push_back((pattern.to_owned(), compiled.clone()));
        compiled
    }
}

fn compile(pattern: &str) -> Result<Regex, String> {
    search_regex(pattern).map_err(|error| error.to_string())
}
