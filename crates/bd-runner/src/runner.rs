//! [`Runner`]: a trained model that makes one step after the other.

use std::fmt::Debug;
use std::path::Path;

use bd_kernel::{AnyKernel, Block, Real, Typed, places};

use crate::encode::{self, Carried, Preparation};
use crate::folder::Folder;
use crate::forecast::{Forecast, ForecastState};
use crate::network::{Network, NetworkState};
use crate::settings::{Dtype, Settings};
use crate::{Error, Result, StepError};

/// A trained model of a run folder, with the state of one sequence or of several.
///
/// All memory is taken when it is opened. A step allocates nothing, waits for no lock, and reads a sample in the units of the data, as
/// `bd predict` does: its outputs have the same bytes. Outputs of networks whose parameters are float32 are float32 numbers. Forecasts,
/// which are float64 unless a run says otherwise, and outputs that are scaled back are float64; [`step`](Self::step) rounds them, and
/// [`step_f64`](Self::step_f64) gives them as they are.
///
/// It may be moved to another thread, but is used by one at a time.
#[derive(Debug)]
pub struct Runner {
    engine: Engine,
    /// Outputs of the last step rounded to float32.
    rounded: Vec<f32>,
}

#[derive(Debug)]
enum Engine {
    Single(Box<Lanes<f32>>),
    Double(Box<Lanes<f64>>),
}

/// A model with sequences side by side.
#[derive(Debug)]
struct Lanes<F: Real> {
    model: Model<F>,
    lanes: Vec<Lane<F>>,
    channels: usize,
    n_out: usize,
    substeps: usize,
    /// Of scaled targets mean and standard deviation.
    target: Option<[Vec<f64>; 2]>,
    /// Inputs of all lanes, scaled if they are to be.
    scaled: Vec<f64>,
    /// Inputs of the model in all substeps.
    drive: Block<F>,
    outputs: Vec<f64>,
}

#[derive(Debug)]
enum Model<F: Real> {
    Forecast(Box<Forecast<F>>),
    Network(Network<F>, Preparation),
}

// Checked here, for programs rely on it.
const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<Runner>();
};

#[derive(Debug)]
struct Lane<F: Real> {
    /// Steps of the model so far.
    step: u64,
    state: LaneState<F>,
}

#[derive(Debug)]
enum LaneState<F: Real> {
    Forecast(ForecastState<F>),
    Network(NetworkState<F>, Carried),
}

impl Runner {
    /// Opens the folder of a run, for one sequence; of several runs, as `bd train auto` makes them, that of the best.
    ///
    /// Fails if the folder is not whole, if configuration or weights are not those that the run wrote, or if such a model makes no single
    /// steps.
    pub fn open(run: impl AsRef<Path>) -> Result<Self> {
        Self::with_lanes(run, 1)
    }

    /// The same for `lanes` sequences, each with a state of its own, which share the weights. A step reads a sample of each, one behind the
    /// other.
    pub fn with_lanes(run: impl AsRef<Path>, lanes: usize) -> Result<Self> {
        // Not generic, or every program would compile all kernels again.
        Self::with_lanes_of(run.as_ref(), lanes)
    }

    fn with_lanes_of(run: &Path, lanes: usize) -> Result<Self> {
        if lanes == 0 {
            return Err(Error::Unsupported("a runner has at least 1 lane, and 0 were asked for".into()));
        }
        let folder = Folder::open(run)?;
        let settings = Settings::of(&folder)?;
        let dtype = match &settings {
            Settings::Forecast(settings) => settings.dtype,
            Settings::Network(settings) => settings.dtype,
        };
        let engine = match dtype {
            Dtype::F32 => Engine::Single(Box::new(Lanes::new(&settings, &folder, lanes)?)),
            Dtype::F64 => Engine::Double(Box::new(Lanes::new(&settings, &folder, lanes)?)),
        };
        let mut runner = Self { engine, rounded: Vec::new() };
        runner.rounded = vec![0.0; lanes * runner.substeps() * runner.outputs()];
        // Whatever is made when it is first used is made now.
        let zeros = vec![0.0f32; lanes * runner.inputs()];
        runner.step(&zeros).map_err(|error| Error::Unsupported(error.to_string()))?;
        runner.reset();
        Ok(runner)
    }

    /// Numbers of a sample.
    pub fn inputs(&self) -> usize {
        of_lanes(&self.engine, |lanes| lanes.channels, |lanes| lanes.channels)
    }

    /// Outputs at each step of the model. Of a forecast `[horizon, channel]`.
    pub fn outputs(&self) -> usize {
        of_lanes(&self.engine, |lanes| lanes.n_out, |lanes| lanes.n_out)
    }

    /// Steps of the model for each sample: 1 unless an encoder spreads a sample over several.
    pub fn substeps(&self) -> usize {
        of_lanes(&self.engine, |lanes| lanes.substeps, |lanes| lanes.substeps)
    }

    /// Sequences side by side.
    pub fn lanes(&self) -> usize {
        of_lanes(&self.engine, |lanes| lanes.lanes.len(), |lanes| lanes.lanes.len())
    }

    /// One step of all lanes: samples `[lane, input]` in the units of the data to outputs `[lane, substep, output]`, which are there until the
    /// next step.
    ///
    /// Fails if there is another number of inputs, or one that is not finite. Then nothing has happened.
    pub fn step(&mut self, x: &[f32]) -> Result<&[f32], StepError> {
        let outputs = advance(&mut self.engine, x)?;
        self.rounded.iter_mut().zip(outputs).for_each(|(to, y)| *to = *y as f32);
        Ok(&self.rounded)
    }

    /// The same with all digits of inputs and outputs.
    pub fn step_f64(&mut self, x: &[f64]) -> Result<&[f64], StepError> {
        advance(&mut self.engine, x)
    }

    /// Sets all lanes to the state before the first step.
    pub fn reset(&mut self) {
        (0..self.lanes()).for_each(|lane| self.reset_lane(lane));
    }

    /// Sets one lane to the state before the first step. There is nothing to do where there is no such lane.
    pub fn reset_lane(&mut self, lane: usize) {
        match &mut self.engine {
            Engine::Single(lanes) => lanes.reset(lane),
            Engine::Double(lanes) => lanes.reset(lane),
        }
    }
}

fn of_lanes<T>(engine: &Engine, single: impl Fn(&Lanes<f32>) -> T, double: impl Fn(&Lanes<f64>) -> T) -> T {
    match engine {
        Engine::Single(lanes) => single(lanes),
        Engine::Double(lanes) => double(lanes),
    }
}

fn advance<'a, T: Copy + Into<f64>>(engine: &'a mut Engine, x: &[T]) -> Result<&'a [f64], StepError> {
    match engine {
        Engine::Single(lanes) => lanes.step(x),
        Engine::Double(lanes) => lanes.step(x),
    }
}

impl<F: Real + Into<f64> + Debug> Lanes<F>
where
    dyn AnyKernel: Typed<F>,
{
    fn new(settings: &Settings, folder: &Folder, lanes: usize) -> Result<Self> {
        let weights = &folder.weights;
        let (model, n_out, target) = match settings {
            Settings::Forecast(settings) => {
                let forecast = Forecast::new(settings, weights)?;
                let n_out = forecast.channels() * settings.horizon.len();
                (Model::Forecast(Box::new(forecast)), n_out, None)
            }
            Settings::Network(settings) => {
                let network = Network::new(settings, weights)?;
                let (n_in, n_out) = (settings.model.n_in(), settings.model.n_out());
                let preparation = Preparation::new(&settings.data, settings.seed, n_in, weights)?;
                let of = |name: &str| weights.of::<f64>(&format!("target.{name}"), &[n_out]);
                let target = if weights.has("target.mean") { Some([of("mean")?, of("std")?]) } else { None };
                (Model::Network(network, preparation), n_out, target)
            }
        };
        weights.check_all_used()?;
        let (channels, substeps, drive) = match (&model, settings) {
            (Model::Network(_, preparation), Settings::Network(settings)) => {
                let substeps = preparation.substeps();
                (preparation.channels(), substeps, encode::room(settings.model.n_in(), substeps))
            }
            (Model::Forecast(forecast), _) => (forecast.channels(), 1, Block::zeros(places::<F>(forecast.channels()))),
            (Model::Network(..), Settings::Forecast(_)) => unreachable!("a network has the settings of one"),
        };
        Ok(Self {
            lanes: (0..lanes).map(|lane| model.lane(lane)).collect(),
            channels,
            n_out,
            substeps,
            target,
            scaled: vec![0.0; lanes * channels],
            drive,
            outputs: vec![0.0; lanes * substeps * n_out],
            model,
        })
    }
}

impl<F: Real + Into<f64>> Model<F> {
    fn lane(&self, lane: usize) -> Lane<F> {
        let state = match self {
            Self::Forecast(forecast) => LaneState::Forecast(forecast.state()),
            Self::Network(network, preparation) => LaneState::Network(network.state(), preparation.carried(lane)),
        };
        Lane { step: 0, state }
    }
}

impl<F: Real + Into<f64>> Lanes<F> {
    fn reset(&mut self, number: usize) {
        let Some(lane) = self.lanes.get_mut(number) else { return };
        lane.step = 0;
        match (&self.model, &mut lane.state) {
            (Model::Forecast(forecast), LaneState::Forecast(state)) => forecast.reset(state),
            (Model::Network(network, _), LaneState::Network(state, carried)) => {
                network.reset(state);
                carried.reset();
            }
            _ => {}
        }
    }

    fn step<T: Copy + Into<f64>>(&mut self, x: &[T]) -> Result<&[f64], StepError> {
        self.read(x)?;
        let Self { model, lanes, channels, n_out, substeps, target, scaled, drive, outputs } = self;
        let rows = outputs.chunks_exact_mut(*substeps * *n_out);
        for ((lane, scaled), rows) in lanes.iter_mut().zip(scaled.chunks_exact(*channels)).zip(rows) {
            match (&mut *model, &mut lane.state) {
                (Model::Forecast(forecast), LaneState::Forecast(state)) => {
                    drive.iter_mut().zip(scaled).for_each(|(to, x)| *to = F::of(*x));
                    let y = forecast.step(lane.step, state, drive);
                    rows.iter_mut().zip(y).for_each(|(to, y)| *to = (*y).into());
                    lane.step += 1;
                }
                (Model::Network(network, preparation), LaneState::Network(state, carried)) => {
                    preparation.drive(scaled, carried, drive);
                    let room = drive.len() / *substeps;
                    for (x, row) in drive.chunks_exact(room).zip(rows.chunks_exact_mut(*n_out)) {
                        let y = network.step(lane.step, state, x);
                        match target {
                            None => row.iter_mut().zip(y).for_each(|(to, y)| *to = (*y).into()),
                            Some([mean, std]) => {
                                let scales = std.iter().zip(mean.iter());
                                let scaled = row.iter_mut().zip(y).zip(scales);
                                scaled.for_each(|((to, y), (std, mean))| *to = (*y).into() * std + mean);
                            }
                        }
                        lane.step += 1;
                    }
                }
                _ => {}
            }
        }
        Ok(outputs)
    }

    /// Scales the samples of all lanes, if they are all there and finite.
    fn read<T: Copy + Into<f64>>(&mut self, x: &[T]) -> Result<(), StepError> {
        let (expected, channels) = (self.scaled.len(), self.channels);
        if x.len() != expected {
            return Err(StepError::Length { expected, found: x.len() });
        }
        let lanes = self.scaled.chunks_exact_mut(channels).zip(x.chunks_exact(channels));
        for (lane, (scaled, x)) in lanes.enumerate() {
            for (index, (to, x)) in scaled.iter_mut().zip(x).enumerate() {
                let x: f64 = (*x).into();
                *to = match &self.model {
                    Model::Forecast(_) => x,
                    Model::Network(_, preparation) => preparation.scaled(index, x),
                };
                if !x.is_finite() || !F::of(*to).into().is_finite() {
                    return Err(StepError::NotFinite { lane, index });
                }
            }
        }
        Ok(())
    }
}
