//! What is told of how a query was evaluated, beside its answer.

use super::plan::{Inputs, Plan, Vector};
use parking_lot::Mutex;
use runtime::Clock;
use std::{collections::HashMap, sync::Arc, time::Duration};

/// What somebody wants to know. It costs a little, so it is only found out for those who ask.
#[derive(Clone)]
pub struct Observe {
    pub clock: Arc<dyn Clock>,
    /// The samples that each step looks at.
    pub steps: bool,
    /// The plan, with rows and time of each node.
    pub plan: bool,
}

/// What was found out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// The samples that each step looked at, as Prometheus counts them: all of each window, even if windows
    /// overlap, and a native histogram for what it takes in units of 16 bytes.
    pub samples_by_step: Vec<u64>,
    /// Until everything was selected.
    pub preparation: Duration,
    pub evaluation: Duration,
    pub plan: Option<PlanNode>,
}

/// One node of the plan that was carried out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlanNode {
    pub name: &'static str,
    pub detail: String,
    /// What came out; `None` where the node was carried out together with the one above it.
    pub measured: Option<Measured>,
    pub children: Vec<PlanNode>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Measured {
    /// Series, of all evaluations.
    pub rows: u64,
    /// With that of the nodes below it.
    pub time: Duration,
    /// How often the node was evaluated.
    pub evaluations: u64,
}

/// Gathers what is observed while a query is evaluated.
pub(crate) struct Observer {
    clock: Arc<dyn Clock>,
    counts: Option<Mutex<Vec<u64>>>,
    /// By the address of the plan's node, which does not move while it is carried out.
    nodes: Option<Mutex<HashMap<usize, Measured>>>,
}

impl Observer {
    pub fn new(observe: &Observe, steps: usize) -> Self {
        Self {
            clock: Arc::clone(&observe.clock),
            counts: observe.steps.then(|| Mutex::new(vec![0; steps])),
            nodes: observe.plan.then(Mutex::default),
        }
    }

    pub fn counts_steps(&self) -> bool {
        self.counts.is_some()
    }

    /// Adds what was looked at: for each step, or for all of them if there is one number.
    pub fn add(&self, counts: &[u64]) {
        let Some(all) = &self.counts else { return };
        let mut all = all.lock();
        match counts {
            [one] => all.iter_mut().for_each(|all| *all += one),
            _ => all.iter_mut().zip(counts).for_each(|(all, more)| *all += more),
        }
    }

    /// The time at which a node begins, if nodes are measured.
    pub fn begin(&self) -> Option<Duration> {
        self.nodes.as_ref().map(|_| self.clock.monotonic())
    }

    pub fn end(&self, vector: &Vector, began: Duration, rows: usize) {
        let Some(nodes) = &self.nodes else { return };
        let took = self.clock.monotonic().saturating_sub(began);
        let mut nodes = nodes.lock();
        let node = nodes.entry(address(vector)).or_default();
        node.rows += rows as u64;
        node.time += took;
        node.evaluations += 1;
    }

    pub fn finish(self, plan: &Plan, inputs: &Inputs) -> Observed {
        let nodes = self.nodes.map(Mutex::into_inner);
        let measured =
            |vector: &Vector| nodes.as_ref().and_then(|nodes| nodes.get(&address(vector)).copied());
        Observed {
            samples_by_step: self.counts.map(Mutex::into_inner).unwrap_or_default(),
            plan: nodes.as_ref().map(|_| plan.describe(inputs, &measured)),
            ..Observed::default()
        }
    }
}

fn address(vector: &Vector) -> usize {
    std::ptr::from_ref(vector).addr()
}
