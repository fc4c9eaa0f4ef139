//! [`activity`]: how much the neurons of a spiking network spike.

use bd_core::checked::check_inputs;
use bd_core::{Error, Inputs, Result, Shared, StateTree, System, Tap, catch_torch};
use tch::{Kind, Tensor};

use crate::bptt::scan;

/// Spikes of a layer over some sequences.
#[derive(Debug, Clone, PartialEq)]
pub struct Activity {
    /// Its name.
    pub layer: String,
    /// Number of neurons.
    pub neurons: usize,
    /// Of these, how many have no spike at all.
    pub silent: usize,
    /// Number of spikes.
    pub spikes: f64,
    /// Spikes per neuron and step.
    pub per_step: f64,
}

impl Activity {
    /// Spikes of a neuron in a second, for steps of `dt_ms`.
    pub fn rate_hz(&self, dt_ms: f64) -> f64 {
        self.per_step * 1000.0 / dt_ms
    }

    /// What is wrong with a layer that cannot learn as it is, if anything: no spike carries nothing on, and spikes in more than
    /// half of all steps carry nothing but noise.
    pub fn warning(&self) -> Option<String> {
        let Self { layer, neurons, spikes, per_step, .. } = self;
        if *spikes == 0.0 {
            return Some(format!("layer {layer} has no spike: its {neurons} neurons stay below the threshold"));
        }
        let often = format!("layer {layer} spikes in {:.0} % of all steps ({spikes} spikes)", 100.0 * per_step);
        (*per_step > 0.5).then_some(often)
    }
}

/// Records are made in pieces of about so many bytes, which are held up to four times: by time, by sample, and in float64.
const PIECE: usize = 4 << 20;

/// Counts the spikes of the layers, each of which has a state `spike` of zeros and ones, over all steps of all sequences; of sequences
/// that are padded, over as many steps as `lengths`, int64 `[batch]`, says.
///
/// In pieces, so that memory does not grow with the number of sequences or steps.
pub fn activity<S: System>(
    system: &S,
    sha: &Shared,
    inputs: &Inputs,
    lengths: Option<&Tensor>,
    layers: &[String],
) -> Result<Vec<Activity>> {
    let [batch, time, _] = inputs.shape().map(|n| n as usize);
    let on = inputs.on();
    let names: Vec<String> = layers.iter().map(|layer| format!("{layer}.spike")).collect();
    sha.check()?;
    check_inputs(system, inputs)?;
    if layers.is_empty() {
        return Ok(Vec::new());
    }
    if let Some(size) = lengths.map(Tensor::size).filter(|size| *size != [batch as i64]) {
        let expected = format!("[{batch}], one for each sequence");
        return Err(Error::Shape { what: "lengths".into(), expected, found: size });
    }
    let _guard = tch::no_grad_guard();
    catch_torch(|| {
        let lengths = lengths.map(|lengths| lengths.to_device(on.1));
        let all_steps = match &lengths {
            Some(lengths) => lengths.sum(Kind::Double).double_value(&[]),
            None => (batch * time) as f64,
        };
        Tap::new(names.iter().cloned()).check(&system.init_state(1, on))?;
        let recorded = system.init_state(1, on).named().into_iter().filter(|(name, _)| names.contains(name));
        let bytes_a_step = recorded.map(|(_, state)| state.numel()).sum::<usize>().max(1) * on.0.elt_size_in_bytes();
        let mut counts: Option<Vec<Tensor>> = None;
        let mut first = 0;
        while first < batch {
            let samples = (PIECE / (bytes_a_step * time)).clamp(1, batch - first);
            let part = inputs.select(&(first..first + samples).collect::<Vec<_>>())?;
            let mut state = system.init_state(samples as i64, on);
            let mut from = 0;
            while from < time {
                let steps = (PIECE / (bytes_a_step * samples)).clamp(1, time - from);
                let mut tap = Tap::new(names.iter().cloned());
                state =
                    scan(system, &sha.ahead(from).samples_ahead(first), &part.steps(from, steps)?, state, &mut tap).1;
                let records = tap.finish()?;
                let valid = lengths.as_ref().map(|lengths| {
                    let lengths = lengths.narrow(0, first as i64, samples as i64);
                    valid_steps(&lengths, from as i64, steps as i64).to_kind(on.0)
                });
                let count = |name: &String| {
                    let record = valid.as_ref().map_or(records[name].shallow_clone(), |valid| &records[name] * valid);
                    record.sum_dim_intlist([0i64, 1].as_slice(), false, Kind::Double)
                };
                let found: Vec<Tensor> = names.iter().map(count).collect();
                counts = Some(match counts {
                    Some(counts) => counts.iter().zip(&found).map(|(count, found)| count + found).collect(),
                    None => found,
                });
                from += steps;
            }
            first += samples;
        }
        let counts = counts.ok_or_else(|| Error::Config("there are no sequences".into()))?;
        let measured = layers.iter().zip(counts).map(|(layer, count)| {
            let (neurons, spikes) = (count.numel(), count.sum(Kind::Double).double_value(&[]));
            let silent = count.eq(0.0).sum(Kind::Int64).int64_value(&[]) as usize;
            let per_step = spikes / (neurons as f64 * all_steps);
            Activity { layer: layer.clone(), neurons, silent, spikes, per_step }
        });
        Ok(measured.collect())
    })
}

/// Which of `steps` steps from `from` on are no padding, bool `[sample, step, 1]`.
fn valid_steps(lengths: &Tensor, from: i64, steps: i64) -> Tensor {
    let numbers = Tensor::arange_start(from, from + steps, (Kind::Int64, lengths.device()));
    numbers.unsqueeze(0).lt_tensor(&lengths.unsqueeze(1)).unsqueeze(2)
}

#[cfg(test)]
mod tests {
    use bd_core::{DynSystem, Params, Rng, Spikes, Stack};
    use bd_models::{Lif, LifConfig, SnnConfig};
    use tch::Device;

    use super::*;

    const ON: (Kind, Device) = (Kind::Float, Device::Cpu);

    /// Against a record of everything at once, from both forms of input.
    #[test]
    fn spikes_are_counted() {
        let mut params = Params::new(1, ON);
        let net = SnnConfig { hidden: vec![6, 5], ..SnnConfig::default() }.build(&mut params).unwrap();
        let spikes = Spikes::draw([300, 7, 100], ON, 0.01, &mut Rng::new(0, "s")).unwrap();
        let mut tap = Tap::new(["r1.spike", "r2.spike"]);
        let sha = Shared::new(0.1);
        let _ = net.scan(&sha, &Inputs::from(&spikes), net.init_state(7, ON), &mut tap);
        let records = tap.finish().unwrap();
        let dense = Inputs::batch_first(&Inputs::Spikes(spikes.clone()).to_dense()).unwrap();
        for inputs in [Inputs::Spikes(spikes), dense] {
            for found in activity(&net, &sha, &inputs, None, &["r1".into(), "r2".into()]).unwrap() {
                let record = records[&format!("{}.spike", found.layer)].detach();
                assert_eq!(found.spikes, record.sum(Kind::Double).double_value(&[]));
                assert!(found.spikes > 0.0 && found.warning().is_none(), "{found:?}");
                assert_eq!(found.per_step, found.spikes / record.numel() as f64);
            }
        }
    }

    /// Whatever stands in padding, and however much of it there is.
    #[test]
    fn padding_counts_for_nothing() {
        let net = Stack::new([("r", DynSystem::new(Lif::new(3, &LifConfig::default()).unwrap()))]).unwrap();
        let found = |padding: i64| {
            let x = Tensor::full([2, 20 + padding, 3], 80.0, ON);
            let lengths = Tensor::from_slice(&[20i64, 7]);
            let inputs = Inputs::batch_first(&x).unwrap();
            activity(&net, &Shared::new(0.1), &inputs, Some(&lengths), &["r".into()]).unwrap().remove(0)
        };
        let alone = |steps: i64| {
            let inputs = Inputs::batch_first(&Tensor::full([1, steps, 3], 80.0, ON)).unwrap();
            activity(&net, &Shared::new(0.1), &inputs, None, &["r".into()]).unwrap().remove(0).spikes
        };
        assert_eq!((found(0).spikes, found(0)), (alone(20) + alone(7), found(13)));
        assert_eq!(found(0).per_step, found(0).spikes / (3.0 * 27.0));
    }

    /// One spike in 50 steps of 0.5 ms is one in 25 ms.
    #[test]
    fn rates_are_spikes_in_a_second() {
        let active = Activity { layer: "r".into(), neurons: 4, silent: 0, spikes: 8.0, per_step: 0.02 };
        assert!((active.rate_hz(0.5) - 40.0).abs() < 1e-12);
    }

    #[test]
    fn silence_and_noise_are_told() {
        for (current, words) in [(0.5, "has no spike"), (1e4, "spikes in 100 % of all steps (120 spikes)")] {
            let net = Stack::new([("r", DynSystem::new(Lif::new(3, &LifConfig::default()).unwrap()))]).unwrap();
            let inputs = Inputs::batch_first(&Tensor::full([2, 20, 3], current, ON)).unwrap();
            let found = activity(&net, &Shared::new(0.1), &inputs, None, &["r".into()]).unwrap();
            assert!(found[0].warning().unwrap().contains(words), "{found:?}");
            assert_eq!(found[0].silent, if current < 1.0 { 3 } else { 0 });
        }
    }
}
