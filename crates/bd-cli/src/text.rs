//! Numbers for people.

/// Four significant digits.
pub(crate) fn short(value: f64) -> String {
    if value != 0.0 && !(1e-3..1e4).contains(&value.abs()) {
        return format!("{value:.3e}");
    }
    let before_point = if value == 0.0 { 1 } else { value.abs().log10().floor() as i32 + 1 };
    format!("{value:.*}", (4 - before_point).clamp(0, 6) as usize)
}

/// `1 step`, `2 steps`.
pub(crate) fn plural(n: usize, thing: &str) -> String {
    format!("{n} {thing}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_digits() {
        for (value, text) in [
            (0.0, "0.000"),
            (5.066021e-12, "5.066e-12"),
            (0.0113713, "0.01137"),
            (38.77185, "38.77"),
            (0.9999, "0.9999"),
            (1234.5, "1234"),
            (123456.0, "1.235e5"),
            (-2.5, "-2.500"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(short(value), text);
        }
    }
}
