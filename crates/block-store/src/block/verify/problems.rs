//! What is wrong with a block, up to a bound.

use super::Verified;

/// What is named; a block of which nothing is right would fill many pages.
const MOST: usize = 20;

#[derive(Debug, Default)]
pub struct Problems {
    named: Vec<String>,
    more: u64,
}

impl Problems {
    pub fn add(&mut self, problem: String) {
        if self.named.len() < MOST {
            self.named.push(problem);
        } else {
            self.more += 1;
        }
    }

    pub fn extend(&mut self, problems: Vec<String>) {
        problems.into_iter().for_each(|problem| self.add(problem));
    }

    pub fn join(&mut self, other: Self) {
        self.extend(other.named);
        self.more += other.more;
    }

    pub fn into_verified(self) -> Verified {
        Verified { problems: self.named, more: self.more }
    }
}
