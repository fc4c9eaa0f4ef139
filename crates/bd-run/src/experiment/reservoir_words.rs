//! What a reservoir is, in words.

use bd_core::text::plural;
use bd_models::{ReservoirConfig, ReservoirKind};

/// How many units it has.
pub(super) fn units_words(reservoir: &ReservoirConfig) -> String {
    let units = plural(reservoir.units as usize, "unit");
    if reservoir.layers == 1 { units } else { format!("{} layers of {units}", reservoir.layers) }
}

/// Its kind, with a comma behind it, if it is not the usual one.
pub(super) fn kind_words(reservoir: &ReservoirConfig) -> String {
    match reservoir.kind {
        ReservoirKind::Leaky => String::new(),
        kind => format!("{}, ", kind.name()),
    }
}
