//! The response type SAMPLES: everything in one compressed message.

use super::{
    Selected,
    messages::{self, Sample, TimeSeries},
};
use prost::{Message, encoding};
use service_api::{Error, ReadContext, Reservation, Result, SampleBuffer};

/// The field number of `ReadResponse.results` and of `QueryResult.timeseries`.
const FIRST: u32 = 1;

/// A compressed `ReadResponse`, written series by series.
pub fn encode(ctx: &ReadContext, selected: &[Selected]) -> Result<Vec<u8>> {
    let mut memory = ctx.budget.reserve(0)?;
    let mut buffer = SampleBuffer::default();
    let mut response = Vec::new();
    for selected in selected {
        let result = query_result(ctx, selected, &mut buffer, &mut memory)?;
        encoding::encode_key(FIRST, encoding::WireType::LengthDelimited, &mut response);
        encoding::encode_varint(result.len() as u64, &mut response);
        memory.grow(result.len())?;
        response.extend_from_slice(&result);
    }
    memory.grow(snap::raw::max_compress_len(response.len()))?;
    snap::raw::Encoder::new()
        .compress_vec(&response)
        .map_err(|e| Error::internal(format!("cannot compress the answer: {e}")))
}

fn query_result(
    ctx: &ReadContext,
    selected: &Selected,
    buffer: &mut SampleBuffer,
    memory: &mut Reservation,
) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    for series in &selected.series {
        ctx.check()?;
        buffer.clear();
        series.data.read(selected.range, buffer)?;
        if buffer.timestamps.is_empty() && buffer.histograms.is_empty() {
            continue;
        }
        let samples = buffer.timestamps.iter().zip(&buffer.values);
        let series = TimeSeries {
            labels: messages::labels(&series.labels),
            samples: samples.map(|(&timestamp, &value)| Sample { value, timestamp }).collect(),
            histograms: buffer.histograms.iter().map(Into::into).collect(),
        };
        memory.grow(series.encoded_len())?;
        encoding::message::encode(FIRST, &series, &mut out);
    }
    Ok(out)
}
