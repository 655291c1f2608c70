//! `rate`, `increase`, `delta`, `irate` and `idelta`.

use super::{native, selector::Window, table::Value};
use model::Timestamp;

/// What changed in the window, stretched to its edges where the samples come near to them.
pub fn rate(name: &str, window: &Window) -> Option<Value> {
    let is_counter = name != "delta";
    let per_second = if name == "rate" { 1.0 / seconds(window.end - window.start) } else { 1.0 };
    match (window.floats.len(), window.histograms.len()) {
        (0, 2..) => {
            let samples = &window.histograms;
            let change = native::increase(samples, is_counter)?;
            let times: Vec<_> = samples.iter().map(|(time, _)| *time).collect();
            // Where the counter would have been zero, had it always grown like this.
            let first = samples[0].1.count;
            let to_zero = (is_counter && change.count > 0.0 && first >= 0.0).then(|| first / change.count);
            let factor = stretch(&times, window, to_zero) * per_second;
            Some(Value::Histogram(native::scaled(&change, factor)))
        }
        (2.., 0) => {
            let values: Vec<f64> = window.floats.iter().map(|(_, value)| *value).collect();
            let (first, last) = (values[0], values[values.len() - 1]);
            let mut change = last - first;
            if is_counter {
                // What a counter had reached before it was reset has been counted as well. Added in this order,
                // or large values swallow others than they should.
                for pair in values.windows(2).filter(|pair| pair[1] < pair[0]) {
                    change += pair[0];
                }
            }
            let times: Vec<_> = window.floats.iter().map(|(time, _)| *time).collect();
            let to_zero = (is_counter && change > 0.0 && first >= 0.0).then(|| first / change);
            Some(Value::Float(change * (stretch(&times, window, to_zero) * per_second)))
        }
        _ => None,
    }
}

/// By how much the change between the samples has to grow to be that of the window. `to_zero` is how long
/// before the first sample a counter was zero, in times of the distance from the first to the last.
fn stretch(times: &[Timestamp], window: &Window, to_zero: Option<f64>) -> f64 {
    let (first, last) = (times[0], times[times.len() - 1]);
    let sampled = seconds(last - first);
    let between = sampled / (times.len() - 1) as f64;
    // A gap up to a tenth longer than the usual one is taken for none.
    let reach = |gap: f64| if gap >= between * 1.1 { between / 2.0 } else { gap };
    let mut before = reach(seconds(first - window.start));
    if let Some(to_zero) = to_zero {
        let zero = sampled * to_zero;
        if zero < before {
            before = zero;
        }
    }
    let after = reach(seconds(window.end - last));
    if sampled == 0.0 { 1.0 } else { (sampled + before + after) / sampled }
}

/// `irate` and `idelta`: only the last two samples.
pub fn of_last_two(name: &str, window: &Window) -> Option<Value> {
    let is_rate = name == "irate";
    let all = window.all();
    let [.., (before, old), (time, new)] = &all[..] else { return None };
    let elapsed = seconds(time - before);
    if elapsed == 0.0 {
        return None;
    }
    match (old, new) {
        (Value::Float(old), Value::Float(new)) => {
            let change = if is_rate && new < old { *new } else { new - old };
            Some(Value::Float(if is_rate { change / elapsed } else { change }))
        }
        (Value::Histogram(old), Value::Histogram(new)) => {
            let change = native::change(old, new, is_rate)?;
            Some(Value::Histogram(if is_rate { native::divided(&change, elapsed) } else { change }))
        }
        _ => None,
    }
}

fn seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1000.0
}
