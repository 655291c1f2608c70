//! When rollups are read, and what is said of it.

use super::{
    ask::{Asked, When, points},
    equal::assert_same,
    reader::{DAY, Reader, Stored},
};
use model::Labels;
use promql::{
    Downsampling::{self, Allowed, Exact, Off},
    engine::PlanNode,
};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

/// A counter with a sample a minute for six days, of the first four of which there are rollups.
fn reader() -> Reader {
    let samples = (0..6 * 24 * 60).map(|at| (at * MINUTE, at as f64 / 10.0)).collect();
    let labels = Labels::from_pairs([("__name__", "c_total")]);
    let series = vec![Stored { labels, samples, histograms: Vec::new() }];
    Reader { series, rolled_up: (-1..4).collect(), ..Reader::default() }
}

/// Three days of which there are rollups, every `step`.
fn days(step: i64) -> When {
    When { start: DAY, end: 4 * DAY, step }
}

/// The resolutions in which something was asked for and was there.
fn used(reader: &Reader) -> Vec<i64> {
    let asked = reader.asked.lock();
    asked.iter().filter(|(_, is_there)| *is_there).map(|(request, _)| request.resolution).collect()
}

fn asks(text: &str, when: When, downsampling: Downsampling) -> Vec<i64> {
    let reader = reader();
    Asked::new(text, when, downsampling).of(&reader);
    used(&reader)
}

fn scan(node: &PlanNode) -> String {
    if node.name == "scan" { node.detail.clone() } else { node.children.iter().map(scan).collect() }
}

#[test]
fn the_longest_buckets_that_fit_are_read() {
    for (text, step, expected) in [
        ("rate(c_total[1h])", HOUR, HOUR),
        ("rate(c_total[1h] offset 3h)", HOUR, HOUR),
        ("rate(c_total[1h] offset 5m)", HOUR, 5 * MINUTE),
        ("rate(c_total[65m])", HOUR, 5 * MINUTE),
        ("sum(max_over_time(c_total[1h]))", 5 * MINUTE, 5 * MINUTE),
        ("c_total", 15 * MINUTE, 5 * MINUTE),
        ("absent_over_time(c_total[2h]) or vector(1)", 2 * HOUR, HOUR),
        ("max_over_time(rate(c_total[1h])[1d:1h])", 7 * MINUTE, HOUR),
    ] {
        assert_eq!(asks(text, days(step), Exact), [expected], "{text}");
    }
    let at = When { start: 3 * DAY, end: 0, step: 0 };
    assert_eq!(asks("max_over_time(c_total[2d])", at, Exact), [HOUR]);
}

#[test]
fn what_is_no_row_of_whole_buckets_or_not_worth_it_is_read_as_samples() {
    let unaligned = When { start: DAY + 1, ..days(HOUR) };
    let short = When { start: DAY, end: DAY + 20 * HOUR, step: HOUR };
    for (text, when) in [
        ("rate(c_total[1h])", unaligned),
        ("rate(c_total[1h])", short),
        ("rate(c_total[1h])", days(7 * MINUTE)),
        ("rate(c_total[7m])", days(HOUR)),
        ("rate(c_total[1h] offset 7s)", days(HOUR)),
        ("rate(c_total[1h] @ end())", days(HOUR)),
        ("rate(c_total[2d] @ 259200)", days(HOUR)),
        ("rate(c_total[1h] anchored)", days(HOUR)),
        ("rate(c_total[1h] smoothed)", days(HOUR)),
        ("c_total smoothed", days(HOUR)),
        ("timestamp(c_total)", days(HOUR)),
        ("max_over_time(c_total[1h:1m])", days(HOUR)),
        ("stddev_over_time(c_total[1h])", days(HOUR)),
        ("quantile_over_time(0.5, c_total[1h])", days(HOUR)),
        ("irate(c_total[1h])", days(HOUR)),
        ("deriv(c_total[1h])", days(HOUR)),
        ("ts_of_max_over_time(c_total[1h])", days(HOUR)),
        ("sum_over_time(c_total[1h])", days(HOUR)),
    ] {
        let reader = reader();
        Asked::new(text, when, Exact).of(&reader);
        assert!(reader.asked.lock().is_empty(), "{text}");
    }
    assert!(asks("rate(c_total[1h])", days(HOUR), Off).is_empty());
}

#[test]
fn samples_are_selected_of_what_is_not_rolled_up_alone() {
    let reader = reader();
    let when = When { start: 2 * DAY, end: 5 * DAY, step: HOUR };
    let result = Asked::new("rate(c_total[1h])", when, Exact).of(&reader);
    // All of it, and halves of what is not there.
    assert_eq!(used(&reader), [HOUR, HOUR]);
    let selected = reader.selected.lock().clone();
    assert_eq!(selected.iter().map(|r| (r.start, r.end)).collect::<Vec<_>>(), [(4 * DAY + 1, 5 * DAY)]);
    // Seven figures of each bucket, of two days and the hour before.
    assert_eq!(result.statistics.samples, 7 * 49 + 24 * 60);
    let observed = result.observed.unwrap();
    let plan = scan(&observed.plan.unwrap());
    let expected = format!(
        "rate over 3600000 ms of {{__name__=\"c_total\"}}: rollups of 3600000 ms that end from {} to {} ms, \
         samples from {} to {} ms",
        2 * DAY,
        4 * DAY,
        4 * DAY + 1,
        5 * DAY
    );
    assert_eq!(plan, expected);
    assert_eq!((observed.samples_by_step[0], observed.samples_by_step[72]), (1, 60));
}

#[test]
fn one_question_is_enough_to_learn_that_there_is_nothing() {
    let reader = Reader { rolled_up: Default::default(), ..reader() };
    let when = When { start: DAY + HOUR, end: 2 * DAY, step: HOUR };
    Asked::new("rate(c_total[1h])", when, Exact).of(&reader);
    assert_eq!(reader.asked.lock().len(), 1);
    // However long the query is, there is an end to it.
    let year = When { start: -300 * DAY, end: 65 * DAY, step: HOUR };
    reader.asked.lock().clear();
    Asked::new("rate(c_total[1h])", year, Exact).of(&reader);
    assert!(reader.asked.lock().len() <= 32);
    // Of two days nothing is asked for.
    reader.asked.lock().clear();
    let recent = Asked { now: Some(5 * DAY - 1), ..Asked::new("rate(c_total[1h])", days(HOUR), Exact) };
    recent.of(&reader);
    assert!(reader.asked.lock().iter().all(|(request, _)| request.ends.end <= 2 * DAY));
    reader.asked.lock().clear();
    Asked { now: Some(3 * DAY), ..recent }.of(&reader);
    assert!(reader.asked.lock().iter().all(|(request, _)| request.ends.end <= DAY));
    reader.asked.lock().clear();
    let early = Asked { now: Some(3 * DAY - 1), ..Asked::new("rate(c_total[1h])", days(HOUR), Exact) };
    early.of(&reader);
    assert!(reader.asked.lock().is_empty());
}

/// With a counter that falls twice within an hour, and on another day within five minutes.
fn falling() -> Reader {
    let mut reader = reader();
    let samples = &mut reader.series[0].samples;
    for minute in [2 * 24 * 60 + 10, 2 * 24 * 60 + 20, 3 * 24 * 60 + 12, 3 * 24 * 60 + 14] {
        samples[minute as usize].1 = 0.3;
    }
    reader
}

#[test]
fn where_resets_are_too_many_shorter_buckets_or_samples_are_read() {
    let reader = falling();
    let ask = |downsampling| Asked::new("increase(c_total[1h])", days(HOUR), downsampling).of(&reader);
    let expected = ask(Off);
    let found = ask(Exact);
    assert_same("increase", &expected, &found, 0.0);
    assert_eq!(used(&reader), [HOUR, 5 * MINUTE]);
    let plan = scan(&found.observed.unwrap().plan.unwrap());
    let (hours, day) = (format!("ms that end from {DAY} to {} ms", 2 * DAY), 2 * DAY + 5 * MINUTE);
    let minutes = format!("rollups of 300000 ms that end from {day} to {} ms", 3 * DAY);
    let samples = format!("samples from {} to {} ms", 3 * DAY + 1, 4 * DAY);
    assert!([hours, minutes, samples].iter().all(|part| plan.contains(part.as_str())), "{plan}");
    // It is allowed that their sum is rounded.
    reader.asked.lock().clear();
    let found = ask(Allowed);
    assert_same("increase", &expected, &found, 1e-12);
    assert_eq!((used(&reader), found.infos.len()), (vec![HOUR], 1));
    assert_eq!(ask(Exact).infos, Vec::<String>::new());
}

#[test]
fn answers_of_other_digits_say_so() {
    let reader = reader();
    let text = "avg(avg_over_time(c_total[1h]))";
    let found = Asked::new(text, days(HOUR), Allowed).of(&reader);
    assert_eq!(
        found.infos,
        ["PromQL info: figures of 1h each were put together, so the last digits may differ from those of \
          all samples (downsampling=allowed) (1:19)"]
    );
    assert_same(text, &Asked::new(text, days(HOUR), Off).of(&reader), &found, 1e-12);
    // Not if there is nothing to be put together, or if it does not matter.
    for text in ["sum_over_time(nothing[1h])", "max_over_time(c_total[1h])", "rate(c_total[1h])"] {
        assert!(Asked::new(text, days(HOUR), Allowed).of(&reader).infos.is_empty(), "{text}");
        assert_eq!(used(&reader).len(), 2, "{text}");
        reader.asked.lock().retain(|(request, _)| request.aggregates.len() == 2);
    }
}

#[test]
fn what_is_read_of_rollups_counts_as_memory() {
    let reader = reader();
    let asked = Asked::new("rate(c_total[1h])", days(5 * MINUTE), Exact);
    let needed = asked.of(&reader).statistics.peak_memory;
    // Steps alone take 7 kB; figures and times of as many buckets eight times as much.
    assert!(needed > 8 * 7_000, "{needed}");
    let error = asked.within(&reader, needed / 2).unwrap_err();
    assert!(error.message.contains("limits.query_memory"), "{error}");
    asked.within(&reader, needed).unwrap();
}

#[test]
fn native_histograms_beside_rollups_have_all_of_the_query_read_as_samples() {
    let mut reader = reader();
    reader.series[0].histograms = vec![4 * DAY + HOUR + 1, 4 * DAY + 2 * HOUR + 1];
    reader.series[0].samples.retain(|(time, _)| *time <= 4 * DAY + HOUR);
    for text in ["rate(c_total[2h])", "count_over_time(c_total[2h])", "c_total", "resets(c_total[2h])"] {
        let when = When { end: 5 * DAY, ..days(HOUR) };
        let expected = Asked::new(text, when, Off).of(&reader);
        let found = Asked::new(text, when, Exact).of(&reader);
        assert!(!used(&reader).is_empty());
        assert_same(text, &expected, &found, 0.0);
        assert_eq!(points(&expected).len(), 1, "{text}");
        assert_eq!((found.warnings, found.infos), (expected.warnings, expected.infos), "{text}");
    }
}
