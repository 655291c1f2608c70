//! Which answers a read needs: R + W > N, by member or by zone.

use crate::Member;
use std::{collections::BTreeSet, fmt::Write, sync::Arc};

/// Whom a read asks and how many it can do without. An acknowledged entry is at W members (in W
/// zones, if the ring is zone aware), so a read that misses at most W - 1 of them finds it.
#[derive(Clone, Debug)]
pub struct ReadPlan {
    /// Indexes into the view's members.
    pub ask: Vec<u16>,
    /// Everybody who may have been one of an entry's W.
    holders: Vec<Holder>,
    /// How many members or zones may be missing.
    tolerated: usize,
    by_zone: bool,
    /// With fewer than W holders nothing can have been acknowledged, so there must be some that we
    /// do not know.
    too_few: bool,
}

#[derive(Clone, Debug)]
struct Holder {
    index: u16,
    id: Arc<str>,
    /// A number for its zone, or for itself where zones do not count.
    unit: u16,
    /// Why it is missing whatever others answer.
    missing: Option<&'static str>,
}

impl ReadPlan {
    pub(crate) fn new(members: &[Member], write_quorum: usize, by_zone: bool) -> Self {
        let mut zones: Vec<&str> = members.iter().map(|m| m.zone.as_str()).collect();
        zones.sort_unstable();
        zones.dedup();
        let mut ask = Vec::with_capacity(members.len());
        let mut holders = Vec::with_capacity(members.len());
        for (index, member) in (0u16..).zip(members) {
            let lost = member.lost_until_ms > 0;
            let asked = member.may_hold_data() && member.is_healthy();
            if asked {
                ask.push(index);
            }
            if member.may_hold_data() || lost {
                let zone = zones.partition_point(|&zone| zone < member.zone.as_str());
                let missing = match (lost, asked) {
                    (true, _) => Some("its disk was erased"),
                    (false, false) => Some("no heartbeat"),
                    (false, true) => None,
                };
                let unit = if by_zone { zone as u16 } else { index };
                holders.push(Holder { index, id: member.id.clone(), unit, missing });
            }
        }
        let too_few = holders.len() < write_quorum;
        Self { ask, holders, tolerated: write_quorum.saturating_sub(1), by_zone, too_few }
    }

    /// Whether no acknowledged entry can be missing from these answers (indexes into the view's
    /// members, in any order).
    pub fn is_enough(&self, answered: &[u16]) -> bool {
        !self.too_few && self.missing(|holder| !answered.contains(&holder.index)) <= self.tolerated
    }

    /// Whether it cannot become enough any more after these have failed.
    pub fn is_hopeless(&self, failed: &[u16]) -> bool {
        self.too_few || self.missing(|holder| failed.contains(&holder.index)) > self.tolerated
    }

    /// Why these failures are, or are not, too many.
    pub fn explain(&self, failed: &[u16]) -> String {
        let units = if self.by_zone { "zone" } else { "member" };
        let mut text = String::new();
        for holder in &self.holders {
            let reason = holder.missing.or(failed.contains(&holder.index).then_some("failed"));
            if let Some(reason) = reason {
                let comma = if text.is_empty() { "" } else { ", " };
                // Writing into a String cannot fail.
                let _ = write!(text, "{comma}{} ({reason})", holder.id);
            }
        }
        if self.too_few {
            let (known, least) = (self.holders.len(), self.tolerated + 1);
            return format!("only {known} members of the ring are known, and at least {least} must be");
        }
        if text.is_empty() {
            text.push_str("nobody");
        }
        let missing = self.missing(|holder| failed.contains(&holder.index));
        let tolerated = self.tolerated;
        format!("missing: {text}: {missing} {units}(s), where at most {tolerated} may be")
    }

    /// The number of zones or members in which somebody is missing.
    fn missing(&self, also: impl Fn(&Holder) -> bool) -> usize {
        let missing = self.holders.iter().filter(|holder| holder.missing.is_some() || also(holder));
        missing.map(|holder| holder.unit).collect::<BTreeSet<_>>().len()
    }
}

#[cfg(test)]
mod tests;
