//! One instance of a role: as a view shows it, and as its record is kept in the store.

use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// An instance in a ring. An id stands for a place in the ring and outlives processes and disks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Member {
    pub id: Arc<str>,
    /// `host:port` of its gRPC server.
    pub address: String,
    /// What fails together; empty if zones are not used.
    pub zone: String,
    pub state: State,
    pub health: Health,
    /// Whether it may hold entries that it has acknowledged.
    pub holds_data: bool,
    /// Until when (Unix ms) what it acknowledged on an earlier disk is only at its peers; 0 if
    /// nothing is missing. A [`crate::Ring`] sets it to 0 when that time is over, so whoever has
    /// a view need not look at a clock.
    pub lost_until_ms: i64,
    /// Names this incarnation of its data.
    pub disk: String,
    /// It has been unable to take writes for so long that others stand in for it.
    pub passed_over: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Getting ready: takes no writes yet.
    Joining,
    Active,
    /// Takes no more writes, still answers for what it has.
    Leaving,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    Healthy,
    /// Without a heartbeat. It may be dead, cut off or restarting: it is not gone.
    Unhealthy,
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            State::Joining => "joining",
            State::Active => "active",
            State::Leaving => "leaving",
        }
    }
}

impl Health {
    pub fn as_str(self) -> &'static str {
        match self {
            Health::Healthy => "healthy",
            Health::Unhealthy => "unhealthy",
        }
    }
}

impl Member {
    /// An active, healthy one without a zone.
    pub fn new(id: &str, address: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            address: address.into(),
            zone: String::new(),
            state: State::Active,
            health: Health::Healthy,
            holds_data: true,
            lost_until_ms: 0,
            disk: String::new(),
            passed_over: false,
        }
    }

    pub fn is_healthy(&self) -> bool {
        self.health == Health::Healthy
    }

    /// Whether replica sets are made of it. One that restarts (joining, with its data) keeps its
    /// place until it is passed over.
    pub fn is_placeable(&self) -> bool {
        let placed = match self.state {
            State::Active => true,
            State::Joining => self.holds_data,
            State::Leaving => false,
        };
        placed && !self.passed_over
    }

    /// Whether a read must reckon with entries that only it has.
    pub fn may_hold_data(&self) -> bool {
        self.state != State::Joining || self.holds_data
    }
}

/// What an instance writes about itself, as JSON. Fields that a later version adds are skipped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub version: u32,
    pub id: Arc<str>,
    pub address: String,
    #[serde(default)]
    pub zone: String,
    pub state: State,
    #[serde(default)]
    pub disk: String,
    #[serde(default)]
    pub holds_data: bool,
    #[serde(default)]
    pub lost_until_ms: i64,
    /// Grows with each write of this instance: tells a newer record from one that a store which
    /// was rolled back brings up again.
    #[serde(default)]
    pub generation: i64,
}

impl Record {
    pub const VERSION: u32 = 1;

    /// The record of instance `id`; none if these bytes are not one.
    pub fn parse(id: &str, bytes: &[u8]) -> Option<Self> {
        let record: Self = serde_json::from_slice(bytes).ok()?;
        (&*record.id == id).then_some(record)
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}
