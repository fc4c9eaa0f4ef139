//! Networks by kernels for GPUs, on a GPU that the C++ compiler emulates, against their steps.

use bd_core::gpu::Gpu;
use bd_core::testing::{OnGpu, emulated};

use super::carried::{DELAYS_OF_CARRIED, NOISE, carried};
use super::*;

fn gpu() -> Arc<Gpu> {
    emulated(48 << 10, 1)
}

#[track_caller]
fn check(gpu: &Arc<Gpu>, network: &Network, (kind, tolerance): (Kind, f64), size: [i64; 2]) {
    let on = (kind, Device::Cpu);
    let mut params = Params::new(3, on);
    let net = OnGpu(made(&mut params, network), Arc::clone(gpu));
    let [time, batch] = size;
    assert_scan_is_steps(&net, &params, ScanCase { time, batch, on, tolerance, seed: 9 });
}

#[test]
fn scans_are_steps() {
    let gpu = gpu();
    for (delays, size) in DELAYS.into_iter().zip([[19, 3], [1, 2], [24, 1], [37, 2], [12, 3], [9, 4]]) {
        check(&gpu, &text(delays, ""), (Kind::Double, 1e-9), size);
    }
    check(&gpu, &text(DELAYS[2], ""), (Kind::Float, 2e-3), [17, 3]);
}

#[test]
fn scans_of_what_is_carried_and_of_noise_are_steps() {
    let gpu = gpu();
    for (delay, noise) in DELAYS_OF_CARRIED.into_iter().zip([NOISE, "", NOISE, ""]) {
        check(&gpu, &carried(delay, noise), (Kind::Double, 1e-9), [19, 3]);
    }
    check(&gpu, &carried(DELAYS_OF_CARRIED[1], NOISE), (Kind::Float, 5e-3), [11, 2]);
}
