//! A plan in words, for those who ask how a query is carried out.

use super::{
    Aggregate, Binary, Candidate, Edges, Histogram, HistogramFunction, Input, Map, Param, Plan,
    RangeFunction, Relabel, Root, Scalar, Scan, ScanFunction, Selector, SortOrder, Subquery, Vector,
};
use crate::{
    engine::{
        observe::{Measured, PlanNode},
        rollups::Leaf,
    },
    functions::rate::RateKind,
};
use service_api::SelectRequest;
use vectors::VectorMatching;

type Lookup<'a> = &'a dyn Fn(&Vector) -> Option<Measured>;

/// What a plan reads, in words.
#[derive(Default)]
pub(crate) struct Inputs {
    selects: Vec<String>,
    candidates: Vec<String>,
}

impl Inputs {
    pub fn describe(selects: &[SelectRequest], candidates: &[Candidate], leaves: &[Leaf]) -> Self {
        let selects: Vec<String> = selects.iter().map(ToString::to_string).collect();
        let leaf = |(candidate, leaf): (&Candidate, &Leaf)| match leaf {
            Leaf::Samples(select) => selects.get(*select).cloned().unwrap_or_default(),
            Leaf::Covered(cover) => {
                let matchers: Vec<String> = candidate.matchers.iter().map(ToString::to_string).collect();
                format!("{{{}}}: {}", matchers.join(","), cover.describe())
            }
        };
        let candidates = candidates.iter().zip(leaves).map(leaf).collect();
        Self { selects, candidates }
    }

    fn of(&self, input: Input) -> &str {
        let text = match input {
            Input::Select(at) => self.selects.get(at),
            Input::Candidate(at) => self.candidates.get(at),
        };
        text.map_or("", String::as_str)
    }
}

impl Plan {
    /// The tree, and below its root what is computed once; `inputs` says what it reads.
    pub fn describe(&self, inputs: &Inputs, measured: Lookup<'_>) -> PlanNode {
        let mut tree = self.root.describe(inputs, measured);
        for (index, definition) in self.shared.iter().enumerate() {
            tree.children.push(PlanNode {
                name: "shared_definition",
                detail: format!("number {index}, used {} times", definition.uses),
                measured: None,
                children: vec![definition.vector.describe(inputs, measured)],
            });
        }
        tree
    }
}

impl Root {
    fn describe(&self, inputs: &Inputs, measured: Lookup<'_>) -> PlanNode {
        let leaf = |name, detail| PlanNode { name, detail, ..PlanNode::default() };
        match self {
            Self::Scalar(scalar) => PlanNode {
                children: scalar.vectors().into_iter().map(|v| v.describe(inputs, measured)).collect(),
                ..leaf("scalar", String::new())
            },
            Self::Text(_) => leaf("string", String::new()),
            Self::Vector(vector) => vector.describe(inputs, measured),
            Self::Samples(samples) => leaf("samples", samples.selector.describe(inputs)),
            Self::Subquery(subquery) => PlanNode {
                children: vec![subquery.inner.describe(inputs, measured)],
                ..leaf("subquery", subquery.describe())
            },
        }
    }
}

impl Vector {
    fn describe(&self, inputs: &Inputs, measured: Lookup<'_>) -> PlanNode {
        let (name, detail) = match self {
            Self::Scan(scan) => ("scan", scan.describe(inputs)),
            Self::Map { map, .. } => ("map", map.describe()),
            Self::OverSubquery { function, subquery, .. } => {
                ("over_subquery", format!("{} over {}", function.name(), subquery.describe()))
            }
            Self::Aggregate(aggregate) => ("aggregate", aggregate.describe()),
            Self::Binary(binary) => ("binary", binary.describe()),
            Self::Relabel { relabel, .. } => ("relabel", relabel.describe().to_owned()),
            Self::Histogram(histogram) => ("histogram", histogram.describe().to_owned()),
            Self::Absent { .. } => ("absent", String::new()),
            Self::FromScalar(_) => ("vector", String::new()),
            Self::Sort { order, .. } => ("sort", order.describe()),
            Self::Info(info) => ("info", info.selector.describe(inputs)),
            Self::Invariant(_) => ("invariant", "evaluated once for all steps".to_owned()),
            Self::Shared(index) => ("shared", format!("number {index}")),
        };
        let children = self.children().into_iter().map(|child| child.describe(inputs, measured)).collect();
        PlanNode { name, detail, measured: measured(self), children }
    }

    /// The nodes below this one, those of scalars too.
    fn children(&self) -> Vec<&Vector> {
        match self {
            Self::Scan(scan) => match &scan.function {
                ScanFunction::Range { function, .. } => function.vectors(),
                _ => Vec::new(),
            },
            Self::Map { input, map } => {
                let mut children = vec![&**input];
                let _ = map.try_map(|scalar| {
                    children.extend(scalar.vectors());
                    Ok::<_, ()>(())
                });
                children
            }
            Self::OverSubquery { function, subquery, .. } => {
                let mut children = vec![&*subquery.inner];
                children.extend(function.vectors());
                children
            }
            Self::Aggregate(aggregate) => {
                let mut children = vec![&*aggregate.input];
                if let Param::Scalar(scalar, _) = &aggregate.param {
                    children.extend(scalar.vectors());
                }
                children
            }
            Self::Binary(binary) => vec![&*binary.left, &*binary.right],
            Self::Relabel { input, .. }
            | Self::Absent { input, .. }
            | Self::Sort { input, .. }
            | Self::Invariant(input) => vec![&**input],
            Self::Info(info) => vec![&*info.input],
            Self::Histogram(histogram) => vec![&*histogram.input],
            Self::FromScalar(scalar) => scalar.vectors(),
            Self::Shared(_) => Vec::new(),
        }
    }
}

impl Scalar {
    fn vectors(&self) -> Vec<&Vector> {
        match self {
            Self::Number(_) | Self::Time => Vec::new(),
            Self::Of(vector) => vec![&**vector],
            Self::Apply(_, inner) => inner.vectors(),
            Self::Binary(_, left, right) | Self::Extreme(_, left, right) => {
                let mut vectors = left.vectors();
                vectors.extend(right.vectors());
                vectors
            }
        }
    }
}

impl RangeFunction<Scalar> {
    fn vectors(&self) -> Vec<&Vector> {
        let mut vectors = Vec::new();
        match self {
            Self::PredictLinear(scalar) | Self::Quantile(scalar) => vectors.extend(scalar.vectors()),
            Self::DoubleExponential(one, other) => {
                vectors.extend(one.vectors());
                vectors.extend(other.vectors());
            }
            _ => {}
        }
        vectors
    }
}

impl<P> RangeFunction<P> {
    pub fn name(&self) -> String {
        match self {
            Self::Extrapolated(RateKind::Rate) => "rate".to_owned(),
            Self::Extrapolated(RateKind::Increase) => "increase".to_owned(),
            Self::Extrapolated(RateKind::Delta) => "delta".to_owned(),
            Self::InstantRate => "irate".to_owned(),
            Self::InstantDelta => "idelta".to_owned(),
            Self::Derivative => "deriv".to_owned(),
            Self::PredictLinear(_) => "predict_linear".to_owned(),
            Self::OverTime(function) => format!("{function:?}_over_time").to_lowercase(),
            Self::Quantile(_) => "quantile_over_time".to_owned(),
            Self::DoubleExponential(..) => "double_exponential_smoothing".to_owned(),
            Self::TimeOf(function) => format!("ts_of_{function:?}_over_time").to_lowercase(),
            Self::Changes => "changes".to_owned(),
            Self::Resets => "resets".to_owned(),
        }
    }
}

impl<P> Map<P> {
    fn describe(&self) -> String {
        match self {
            Self::Apply(name, _) | Self::OfHistogram(name, _) => (*name).to_owned(),
            Self::Negate => "-".to_owned(),
            Self::Round(_) => "round".to_owned(),
            Self::Clamp(..) => "clamp".to_owned(),
            Self::ClampMin(_) => "clamp_min".to_owned(),
            Self::ClampMax(_) => "clamp_max".to_owned(),
            Self::StepTime => "timestamp".to_owned(),
            Self::Arithmetic { op, .. } => format!("{op:?} with a scalar").to_lowercase(),
            Self::Compare { op, as_bool, .. } => {
                let bool = if *as_bool { " bool" } else { "" };
                format!("{op:?}{bool} with a scalar").to_lowercase()
            }
            Self::Trim { op, .. } => format!("{op} with a scalar"),
        }
    }
}

impl Selector {
    fn describe(&self, inputs: &Inputs) -> String {
        let mut text = inputs.of(self.input).to_owned();
        match self.edges {
            Edges::Open => {}
            Edges::Anchored { .. } => text.push_str(" anchored"),
            Edges::Smoothed { .. } => text.push_str(" smoothed"),
        }
        if self.statistics {
            text.push_str(", counts and sums of native histograms alone");
        }
        text
    }
}

impl Scan {
    fn describe(&self, inputs: &Inputs) -> String {
        let function = match &self.function {
            ScanFunction::Newest { .. } => "newest sample".to_owned(),
            ScanFunction::NewestTime { .. } => "time of the newest sample".to_owned(),
            ScanFunction::NewestStart { .. } => "start of the newest sample".to_owned(),
            ScanFunction::Interpolated { .. } => "interpolated value".to_owned(),
            ScanFunction::Range { range, function, .. } => format!("{} over {range} ms", function.name()),
        };
        format!("{function} of {}", self.selector.describe(inputs))
    }
}

impl Subquery {
    fn describe(&self) -> String {
        format!("{} ms, {} steps of {} ms", self.range, self.steps.count, self.steps.interval)
    }
}

impl Aggregate {
    fn describe(&self) -> String {
        let by = if self.without { "without" } else { "by" };
        match self.grouping.is_empty() && !self.without {
            true => self.op.to_string(),
            false => format!("{} {by} ({})", self.op, self.grouping.join(", ")),
        }
    }
}

impl Binary {
    fn describe(&self) -> String {
        let VectorMatching { cardinality, on, labels, .. } = &self.matching;
        let by = if *on { "on" } else { "ignoring" };
        format!("{} {by} ({}), {}", self.op, labels.join(", "), cardinality.as_str())
    }
}

impl Relabel {
    fn describe(&self) -> &'static str {
        match self {
            Self::Replace(_) => "label_replace",
            Self::Join(_) => "label_join",
        }
    }
}

impl Histogram {
    fn describe(&self) -> &'static str {
        match self.function {
            HistogramFunction::Quantile(..) => "histogram_quantile",
            HistogramFunction::Quantiles(..) => "histogram_quantiles",
            HistogramFunction::Fraction(..) => "histogram_fraction",
        }
    }
}

impl SortOrder {
    fn describe(&self) -> String {
        match self {
            Self::Value => "by value".to_owned(),
            Self::Labels(names) => format!("by labels ({})", names.join(", ")),
        }
    }
}
