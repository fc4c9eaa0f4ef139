//! [`scan_bytes`]: what a fused scan takes of memory, before it is made.

use bd_kernel::{AnyKernel, Typed};
use tch::{Device, Kind};

use super::Tuning;
use super::plan::Plan;
use super::wide::Wide;
use crate::fused::graph::LinearMap;
use crate::fused::{Element, Fused, Processor};
use crate::shared::Shared;
use crate::state::StateTree;
use crate::system::System;

/// The scan whose memory is asked for.
#[derive(Debug, Clone, Copy)]
pub struct ScanOf {
    /// Of each sequence.
    pub steps: usize,
    /// Inputs.
    pub samples: usize,
    /// float32 or float64.
    pub kind: Kind,
    /// How many spikes there are, where the input is a list of them.
    pub spikes: Option<usize>,
    /// Whether gradients are asked for afterwards.
    pub record: bool,
    /// Whether that of the input is asked for, too.
    pub wants_input_gradient: bool,
}

/// Steps of all samples, of which no machine holds more: with them sums of bytes do not overflow.
const MOST: usize = 1 << 40;

impl ScanOf {
    /// Itself, or what is far too much for any machine, too.
    fn that_can_be_counted(mut self) -> Self {
        self.steps = self.steps.min(MOST);
        self.samples = self.samples.min(MOST / self.steps.max(1)).max(1);
        self.spikes = self.spikes.map(|spikes| spikes.min(MOST));
        self
    }
}

/// Memory that a fused scan and its adjoint take, in bytes, beside input and parameters. Taken from the plan that the
/// scan would follow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ScanBytes {
    /// The outputs over time.
    pub outputs_bytes: usize,
    /// As much again: what is asked of each output.
    pub output_gradients_bytes: usize,
    /// The state before the first step and after the last, and the gradient of the first.
    pub states_bytes: usize,
    /// What is asked of the input, where it is wanted.
    pub input_gradient_bytes: usize,
    /// What of the input is read into lists: all spikes, or of numbers that may turn out to be almost all zeros the most that lists
    /// of them can be.
    pub events_bytes: usize,
    /// The states before the stretches of time, kept for the adjoint.
    pub kept_states_bytes: usize,
    /// What kernels keep for the adjoint, where that is stored and not calculated again.
    pub stored_bytes: usize,
    /// Blocks that the threads work in, in the adjoint or else in the scan. Of what kernels have of their own beside these it is an
    /// estimate: half of their work.
    pub workspaces_bytes: usize,
    /// The gradients of parameters of each part of the batch, before they are summed.
    pub partial_sums_bytes: usize,
    /// The copies of parameters that a kernel makes for itself: for its products, and for those of its adjoint.
    pub parameter_copies_bytes: usize,
    /// What is asked of the parameters.
    pub parameter_gradients_bytes: usize,
}

impl ScanBytes {
    /// All of it: the most that is there at a time, for in the adjoint everything else is there still.
    pub fn total(&self) -> usize {
        self.kept() + self.adjoint()
    }

    /// What is there between the scan and its adjoint. It grows with samples and steps, but for copies of parameters and what kernels
    /// keep, of which there is a [limit](Tuning::stored_bytes).
    pub fn kept(&self) -> usize {
        self.outputs_bytes
            + self.states_bytes
            + self.events_bytes
            + self.kept_states_bytes
            + self.stored_bytes
            + self.parameter_copies_bytes
    }

    /// What only the adjoint takes, or the blocks of a scan without one.
    pub fn adjoint(&self) -> usize {
        self.output_gradients_bytes
            + self.input_gradient_bytes
            + self.workspaces_bytes
            + self.partial_sums_bytes
            + self.parameter_gradients_bytes
    }

    /// What is there between the scan and its adjoint for each sample and step, without copies of parameters.
    pub fn kept_per_step(&self, scan: &ScanOf) -> f64 {
        let grows = self.kept() - self.parameter_copies_bytes;
        grows as f64 / (scan.steps as f64 * scan.samples as f64).max(1.0)
    }
}

/// Copies of a parameter in a kernel: as it is, and laid out for the product of the scan and that of the adjoint.
pub(super) const COPIES: usize = 3;

/// What a scan of `system` on the CPU would take, without making anything that grows with samples or steps. Nothing where it is not
/// [fused](super::scan_fused).
pub fn scan_bytes<S: System + ?Sized>(system: &S, sha: &Shared, scan: &ScanOf) -> Option<ScanBytes> {
    let fused = system.kernel(sha, Processor::Cpu)?;
    if scan.steps == 0 || scan.samples == 0 {
        return None;
    }
    let scan = &scan.that_can_be_counted();
    let _guard = tch::no_grad_guard();
    let on = (scan.kind, Device::Cpu);
    let leaves = system.init_state(1, on).named();
    let widths: Option<Vec<usize>> = leaves
        .iter()
        .map(|(_, leaf)| (leaf.kind() == scan.kind && leaf.dim() == 2).then(|| leaf.size()[1] as usize))
        .collect();
    let widths = widths?;
    if fused.params.iter().any(|param| (param.kind(), param.device()) != on) {
        return None;
    }
    match scan.kind {
        Kind::Float => of_plan::<f32>(&fused, widths, scan),
        Kind::Double => of_plan::<f64>(&fused, widths, scan),
        _ => None,
    }
}

fn of_plan<F: Element>(fused: &Fused, widths: Vec<usize>, scan: &ScanOf) -> Option<ScanBytes>
where
    dyn AnyKernel: Typed<F>,
{
    let kernel = fused.kernel()?;
    let takes_events = Typed::<F>::typed(kernel.as_ref()).takes_events();
    let tuning = Tuning::of(scan.samples, scan.kind);
    let (size, made) = ((scan.steps, scan.samples), (scan.spikes.is_some(), scan.record));
    let wide = match fused.behind_linear() {
        Some(parts) if scan.spikes.is_none() && tuning.library.may_take(product_of(&parts.0, scan)) => {
            Wide::new::<F>(parts, size, widths.clone(), &[], scan.record, tuning)
        }
        _ => None,
    };
    let by_kernels = Plan::new::<F>(kernel, size, widths, &[], made, tuning).bytes::<F>(scan, takes_events);
    // Numbers that turn out to be almost all zeros are the kernels'.
    let by_library = wide.map(|wide| wide.bytes::<F>(scan)).filter(|bytes| bytes.total() > by_kernels.total());
    Some(by_library.unwrap_or(by_kernels))
}

/// Rows, inputs and outputs of the product over all steps.
fn product_of(map: &LinearMap, scan: &ScanOf) -> [usize; 3] {
    let [n_in, n_out] = [0, 1].map(|dim| map.weight.size()[dim] as usize);
    [scan.steps.saturating_mul(scan.samples), n_in, n_out]
}
