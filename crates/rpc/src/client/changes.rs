//! The question what has changed in a peer's heads.

use super::{IngesterClient, read::of_peer};
use crate::{
    convert,
    pool::Method,
    proto::reader::{ChangesRequest, ChangesResponse},
};
use async_trait::async_trait;
use model::Signal;
use service_api::{Error, HeadChange, HeadChanges, HeadVersion, ReadContext, Result};

const CHANGES: Method = Method { name: "Changes", path: "/yagura.reader.v1.Reader/Changes" };

#[async_trait]
impl HeadChanges for IngesterClient {
    async fn head_changes(
        &self,
        ctx: &ReadContext,
        signal: Signal,
        since: Option<HeadVersion>,
    ) -> Result<HeadChange> {
        let since = since.map(convert::head_version_out);
        let request = ChangesRequest { signal: convert::signal_out(signal), since };
        let mut change = None;
        let take = |answer: ChangesResponse| {
            let version =
                answer.version.as_ref().map(convert::head_version_in).transpose().map_err(of_peer)?;
            change = version.map(|version| HeadChange { earliest: answer.earliest, version });
            Ok(())
        };
        self.ask(&CHANGES, ctx, signal, &request, take).await?;
        change.ok_or_else(|| Error::internal("an answer about changes has no version"))
    }
}
