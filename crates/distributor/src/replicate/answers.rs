//! What the answers of replicas mean for a write.

use super::{Answer, Step, Write, is_of_sender};
use crate::{batch::Batch, detached::Hold, labels, metrics::Metrics};
use hashbrown::HashSet;
use model::{Labels, Signal};
use service_api::{AppendOutcome, Error, PushOutcome, Rejection, Result, Wanted};
use std::{sync::Arc, time::Duration};

/// Series whose labels are read to tell which of the replicas' complaints count.
const MAX_MATCHED: usize = 64;

impl<B: Batch> Write<B> {
    /// # Errors
    /// Labels that cannot be read at all.
    pub(super) fn take(&mut self, answer: Answer) -> Result<()> {
        let Answer { group, step, hold, result } = answer;
        match (result, step) {
            (Ok(outcome), Step::Keys) => self.keyed(group, hold, outcome),
            (Ok(mut outcome), Step::Named(series)) => {
                self.keep_refusals(group, &mut outcome);
                series.iter().for_each(|&index| self.quorum.ack(index));
                Ok(())
            }
            (Err(error), Step::Keys) => {
                self.fail(group, None, error);
                Ok(())
            }
            (Err(error), Step::Named(series)) => {
                self.fail(group, Some(&series), error);
                Ok(())
            }
        }
    }

    /// The ingester has those series whose keys it knew; of the others it is sent the labels.
    fn keyed(&mut self, group: usize, hold: Option<Hold>, mut outcome: AppendOutcome) -> Result<()> {
        self.keep_refusals(group, &mut outcome);
        let mut unknown = outcome.unknown;
        if !unknown.is_sorted() {
            unknown.sort_unstable();
        }
        let mut unknown = unknown.into_iter().peekable();
        let (mut indexes, mut named) = (Vec::new(), Vec::new());
        let series = Arc::clone(&self.plan.groups[group].series);
        for &index in &*series {
            while unknown.next_if(|&other| other < index).is_some() {}
            if unknown.next_if_eq(&index).is_none() {
                self.quorum.ack(index);
                continue;
            }
            match self.names.get(&*self.batch, index, &self.limits)? {
                Ok(labels) => {
                    indexes.push(index);
                    named.push((index, labels.clone()));
                }
                Err(_) => {
                    let entries = self.batch.entries_of(index as usize) as u64;
                    self.quorum.ack(index);
                    self.quorum.refuse(group, index, entries.max(1));
                }
            }
        }
        if !named.is_empty() {
            self.ask(group, Step::Named(indexes), hold, Wanted::Named(named));
        }
        Ok(())
    }

    /// The ingester has none of `series`, or of all that it was to have.
    pub(super) fn fail(&mut self, group: usize, series: Option<&[u32]>, error: Error) {
        self.ingester(group).failures.inc();
        let all = Arc::clone(&self.plan.groups[group].series);
        series.unwrap_or(&all).iter().for_each(|&index| self.quorum.fail(index));
        self.failures.push((self.plan.groups[group].member, error));
    }

    fn keep_refusals(&mut self, group: usize, outcome: &mut AppendOutcome) {
        for refused in &outcome.refused {
            if (refused.index as usize) < self.batch.len() {
                self.quorum.refuse(group, refused.index, refused.entries.into());
            }
        }
        self.rejections.append(&mut outcome.pushed.rejections);
    }

    /// What became of the entries, once there is a quorum.
    pub(super) fn outcome(&mut self, metrics: &Metrics) -> PushOutcome {
        let mut outcome = self.batch.counts();
        let refused = self.quorum.refused();
        for &(index, entries) in &refused {
            let most = self.batch.entries_of(index as usize).max(1) as u64;
            let entries = entries.min(most);
            outcome.rejected += entries;
            self.batch.take_back(index as usize, entries, &mut outcome);
            if let Some(rejection) = self.names.refused(index) {
                metrics.discard(&rejection.reason, entries);
                outcome.reject(0, || rejection.clone());
            }
        }
        let complaints = self.complaints(&refused);
        outcome.merge(PushOutcome { rejections: complaints, ..PushOutcome::default() });
        outcome
    }

    /// Each of the replicas' rejections once, as far as it is one of a series of which entries count as refused.
    fn complaints(&mut self, refused: &[(u32, u64)]) -> Vec<Rejection> {
        let mut complaints = std::mem::take(&mut self.rejections);
        if refused.is_empty() || complaints.is_empty() {
            return Vec::new();
        }
        if self.quorum.disagrees() {
            let discover = B::SIGNAL == Signal::Logs && self.limits.discover_service_name;
            let labels =
                |(index, _): &(u32, u64)| labels::for_message(self.batch.labels(), *index as usize, discover);
            let labels: HashSet<Labels> = refused.iter().take(MAX_MATCHED).map(labels).collect();
            complaints.retain(|complaint| labels.contains(&complaint.labels));
        }
        let mut told = HashSet::new();
        complaints.retain(|complaint| told.insert((complaint.labels.clone(), complaint.timestamp)));
        complaints
    }

    /// Why some series cannot have their quorum any more.
    pub(super) fn failed(&self) -> Error {
        let what = format!(
            "{} cannot be written to {} ingesters",
            self.extent(self.quorum.lost()),
            self.quorum.needed()
        );
        let Some((member, first)) = self.failures.first() else {
            return Error::unavailable(format!("{what}: so many are not in the ring"));
        };
        let id = &self.known.ingesters[usize::from(*member)].id;
        let message = format!("{what}: {id}: {}", first.message);
        if self.failures.iter().all(|(_, error)| is_of_sender(error)) {
            return Error::new(first.code, message);
        }
        Error::unavailable(message)
    }

    pub(super) fn too_late(&self, timeout: Duration) -> Error {
        let silent: Vec<&str> =
            self.requests.iter().map(|request| &*self.ingester(request.group).id).collect();
        Error::unavailable(format!(
            "{} not written to {} ingesters in {} s: no answer from {}",
            self.extent(self.quorum.pending()),
            self.quorum.needed(),
            timeout.as_secs(),
            silent.join(", ")
        ))
    }

    fn extent(&self, count: usize) -> String {
        match self.batch.len() {
            0 => "metadata".to_owned(),
            all => format!("{count} of {all} {}", B::NOUN),
        }
    }
}
