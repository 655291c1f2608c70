//! The labels of data points, put together only where a series is not known by its key.

use crate::{
    names::attribute_label,
    otlp::attributes::{AnyValue, for_each, read_pair},
    write::wire::WireError,
};
use service_api::{Error, LabelSource, Result, SeriesKey};
use std::{collections::BTreeMap, ops::Range};
use xxhash_rust::xxh3::{xxh3_128, xxh3_128_with_seed};

/// Keeps the keys of this protocol apart from those of others.
const KEY_SEED: u64 = 5;

/// The attributes that name a resource, and become `job` and `instance`.
const IDENTIFYING: [&[u8]; 3] = [b"service.namespace", b"service.name", b"service.instance.id"];

/// The metric that tells of a resource what does not name it.
pub const TARGET_INFO: &str = "target_info";

/// A label that only some series of a data point have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Extra {
    None,
    Le(f64),
    Quantile(f64),
    /// None, and the point is the resource itself.
    Target,
}

/// A resource as it lies in the body, and what names it.
pub struct Resource {
    message: Range<usize>,
    job: String,
    instance: String,
    hash: u128,
    /// Whether `target_info` has anything to tell.
    pub tells: bool,
}

impl Resource {
    pub fn read(message: &[u8], at: Range<usize>) -> Result<Self, WireError> {
        let (mut namespace, mut name, mut instance) = (String::new(), None, String::new());
        let mut others = false;
        for_each(message, 1, |pair| {
            let (key, value) = read_pair(pair)?;
            match key {
                b"service.namespace" => namespace = value.text()?.into_owned(),
                b"service.name" => name = Some(value.text()?.into_owned()),
                b"service.instance.id" => instance = value.text()?.into_owned(),
                _ => others = true,
            }
            Ok(())
        })?;
        let job = match name {
            Some(name) if !namespace.is_empty() => format!("{namespace}/{name}"),
            Some(name) => name,
            None => String::new(),
        };
        let tells = others && !(job.is_empty() && instance.is_empty());
        // The lengths keep a job and an instance apart that another pair of them would look like.
        let hash = xxh3_128(format!("{}:{job}{instance}", job.len()).as_bytes());
        Ok(Self { message: at, job, instance, hash, tells })
    }
}

/// One series: its name, and where the attributes of its point lie.
struct PointSeries {
    name: u32,
    resource: u32,
    /// The data point's message, or the resource's.
    message: Range<usize>,
    /// The field of the message that holds attributes.
    attributes: u32,
    extra: Extra,
}

/// The labels of all series of a request.
#[derive(Default)]
pub struct PointLabels {
    pub body: Vec<u8>,
    names: Vec<(String, u128)>,
    resources: Vec<Resource>,
    series: Vec<PointSeries>,
}

/// A data point whose series are to be named.
pub struct Point {
    pub message: Range<usize>,
    pub attributes: u32,
    hash: u128,
}

impl Point {
    /// A data point with its attributes in field `attributes`.
    pub fn read(
        message: &[u8],
        at: Range<usize>,
        attributes: u32,
        scratch: &mut Vec<u8>,
    ) -> Result<Self, WireError> {
        scratch.clear();
        for_each(message, attributes, |pair| {
            scratch.extend_from_slice(&(pair.len() as u32).to_le_bytes());
            scratch.extend_from_slice(pair);
            Ok(())
        })?;
        Ok(Self { message: at, attributes, hash: xxh3_128(scratch) })
    }
}

impl PointLabels {
    /// Returns the number by which series name it.
    pub fn add_name(&mut self, name: String) -> u32 {
        let hash = xxh3_128(name.as_bytes());
        self.names.push((name, hash));
        (self.names.len() - 1) as u32
    }

    /// The resource of the series that follow.
    pub fn add_resource(&mut self, resource: Resource) {
        self.resources.push(resource);
    }

    /// Notes a series of the last resource and gives its key.
    pub fn add_series(&mut self, name: u32, point: &Point, extra: Extra) -> SeriesKey {
        let resource = (self.resources.len() - 1) as u32;
        let (kind, bits) = match extra {
            Extra::None => (0_u8, 0),
            Extra::Le(bound) => (1, bound.to_bits()),
            Extra::Quantile(quantile) => (2, quantile.to_bits()),
            Extra::Target => (3, 0),
        };
        let mut bytes = [0; 57];
        bytes[..16].copy_from_slice(&self.names[name as usize].1.to_le_bytes());
        bytes[16..32].copy_from_slice(&self.resources[resource as usize].hash.to_le_bytes());
        bytes[32..48].copy_from_slice(&point.hash.to_le_bytes());
        bytes[48..56].copy_from_slice(&u64::to_le_bytes(bits));
        bytes[56] = kind;
        self.series.push(PointSeries {
            name,
            resource,
            message: point.message.clone(),
            attributes: point.attributes,
            extra,
        });
        SeriesKey(xxh3_128_with_seed(&bytes, KEY_SEED))
    }

    /// The point whose series is `target_info` of the last resource.
    pub fn target(&self, body: &[u8], scratch: &mut Vec<u8>) -> Result<Point, WireError> {
        let at = self.resources.last().map_or(0..0, |r| r.message.clone());
        Point::read(&body[at.clone()], at, 1, scratch)
    }

    fn labels(&self, index: usize) -> Result<BTreeMap<String, String>, WireError> {
        let series = &self.series[index];
        let name = &self.names[series.name as usize].0;
        let resource = &self.resources[series.resource as usize];
        let target = series.extra == Extra::Target;
        let mut attributes = BTreeMap::new();
        for_each(&self.body[series.message.clone()], series.attributes, |pair| {
            let (key, value) = read_pair(pair)?;
            if key != b"__name__" && !(target && IDENTIFYING.contains(&key)) {
                attributes.insert(key, value);
            }
            Ok(())
        })?;
        let mut labels = merge(attributes)?;
        for (name, value) in [("job", &resource.job), ("instance", &resource.instance)] {
            if !value.is_empty() {
                labels.insert(name.to_owned(), value.clone());
            }
        }
        match series.extra {
            Extra::None | Extra::Target => {}
            Extra::Le(bound) => drop(labels.insert("le".to_owned(), bound_text(bound))),
            Extra::Quantile(quantile) => drop(labels.insert("quantile".to_owned(), bound_text(quantile))),
        }
        labels.insert(model::METRIC_NAME.to_owned(), name.clone());
        Ok(labels)
    }
}

/// Attributes as labels. Values whose names become the same are joined with `;`, in the order of the names.
fn merge(attributes: BTreeMap<&[u8], AnyValue<'_>>) -> Result<BTreeMap<String, String>, WireError> {
    let mut labels: BTreeMap<String, String> = BTreeMap::new();
    for (key, value) in attributes {
        let value = value.text()?;
        let label = labels.entry(attribute_label(&String::from_utf8_lossy(key))).or_default();
        if label.is_empty() {
            label.push_str(&value);
        } else {
            label.push(';');
            label.push_str(&value);
        }
    }
    Ok(labels)
}

/// A bound or quantile as Prometheus writes it, without an exponent.
fn bound_text(v: f64) -> String {
    if v.is_infinite() { if v > 0.0 { "+Inf" } else { "-Inf" }.to_owned() } else { v.to_string() }
}

impl LabelSource for PointLabels {
    fn pairs(&self, index: usize, each: &mut dyn FnMut(&str, &str)) -> Result<()> {
        let labels = self.labels(index).map_err(|e| Error::bad_request(e.to_string()))?;
        labels.iter().for_each(|(name, value)| each(name, value));
        Ok(())
    }

    fn bytes(&self) -> usize {
        self.body.len() + size_of::<PointSeries>() * self.series.len()
    }
}

/// The attributes of an exemplar, which may hold the identifiers of a trace.
pub fn exemplar_attributes(message: &[u8], each: &mut dyn FnMut(&str, &str)) -> Result<(), WireError> {
    for_each(message, 7, |pair| {
        let (key, value) = read_pair(pair)?;
        each(&String::from_utf8_lossy(key), &value.text()?);
        Ok(())
    })
}
