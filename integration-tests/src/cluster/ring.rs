//! The ring as a member shows it at `/ring`.

use serde_json::Value;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RingMember {
    pub id: String,
    /// In small letters: joining, active, leaving, unhealthy.
    pub state: String,
    pub zone: String,
}

impl RingMember {
    pub fn is_active(&self) -> bool {
        self.state == "active"
    }
}

/// The members of the ring of `role` in an answer.
pub fn members(answer: &str, role: &str) -> Vec<RingMember> {
    let answer: Value = serde_json::from_str(answer).unwrap_or_default();
    let rings = answer["rings"].as_array().unwrap_or_else(|| panic!("these are no rings: {answer}"));
    let of_role = rings.iter().filter(|ring| ring["role"] == role);
    let members = of_role.flat_map(|ring| ring["members"].as_array().into_iter().flatten());
    let text = |member: &Value, name: &str| member[name].as_str().unwrap_or_default().to_lowercase();
    let mut members = Vec::from_iter(members.map(|member| RingMember {
        id: text(member, "id"),
        state: text(member, "state"),
        zone: text(member, "zone"),
    }));
    members.sort();
    members
}
