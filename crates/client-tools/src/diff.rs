//! What differs between two texts, line by line.

use std::fmt::Write;

/// A line that is in both, or in one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    Same(&'a str),
    Removed(&'a str),
    Added(&'a str),
}

/// The largest table of lines against lines that is made. For texts that differ in more, all that lies between
/// what is alike at both ends is shown as removed and added.
const MAX_CELLS: usize = 16 << 20;

/// How to come from the lines of `old` to those of `new`.
pub fn lines<'a>(old: &'a str, new: &'a str) -> Vec<Change<'a>> {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let start = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let end = old[start..].iter().rev().zip(new[start..].iter().rev()).take_while(|(a, b)| a == b).count();
    let mut changes: Vec<Change<'a>> = old[..start].iter().map(|line| Change::Same(line)).collect();
    between(&old[start..old.len() - end], &new[start..new.len() - end], &mut changes);
    changes.extend(old[old.len() - end..].iter().map(|line| Change::Same(line)));
    changes
}

/// By the longest common subsequence.
fn between<'a>(old: &[&'a str], new: &[&'a str], changes: &mut Vec<Change<'a>>) {
    let width = new.len() + 1;
    let cells = (old.len() + 1).saturating_mul(width);
    if old.is_empty() || new.is_empty() || cells > MAX_CELLS {
        changes.extend(old.iter().map(|line| Change::Removed(line)));
        changes.extend(new.iter().map(|line| Change::Added(line)));
        return;
    }
    // How many lines can be kept from here to the ends.
    let mut kept = vec![0_u32; cells];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            kept[i * width + j] = if old[i] == new[j] {
                kept[(i + 1) * width + j + 1] + 1
            } else {
                kept[(i + 1) * width + j].max(kept[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    while i < old.len() && j < new.len() {
        if old[i] == new[j] {
            changes.push(Change::Same(old[i]));
            (i, j) = (i + 1, j + 1);
        } else if kept[(i + 1) * width + j] >= kept[i * width + j + 1] {
            changes.push(Change::Removed(old[i]));
            i += 1;
        } else {
            changes.push(Change::Added(new[j]));
            j += 1;
        }
    }
    changes.extend(old[i..].iter().map(|line| Change::Removed(line)));
    changes.extend(new[j..].iter().map(|line| Change::Added(line)));
}

/// The differences as text, with `context` lines around each that are alike; empty if there are none.
pub fn print(old: &str, new: &str, context: usize, indent: &str) -> String {
    let changes = lines(old, new);
    let differs = |at: usize| !matches!(changes[at], Change::Same(_));
    let mut out = String::new();
    let mut skipped = false;
    for (at, change) in changes.iter().enumerate() {
        let near = at.saturating_sub(context)..(at + context + 1).min(changes.len());
        if !near.into_iter().any(differs) {
            skipped = true;
            continue;
        }
        if skipped && !out.is_empty() {
            let _ = writeln!(out, "{indent}  …");
        }
        skipped = false;
        let (sign, line) = match change {
            Change::Same(line) => (' ', line),
            Change::Removed(line) => ('-', line),
            Change::Added(line) => ('+', line),
        };
        let _ = writeln!(out, "{indent}{}", format!("{sign} {line}").trim_end());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_alike_far_from_changes_is_left_out() {
        let old = "a\nb\nc\nd\ne\nf\ng\nh\ni";
        let new = "a\nB\nc\nd\ne\nf\ng\nh\ni\nj";
        assert_eq!(print(old, new, 1, ""), "  a\n- b\n+ B\n  c\n  …\n  i\n+ j\n");
        assert_eq!(print(old, old, 3, ""), "");
        assert_eq!(print("", "x", 3, "  "), "  + x\n");
    }

    proptest! {
        #[test]
        fn both_texts_are_in_the_changes(
            old in prop::collection::vec("[abc]", 0..30), new in prop::collection::vec("[abc]", 0..30),
        ) {
            let (old_text, new_text) = (old.join("\n"), new.join("\n"));
            let changes = lines(&old_text, &new_text);
            let side = |removed: bool| -> Vec<String> {
                let of_side = |change: &Change<'_>| match change {
                    Change::Same(line) => Some((*line).to_owned()),
                    Change::Removed(line) => removed.then(|| (*line).to_owned()),
                    Change::Added(line) => (!removed).then(|| (*line).to_owned()),
                };
                changes.iter().filter_map(of_side).collect()
            };
            prop_assert_eq!(side(true), old);
            prop_assert_eq!(side(false), new);
        }
    }
}
