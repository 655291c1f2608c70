//! The text of a deletion or a rule: whose entries are meant, and of lines which.

use crate::lines::PipelineTest;
use logql::{ast::Expr, pipeline::Pipeline};
use model::{Labels, Matcher, Signal};
use promql::selects_something;
use service_api::{Error, LineTest, Result};
use std::sync::Arc;

/// Series of metrics, or lines of logs.
#[derive(Clone)]
pub struct Selection {
    pub matchers: Vec<Matcher>,
    /// None means all lines.
    pub lines: Option<Arc<dyn LineTest>>,
}

impl Selection {
    /// Of metrics a selector such as `up{job="a"}`, of logs a log query such as `{app="a"} |= "text"`.
    ///
    /// # Errors
    /// `BadRequest`: it is neither, or selects everything that there is. Which text it was is for the caller to say.
    pub fn parse(signal: Signal, text: &str) -> Result<Self> {
        match signal {
            Signal::Metrics => {
                let matchers =
                    promql::parse_metric_selector(text).map_err(|e| Error::bad_request(e.to_string()))?;
                if !selects_something(&matchers) {
                    return Err(Error::bad_request(
                        "a selector must have a matcher that does not match the empty value",
                    ));
                }
                Ok(Self { matchers, lines: None })
            }
            Signal::Logs => match logql::parse(text).map_err(|e| Error::bad_request(e.to_string()))? {
                Expr::Logs(query) => {
                    let pipeline = Pipeline::new(&query.stages)?;
                    let test = || Arc::new(PipelineTest::new(pipeline)) as Arc<dyn LineTest>;
                    let lines = (!query.stages.is_empty()).then(test);
                    Ok(Self { matchers: query.matchers, lines })
                }
                Expr::Metric(_) => Err(Error::bad_request("a log query is wanted, not a metric query")),
            },
        }
    }

    pub fn matches(&self, labels: &Labels) -> bool {
        self.matchers.iter().all(|matcher| matcher.matches(labels.get(&matcher.name).unwrap_or_default()))
    }
}
