//! Floats as Go's `fmt` prints them.

/// Go's `%g`, or `%.{precision}g`.
pub fn go_g(value: f64, precision: Option<usize>) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let scientific = match precision {
        None => format!("{value:e}"),
        Some(digits) => format!("{value:.*e}", digits.saturating_sub(1)),
    };
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let mantissa =
        if mantissa.contains('.') { mantissa.trim_end_matches('0').trim_end_matches('.') } else { mantissa };
    let significant = mantissa.bytes().filter(u8::is_ascii_digit).count() as i32;
    // Go takes six for the shortest form.
    let limit = precision.map_or(6, |digits| digits.max(1) as i32);
    if exponent < -4 || exponent >= limit {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.abs());
    }
    let decimals = (significant - 1 - exponent).max(0) as usize;
    format!("{value:.decimals$}")
}

/// As OpenMetrics writes the floats of labels, `le` and `quantile`: always with a point or an exponent.
pub fn open_metrics_float(value: f64) -> String {
    let text = go_g(value, None);
    if value.is_finite() && !text.contains(['.', 'e']) { format!("{text}.0") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_print_as_in_go() {
        let shortest = [(1.5, "1.5"), (1e6, "1e+06"), (100_000.0, "100000"), (1e-5, "1e-05"), (0.25, "0.25")];
        for (value, text) in shortest.into_iter().chain([(f64::INFINITY, "+Inf"), (-1.0, "-1"), (0.0, "0")]) {
            assert_eq!(go_g(value, None), text);
        }
        let two = [(123.0, "1.2e+02"), (12.3, "12"), (0.1, "0.1"), (0.096, "0.096"), (1e-8, "1e-08")];
        for (value, text) in two {
            assert_eq!(go_g(value, Some(2)), text);
        }
    }
}
