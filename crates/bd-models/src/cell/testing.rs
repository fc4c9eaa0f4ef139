//! What the tests of all cells need.

use bd_core::{Params, Rng};

/// Draws what begins at zero, biases and initial states, so that no test passes for want of them.
pub(crate) fn draw_vectors(params: &mut Params, seed: u64) {
    let on = params.on();
    let mut rng = Rng::new(seed, "vectors");
    let mut values = params.named();
    for (_, value) in values.iter_mut().filter(|(_, value)| value.dim() == 1) {
        *value = rng.tensor(&value.size(), on, |rng| 0.5 * rng.normal());
    }
    params.load(&values).expect("names and shapes are theirs");
}
