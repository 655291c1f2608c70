//! An ingester that does not answer.

use async_trait::async_trait;
use model::{Labels, Signal};
use service_api::{
    Error, ExemplarSeries, HeadChange, HeadChanges, HeadVersion, LabelQuery, LabelsReader, LogsReader,
    MetricMetadata, MetricsReader, ReadContext, Result, SelectRequest, SeriesSet, StreamSet, StreamsRequest,
    Warned,
};

pub struct Away;

fn away<T>() -> Result<T> {
    Err(Error::unavailable("away"))
}

#[async_trait]
impl HeadChanges for Away {
    async fn head_changes(&self, _: &ReadContext, _: Signal, _: Option<HeadVersion>) -> Result<HeadChange> {
        away()
    }
}

#[async_trait]
impl LabelsReader for Away {
    async fn series(&self, _: &ReadContext, _: &LabelQuery) -> Result<Warned<Vec<Labels>>> {
        away()
    }

    async fn label_names(&self, _: &ReadContext, _: &LabelQuery) -> Result<Warned<Vec<String>>> {
        away()
    }

    async fn label_values(&self, _: &ReadContext, _: &str, _: &LabelQuery) -> Result<Warned<Vec<String>>> {
        away()
    }
}

#[async_trait]
impl MetricsReader for Away {
    async fn select(&self, _: &ReadContext, _: &SelectRequest) -> Result<SeriesSet> {
        away()
    }

    async fn exemplars(&self, _: &ReadContext, _: &LabelQuery) -> Result<Vec<ExemplarSeries>> {
        away()
    }

    async fn metadata(&self, _: &ReadContext, _: Option<&str>) -> Result<Vec<MetricMetadata>> {
        away()
    }
}

#[async_trait]
impl LogsReader for Away {
    async fn select(&self, _: &ReadContext, _: &StreamsRequest) -> Result<StreamSet> {
        away()
    }
}
