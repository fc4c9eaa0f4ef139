//! [`RidgeDevice`]: where a regression is done, on the GPU or on the CPU.

use bd_core::device::device_name;
use bd_core::text::plural;
use serde_json::{Value, json};
use tch::Device;

use crate::ridge::RidgeCost;

/// The choice between a GPU and the CPU for a regression, by the times that [`RidgeCost`] estimates.
#[derive(Debug, Clone, Copy)]
pub struct RidgeDevice {
    gpu: Device,
    rows: usize,
    features: usize,
    cost: RidgeCost,
}

impl RidgeDevice {
    /// For a regression of `rows` samples on `features` features with `targets` targets, where `asked` is the device that the user
    /// wants. `None` if that is the CPU: there is nothing to choose.
    pub fn choose(asked: Device, rows: usize, features: usize, targets: usize) -> Option<Self> {
        let cost = RidgeCost::of(rows, features, targets);
        (asked != Device::Cpu).then_some(Self { gpu: asked, rows, features, cost })
    }

    /// The faster one.
    pub fn device(&self) -> Device {
        if self.cost.is_less_on_gpu() { self.gpu } else { Device::Cpu }
    }

    /// The choice and its reason in a sentence for people.
    pub fn describe(&self) -> String {
        let RidgeCost { cpu_s, gpu_s } = self.cost;
        format!(
            "on {}: {} of {} are estimated to take {} on the CPU and {} on {}",
            device_name(self.device()),
            plural(self.rows, "sample"),
            plural(self.features, "feature"),
            rough(cpu_s),
            rough(gpu_s),
            device_name(self.gpu),
        )
    }

    /// For programs: `device`, `estimated_cpu_s`, `estimated_gpu_s`.
    pub fn json(&self) -> Value {
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
        assert!(RidgeDevice::choose(Device::Cpu, 100_000, 2000, 3).is_none());
        let small = RidgeDevice::choose(Device::Cuda(1), 6000, 27, 6).unwrap();
        assert_eq!(small.device(), Device::Cpu);
        assert_eq!(
            small.describe(),
            "on cpu: 6000 samples of 27 features are estimated to take 1 ms on the CPU and 501 ms on cuda:1"
        );
        let large = RidgeDevice::choose(Device::Cuda(1), 100_000, 2000, 3).unwrap();
        assert_eq!((large.device(), &large.json()["device"]), (Device::Cuda(1), &json!("cuda:1")));
        assert!(large.describe().starts_with("on cuda:1: ") && large.describe().contains(" 91.6 s on the CPU"));
    }
}
