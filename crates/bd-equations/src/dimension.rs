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

/// Powers of ten of the base units inside, in SI. From ms, mV and pA follow nS, pF, GOhm and 1e-12 kg if lengths are in um, and
/// concentrations in mM (mol / m^3) if amounts are in 1e-18 mol.
const INSIDE: [i64; 7] = [-12, -6, -3, -12, 0, -18, 0];

impl Dimension {
    /// Of numbers.
    pub const ONE: Self = Self([0; 7]);
    /// Of times.
    pub const SECOND: Self = Self::si([0, 0, 1, 0, 0, 0, 0]);
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

    /// The name of a derived unit, if it is one.
    fn name(self) -> Option<&'static str> {
        let named = [
            ("1", Self::ONE),
            ("volt", Self::VOLT),
            ("ampere", Self::AMPERE),
            ("second", Self::SECOND),
            ("siemens", Self::si([-1, -2, 3, 2, 0, 0, 0])),
            ("ohm", Self::si([1, 2, -3, -2, 0, 0, 0])),
            ("farad", Self::si([-1, -2, 4, 2, 0, 0, 0])),
            ("hertz", Self::si([0, 0, -1, 0, 0, 0, 0])),
            ("coulomb", Self::si([0, 0, 1, 1, 0, 0, 0])),
            ("metre", Self::si([0, 1, 0, 0, 0, 0, 0])),
            ("kelvin", Self::si([0, 0, 0, 0, 1, 0, 0])),
            ("mole", Self::si([0, 0, 0, 0, 0, 1, 0])),
            ("molar", Self::si([0, -3, 0, 0, 0, 1, 0])),
            ("joule", Self::si([1, 2, -2, 0, 0, 0, 0])),
            ("watt", Self::si([1, 2, -3, 0, 0, 0, 0])),
        ];
        named.into_iter().find(|(_, dimension)| *dimension == self).map(|(name, _)| name)
    }
}

impl fmt::Display for Dimension {
    /// As one may write it in an equation: `volt`, `volt/second`, `metre**2*kilogram`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = self.name() {
            return f.write_str(name);
        }
        let (metre, two) = (Self::si([0, 1, 0, 0, 0, 0, 0]), Self::si([0, 2, 0, 0, 0, 0, 0]));
        let quotients = [("second", Self::SECOND), ("metre**2", two), ("metre", metre), ("volt", Self::VOLT)];
        for (below, dimension) in quotients {
            if let Some(above) = self.times(dimension).name() {
                return write!(f, "{above}/{below}");
            }
        }
        let factors = BASE.iter().zip(self.0).filter(|(_, exponent)| *exponent != 0);
        for (i, (name, exponent)) in factors.enumerate() {
            f.write_str(if i > 0 { "*" } else { "" })?;
            match exponent as f64 / PARTS as f64 {
                1.0 => write!(f, "{name}")?,
                exponent => write!(f, "{name}**{exponent}")?,
            }
        }
        Ok(())
    }
}
