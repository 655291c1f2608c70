//! A peer that evaluates stretches of range queries.

use super::{IngesterClient, read::of_peer};
use crate::{
    convert,
    pool::Method,
    proto::reader::{EvaluateRequest, EvaluateResponse, Evaluated},
};
use async_trait::async_trait;
use service_api::{Error, ReadContext, Result};
use vectors::{Evaluate, Row, Rows, Stretch, Table};

const EVALUATE: Method = Method { name: "Evaluate", path: "/yagura.reader.v1.Reader/Evaluate" };

#[async_trait]
impl Evaluate for IngesterClient {
    async fn evaluate(&self, ctx: &ReadContext, stretch: &Stretch) -> Result<Option<Table>> {
        let (hears, listed) = (ctx.heard.is_some(), ctx.listed.get(stretch.signal));
        let request = EvaluateRequest { hears, listed, ..convert::stretch_out(stretch) };
        let (mut held, mut rows, mut evaluated) = (ctx.budget.reserve(0)?, Vec::new(), None::<Evaluated>);
        let take = |answer: EvaluateResponse| {
            evaluated = evaluated.take().or(answer.evaluated);
            for row in answer.rows {
                if row.values.len() != stretch.steps.count {
                    return Err(Error::internal("a row of an answer has another number of steps"));
                }
                let row = Row::floats(convert::labels_in(&row.labels).map_err(of_peer)?, row.values);
                held.grow(row.bytes())?;
                rows.push(row);
            }
            Ok(())
        };
        let warnings = self.ask(&EVALUATE, ctx, stretch.signal, &request, take).await?;
        let Some(Evaluated { unfit, infos, counts, heard }) = evaluated else {
            return Err(Error::internal("an answer does not say what it is"));
        };
        if let (Some(ours), Some(heard)) = (&ctx.heard, heard) {
            ours.from(heard.ids.into_iter().map(Into::into));
        }
        let rows = Rows { rows, held: vec![held] };
        Ok((!unfit).then_some(Table { rows, warnings, infos, counts }))
    }
}
