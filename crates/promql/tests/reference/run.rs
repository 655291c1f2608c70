//! One seed: data, questions about it, and the judgement of the answers.

use super::{
    answer::{Answer, Point},
    data::Data,
    engine::{DEFAULT_INTERVAL, Engines},
    generate::{Generator, Question},
    oracle::{Noise, Oracle, Settings, table::Value},
    random::Random,
    shrink::shrink,
    storage::Storage,
    tally::{Tally, Verdict},
};
use promql::{ParseOptions, ast::Expr, parse};

/// Half of the data has native histograms.
const WITH_NATIVES: usize = 50;

/// How many shaken references have to agree that an answer hangs on the last bits.
const SHAKEN: u64 = 6;

/// Differences that are shown with all there is to them.
const SHOWN: usize = 12;

pub struct Judge {
    data: Data,
    storage: Storage,
    engines: Engines,
}

/// What the reference says; the error if it fails.
type Answered = Result<Answer, String>;

pub fn run(seed: u64, questions: usize, tally: &mut Tally) {
    let mut random = Random::new(seed);
    let with_natives = random.chance(WITH_NATIVES);
    let data = Data::generate(&mut random, with_natives);
    let judge = Judge { storage: Storage::new(&data), data, engines: Engines::new() };
    for _ in 0..questions {
        let question = Generator::new(&mut random, &judge.data, with_natives).question();
        let expr = parse(&question.text, ParseOptions::all_features())
            .unwrap_or_else(|e| panic!("seed {seed}: {}: {e}", question.text));
        let verdict = judge.judge(&question, &expr);
        if random.chance(5) {
            let memory = random.between(1_000, 200_000) as u64;
            judge.engines.starve(&judge.storage, &question, &expr, memory);
        }
        if let Verdict::Differs(difference) = &verdict {
            println!("seed {seed}, {question}:\n  {}\n  {difference}", question.text);
            if tally.different() < SHOWN {
                report(&judge, &question, &expr);
            }
        }
        tally.count(&question, &expr, verdict);
    }
}

/// Shows what is needed to make a script of the difference, for the smallest part that has one.
fn report(judge: &Judge, question: &Question, expr: &Expr) {
    let differs = |expr: &Expr| {
        let smaller = Question { text: expr.to_string(), ..question.clone() };
        matches!(judge.judge(&smaller, expr), Verdict::Differs(_))
    };
    let small = shrink(expr, differs);
    let small = Question { text: small, ..question.clone() };
    if let Ok(expr) = parse(&small.text, ParseOptions::all_features()) {
        if small.text != question.text {
            println!("  smaller: {}", small.text);
        }
        show("the reference", &judge.reference(&small, &expr, Noise::none()).0);
        let answers = judge.engine(&small, &expr);
        show("the engine", &answers[0]);
        if !answers[1..].iter().all(|other| difference(&small, &expr, &answers[0], other).is_none()) {
            show("the engine with threads", &answers[1]);
        }
        judge.data.show(&expr);
    }
}

fn show(who: &str, answer: &Answered) {
    match answer {
        Ok(answer) => print!("  {who}:\n{answer}"),
        Err(error) => println!("  {who} fails: {error}"),
    }
}

impl Judge {
    fn reference(&self, question: &Question, expr: &Expr, noise: Noise) -> (Answered, bool) {
        let settings = Settings {
            lookback: question.lookback,
            default_interval: DEFAULT_INTERVAL,
            delayed_names: question.delayed_names,
        };
        let oracle = Oracle::new(&self.data, settings, question.when, noise);
        if let Expr::String(string) = expr.without_parens() {
            return (Ok(Answer { text: Some(string.value.clone()), series: Vec::new() }), false);
        }
        let answer = oracle.answer(expr).map(|matrix| {
            let series = matrix.into_iter().map(|series| {
                let floats = series.floats.into_iter().map(|(time, value)| (time, Value::Float(value)));
                let histograms = series.histograms.into_iter().map(|(time, h)| (time, Value::Histogram(h)));
                let points = floats.chain(histograms).map(|(time, value)| (time, Point(value)));
                (series.labels, points.collect())
            });
            Answer::of_series(series.collect())
        });
        (answer.map_err(|failure| failure.0), oracle.left_open())
    }

    fn engine(&self, question: &Question, expr: &Expr) -> Vec<Answered> {
        self.engines.answers(&self.storage, question, expr)
    }

    fn judge(&self, question: &Question, expr: &Expr) -> Verdict {
        let (expected, left_open) = self.reference(question, expr, Noise::none());
        let answers = self.engine(question, expr);
        if answers.iter().any(|a| a.as_ref().is_err_and(|e| e.contains("not supported by this version"))) {
            return Verdict::Unsupported;
        }
        let mut differences =
            answers.iter().filter_map(|answer| difference(question, expr, &expected, answer));
        match (differences.next(), &expected) {
            (None, Ok(answer)) if answer.is_empty() => Verdict::Empty,
            (None, Ok(_)) => Verdict::Same,
            (None, Err(_)) => Verdict::BothFail,
            (Some(_), _) if left_open || self.hangs_on_last_bits(question, expr, &expected) => Verdict::Open,
            (Some(difference), _) => Verdict::Differs(difference),
        }
    }

    /// Whether the reference itself answers otherwise if it is shaken.
    fn hangs_on_last_bits(&self, question: &Question, expr: &Expr, expected: &Answered) -> bool {
        (0..SHAKEN).any(|seed| {
            let (shaken, _) = self.reference(question, expr, Noise::seeded(seed));
            difference(question, expr, expected, &shaken).is_some()
        })
    }
}

fn difference(question: &Question, expr: &Expr, expected: &Answered, found: &Answered) -> Option<String> {
    match (expected, found) {
        (Ok(expected), Ok(found)) => expected.difference(found).or_else(|| {
            let (sorted, by_labels) = sorted(question, expr);
            if sorted { expected.order_difference(found, by_labels) } else { None }
        }),
        (Err(_), Err(_)) => None,
        (Ok(_), Err(error)) => Some(format!("the second fails: {error}")),
        (Err(error), Ok(_)) => Some(format!("the first fails: {error}")),
    }
}

/// Whether the order of the answer has a meaning, and whether it is one of labels.
fn sorted(question: &Question, expr: &Expr) -> (bool, bool) {
    use super::oracle::When;
    use promql::ast::AggregateOp::{Bottomk, Topk};
    if !matches!(question.when, When::At(_)) {
        return (false, false);
    }
    match expr.without_parens() {
        Expr::Call(call) if call.function.name.starts_with("sort_by_label") => (true, true),
        Expr::Call(call) => (call.function.name.starts_with("sort"), false),
        Expr::Aggregate(a) if matches!(a.op, Topk | Bottomk) => (a.grouping.is_empty() && !a.without, false),
        _ => (false, false),
    }
}
