//! Which incarnation of its data an instance has.

/// The data folder of an instance. Whoever keeps no data takes the default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disk {
    /// A random name that lives and dies with what is in the folder.
    pub id: String,
    /// The folder was there before: it may hold what an earlier run acknowledged.
    pub holds_data: bool,
}
