//! Inputs and states that a system does not take are errors in words, before anything is computed.

use bd_kernel::{NoSpikes, Num, Unit};

use super::*;
use crate::kernel::Units;
use crate::{Rng, Spikes};

const ON: (Kind, Device) = (Kind::Float, Device::Cpu);

/// `v <- v + x`, `y = v`.
#[derive(Debug, Clone, Copy)]
struct Sum;

impl Unit<1> for Sum {
    const NAME: &'static str = "sum";
    const STATES: [&'static str; 1] = ["v"];
    type Constants = ();
    type Surrogate = NoSpikes;

    fn constants(&self, _dt: f64) {}

    fn surrogate(&self) -> NoSpikes {
        NoSpikes
    }

    fn step<N: Num>(&self, _: &(), x: N, [v]: [N; 1], _: impl FnOnce(N) -> N) -> (N, [N; 1]) {
        let v = v + x;
        (v.clone(), [v])
    }
}

fn sums() -> Units<Sum, 1> {
    Units::new(3, &Sum).unwrap()
}

fn refused(inputs: &Inputs, batch: i64, on: (Kind, Device)) -> Error {
    let system = sums();
    let state = system.init_state(batch, on);
    system.try_scan(&Shared::new(1.0), inputs, state, &mut Tap::none()).unwrap_err()
}

#[test]
fn inputs_of_another_shape_or_dtype_are_refused() {
    for size in [[4, 2, 5], [0, 2, 3], [4, 0, 3]] {
        let error = refused(&Inputs::of_steps(Tensor::zeros(size, ON)), 2, ON);
        let [time, batch, n] = size;
        let Error::Shape { expected, found, .. } = error else { panic!("{error}") };
        assert!(expected.starts_with("[batch, time, 3]"), "{expected}");
        assert_eq!(found, [batch, time, n]);
    }
    let spikes = Spikes::draw([4, 2, 5], ON, 0.5, &mut Rng::new(0, "spikes")).unwrap();
    assert!(matches!(refused(&spikes.into(), 2, ON), Error::Shape { found, .. } if found == [2, 4, 5]));
    let error = refused(&Inputs::of_steps(Tensor::zeros([4, 2, 3], (Kind::Int64, Device::Cpu))), 2, ON).to_string();
    assert!(error.contains("inputs: expected float32 or float64, got int64"), "{error}");
}

#[test]
fn states_of_another_batch_or_dtype_are_refused_by_name() {
    let inputs = Inputs::of_steps(Tensor::zeros([4, 2, 3], ON));
    for (batch, on) in [(5, ON), (2, (Kind::Double, Device::Cpu))] {
        let error = refused(&inputs, batch, on);
        assert!(matches!(&error, Error::Mismatch { differences, .. } if differences[0].starts_with("v")), "{error}");
    }
}

/// 1 + 2 + .. + t of a constant input of 1, 2, ...: what a good scan returns is that of `scan`.
#[test]
fn what_fits_is_scanned() {
    let system = sums();
    let xs = Tensor::arange_start(1, 5, ON).reshape([4, 1, 1]).repeat([1, 2, 3]);
    let start = system.init_state(2, ON);
    let (ys, last) = system.try_scan(&Shared::new(1.0), &Inputs::of_steps(&xs), start, &mut Tap::none()).unwrap();
    assert_eq!(Vec::<f32>::try_from(ys.select(2, 0).select(1, 1)).unwrap(), [1.0, 3.0, 6.0, 10.0]);
    assert_eq!(last.get("v").unwrap().double_value(&[1, 2]), 10.0);
}
