//! The adjoint of all steps.

use std::ops::Range;

use bd_core::Result;
use bd_core::gpu::Gpu;
use bd_core::kernel::gpu::{InGrads, OutGrads, Saved, UnitGrads, UnitLoops, UnitPast, series_size, steps_of};
use tch::Tensor;

use super::launches::Launches;
use super::synapses::By;
use super::{NetworkOnGpu, PopulationOnGpu, SenderOnGpu, later};

/// The units of a population while the adjoint goes back.
struct Running {
    population: usize,
    loops: UnitLoops,
    past: UnitPast,
    /// What arrived, if the adjoint reads it.
    arrivals: Option<Tensor>,
    /// Gradients of the state, `[batch, n]` each, and of what is held.
    state: Vec<Tensor>,
    held: Option<Tensor>,
    traces: Vec<Option<Tensor>>,
}

impl PopulationOnGpu {
    /// Adds to gradients of what is sent, `[memory + time, batch, outputs n]`, those of what is on its way after all, `[batch, ..]`, and after each
    /// step, `[time, batch, ..]`.
    fn add_asked(&self, last: Option<&Tensor>, trace: Option<&Tensor>, sent: &Tensor) {
        let [all, batch, sends] = series_size(sent);
        let time = all - self.memory;
        if let Some(last) = last {
            let by_step = last.reshape([batch, self.memory, sends]).transpose(0, 1);
            let _ = sent.narrow(0, time, self.memory).g_add_(&by_step);
        }
        if let Some(trace) = trace {
            let trace = trace.reshape([time, batch, self.memory, sends]);
            for m in 0..self.memory {
                let _ = sent.narrow(0, 1 + m, time).g_add_(&trace.select(2, m));
            }
        }
    }

    /// The gradient of what was on its way before, as a leaf.
    fn before(&self, sent: &Tensor) -> Tensor {
        let by_step = sent.narrow(0, 0, self.memory).transpose(0, 1);
        by_step.reshape([sent.size()[1], self.memory * self.sends()]).copy()
    }
}

impl NetworkOnGpu {
    pub(super) fn run_back(&self, gpu: &Gpu, saved: Saved<'_>, asked: OutGrads) -> Result<InGrads> {
        let ([time, batch, _], on) = (saved.size, saved.on);
        let launches = Launches::new(gpu, on.0)?;
        let OutGrads { ys, mut last, mut traces, wants_xs } = asked;
        let gsent: Vec<Tensor> = (self.populations.iter())
            .map(|population| Tensor::zeros([population.memory + time, batch, population.sends()], on))
            .collect();
        let output = &self.populations[self.output];
        if let Some(ys) = ys {
            let _ = gsent[self.output].narrow(0, output.memory, time).narrow(2, 0, output.n).g_add_(&ys);
        }
        let (mut running, mut kept) = (Vec::new(), saved.kept.iter());
        for (p, population) in self.populations.iter().enumerate() {
            let [leaves, sent] = self.leaves(p);
            if population.memory > 0 {
                population.add_asked(last[sent.start].as_ref(), traces[sent.start].as_ref(), &gsent[p]);
            }
            let Some(units) = population.units() else { continue };
            let (arrivals, past, held) = UnitPast::from_kept(&units.facts(), &mut kept);
            let loops = UnitLoops::with_held(gpu, units, population.n, held, on)?;
            let of_state = |last: Option<Tensor>| match last {
                Some(last) => last.contiguous().copy(),
                None => Tensor::zeros([batch, population.n], on),
            };
            let state = last[leaves.clone()].iter_mut().map(|last| of_state(last.take())).collect();
            let held = loops.gradient_of_held(batch).map(|held| held.zeros_like());
            let traces = traces[leaves].iter_mut().map(Option::take).collect();
            running.push(Running { population: p, loops, past, arrivals, state, held, traces });
        }
        running.sort_by_key(|units: &Running| self.populations[units.population].level);
        let sent: Vec<&Tensor> = kept.collect();
        let garrivals: Vec<Tensor> = (self.populations.iter())
            .map(|population| Tensor::empty([time, batch, population.channels()], on))
            .collect();
        let wires = self.wires(By::Source, saved.params);
        let gather = |p: usize, steps: Range<i64>| {
            let own: Vec<_> = wires[p].iter().map(|(to, wire)| (wire, &garrivals[*to])).collect();
            launches.gather((&gsent[p], &steps), self.populations[p].n, By::Source, &own)
        };
        for steps in self.slices(time).rev() {
            for units in running.iter().rev() {
                let (p, memory) = (units.population, self.populations[units.population].memory);
                let of_sent = later(&steps, memory);
                gather(p, of_sent.clone())?;
                units.back(&steps, &steps_of(&gsent[p], &of_sent), &steps_of(&garrivals[p], &steps))?;
            }
        }
        // What units sent has its gradients; what was on its way before has not, nor what was known ahead.
        for (p, population) in self.populations.iter().enumerate() {
            let whole = matches!(population.sender, SenderOnGpu::Input) && wants_xs;
            gather(p, 0..population.memory + if whole { time } else { 0 })?;
        }
        let mut leaves: Vec<Option<Tensor>> = last.iter().map(|_| None).collect();
        let mut params: Vec<Option<Tensor>> = saved.params.iter().map(|_| None).collect();
        for units in running {
            let ([own, _], of_params) = (self.leaves(units.population), self.params_of(units.population));
            let gradients = units.loops.gradients_of_params(units.held.as_ref(), self.own_params(&units, saved.params));
            params[of_params].iter_mut().zip(gradients).for_each(|(to, from)| *to = from);
            leaves[own].iter_mut().zip(units.state).for_each(|(to, from)| *to = Some(from));
        }
        for (p, population) in self.populations.iter().enumerate().filter(|(_, population)| population.memory > 0) {
            let [_, leaf] = self.leaves(p);
            leaves[leaf.start] = Some(population.before(&gsent[p]));
        }
        for (number, projection) in self.projections.iter().enumerate().filter(|(_, projection)| projection.trained) {
            let (from, to) = (&self.populations[projection.from], &self.populations[projection.to]);
            let of_sent = (sent[projection.from], projection.output * from.n);
            let of_arrived = (&garrivals[projection.to], projection.target * to.n);
            let gradient =
                launches.products(&projection.synapses.list(), (from.memory, projection.lag()), of_sent, of_arrived)?;
            params[self.weights_at(number)] = Some(gradient);
        }
        let xs = wants_xs.then(|| gsent[self.input].narrow(0, self.populations[self.input].memory, time));
        Ok(InGrads { xs, leaves, params })
    }

    /// Parameters of a population's units.
    fn own_params<'a>(&self, units: &Running, params: &'a [Tensor]) -> &'a [Tensor] {
        let own = self.params_of(units.population);
        &params[own.start..own.end - usize::from(self.populations[units.population].driven)]
    }
}

impl Running {
    /// The adjoint of some steps: what is asked of their outputs becomes the gradients of what arrived.
    fn back(&self, steps: &Range<i64>, asked: &Tensor, garrivals: &Tensor) -> Result<()> {
        let arrivals = self.arrivals.as_ref().map(|arrivals| steps_of(arrivals, steps));
        let traces: Vec<_> =
            self.traces.iter().map(|trace| trace.as_ref().map(|trace| steps_of(trace, steps))).collect();
        let grads = UnitGrads {
            ys: Some(asked),
            last: self.state.iter().map(Some).collect(),
            held_later: self.held.as_ref(),
            traces: traces.iter().map(Option::as_ref).collect(),
            xs: Some(garrivals),
            first: &self.state,
            held: self.held.as_ref(),
        };
        let size = [steps.end - steps.start, asked.size()[1]];
        self.loops.backward(size, arrivals.as_ref(), &self.past.steps(steps), grads)
    }
}
