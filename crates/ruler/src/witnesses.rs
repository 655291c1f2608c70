//! What the other processes say of the ring's store.

use crate::Witnesses;
use async_trait::async_trait;
use futures::future::{BoxFuture, join_all};
use hash_ring::Ring;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// How long a process may take to answer.
const WITHIN: Duration = Duration::from_millis(900);

/// Asks the process at an address whether it hears from the ring's store; none if it does not answer.
pub type AskStore = Arc<dyn Fn(&str) -> BoxFuture<'static, Option<bool>> + Send + Sync>;

/// All other processes of the cluster, as far as we know of them.
pub struct Processes {
    /// Those who could take what is ours.
    pub rulers: Ring,
    pub others: Vec<Ring>,
    pub instance: Arc<str>,
    pub ask: AskStore,
}

#[async_trait]
impl Witnesses for Processes {
    /// Nobody may have said that it reaches the store; every other ruler must have answered, for one that is silent
    /// may be just the one that does; and so must more than half of all processes.
    async fn store_is_away(&self) -> bool {
        let addresses = |ring: &Ring| -> BTreeSet<String> {
            let view = ring.view();
            let others = view.members().iter().filter(|member| member.id != self.instance);
            others.map(|member| member.address.clone()).collect()
        };
        let rulers = addresses(&self.rulers);
        let all: BTreeSet<String> = self.others.iter().flat_map(addresses).chain(rulers.clone()).collect();
        let asked = all.iter().map(async |address| {
            let answer = tokio::time::timeout(WITHIN, (self.ask)(address)).await;
            (address, answer.ok().flatten())
        });
        let answers: BTreeMap<_, _> = join_all(asked).await.into_iter().collect();
        let heard = answers.values().flatten().count();
        !answers.values().any(|answer| *answer == Some(true))
            && rulers.iter().all(|ruler| answers.get(ruler).copied().flatten().is_some())
            && 2 * heard > answers.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hash_ring::{Member, RingView};

    /// Rulers and others by address, each with what it answers.
    async fn away(rulers: &[(&str, Option<bool>)], others: &[(&str, Option<bool>)]) -> bool {
        let ring = |members: &[(&str, Option<bool>)]| {
            let members = members.iter().map(|(address, _)| Member::new(address, *address));
            Ring::fixed(RingView::new(members.chain([Member::new("us", "us")]).collect(), 1))
        };
        let answers: BTreeMap<String, Option<bool>> =
            rulers.iter().chain(others).map(|(address, answer)| ((*address).to_owned(), *answer)).collect();
        let ask: AskStore = Arc::new(move |address| {
            let answer = answers[address];
            Box::pin(async move { answer })
        });
        let (rulers, others) = (ring(rulers), vec![ring(others)]);
        Processes { rulers, others, instance: "us".into(), ask }.store_is_away().await
    }

    #[tokio::test]
    async fn the_store_is_away_if_all_rulers_and_most_others_say_so_and_nobody_else() {
        let (yes, no, silent) = (Some(true), Some(false), None);
        assert!(away(&[("a", no), ("b", no)], &[("c", no), ("d", silent)]).await);
        assert!(!away(&[("a", no), ("b", silent)], &[("c", no), ("d", no)]).await, "a ruler is silent");
        assert!(!away(&[("a", no)], &[("c", no), ("d", yes)]).await, "somebody reaches it");
        assert!(!away(&[("a", no)], &[("c", silent), ("d", silent)]).await, "too few answer");
        assert!(away(&[], &[("c", no)]).await);
        assert!(!away(&[], &[]).await, "nobody is there who could say it");
    }
}
