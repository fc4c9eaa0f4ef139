//! The defaults of a network's configuration, by what is learned.

use bd_core::{DeviceSpec, Result};
use bd_models::{
    Cell, Encoder, Init, LifConfig, LifTrained, PopulationNetworkConfig, RateNetConfig, Reads, RnnConfig, SnnConfig,
    Surrogate, SynapseConfig, WrittenNetwork,
};
use bd_train::data::dataset::{ArrayNames, Dataset, Targets};
use bd_train::optim::{EpsOn, Rule};
use bd_train::{EarlyStopping, Loss, OptimConfig, OverTime, Penalty, Schedule, Task};

use super::{Dtype, Lessons, Model, NetworkConfig, NetworkData};
use crate::config::{CHECKPOINT_MINUTES, cores};

impl NetworkConfig {
    /// `written` is a network as text, which is trained instead of layers.
    pub(super) fn defaults(job: &str, lessons: &Lessons, written: Option<WrittenNetwork>) -> Result<Self> {
        let usual = Self::of_lessons(common(job), job, lessons);
        Ok(match written {
            Some(written) => of_populations(usual, written),
            None => usual,
        })
    }

    fn of_lessons(common: Self, job: &str, lessons: &Lessons) -> Self {
        match (job, lessons) {
            ("snn", Lessons::File(path, data)) => of_spikes_in_file(common, path, data),
            ("snn", _) => of_random_spikes(common),
            (_, Lessons::File(path, data)) => of_file(common, path, data),
            (_, Lessons::Task(task)) => of_task(common, task),
            (_, Lessons::Random) => unreachable!("only spiking networks learn random spikes"),
        }
    }
}

/// Of small sets an epoch is a few updates. Training then lasts at least so many updates, and so many without a better loss.
const LEAST_UPDATES: u64 = 2000;
const LEAST_PATIENCE: u64 = 500;

impl NetworkConfig {
    /// Lengthens a training on `samples` examples of a file to what small sets need, where nobody has set how long it lasts.
    pub(super) fn lengthen(&mut self, samples: usize, set: &impl Fn(&str) -> bool) {
        let learned = (samples as f64 * (1.0 - self.data.validation)).ceil().max(1.0);
        // What cannot be is refused later.
        let an_update = self.batch.map_or(learned, |batch| (batch as f64 * self.accumulate as f64).max(1.0));
        let epochs_of = |updates: u64| updates.div_ceil((learned / an_update).ceil().max(1.0) as u64);
        if !set("/epochs") {
            self.epochs = self.epochs.map(|epochs| epochs.max(epochs_of(LEAST_UPDATES)));
        }
        if let Some(stopping) = self.early_stopping.as_mut().filter(|_| !set("/early_stopping/patience")) {
            stopping.patience = stopping.patience.max(epochs_of(LEAST_PATIENCE));
        }
    }

    /// What a network reads of sequences that are cut in pieces, where nobody has set it: the mean of each piece, for their last step is
    /// in one piece only.
    pub(super) fn read_pieces(&mut self, set: &impl Fn(&str) -> bool) {
        let Loss::CrossEntropy { over: over @ OverTime::MeanLast } = &mut self.loss else { return };
        if self.truncate.is_none() || set("/loss") {
            return;
        }
        *over = OverTime::Mean;
        match &mut self.model {
            Model::Rate(model) if !set("/model/reads") => model.reads = Reads::State,
            _ => {}
        }
    }
}

fn common(job: &str) -> NetworkConfig {
    NetworkConfig {
        job: job.into(),
        device: DeviceSpec::Cpu,
        dtype: Dtype::F32,
        seed: 0,
        threads: cores(),
        dt: 1.0,
        time_unit: "ms".into(),
        data: NetworkData {
            task: None,
            file: None,
            sha256: None,
            test_file: None,
            test_sha256: None,
            test: None,
            group: None,
            arrays: ArrayNames::default(),
            targets_of: None,
            targets: None,
            classes: None,
            scale: false,
            encode: Encoder::None,
            steps: None,
            channels: None,
            validation: 0.0,
            samples: None,
            rate_hz: None,
            test_samples: 1000,
        },
        model: Model::Rate(RateNetConfig::default()),
        readout_search: Vec::new(),
        ensemble: 1,
        loss: Loss::Mse,
        penalty: Penalty::default(),
        optim: OptimConfig::default(),
        clip: None,
        updates: None,
        epochs: None,
        batch: Some(128),
        accumulate: 1,
        truncate: None,
        early_stopping: None,
        report_every: 500,
        initial: None,
        tensorboard: false,
        checkpoint_every: None,
        checkpoint_minutes: CHECKPOINT_MINUTES,
        checkpoint_keep: 3,
    }
}

/// The tutorial's network of rates and optimiser for the tutorial's task, and an optimiser that learns the others.
fn of_task(common: NetworkConfig, task: &Task) -> NetworkConfig {
    let config = NetworkConfig {
        dt: task.usual_dt(),
        data: NetworkData { task: Some(task.clone()), ..common.data.clone() },
        model: Model::Rate(RateNetConfig { n_in: task.n_in(), n_out: task.n_out(), ..RateNetConfig::default() }),
        loss: task.loss(),
        updates: Some(3000),
        ..common
    };
    match task {
        Task::Integration(_) => NetworkConfig {
            penalty: Penalty { l2: 2e-4, ..Penalty::default() },
            optim: OptimConfig {
                lr: 0.025,
                schedule: Schedule::ExponentialDecay { rate: 0.99975, steps: 1.0 },
                rule: Rule::Adam { beta1: 0.9, beta2: 0.999, eps: 0.1, eps_on: EpsOn::Uncorrected },
            },
            ..config
        },
        Task::PerceptualDecision(_) | Task::ContextDecision(_) | Task::DelayedMatch(_) => of_trials(config, task),
        Task::Decision(_) | Task::FlipFlop(_) => NetworkConfig { clip: Some(1.0), ..config },
    }
}

/// Leaky units, which keep evidence for some steps before they have learned to.
fn of_trials(config: NetworkConfig, task: &Task) -> NetworkConfig {
    let leaky = RnnConfig { tau_ms: Some(2.0 * task.usual_dt()), train_initial_state: true, ..RnnConfig::default() };
    NetworkConfig {
        model: Model::Rate(RateNetConfig {
            n_in: task.n_in(),
            n_out: task.n_out(),
            hidden: vec![64],
            cell: Cell::Rnn(leaky),
            ..RateNetConfig::default()
        }),
        optim: OptimConfig { lr: 0.005, ..config.optim.clone() },
        batch: Some(64),
        updates: Some(1000),
        clip: Some(1.0),
        data: NetworkData { test_samples: 2000, ..config.data.clone() },
        ..config
    }
}

/// A network of rates for examples of one's own.
fn of_file(common: NetworkConfig, path: &std::path::Path, data: &Dataset) -> NetworkConfig {
    let of_sequence = !data.targets.of_steps();
    NetworkConfig {
        data: NetworkData {
            file: Some(path.to_path_buf()),
            targets: Some(data.targets),
            scale: true,
            validation: USUAL_VALIDATION,
            ..common.data
        },
        model: Model::Rate(RateNetConfig {
            n_in: data.train.channels(),
            hidden: vec![64],
            n_out: data.targets.n_out(),
            cell: Cell::all()[1],
            reads: if of_sequence { Reads::StateAndMean } else { Reads::State },
            ..RateNetConfig::default()
        }),
        ensemble: usual_members(data.train.count()),
        loss: loss_of(data),
        clip: Some(1.0),
        epochs: Some(200),
        batch: Some(16),
        early_stopping: Some(EarlyStopping { patience: 20, min_delta: 0.0 }),
        report_every: 100,
        ..common
    }
}

/// Small sets of `samples` training samples are learned by a few networks, each with a validation part of its own: that is quick, and their
/// mean errs less.
pub(in crate::config) fn usual_members(samples: usize) -> usize {
    const SMALL: usize = 1000;
    if samples < SMALL { 3 } else { 1 }
}

/// Of fewer training samples with numbers at each step so many spiking networks are trained, whose outputs differ much.
const FEW_SERIES: usize = 100;
const MEMBERS_OF_FEW_SERIES: usize = 5;

/// Fraction of the training part of a file that is held out.
pub(in crate::config) const USUAL_VALIDATION: f64 = 0.25;

/// The loss for the targets of a file. A label of a whole sequence is told by what was seen at any time and by what was gathered.
fn loss_of(data: &Dataset) -> Loss {
    match data.targets.loss() {
        Loss::CrossEntropy { .. } if !data.targets.of_steps() => Loss::CrossEntropy { over: OverTime::MeanLast },
        loss => loss,
    }
}

/// The tutorial's spiking network, on random spikes with random labels.
fn of_random_spikes(common: NetworkConfig) -> NetworkConfig {
    let rule = Rule::Adam { beta1: 0.9, beta2: 0.999, eps: 1e-8, eps_on: EpsOn::Uncorrected };
    NetworkConfig {
        dt: 0.1,
        data: NetworkData { steps: Some(2000), samples: Some(256), rate_hz: Some(5.0), ..common.data },
        model: Model::Spiking(SnnConfig::default()),
        loss: Loss::CrossEntropy { over: OverTime::Max },
        optim: OptimConfig { lr: 2e-3, rule, ..OptimConfig::default() },
        epochs: Some(1500),
        batch: None,
        report_every: 100,
        ..common
    }
}

/// A spiking network for examples of one's own: there are fewer steps than the tutorial has, and more spikes in each.
fn of_spikes_in_file(common: NetworkConfig, path: &std::path::Path, data: &Dataset) -> NetworkConfig {
    let tutorial = of_random_spikes(common);
    let model = SnnConfig::default();
    // Numbers at each step may have a level that there are no spikes for.
    let is_series = matches!(data.targets, Targets::Series { .. });
    let bias = is_series.then_some(0.5);
    let count = data.train.count();
    NetworkConfig {
        dt: if data.train.events().is_some() { 4.0 } else { 1.0 },
        data: NetworkData {
            file: Some(path.to_path_buf()),
            targets: Some(data.targets),
            steps: None,
            validation: USUAL_VALIDATION,
            samples: None,
            rate_hz: None,
            ..tutorial.data
        },
        model: Model::Spiking(SnnConfig {
            n_in: data.train.channels(),
            hidden: vec![128],
            n_out: data.targets.n_out(),
            synapse: SynapseConfig { init: Init::KaimingNormal { scale: 2.0 }, bias, ..model.synapse },
            lif: LifConfig {
                surrogate: Surrogate::Sigmoid { alpha: 4.0 },
                trained: LifTrained { tau: true, ..LifTrained::default() },
                ..LifConfig::default()
            },
            recurrent: true,
            ..model
        }),
        ensemble: if is_series && count < FEW_SERIES { MEMBERS_OF_FEW_SERIES } else { usual_members(count) },
        loss: loss_of(data),
        optim: OptimConfig { lr: 1e-2, ..tutorial.optim },
        clip: Some(1.0),
        epochs: Some(100),
        batch: Some(16),
        early_stopping: Some(EarlyStopping { patience: 20, min_delta: 0.0 }),
        report_every: 100,
        ..tutorial
    }
}

/// Populations and projections instead of layers. They are written for steps of one length, and there is one of them.
fn of_populations(usual: NetworkConfig, written: WrittenNetwork) -> NetworkConfig {
    let Model::Spiking(SnnConfig { synapse, readout, .. }) = usual.model else { unreachable!("it spikes") };
    let (dt, n_out) = (written.network().dt_ms, usual.model.n_out());
    let model = PopulationNetworkConfig { synapse, readout, ..PopulationNetworkConfig::new(written, n_out) };
    NetworkConfig { dt, model: Model::Populations(Box::new(model)), ensemble: 1, ..usual }
}
