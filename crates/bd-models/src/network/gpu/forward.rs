//! All steps of a network.

use bd_core::Result;
use bd_core::gpu::Gpu;
use bd_core::kernel::gpu::{ForwardArgs, ForwardOut, UnitLoops, series_size, steps_of};
use bd_kernel::Noise;
use tch::{Device, Kind, Tensor};

use super::launches::Launches;
use super::synapses::By;
use super::{NetworkOnGpu, PopulationOnGpu, SenderOnGpu, later};

/// Random numbers of a stretch, `[time, batch, n]`.
fn drawn(noise: &Noise, size: [i64; 3], (kind, device): (Kind, Device)) -> Tensor {
    let [time, batch, n] = size.map(|count| count as usize);
    Tensor::from_slice(&noise.of_steps(time, batch, n)).view(size).to_kind(kind).to_device(device)
}

impl PopulationOnGpu {
    /// What it sends, `[memory + time, batch, outputs n]`: what is on its way, and room for the rest, which is there already where it is known ahead.
    fn sent(&self, on_its_way: Option<&Tensor>, xs: &Tensor) -> Tensor {
        let ([time, batch, _], on) = (series_size(xs), (xs.kind(), xs.device()));
        let sent = Tensor::empty([self.memory + time, batch, self.sends()], on);
        if let Some(leaf) = on_its_way {
            let by_step = leaf.reshape([batch, self.memory, self.sends()]).transpose(0, 1);
            sent.narrow(0, 0, self.memory).copy_(&by_step);
        }
        let mut rest = sent.narrow(0, self.memory, time);
        match &self.sender {
            SenderOnGpu::Input => rest.copy_(xs),
            SenderOnGpu::Random(noise) => rest.copy_(&drawn(noise, [time, batch, self.n], on)),
            SenderOnGpu::Units(..) => {}
        }
        sent
    }

    /// What arrives before anything is sent, `[time, batch, targets n]`.
    fn arrivals(&self, drive: Option<&Tensor>, xs: &Tensor) -> Tensor {
        let ([time, batch, _], on) = (series_size(xs), (xs.kind(), xs.device()));
        let arrivals = match drive {
            Some(drive) => drive.expand([time, batch, self.channels()], false).copy(),
            None => Tensor::zeros([time, batch, self.channels()], on),
        };
        for (target, noise) in &self.noise {
            let mut of_target = arrivals.narrow(2, target * self.n, self.n);
            let _ = of_target.g_add_(&drawn(noise, [time, batch, self.n], on));
        }
        arrivals
    }

    /// What is on its way after all that was sent, as a leaf.
    fn on_its_way(&self, sent: &Tensor) -> Tensor {
        let [all, batch, sends] = series_size(sent);
        let last = sent.narrow(0, all - self.memory, self.memory).transpose(0, 1);
        // Not a view of the whole series.
        last.reshape([batch, self.memory * sends]).copy()
    }

    /// The same after each step, `[time, batch, memory outputs n]`.
    fn record(&self, sent: &Tensor) -> Tensor {
        let [all, batch, sends] = series_size(sent);
        let time = all - self.memory;
        let parts: Vec<Tensor> = (0..self.memory).map(|m| sent.narrow(0, 1 + m, time)).collect();
        Tensor::stack(&parts, 2).reshape([time, batch, self.memory * sends])
    }
}

impl NetworkOnGpu {
    pub(super) fn run(&self, gpu: &Gpu, xs: &Tensor, pass: ForwardArgs<'_>) -> Result<ForwardOut> {
        let ([time, _, _], on) = (series_size(xs), (xs.kind(), xs.device()));
        let launches = Launches::new(gpu, on.0)?;
        let of_population = |(p, population): (usize, &PopulationOnGpu)| {
            let [_, leaf] = self.leaves(p);
            population.sent(pass.leaves[leaf].first(), xs)
        };
        let sent: Vec<Tensor> = self.populations.iter().enumerate().map(of_population).collect();
        let mut running = Vec::new();
        for (p, population, units) in self.units() {
            let (params, [leaves, _]) = (&pass.params[self.params_of(p)], self.leaves(p));
            let (drive, own) = match population.driven {
                true => params.split_last().map(|(drive, own)| (Some(drive), own)).expect("a drive is a parameter"),
                false => (None, params),
            };
            let loops = UnitLoops::new(gpu, units, population.n, own, on)?;
            let ys = sent[p].narrow(0, population.memory, time);
            let series = loops.series(ys, &pass.traced[leaves.clone()], pass.keep);
            let state: Vec<Tensor> = pass.leaves[leaves].iter().map(|leaf| leaf.contiguous().copy()).collect();
            running.push((p, loops, series, state, population.arrivals(drive, xs)));
        }
        let wires = self.wires(By::Target, pass.params);
        for steps in self.slices(time) {
            for (p, loops, series, state, arrivals) in &running {
                let own: Vec<_> = wires[*p].iter().map(|(from, wire)| (wire, &sent[*from])).collect();
                launches.gather((arrivals, &steps), self.populations[*p].n, By::Target, &own)?;
                loops.forward(&steps_of(arrivals, &steps), state, state, &series.steps(&steps))?;
            }
        }
        let output = &self.populations[self.output];
        let ys = steps_of(&sent[self.output], &later(&(0..time), output.memory)).narrow(2, 0, output.n).copy();
        let (mut last, mut traces, mut kept) = (Vec::new(), Vec::new(), Vec::new());
        running.sort_unstable_by_key(|(p, ..)| *p);
        let mut running = running.into_iter().peekable();
        for (p, population) in self.populations.iter().enumerate() {
            if let Some((_, loops, series, state, arrivals)) = running.next_if(|(of, ..)| *of == p) {
                last.extend(state);
                traces.extend(series.traces);
                kept.extend(loops.into_kept(&arrivals, series.past));
            }
            let [_, leaf] = self.leaves(p);
            if population.memory > 0 {
                last.push(population.on_its_way(&sent[p]));
                traces.push(pass.traced[leaf.start].then(|| population.record(&sent[p])));
            }
        }
        kept.extend(sent);
        Ok(ForwardOut { ys, last, traces, kept: if pass.keep { kept } else { Vec::new() } })
    }
}
