//! The time constant of a spiking network's readout, chosen before the training where there is a number to be told at each step.
//!
//! The leaky integrators say at each step what was gathered over their time constant, and training does not change it. How long the
//! targets gather is seen without training: the spikes of the untrained neurons, filtered as the readout filters them, are the features
//! of a ridge regression, which is fitted for each time constant and judged on sequences that are left out.

use bd_core::text::short;
use bd_core::{DataTransform, Result, Tap, catch_torch};
use bd_models::{Decay, SnnConfig};
use bd_train::data::Examples;
use bd_train::{RidgeFolds, predict};
use tch::{Device, Kind, Tensor};

use super::{Data, NetworkExperiment, pipeline};
use crate::config::Model;
use crate::listener::Listener;

/// Folds of sequences, each of which is left out once.
const FOLDS: usize = 5;
/// Sequences that are looked at, and numbers of all their neurons and steps, at most.
const SEQUENCES: usize = 200;
const NUMBERS: usize = 1 << 24;
/// Penalties; features have a standard deviation of 1.
const ALPHAS: [f64; 7] = [1e-2, 1e-1, 1.0, 1e1, 1e2, 1e3, 1e4];

impl NetworkExperiment {
    /// Takes the time constant of the readout that tells most, where the configuration leaves it open.
    pub(crate) fn choose_readout(&mut self, listener: &dyn Listener) -> Result<()> {
        let candidates = std::mem::take(&mut self.config.readout_search);
        let (Data::File(data), Model::Spiking(model)) = (&self.data, &self.config.model) else { return Ok(()) };
        let Some(found) = catch_torch(|| self.errors(model, &data.train, &candidates))? else { return Ok(()) };
        let best = found.iter().copied().reduce(|best, other| if other.1 < best.1 { other } else { best });
        let Some((tau_ms, _)) = best else { return Ok(()) };
        let tried: Vec<_> =
            found.iter().map(|(tau_ms, error)| format!("{} {}", short(*tau_ms), short(*error))).collect();
        listener.say(&format!(
            "readout   tau {} ms is chosen by ridge regression on the spikes of the untrained network; time constants and their error \
             over variance on sequences that are left out: {}",
            short(tau_ms),
            tried.join(", ")
        ));
        let Model::Spiking(model) = &mut self.config.model else { unreachable!("it spikes") };
        model.readout.tau_ms = tau_ms;
        // The same weights, and the scaling that was learned.
        let known = self.pipeline.params.named();
        self.pipeline = pipeline(&self.config, self.pipeline.on().1)?;
        self.pipeline.params.load(&known)
    }

    /// The error over variance with each time constant; `None` where nothing can be compared.
    fn errors(&self, model: &SnnConfig, train: &Examples, candidates: &[f64]) -> Result<Option<Vec<(f64, f64)>>> {
        let (net, Some(layer)) = (&self.pipeline.net.members()[0], model.neurons().pop()) else { return Ok(None) };
        let [count, time, _] = train.inputs().shape().map(|n| n as usize);
        let numbers = time * model.hidden.last().map_or(1, |units| *units as usize);
        let some = count.min(SEQUENCES).min(NUMBERS / numbers.max(1));
        if candidates.is_empty() || some < FOLDS || self.pipeline.substeps() > 1 {
            return Ok(None);
        }
        let watched: Vec<usize> = (0..some).map(|i| i * count / some).collect();
        let train = train.select(&watched)?;
        let name = format!("{layer}.spike");
        let mut tap = Tap::new([name.clone()]);
        let _ = predict(net, &self.config.sha(), train.inputs().clone(), None, &mut tap)?;
        let Some(spikes) = tap.finish()?.remove(&name) else { return Ok(None) };
        let host = |t: &Tensor| t.to_device(Device::Cpu).to_kind(Kind::Double);
        let lengths = match train.lengths() {
            Some(lengths) => Vec::<i64>::try_from(&lengths.to_device(Device::Cpu))?,
            None => vec![time as i64; some],
        };
        // The tonic input of the outputs is a channel that is always on.
        let on = spikes.new_ones([some as i64, time as i64, 1], (Kind::Double, Device::Cpu));
        let spikes = Tensor::cat(&[host(&spikes), on], 2);
        let gathered = filtered(&spikes, 1.0, Decay::new(self.config.dt, model.synapse.tau_ms).gain);
        let error = |&tau_ms: &f64| {
            let gain = Decay::new(self.config.dt, tau_ms).gain;
            let error = judged(&filtered(&gathered, gain, gain), &host(train.targets()), &lengths)?;
            Ok((tau_ms, error))
        };
        Ok(Some(candidates.iter().map(error).collect::<Result<_>>()?))
    }
}

/// `y_t = (1 - forget) y_(t-1) + gain x_t` along the second dimension of `[sample, time, channel]`, from zero.
fn filtered(x: &Tensor, gain: f64, forget: f64) -> Tensor {
    let mut last = x.select(1, 0) * gain;
    let mut all = vec![last.shallow_clone()];
    for t in 1..x.size()[1] {
        last = last * (1.0 - forget) + x.select(1, t) * gain;
        all.push(last.shallow_clone());
    }
    Tensor::stack(&all, 1)
}

/// The least error over variance at left-out sequences, of features `[sample, time, feature]` and targets `[sample, time, target]`.
fn judged(features: &Tensor, targets: &Tensor, lengths: &[i64]) -> Result<f64> {
    let rows = |of: &Tensor| {
        let own: Vec<Tensor> = lengths.iter().zip(0..).map(|(length, i)| of.get(i).narrow(0, 0, *length)).collect();
        Tensor::cat(&own, 0)
    };
    let (x, y) = (rows(features), rows(targets));
    let deviation = x.std_dim(0, false, true);
    let x = &x / deviation.where_self(&deviation.gt(0.0), &deviation.ones_like());
    let mut folds = RidgeFolds::new(FOLDS, x.size()[1], y.size()[1])?;
    folds.add_sequences(&x, &y, lengths, &(0..lengths.len()).collect::<Vec<_>>())?;
    let (chosen, _) = folds.choose(&ALPHAS)?;
    let variance = y.var_dim(0, false, false).mean(Kind::Double).double_value(&[]);
    let least = chosen.errors.iter().map(|(_, error)| *error).fold(f64::INFINITY, f64::min);
    Ok(if variance > 0.0 { least / variance } else { least })
}

#[cfg(test)]
mod tests {
    use bd_core::Rng;

    use super::*;

    /// By hand: a spike of 3 at the second step.
    #[test]
    fn a_filter_forgets() {
        let x = Tensor::from_slice(&[0.0, 3.0, 0.0, 0.0]).reshape([1, 4, 1]);
        let y = Vec::<f64>::try_from(filtered(&x, 0.5, 0.25).flatten(0, -1)).unwrap();
        assert_eq!(y, [0.0, 1.5, 1.125, 0.84375]);
    }

    /// Targets that gather spikes with a known time constant are told best by that one.
    #[test]
    fn the_time_constant_of_the_targets_is_found() {
        let spikes = Rng::new(0, "spikes")
            .tensor(&[20, 60, 6], (Kind::Double, Device::Cpu), |rng| f64::from(u8::from(rng.uniform() < 0.2)));
        let gather = |tau: f64| {
            let gain = Decay::new(1.0, tau).gain;
            filtered(&spikes, gain, gain)
        };
        let targets = gather(10.0).sum_dim_intlist(2, true, Kind::Double);
        let lengths: Vec<i64> = (0..20).map(|i| 40 + i).collect();
        let errors = [1.0, 3.0, 10.0, 30.0, 100.0].map(|tau| judged(&gather(tau), &targets, &lengths).unwrap());
        let best = (0..5).min_by(|a, b| errors[*a].total_cmp(&errors[*b])).unwrap();
        assert!(best == 2 && errors[2] < 1e-6 && errors[1] > 0.01 && errors[3] > 0.01, "{errors:?}");
    }
}
