//! What a read takes from a stream: shared pages, sealed or open.

use super::{HeadPage, Piece};
use block_store::EncodedPage;
use bytes::Bytes;
use model::Lines;
use service_api::{LineSource, LogPage, Needles, PageData, Reservation, Result};
use std::sync::Arc;

impl HeadPage {
    pub fn held_bytes(&self) -> usize {
        match self {
            Self::Sealed(page) => super::held_bytes(page),
            Self::Open(piece) => size_of::<Piece>() + piece.lines.heap_bytes(),
        }
    }

    /// The page for a reader, who keeps the reservation as long as any page.
    pub fn into_log_page(self, reservation: &Arc<Reservation>) -> LogPage {
        let _reservation = Arc::clone(reservation);
        match self {
            Self::Sealed(source) => LogPage {
                data: PageData::Here(Arc::new(Held { source: source.clone(), _reservation })),
                ..source.to_log_page()
            },
            Self::Open(source) => LogPage {
                range: source.range,
                lines: source.lines.len() as u32,
                text_bytes: source.text_bytes(),
                stored_bytes: 0,
                origin: 0,
                is_cut: false,
                data: PageData::Here(Arc::new(Held { source, _reservation })),
            },
        }
    }
}

/// A page, and its part in what the query holds.
struct Held<P> {
    source: P,
    _reservation: Arc<Reservation>,
}

impl LineSource for Held<EncodedPage> {
    fn read(&self, needles: &Needles, out: &mut Lines) -> Result<bool> {
        self.source.read(needles, out)
    }

    fn encoded(&self) -> Option<Bytes> {
        Some(self.source.bytes().clone())
    }
}

impl LineSource for Held<Arc<Piece>> {
    fn read(&self, needles: &Needles, out: &mut Lines) -> Result<bool> {
        let lines = &self.source.lines;
        if !needles.may_be_in(&lines.text) {
            return Ok(false);
        }
        out.clone_from(lines);
        out.normalize();
        Ok(true)
    }
}
