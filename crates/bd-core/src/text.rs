//! Numbers and counts in messages for people.

/// A number with four significant digits, in scientific notation outside the range from 1e-3 to 1e4.
pub fn short(value: f64) -> String {
    if value != 0.0 && !(1e-3..1e4).contains(&value.abs()) {
        return format!("{value:.3e}");
    }
    let before_point = if value == 0.0 { 1 } else { value.abs().log10().floor() as i32 + 1 };
    format!("{value:.*}", (4 - before_point).clamp(0, 6) as usize)
}

/// A number above 0 as a power of ten: `10^2.3`.
pub fn power_of_ten(value: f64) -> String {
    let exponent = value.log10();
    match exponent.fract() == 0.0 {
        true => format!("10^{exponent}"),
        false => format!("10^{exponent:.1}"),
    }
}

/// A count with its noun: `1 step`, `2 steps`.
pub fn plural(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
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

    #[test]
    fn powers_of_ten() {
        assert_eq!(
            [1.0, 1e6, 184.2, 0.5, f64::INFINITY].map(power_of_ten),
            ["10^0", "10^6", "10^2.3", "10^-0.3", "10^inf"]
        );
    }

    #[test]
    fn one_is_singular() {
        assert_eq!([0, 1, 2].map(|n| plural(n, "step")), ["0 steps", "1 step", "2 steps"]);
    }
}
