//! Cells of rate networks with a linear readout, and libtorch's own layers of the same sizes, for benchmarks on CPUs and GPUs.

use bd_core::{Chain, DynSystem, Params, Rng};
use bd_models::{Gru, GruConfig, Linear, LinearConfig, Lstm, LstmConfig, Rnn, RnnConfig};
use tch::Tensor;

/// One network, and the samples that it is for.
pub(crate) struct Case {
    pub(crate) cell: &'static str,
    pub(crate) n: i64,
    pub(crate) batch: i64,
}

/// A cell and its readout.
pub(crate) type Net = Chain<DynSystem, Linear>;

pub(crate) fn net(case: &Case, params: &mut Params) -> bd_core::Result<(Net, i64)> {
    let mut path = params.at("r");
    let (cell, gates) = match case.cell {
        "rnn" => (DynSystem::new(Rnn::new(&mut path, 1, case.n, &RnnConfig::default())?), 1),
        "gru" => (DynSystem::new(Gru::new(&mut path, 1, case.n, &GruConfig::default())?), 3),
        _ => (DynSystem::new(Lstm::new(&mut path, 1, case.n, &LstmConfig::default())?), 4),
    };
    let readout = Linear::new(&mut params.at("o"), case.n, 1, &LinearConfig::default())?;
    Ok((Chain::new(("r", cell), ("o", readout))?, gates))
}

/// libtorch's own layer of the same size with a linear readout, and its parameters.
pub(crate) fn of_libtorch(case: &Case, xs: &Tensor) -> (Vec<Tensor>, impl Fn() -> Tensor) {
    let gates = match case.cell {
        "rnn" => 1,
        "gru" => 3,
        _ => 4,
    };
    let on = (xs.kind(), xs.device());
    let (n, cell, xs) = (case.n, case.cell, xs.shallow_clone());
    let draw = |name: &str, shape: &[i64]| {
        Rng::new(1, name).tensor(shape, on, |rng| 0.1 * rng.normal()).set_requires_grad(true)
    };
    let shapes = [vec![gates * n, 1], vec![gates * n, n], vec![gates * n], vec![gates * n], vec![n, 1], vec![1]];
    let params: Vec<Tensor> = shapes.iter().enumerate().map(|(i, shape)| draw(&i.to_string(), shape)).collect();
    let own: Vec<Tensor> = params.iter().map(Tensor::shallow_clone).collect();
    let zeros = Tensor::zeros([1, case.batch, n], on);
    let scan = move || {
        let weights = &own[..4];
        let hs = match cell {
            "rnn" => xs.rnn_relu(&zeros, weights, true, 1, 0.0, true, false, false).0,
            "gru" => xs.gru(&zeros, weights, true, 1, 0.0, true, false, false).0,
            _ => xs.lstm(&[zeros.shallow_clone(), zeros.shallow_clone()], weights, true, 1, 0.0, true, false, false).0,
        };
        hs.matmul(&own[4]) + &own[5]
    };
    (params, scan)
}
