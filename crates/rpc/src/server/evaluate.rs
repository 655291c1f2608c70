//! A stretch's table as messages.

use super::frames::list_frames;
use crate::{
    convert,
    proto::reader::{EvaluateResponse, Evaluated, Head, Heard, Row},
};
use service_api::{ReadContext, Reservation, Result};
use vectors::Table;

/// Of no table: that there is none.
pub fn messages(
    ctx: &ReadContext,
    listed: u64,
    table: Option<Table>,
) -> impl Iterator<Item = Result<EvaluateResponse>> + use<> {
    let unfit = table.is_none();
    let Table { rows, warnings, infos, counts } = table.unwrap_or_default();
    let heard = ctx.heard.as_ref().and_then(|heard| heard.ids());
    let heard = heard.map(|ids| Heard { ids: ids.iter().map(|id| id.to_string()).collect() });
    let evaluated = Evaluated { unfit, infos, counts, heard };
    let held: Vec<Reservation> = rows.held;
    let make = move |head: Option<Head>, rows: Vec<vectors::Row>, last| {
        let _until_sent = &held;
        let row = |row: vectors::Row| Row { labels: convert::labels_out(&row.labels), values: row.values };
        let evaluated = head.is_some().then(|| evaluated.clone());
        EvaluateResponse { head, evaluated, rows: rows.into_iter().map(row).collect(), last }
    };
    list_frames(Head { listed, warnings }, rows.rows, vectors::Row::bytes, make)
}
