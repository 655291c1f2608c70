//! Durations such as `1h30m`.

/// A duration, or `0`, in milliseconds.
pub fn duration(text: &str) -> Result<i64, String> {
    let malformed = || format!("malformed duration {text:?}");
    if text == "0" {
        return Ok(0);
    }
    let mut rest = text;
    let mut total = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(malformed)?;
        let number: i64 = rest[..digits].parse().map_err(|_| malformed())?;
        let unit_end = rest[digits..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |e| digits + e);
        total += number
            * match &rest[digits..unit_end] {
                "ms" => 1,
                "s" => 1000,
                "m" => 60_000,
                "h" => 3_600_000,
                "d" => 86_400_000,
                "w" => 7 * 86_400_000,
                "y" => 365 * 86_400_000,
                _ => return Err(malformed()),
            };
        rest = &rest[unit_end..];
    }
    if text.is_empty() { Err(malformed()) } else { Ok(total) }
}
