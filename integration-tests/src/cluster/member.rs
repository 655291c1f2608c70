//! One process of a cluster: its role, its addresses and its folder, whether it runs or not.

use crate::process::Process;
use std::{net::SocketAddr, path::PathBuf};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    Ingester,
    Distributor,
    Querier,
    Compactor,
    Ruler,
}

impl Role {
    /// As in `target`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ingester => "ingester",
            Self::Distributor => "distributor",
            Self::Querier => "querier",
            Self::Compactor => "compactor",
            Self::Ruler => "ruler",
        }
    }
}

#[derive(Debug)]
pub struct Member {
    pub name: String,
    pub role: Role,
    pub zone: String,
    pub http: SocketAddr,
    pub grpc: SocketAddr,
    /// Its own folder; `data` in it is its disk.
    pub folder: PathBuf,
    pub process: Option<Process>,
}

impl Member {
    pub fn base(&self) -> String {
        format!("http://{}", self.http)
    }

    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    pub fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    pub fn process(&mut self) -> &mut Process {
        self.process.as_mut().unwrap_or_else(|| panic!("{} does not run", self.name))
    }

    /// The settings that say who it is.
    pub fn settings(&self) -> Vec<String> {
        vec![
            format!("target={}", self.role.word()),
            format!("data_dir={}", self.data().display()),
            format!("http.listen={}", self.http),
            format!("grpc.listen={}", self.grpc),
            format!("ring.instance_id={}", self.name),
            format!("ring.zone={}", self.zone),
        ]
    }
}
