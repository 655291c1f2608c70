//! Random queries over random series: with rollups the answers are as without.

use super::{
    ask::{Asked, When},
    data::{DAYS, generate},
    equal::assert_same,
    reader::DAY,
};
use crate::random::Random;
use promql::Downsampling;

const SEEDS: u64 = 40;
const QUERIES: usize = 12;

const EXACT: [&str; 11] = [
    "count_over_time",
    "present_over_time",
    "min_over_time",
    "max_over_time",
    "first_over_time",
    "last_over_time",
    "delta",
    "rate",
    "increase",
    "resets",
    "absent_over_time",
];
/// Beside selectors.
const INEXACT: [&str; 2] = ["sum_over_time", "avg_over_time"];
/// No rollups have what they need.
const NEVER: [&str; 4] = ["stddev_over_time", "irate", "idelta", "changes"];

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// What is asked, and how.
struct Kind<'a> {
    functions: &'a [&'a str],
    downsampling: Downsampling,
    /// A relative difference.
    tolerance: f64,
}

impl Kind<'_> {
    /// Metrics to ask about. Where values cancel out there is no bound to the relative difference.
    fn metrics(&self) -> &'static [&'static str] {
        if self.tolerance > 0.0 {
            &["c_total", "g", "x_total", "h"]
        } else {
            &["c_total", "g", "x_total", "h", "wild"]
        }
    }
}

/// A leaf over windows of `unit`s, mostly.
fn leaf(random: &mut Random, kind: &Kind<'_>, unit: i64) -> String {
    let matcher = ["", "{i=\"0\"}", "{i!=\"1\"}"][random.below(3)];
    let name = random.pick(kind.metrics());
    let offset = match random.below(4) {
        0 => format!(" offset {}m", unit / 60_000 * random.between(-30, 30)),
        1 if random.chance(20) => " offset 7s".to_owned(),
        _ => String::new(),
    };
    let function = random.pick(kind.functions);
    if function == "selector" {
        return format!("{name}{matcher}{offset}");
    }
    let range = unit / 60_000 * [1, 2, 3, 24, 30][random.below(5)];
    format!("{function}({name}{matcher}[{range}m]{offset})")
}

fn query(random: &mut Random, kind: &Kind<'_>, unit: i64) -> String {
    let inner = leaf(random, kind, unit);
    match random.below(9) {
        0 => format!("sum by (j) ({inner})"),
        1 => format!("max_over_time({inner}[6h:{}m])", unit / 60_000),
        2 => format!("absent({inner})"),
        5 => format!("sum({inner}) / (1 + sum({inner}))"),
        3 if kind.tolerance == 0.0 => format!("{inner} > 2"),
        4 if kind.tolerance == 0.0 => format!("{inner} - on (i, j) {}", leaf(random, kind, unit)),
        _ => inner,
    }
}

fn when(random: &mut Random, start: i64, unit: i64) -> When {
    let aligned = start + random.between(-3, 3) * unit;
    let start = if random.chance(10) { aligned + 1000 } else { aligned };
    if random.chance(15) {
        return When { start: start + DAYS * DAY, end: 0, step: 0 };
    }
    let length = random.between(1, DAYS + 1) * DAY + random.between(0, 100_000);
    When { start, end: start + length, step: unit * [1, 1, 2, 5][random.below(4)] }
}

/// Asks with rollups and without. The first tells how often rollups were read.
fn compare(random: &mut Random, kind: &Kind<'_>) -> usize {
    let (reader, start) = generate(random);
    let mut used = 0;
    for _ in 0..QUERIES {
        let unit = [300_000, 300_000, 3_600_000, 1_800_000][random.below(4)];
        let (text, when) = (query(random, kind, unit), when(random, start, unit));
        let lookback = [300_000, 300_000, 3_600_000][random.below(3)];
        let threads = 1 + random.below(3);
        let asked = |downsampling| Asked { threads, lookback, ..Asked::new(&text, when, downsampling) };
        let expected = asked(Downsampling::Off).of(&reader);
        assert!(reader.asked.lock().is_empty(), "{text}");
        let found = asked(kind.downsampling).of(&reader);
        let answered = reader.asked.lock().drain(..).filter(|(_, is_there)| *is_there).count();
        used += usize::from(answered > 0);
        assert_same(&format!("{text} {when:?}"), &expected, &found, kind.tolerance);
        let own = |infos: &[String]| infos.iter().filter(|i| !i.contains("downsampling")).count();
        assert_eq!(
            (own(&found.infos), &found.warnings),
            (own(&expected.infos), &expected.warnings),
            "{text}"
        );
        if kind.downsampling == Downsampling::Exact {
            assert_eq!(found.infos, expected.infos, "{text}");
        }
    }
    used
}

fn run(functions: &[&str], downsampling: Downsampling, tolerance: f64) -> usize {
    let kind = Kind { functions, downsampling, tolerance };
    let first = number("YAGURA_SEED").unwrap_or(1);
    let seeds = number("YAGURA_SEEDS").unwrap_or(SEEDS);
    (first..first + seeds).map(|seed| compare(&mut Random::new(seed), &kind)).sum()
}

#[test]
fn what_is_exact_is_the_same_to_the_bit() {
    let functions: Vec<&str> = EXACT.into_iter().chain(["selector", "selector"]).collect();
    let used = run(&functions, Downsampling::Exact, 0.0);
    assert!(used > SEEDS as usize * QUERIES / 2, "rollups were read by {used} queries only");
}

#[test]
fn others_read_samples_unless_it_is_allowed() {
    let functions: Vec<&str> = INEXACT.into_iter().chain(NEVER).collect();
    assert_eq!(run(&functions, Downsampling::Exact, 0.0), 0);
}

#[test]
fn what_is_allowed_differs_in_the_last_digits() {
    let used = run(&INEXACT, Downsampling::Allowed, 1e-12);
    assert!(used > SEEDS as usize * QUERIES / 2, "rollups were read by {used} queries only");
    assert_eq!(run(&NEVER, Downsampling::Allowed, 0.0), 0);
}
