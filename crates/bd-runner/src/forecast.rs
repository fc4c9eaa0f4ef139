//! Forecasts: lagged products, or a reservoir with lagged products beside it, and a linear readout.

use bd_kernel::models::Target;
use bd_kernel::models::cell::{CellKernel, CellUnits};
use bd_kernel::models::fixed::FixedWeights;
use bd_kernel::models::nvar::LaggedProducts;
use bd_kernel::models::{reservoir, rnn};
use bd_kernel::{AnyKernel, Block, Real, Typed, places};

use crate::layers::{self, Place};
use crate::part::{Layer, Part, Row, Scan, State};
use crate::settings::{Forecast as Settings, Kind, Reservoir};
use crate::weights::Weights;
use crate::{Error, Result};

/// `bd_models::Ngrc` and `bd_models::Esn`: the first without layers.
#[derive(Debug)]
pub(crate) struct Forecast<F: Real> {
    channels: usize,
    target: Target,
    scale: Option<[Vec<f64>; 2]>,
    lags: LaggedProducts<F>,
    layers: Vec<Row<F>>,
    readout: Row<F>,
    /// The input as the features see it.
    x: Block<F>,
    features: Block<F>,
    y: Block<F>,
}

/// What a series carries from step to step.
#[derive(Debug)]
pub(crate) struct ForecastState<F: Real> {
    history: Vec<F>,
    layers: Vec<Vec<State<F>>>,
    readout: Vec<State<F>>,
}

/// How a scan of a readout is cut up, which has no state.
const NO_STATE: Scan = Scan::Tile { listed: false };

impl<F: Real + Into<f64>> Forecast<F>
where
    dyn AnyKernel: Typed<F>,
{
    pub(crate) fn new(settings: &Settings, weights: &Weights) -> Result<Self> {
        let [n_features, n_out] = weights.matrix_shape("o.weight")?;
        let horizons = settings.horizon.len();
        let channels = n_out / horizons.max(1);
        let lags = LaggedProducts::new(channels, &settings.nvar.config()?);
        let lags = lags.map_err(|error| Error::Unsupported(error.to_string()))?;
        let reservoir = settings.reservoir.as_ref();
        let states = reservoir.map_or(0, |reservoir| reservoir.units.saturating_mul(reservoir.layers));
        let found = lags.n_features().saturating_add(states);
        if channels * horizons != n_out || found != n_features {
            return Err(Error::Unsupported(format!(
                "o.weight is of {n_features} features and {n_out} outputs, and the configuration means {found} features and {horizons} \
                 horizons"
            )));
        }
        let layers = match reservoir {
            Some(reservoir) => reservoir_layers::<F>(reservoir, channels, weights)?,
            None => Vec::new(),
        };
        let of = |name: &str| weights.of::<f64>(&format!("scale.{name}"), &[channels]);
        let scale = if settings.scale { Some([of("mean")?, of("std")?]) } else { None };
        let readout = layers::linear::<F>(Place { weights, path: "o" }, [n_features, n_out])?;
        let single = |layer: Layer, scan| row(vec![layer], scan);
        Ok(Self {
            channels,
            target: settings.target,
            scale,
            lags,
            layers: layers.into_iter().map(|layer| single(layer, Scan::OneSeries)).collect::<Result<_>>()?,
            readout: single(readout, NO_STATE)?,
            x: Block::zeros(places::<F>(channels)),
            features: Block::zeros(places::<F>(n_features)),
            y: Block::zeros(places::<F>(n_out)),
        })
    }
}

fn row<F: Real + Into<f64>>(layers: Vec<Layer>, scan: Scan) -> Result<Row<F>>
where
    dyn AnyKernel: Typed<F>,
{
    let part = Part::kernel(layers, scan);
    Ok(Row::new(vec![part.ok_or_else(|| Error::Unsupported("the model makes no single steps".into()))?]))
}

/// `bd_models::Reservoir`.
fn reservoir_layers<F: Real>(settings: &Reservoir, channels: usize, weights: &Weights) -> Result<Vec<Layer>> {
    let Reservoir { units, layers, .. } = *settings;
    let mut n_in = channels;
    let mut all = Vec::new();
    for number in 1..=layers {
        let path = if number == 1 { "r".to_owned() } else { format!("r.{number}") };
        let of = |name: &str, shape: &[usize]| weights.of::<F>(&format!("{path}.{name}"), shape);
        let drawn = Drawn {
            input: of("input_weight", &[n_in, units])?,
            recurrent: of("recurrent_weight", &[units, units])?,
            bias: of("bias", &[units])?,
            orthogonal: match settings.kind {
                Kind::Es2n {} => Some(of("orthogonal_weight", &[units, units])?),
                Kind::Leaky | Kind::Eusn { .. } => None,
            },
        };
        all.push(drawn.layer(settings));
        n_in = units;
    }
    Ok(all)
}

/// The parameters of a layer.
struct Drawn<F> {
    input: Vec<F>,
    recurrent: Vec<F>,
    bias: Vec<F>,
    orthogonal: Option<Vec<F>>,
}

impl<F: Real> Drawn<F> {
    fn layer(mut self, settings: &Reservoir) -> Layer {
        let Reservoir { units: n, leak, activation, .. } = *settings;
        match (settings.kind, self.orthogonal.take()) {
            (Kind::Eusn { diffusion }, _) => {
                let at = |i: usize, j: usize| self.recurrent[i * n + j];
                let kept = |i: usize, j: usize| if i == j { F::of(diffusion) } else { F::default() };
                let effective = (0..n * n).map(|at_of| (at_of / n, at_of % n));
                let effective: Vec<F> = effective.map(|(i, j)| at(i, j) - at(j, i) - kept(i, j)).collect();
                cell(reservoir::euler(activation, leak), &self.input, &effective, &self.bias)
            }
            (_, Some(orthogonal)) => {
                let zeros = |of: &[F]| vec![F::default(); of.len()];
                let input = beside(&self.input, &zeros(&self.input), n);
                let recurrent = beside(&self.recurrent, &orthogonal, n);
                let bias = beside(&self.bias, &zeros(&self.bias), n);
                cell(reservoir::es2n(activation, leak), &input, &recurrent, &bias)
            }
            (_, None) => cell(rnn::units(activation, Some(leak)), &self.input, &self.recurrent, &self.bias),
        }
    }
}

/// Rows of `n` numbers, and beside each one of another matrix.
fn beside<F: Copy>(own: &[F], other: &[F], n: usize) -> Vec<F> {
    own.chunks(n).zip(other.chunks(n)).flat_map(|(own, other)| own.iter().chain(other).copied()).collect()
}

fn cell<F: Real>(units: CellUnits, input: &[F], recurrent: &[F], bias: &[F]) -> Layer {
    let kernel = CellKernel::fixed(units, FixedWeights::new(input, recurrent, bias.len()), bias);
    Layer::new(kernel.into(), 1)
}

impl<F: Real + Into<f64>> Forecast<F> {
    pub(crate) fn channels(&self) -> usize {
        self.channels
    }

    pub(crate) fn state(&self) -> ForecastState<F> {
        ForecastState {
            history: vec![F::default(); self.lags.n_history()],
            layers: self.layers.iter().map(Row::states).collect(),
            readout: self.readout.states(),
        }
    }

    pub(crate) fn reset(&self, state: &mut ForecastState<F>) {
        state.history.fill(F::default());
        self.layers.iter().zip(&mut state.layers).for_each(|(layer, states)| layer.reset(states));
    }

    /// The step of this number, counted from 0, of an input in the units of the data: outputs, and places behind them.
    pub(crate) fn step(&mut self, number: u64, state: &mut ForecastState<F>, x: &[F]) -> &[F] {
        let channels = self.channels;
        match &self.scale {
            None => self.x[..channels].copy_from_slice(&x[..channels]),
            Some([mean, std]) => {
                for (to, (x, (mean, std))) in self.x.iter_mut().zip(x.iter().zip(mean.iter().zip(std))) {
                    *to = F::of(((*x).into() - mean) / std);
                }
            }
        }
        let n_lagged = self.lags.n_features();
        self.lags.step(number, &mut state.history, &self.x, &mut self.features[..n_lagged]);
        let mut at = n_lagged;
        let mut below: &[F] = &self.x;
        for (layer, states) in self.layers.iter_mut().zip(&mut state.layers) {
            let n = layer.n_out();
            below = layer.step(number, states, below);
            self.features[at..at + n].copy_from_slice(&below[..n]);
            at += n;
        }
        let n_out = self.readout.n_out();
        let y = self.readout.step(number, &mut state.readout, &self.features);
        match self.target {
            Target::Value => y,
            Target::Increment => {
                self.y.copy_from_slice(y);
                for horizon in self.y[..n_out].chunks_exact_mut(channels) {
                    horizon.iter_mut().zip(x).for_each(|(y, x)| *y += *x);
                }
                &self.y
            }
        }
    }
}
