//! Ridge regression on a small problem, as a row of the table.

use bd_core::contract::Named;
use bd_core::contract::report::{Comparison, Row, in_float64};
use bd_core::{Params, Result, Rng, Shared, System};
use bd_models::{Ngrc, NgrcConfig, NvarConfig};
use bd_train::Ridge;
use tch::{Device, Kind};

/// Ridge regression's solution in float32 and on the device, against that on the CPU in float64.
pub(super) fn examine_ridge(seed: u64, device: Device) -> Row {
    let comparisons = Comparison::on(device, false)
        .filter(|comparison| !matches!(comparison, Comparison::StepsF32 | Comparison::StepsF64));
    let mut row = Row::filled("ridge regression", comparisons, true, |row| {
        let exact = solution(seed, (Kind::Double, Device::Cpu))?;
        let single = solution(seed, (Kind::Float, device))?;
        row.take(Comparison::Float64, &in_float64(&single), &exact, "");
        if device != Device::Cpu {
            let on_cpu = solution(seed, (Kind::Float, Device::Cpu))?;
            row.take(Comparison::CpuF32, &in_float64(&single), &in_float64(&on_cpu), "");
            let double = solution(seed, (Kind::Double, device))?;
            row.take(Comparison::CpuF64, &in_float64(&double), &exact, "");
        }
        Ok(())
    });
    row.spikes = None;
    row
}

/// Weights of a readout fitted to random numbers. The penalty makes the problem one that float32 can hold.
fn solution(seed: u64, on: (Kind, Device)) -> Result<Named> {
    let mut params = Params::new(seed, on);
    let nvar = NvarConfig { delay: 3, stride: 2, order: vec![2], constant: false };
    let ngrc = Ngrc::new(&mut params, 2, 2, &NgrcConfig { nvar, ..NgrcConfig::default() })?;
    let mut rng = Rng::new(seed, "ridge");
    let mut normal = |channels: i64| rng.tensor(&[3, 50, channels], on, Rng::normal);
    let (x, y) = (normal(ngrc.n_in()), normal(ngrc.n_out()));
    let ridge = Ridge { alpha: 0.1, ..Ridge::default() };
    ridge.fit(&ngrc, &Shared::default(), &x, &y, ngrc.init_state(3, on))?;
    Ok(params.named().into_iter().map(|(name, t)| (name, t.detach())).collect())
}
