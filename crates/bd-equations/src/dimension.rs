//! [`Dimension`]: what is measured, as exponents of the seven base units.

use std::fmt;

/// Exponents are counted in parts of which whole numbers, halves, thirds, quarters, fifths and sixths are whole multiples.
const PARTS: i64 = 60;

/// A dimension: exponents of kilogram, metre, second, ampere, kelvin, mole and candela. Exponents may be fractions, as of a
/// square root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Dimension([i64; 7]);

/// Names of the base units.
const BASE: [&str; 7] = ["kilogram", "metre", "second", "ampere", "kelvin", "mole", "candela"];

/// Their multiples inside.
const INSIDE_BASE: [&str; 7] = ["ng", "um", "ms", "pA", "K", "amol", "cd"];

/// Powers of ten of the base units inside, in SI. From ms, mV and pA follow nS, pF, GOhm and 1e-12 kg if lengths are in um, and
/// concentrations in mM (mol / m^3) if amounts are in 1e-18 mol.
const INSIDE: [i64; 7] = [-12, -6, -3, -12, 0, -18, 0];

impl Dimension {
    /// Of numbers.
    pub const ONE: Self = Self([0; 7]);
    /// Of times.
    pub const SECOND: Self = Self::si([0, 0, 1, 0, 0, 0, 0]);
    /// Of rates.
    pub const HERTZ: Self = Self::si([0, 0, -1, 0, 0, 0, 0]);
    /// Of voltages.
    pub const VOLT: Self = Self::si([1, 2, -3, -1, 0, 0, 0]);
    /// Of currents.
    pub const AMPERE: Self = Self::si([0, 0, 0, 1, 0, 0, 0]);

    /// From whole exponents of kilogram, metre, second, ampere, kelvin, mole, candela.
    pub(crate) const fn si(exponents: [i64; 7]) -> Self {
        let mut all = exponents;
        let mut i = 0;
        while i < all.len() {
            all[i] *= PARTS;
            i += 1;
        }
        Self(all)
    }

    /// Of a product.
    pub(crate) fn times(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i].saturating_add(other.0[i])))
    }

    /// Of a quotient.
    pub(crate) fn per(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i].saturating_sub(other.0[i])))
    }

    /// Of a power; nothing where the exponents are no simple fractions, or beyond all measure.
    pub(crate) fn power(self, exponent: f64) -> Option<Self> {
        let mut all = [0; 7];
        for (power, own) in all.iter_mut().zip(self.0) {
            let exact = own as f64 * exponent;
            let whole = exact.round();
            let simple = (exact - whole).abs() <= 1e-9 && whole.abs() < (1000 * PARTS) as f64;
            if !simple {
                return None;
            }
            *power = whole as i64;
        }
        Some(Self(all))
    }

    /// The power of ten by which a number in SI is divided by what one unit inside is: -3 for volts, which are mV inside.
    pub(crate) fn inside(self) -> i64 {
        self.0.iter().zip(INSIDE).map(|(exponent, ten)| exponent.saturating_mul(ten)).fold(0, i64::saturating_add)
            / PARTS
    }

    /// The unit in which numbers of this dimension are: `mV`, `pA`, `mV/ms`, `1`.
    pub fn unit(self) -> String {
        self.written(|(_, _, inside)| inside, INSIDE_BASE)
    }

    /// Derived units: what each measures, its name, and the unit of numbers inside.
    fn derived() -> [(Self, &'static str, &'static str); 15] {
        [
            (Self::ONE, "1", "1"),
            (Self::VOLT, "volt", "mV"),
            (Self::AMPERE, "ampere", "pA"),
            (Self::SECOND, "second", "ms"),
            (Self::si([-1, -2, 3, 2, 0, 0, 0]), "siemens", "nS"),
            (Self::si([1, 2, -3, -2, 0, 0, 0]), "ohm", "Gohm"),
            (Self::si([-1, -2, 4, 2, 0, 0, 0]), "farad", "pF"),
            (Self::si([0, 0, -1, 0, 0, 0, 0]), "hertz", "kHz"),
            (Self::si([0, 0, 1, 1, 0, 0, 0]), "coulomb", "fC"),
            (Self::si([0, 1, 0, 0, 0, 0, 0]), "metre", "um"),
            (Self::si([0, 0, 0, 0, 1, 0, 0]), "kelvin", "K"),
            (Self::si([0, 0, 0, 0, 0, 1, 0]), "mole", "amol"),
            (Self::si([0, -3, 0, 0, 0, 1, 0]), "molar", "mM"),
            (Self::si([1, 2, -2, 0, 0, 0, 0]), "joule", "aJ"),
            (Self::si([1, 2, -3, 0, 0, 0, 0]), "watt", "fW"),
        ]
    }

    /// As a derived unit, as a quotient of two, or as a product of powers of base units. `name` is the one wanted of a derived unit.
    fn written(self, name: fn((Self, &'static str, &'static str)) -> &'static str, base: [&str; 7]) -> String {
        let of = |dimension: Self| Self::derived().into_iter().find(|(known, ..)| *known == dimension).map(name);
        if let Some(name) = of(self) {
            return name.to_owned();
        }
        let (metre, two) = (Self::si([0, 1, 0, 0, 0, 0, 0]), Self::si([0, 2, 0, 0, 0, 0, 0]));
        for (below, power) in [(Self::SECOND, ""), (metre, "**2"), (metre, ""), (Self::VOLT, "")] {
            let dimension = if power.is_empty() { below } else { two };
            if let (Some(above), Some(below)) = (of(self.times(dimension)), of(below)) {
                return format!("{above}/{below}{power}");
            }
        }
        let factors = base.iter().zip(self.0).filter(|(_, exponent)| *exponent != 0);
        let factors = factors.map(|(name, exponent)| match exponent as f64 / PARTS as f64 {
            1.0 => (*name).to_owned(),
            exponent => format!("{name}**{exponent}"),
        });
        factors.collect::<Vec<_>>().join("*")
    }
}

impl fmt::Display for Dimension {
    /// As one may write it in an equation: `volt`, `volt/second`, `metre**2*kilogram`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written(|(_, name, _)| name, BASE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::unit;

    /// What is named is worth 1 inside, by the table of units.
    #[test]
    fn units_inside_are_those_of_numbers() {
        for (dimension, _, inside) in Dimension::derived().into_iter().filter(|(known, ..)| *known != Dimension::ONE) {
            let short = [("K", "kelvin"), ("amol", "amole"), ("aJ", "ajoule"), ("fW", "fwatt"), ("fC", "fcoulomb")];
            let name = short.into_iter().find(|(short, _)| *short == inside).map_or(inside, |(_, long)| long);
            let unit = unit(name).unwrap_or_else(|| panic!("{name}"));
            assert_eq!((unit.dimension, unit.value), (dimension, 1.0), "{name}");
        }
        assert_eq!(Dimension::VOLT.per(Dimension::SECOND).unit(), "mV/ms");
        assert_eq!(Dimension::AMPERE.per(Dimension::si([0, 2, 0, 0, 0, 0, 0])).unit(), "pA/um**2");
        assert_eq!(Dimension::si([1, 0, 1, 0, 0, 0, 0]).unit(), "ng*ms");
    }
}
