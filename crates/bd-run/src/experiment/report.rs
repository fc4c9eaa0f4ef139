//! [`NetworkReport`]: what a training of a network found, for pictures and tables.

use bd_core::{Inputs, Params, Result, Shared, System, Tap};
use bd_train::data::dataset::Shown;
use bd_train::task::{Decisions, Trial};
use bd_train::{Activity, Baselines, Evaluation, HeldOut, Trained, predict};
use tch::{Device, Kind, Tensor};

/// More samples than this nobody looks at in one picture.
const MOST_PICTURED: usize = 15;

/// What a training of a network found, and what it was evaluated on.
#[derive(Debug)]
pub struct NetworkReport {
    /// What was learned, in a word: the name of a task, or `examples`.
    pub what: String,
    /// The training of each member of an ensemble, or of the network; empty of one that was only evaluated.
    pub trained: Vec<Trained>,
    /// Accuracy on the batch of each reported update, where that is all examples: number of the update, accuracy.
    pub accuracies: Vec<(u64, f64)>,
    /// On the test part, or on what was learned where there is none.
    pub evaluation: Evaluation,
    /// The names of the classes by their labels, if they have some.
    pub classes: Option<Vec<String>>,
    /// `test`, or `train` where there is no test part.
    pub split: &'static str,
    /// What the members reach on samples that were held out, each on its own; empty of a network that was only evaluated.
    pub validation: HeldOut,
    /// What simple methods reach on the test part; none where there is no data set.
    pub baselines: Baselines,
    /// Of each layer of neurons that spike.
    pub activity: Vec<Activity>,
    /// Length of a step in milliseconds.
    pub dt_ms: f64,
    /// Of each layer that trains its time constants its name, the least and the greatest, in ms.
    pub time_constants_ms: Vec<(String, f64, f64)>,
    /// Samples of the test part, to be shown; none where there is no test part.
    pub pictured: Option<Pictured>,
    /// Of a spiking network the first layer over the first samples.
    pub recorded: Option<Recorded>,
    /// What is decided in the trials of a task that has some.
    pub decided: Option<Decided>,
}

/// What a network decides in the trials of a test. The accuracy of its report is the share that is right.
#[derive(Debug)]
pub struct Decided {
    /// How often, by the strength of the evidence.
    pub found: Decisions,
    /// The trials.
    pub trials: Vec<Trial>,
}

impl NetworkReport {
    /// Of a model that is fitted in closed form, without baselines.
    pub(super) fn of_closed_form(evaluation: Evaluation, classes: Option<Vec<String>>) -> Self {
        Self {
            what: "examples".into(),
            trained: Vec::new(),
            accuracies: Vec::new(),
            evaluation,
            classes,
            split: "test",
            validation: HeldOut::default(),
            baselines: Baselines::default(),
            activity: Vec::new(),
            dt_ms: 1.0,
            time_constants_ms: Vec::new(),
            pictured: None,
            recorded: None,
            decided: None,
        }
    }
}

/// Samples of the test part in the units of the data, with their axis of time.
#[derive(Debug)]
pub struct Pictured {
    /// The samples.
    pub shown: Shown,
    /// Between two of their steps, in the unit of the axis.
    pub dt: f64,
    /// Words of the axis, with its unit.
    pub time_label: String,
}

/// States of a layer of neurons over time, on the host.
#[derive(Debug)]
pub struct Recorded {
    /// Name of the layer.
    pub layer: String,
    /// Potentials after each step, float32 `[sample, time, neuron]`.
    pub v: Tensor,
    /// Whether there was a spike, bool `[sample, time, neuron]`.
    pub spike: Tensor,
}

impl Recorded {
    /// The states `potential` and `spike` of a layer over the first samples of these inputs.
    pub(super) fn of([layer, potential]: [&str; 2], net: &impl System, sha: &Shared, inputs: &Inputs) -> Result<Self> {
        let [v, spike] = [potential, "spike"].map(|state| format!("{layer}.{state}"));
        let (mut voltages, mut spikes) = (Vec::new(), Vec::new());
        // One after the other, so that little is held in the form in which states are recorded.
        for sample in 0..(inputs.shape()[0] as usize).min(MOST_PICTURED) {
            let mut tap = Tap::new([&v, &spike]);
            let _ = predict(net, &sha.samples_ahead(sample), &inputs.select(&[sample])?, None, &mut tap)?;
            let records = tap.finish()?;
            voltages.push(records[&v].to_device(Device::Cpu).to_kind(Kind::Float));
            spikes.push(records[&spike].to_device(Device::Cpu).gt(0.0));
        }
        Ok(Self { v: Tensor::f_cat(&voltages, 0)?, spike: Tensor::f_cat(&spikes, 0)?, layer: layer.to_owned() })
    }
}

/// Ranges of the time constants of the layers that train them.
pub(super) fn time_constants_ms(params: &Params) -> Vec<(String, f64, f64)> {
    let range = |(name, log_tau_ms): (String, Tensor)| {
        let layer = name.strip_suffix(".log_tau_ms")?.to_owned();
        let taus_ms = log_tau_ms.detach().exp();
        Some((layer, taus_ms.min().double_value(&[]), taus_ms.max().double_value(&[])))
    };
    params.named().into_iter().filter_map(range).collect()
}
