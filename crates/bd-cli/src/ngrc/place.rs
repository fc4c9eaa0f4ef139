//! Where a fit is done: on the device that was asked for, unless the CPU is expected to be faster.

use bd_core::device::device_name;
use bd_train::RidgeCost;
use serde_json::{Value, json};
use tch::Device;

use crate::text::plural;

/// A choice between a GPU and the CPU.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    gpu: Device,
    rows: usize,
    features: usize,
    cost: RidgeCost,
}

impl Place {
    /// Of a fit of so many samples, features and targets; none where there is no GPU to choose.
    pub(super) fn choose(asked: Device, rows: usize, features: usize, targets: usize) -> Option<Self> {
        let cost = RidgeCost::of(rows, features, targets);
        (asked != Device::Cpu).then_some(Self { gpu: asked, rows, features, cost })
    }

    pub(super) fn device(&self) -> Device {
        if self.cost.is_less_on_gpu() { self.gpu } else { Device::Cpu }
    }

    /// For people.
    pub(super) fn line(&self) -> String {
        let RidgeCost { cpu_s, gpu_s } = self.cost;
        format!(
            "ridge     on {}: {} of {} are estimated to take {} on the CPU and {} on {}",
            device_name(self.device()),
            plural(self.rows, "sample"),
            plural(self.features, "feature"),
            rough(cpu_s),
            rough(gpu_s),
            device_name(self.gpu),
        )
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        let RidgeCost { cpu_s, gpu_s } = self.cost;
        json!({"device": device_name(self.device()), "estimated_cpu_s": cpu_s, "estimated_gpu_s": gpu_s})
    }
}

/// Seconds, as finely as an estimate deserves.
fn rough(seconds: f64) -> String {
    if seconds < 1.0 { format!("{:.0} ms", (seconds * 1e3).max(1.0)) } else { format!("{seconds:.1} s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_which_and_why() {
        assert!(Place::choose(Device::Cpu, 100_000, 2000, 3).is_none());
        let small = Place::choose(Device::Cuda(1), 6000, 27, 6).unwrap();
        assert_eq!(small.device(), Device::Cpu);
        assert_eq!(
            small.line(),
            "ridge     on cpu: 6000 samples of 27 features are estimated to take 1 ms on the CPU and 501 ms on cuda:1"
        );
        let large = Place::choose(Device::Cuda(1), 100_000, 2000, 3).unwrap();
        assert_eq!((large.device(), &large.json()["device"]), (Device::Cuda(1), &json!("cuda:1")));
        assert!(large.line().starts_with("ridge     on cuda:1: ") && large.line().contains(" 91.6 s on the CPU"));
    }
}
