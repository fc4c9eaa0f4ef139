//! Names of units, as in Brian2: a prefix and a name (`mvolt`), and the short ones that people use (`mV`).

use crate::dimension::Dimension;

/// A unit: its dimension, and its value in units inside, which are ms, mV, pA and what follows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Unit {
    pub(crate) dimension: Dimension,
    pub(crate) value: f64,
}

/// Powers of ten of the prefixes.
const PREFIXES: [(&str, i64); 20] = [
    ("da", 1),
    ("y", -24),
    ("z", -21),
    ("a", -18),
    ("f", -15),
    ("p", -12),
    ("n", -9),
    ("u", -6),
    ("m", -3),
    ("c", -2),
    ("d", -1),
    ("h", 2),
    ("k", 3),
    ("M", 6),
    ("G", 9),
    ("T", 12),
    ("P", 15),
    ("E", 18),
    ("Z", 21),
    ("Y", 24),
];

/// Long names, the power of ten that they have in SI, and exponents of kilogram, metre, second, ampere, kelvin, mole, candela.
const LONG: [(&str, i64, [i64; 7]); 30] = [
    ("metre", 0, [0, 1, 0, 0, 0, 0, 0]),
    ("meter", 0, [0, 1, 0, 0, 0, 0, 0]),
    ("kilogram", 0, [1, 0, 0, 0, 0, 0, 0]),
    ("gram", -3, [1, 0, 0, 0, 0, 0, 0]),
    ("gramme", -3, [1, 0, 0, 0, 0, 0, 0]),
    ("second", 0, [0, 0, 1, 0, 0, 0, 0]),
    ("amp", 0, [0, 0, 0, 1, 0, 0, 0]),
    ("ampere", 0, [0, 0, 0, 1, 0, 0, 0]),
    ("kelvin", 0, [0, 0, 0, 0, 1, 0, 0]),
    ("mole", 0, [0, 0, 0, 0, 0, 1, 0]),
    ("mol", 0, [0, 0, 0, 0, 0, 1, 0]),
    ("candle", 0, [0, 0, 0, 0, 0, 0, 1]),
    ("hertz", 0, [0, 0, -1, 0, 0, 0, 0]),
    ("becquerel", 0, [0, 0, -1, 0, 0, 0, 0]),
    ("newton", 0, [1, 1, -2, 0, 0, 0, 0]),
    ("pascal", 0, [1, -1, -2, 0, 0, 0, 0]),
    ("joule", 0, [1, 2, -2, 0, 0, 0, 0]),
    ("watt", 0, [1, 2, -3, 0, 0, 0, 0]),
    ("coulomb", 0, [0, 0, 1, 1, 0, 0, 0]),
    ("volt", 0, [1, 2, -3, -1, 0, 0, 0]),
    ("farad", 0, [-1, -2, 4, 2, 0, 0, 0]),
    ("ohm", 0, [1, 2, -3, -2, 0, 0, 0]),
    ("siemens", 0, [-1, -2, 3, 2, 0, 0, 0]),
    ("weber", 0, [1, 2, -2, -1, 0, 0, 0]),
    ("tesla", 0, [1, 0, -2, -1, 0, 0, 0]),
    ("henry", 0, [1, 2, -2, -2, 0, 0, 0]),
    ("katal", 0, [0, 0, -1, 0, 0, 1, 0]),
    ("liter", -3, [0, 3, 0, 0, 0, 0, 0]),
    ("litre", -3, [0, 3, 0, 0, 0, 0, 0]),
    ("molar", 3, [0, -3, 0, 0, 0, 1, 0]),
];

/// Short names, and the long ones that they stand for: Brian2's, and `uV`. They are no longer free for variables, so there are few.
const SHORT: [(&str, &str); 30] = [
    ("mV", "mvolt"),
    ("uV", "uvolt"),
    ("mA", "mamp"),
    ("uA", "uamp"),
    ("nA", "namp"),
    ("pA", "pamp"),
    ("mF", "mfarad"),
    ("uF", "ufarad"),
    ("nF", "nfarad"),
    ("pF", "pfarad"),
    ("mS", "msiemens"),
    ("uS", "usiemens"),
    ("nS", "nsiemens"),
    ("ms", "msecond"),
    ("us", "usecond"),
    ("Hz", "hertz"),
    ("kHz", "khertz"),
    ("MHz", "Mhertz"),
    ("cm", "cmetre"),
    ("cm2", "cmetre2"),
    ("cm3", "cmetre3"),
    ("mm", "mmetre"),
    ("mm2", "mmetre2"),
    ("mm3", "mmetre3"),
    ("um", "umetre"),
    ("um2", "umetre2"),
    ("um3", "umetre3"),
    ("mM", "mmolar"),
    ("uM", "umolar"),
    ("nM", "nmolar"),
];

/// The unit of this name.
pub(crate) fn unit(name: &str) -> Option<Unit> {
    let name = SHORT.iter().find(|(short, _)| *short == name).map_or(name, |(_, long)| long);
    let (root, power) = match name.strip_suffix(['2', '3']) {
        Some(root) if root.ends_with("metre") || root.ends_with("meter") => {
            (root, if name.ends_with('2') { 2 } else { 3 })
        }
        _ => (name, 1),
    };
    let long = |root: &str| LONG.iter().find(|(long, ..)| *long == root);
    let prefixed = || PREFIXES.iter().find_map(|(prefix, ten)| Some((long(root.strip_prefix(prefix)?)?, *ten)));
    let ((_, ten, exponents), prefix) = long(root).map(|found| (found, 0)).or_else(prefixed)?;
    let dimension = Dimension::si(exponents.map(|exponent| exponent * power));
    Some(Unit { dimension, value: ten_to((ten + prefix) * power - dimension.inside()) })
}

/// Names that are offered where one is not known.
pub(crate) fn common_names<'a>() -> impl Iterator<Item = &'a str> {
    SHORT.iter().map(|(short, _)| *short).chain(LONG.iter().map(|(long, ..)| *long))
}

/// `10^exponent`, rounded once.
fn ten_to(exponent: i64) -> f64 {
    format!("1e{exponent}").parse().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand from the definitions in SI: inside, numbers are in ms, mV, pA, nS, pF, GOhm, fC, um, mM.
    #[test]
    fn values_of_names() {
        let table = [
            ("mV", "volt", 1.0),
            ("volt", "volt", 1e3),
            ("uV", "volt", 1e-3),
            ("ms", "second", 1.0),
            ("us", "second", 1e-3),
            ("second", "second", 1e3),
            ("pA", "ampere", 1.0),
            ("nA", "ampere", 1e3),
            ("uA", "ampere", 1e6),
            ("amp", "ampere", 1e12),
            ("ampere", "ampere", 1e12),
            ("nS", "siemens", 1.0),
            ("msiemens", "siemens", 1e6),
            ("siemens", "siemens", 1e9),
            ("pF", "farad", 1.0),
            ("ufarad", "farad", 1e6),
            ("Gohm", "ohm", 1.0),
            ("Mohm", "ohm", 1e-3),
            ("Hz", "hertz", 1e-3),
            ("kHz", "hertz", 1.0),
            ("khertz", "hertz", 1.0),
            ("pcoulomb", "coulomb", 1e3),
            ("um", "metre", 1.0),
            ("cm", "metre", 1e4),
            ("meter", "metre", 1e6),
            ("cm2", "metre**2", 1e8),
            ("umetre2", "metre**2", 1.0),
            ("mM", "molar", 1.0),
            ("uM", "molar", 1e-3),
            ("molar", "molar", 1e3),
            ("joule", "joule", 1e18),
            ("watt", "watt", 1e15),
        ];
        for (name, dimension, value) in table {
            let unit = unit(name).unwrap();
            assert_eq!((unit.dimension.to_string().as_str(), unit.value), (dimension, value), "{name}");
        }
        for name in ["v", "V", "m", "xvolt", "mmV", "volt2", "as", ""] {
            assert_eq!(unit(name), None, "{name}");
        }
    }

    /// Ohm's law and the like hold for the numbers inside: the units are coherent.
    #[test]
    fn units_are_coherent() {
        let same = |a: [&str; 2], b: &str| {
            let ([x, y], whole) = (a.map(|name| unit(name).unwrap()), unit(b).unwrap());
            assert_eq!(x.dimension.times(y.dimension), whole.dimension, "{a:?}");
            assert!((x.value * y.value / whole.value - 1.0).abs() < 1e-15, "{a:?}");
        };
        same(["nS", "mV"], "pA");
        same(["Gohm", "pA"], "mV");
        same(["farad", "volt"], "coulomb");
        same(["amp", "second"], "coulomb");
        same(["volt", "amp"], "watt");
        same(["watt", "second"], "joule");
        same(["molar", "litre"], "mole");
        same(["pF", "Gohm"], "ms");
    }
}
