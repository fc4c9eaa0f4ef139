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

fn refused(inputs: impl Into<Inputs>, batch: i64, on: (Kind, Device)) -> String {
    let (system, inputs) = (sums(), inputs.into());
    let state = system.init_state(batch, on);
    system.try_scan(&Shared::new(1.0), &inputs, state, &mut Tap::none()).unwrap_err().to_string()
}

#[test]
fn inputs_of_another_shape_or_dtype_are_refused() {
    for size in [&[4, 2][..], &[4, 2, 5], &[0, 2, 3], &[4, 0, 3]] {
        let error = refused(Tensor::zeros(size, ON), 2, ON);
        assert!(error.contains("inputs: expected [time, batch, 3]") && error.contains(&format!("{size:?}")), "{error}");
    }
    let spikes = Spikes::draw([4, 2, 5], ON, 0.5, &mut Rng::new(0, "spikes")).unwrap();
    let error = refused(spikes, 2, ON);
    assert!(error.contains("expected 3 channels") && error.contains("[4, 2, 5]"), "{error}");
    let error = refused(Tensor::zeros([4, 2, 3], (Kind::Int64, Device::Cpu)), 2, ON);
    assert!(error.contains("inputs: expected float32 or float64, got int64"), "{error}");
}

#[test]
fn states_of_another_batch_or_dtype_are_refused_by_name() {
    let error = refused(Tensor::zeros([4, 2, 3], ON), 5, ON);
    assert!(error.contains("the state v: expected [2, 3], got [5, 3]"), "{error}");
    let error = refused(Tensor::zeros([4, 2, 3], ON), 2, (Kind::Double, Device::Cpu));
    assert!(error.contains("the state v: expected float32 on Cpu, got float64 on Cpu"), "{error}");
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
