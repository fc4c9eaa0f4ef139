//! [`Linear`](super::Linear) on a GPU: libtorch's products over all steps, and gathered rows where the input is a list of spikes.

use std::sync::Arc;

use bd_core::Inputs;
use bd_core::Result;
use bd_core::gpu::{Gpu, Launch, Program, Value, real};
use bd_core::kernel::gpu::{ForwardArgs, ForwardOut, GpuKernel, InGrads, OutGrads, Saved};
use tch::Tensor;

const TEXT: &str = include_str!("spikes.cu");

/// The weight's gradient is summed in so many parts, for threads to have enough to do: a function of its size, so that sums are the
/// same every time.
fn parts(weight: usize) -> usize {
    ((1 << 17) / weight.max(1)).clamp(8, 256)
}

/// `y = x W + b`; its parameters are the weight and, where there is one, the bias.
#[derive(Debug)]
pub(crate) struct LinearOnGpu;

impl GpuKernel for LinearOnGpu {
    fn n_leaves(&self) -> usize {
        0
    }

    fn takes_spikes(&self) -> bool {
        true
    }

    fn forward(&self, gpu: &Gpu, xs: &Inputs, pass: ForwardArgs<'_>) -> Result<ForwardOut> {
        let (weight, bias) = (&pass.params[0].contiguous(), pass.params.get(1));
        let (ys, kept) = match xs {
            Inputs::Dense(xs) => {
                let size = xs.size();
                let rows = xs.view([size[0] * size[1], size[2]]);
                let ys = match bias {
                    Some(bias) => bias.addmm(&rows, weight),
                    None => rows.matmul(weight),
                };
                (ys.view([size[0], size[1], weight.size()[1]]), vec![xs.shallow_clone()])
            }
            Inputs::Spikes(spikes) => {
                let lists = spikes.lists()?;
                let [time, batch, _] = spikes.shape();
                let n_out = weight.size()[1] as usize;
                let ys = Tensor::empty([time as i64, batch as i64, n_out as i64], (weight.kind(), weight.device()));
                let values = [
                    Value::from(time * batch),
                    Value::from(n_out),
                    Value::from(&lists.row_starts),
                    Value::from(&lists.channels),
                    Value::from(weight),
                    Value::from(bias),
                    Value::from(&ys),
                ];
                // SAFETY: the values are those of `gather` in spikes.cu; the lists are those of so many rows and channels.
                unsafe { program(gpu, weight)?.launch("gather", Launch::each(time * batch * n_out), &values)? };
                (ys, vec![lists.channel_starts.shallow_clone(), lists.rows.shallow_clone()])
            }
        };
        let kept = if pass.keep { kept } else { Vec::new() };
        Ok(ForwardOut { ys, last: Vec::new(), traces: Vec::new(), kept })
    }

    fn backward(&self, gpu: &Gpu, past: Saved<'_>, out_grads: OutGrads) -> Result<InGrads> {
        let none = || past.params.iter().map(|_| None).collect();
        let Some(gys) = out_grads.ys else { return Ok(InGrads { xs: None, leaves: Vec::new(), params: none() }) };
        let ([time, batch, n_in], weight) = (past.size, &past.params[0]);
        let n_out = weight.size()[1];
        let rows = gys.view([time * batch, n_out]);
        let gweight = match past.kept {
            [xs] => xs.view([time * batch, n_in]).transpose(0, 1).matmul(&rows),
            [channel_starts, of_channels] => {
                let count = parts((n_in * n_out) as usize);
                let parts = Tensor::empty([count as i64, n_in, n_out], past.on);
                let values = [
                    Value::from(n_in as usize),
                    Value::from(n_out as usize),
                    Value::from(count),
                    Value::from(channel_starts),
                    Value::from(of_channels),
                    Value::from(&gys),
                    Value::from(&parts),
                ];
                let launch = Launch::each(count * (n_in * n_out) as usize);
                // SAFETY: the values are those of `scatter` in spikes.cu; the lists are of `time * batch` rows and `n_in` channels.
                unsafe { program(gpu, weight)?.launch("scatter", launch, &values)? };
                parts.sum_dim_intlist(0, false, past.on.0)
            }
            kept => unreachable!("an input is kept as it is, or as two lists, not as {}", kept.len()),
        };
        let gbias = (past.params.len() > 1).then(|| rows.sum_dim_intlist(0, false, past.on.0));
        let gxs = out_grads.wants_xs.then(|| rows.matmul(&weight.transpose(0, 1)).view(past.size));
        let params = std::iter::once(Some(gweight)).chain(gbias.map(Some)).collect();
        Ok(InGrads { xs: gxs, leaves: Vec::new(), params })
    }
}

fn program(gpu: &Gpu, weight: &Tensor) -> Result<Arc<Program>> {
    let kind = weight.kind();
    gpu.program(&format!("linear on spikes {kind:?}"), || Ok(format!("#define real {}\n{TEXT}", real(kind)?)))
}
