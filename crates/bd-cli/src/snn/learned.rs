//! What neurons have learned of themselves, for people.

use bd_core::Params;

use crate::text::short;

/// The range of the time constants of every layer that trains them, as lines of a table.
pub(super) fn lines(params: &Params) -> Vec<(String, String)> {
    let line = |(name, log_tau_ms): (String, tch::Tensor)| {
        let layer = name.strip_suffix(".log_tau_ms")?;
        let taus_ms = log_tau_ms.detach().exp();
        let (least, most) = (taus_ms.min().double_value(&[]), taus_ms.max().double_value(&[]));
        Some((format!("tau of {layer}"), format!("{} to {} ms", short(least), short(most))))
    };
    params.named().into_iter().filter_map(line).collect()
}
