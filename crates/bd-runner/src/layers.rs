//! The layers of networks as kernels, each with its weights and the state before the first step.

use std::sync::Arc;

use bd_equations::{Initial, Sent, Target};
use bd_kernel::models::cell::{CellKernel, CellUnits, CellWeights};
use bd_kernel::models::decay::Decay;
use bd_kernel::models::lif::{self, LifConfig};
use bd_kernel::models::linear::LinearKernel;
use bd_kernel::models::{gru, lstm, rnn};
use bd_kernel::{AnyKernel, GraphKernel, Numbers, Real, Unit};

use crate::part::Layer;
use crate::settings::{Cell, Neuron};
use crate::weights::Weights;
use crate::{Error, Result};

/// Where the weights of a layer stand.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) weights: &'a Weights,
    pub(crate) path: &'a str,
}

impl Place<'_> {
    fn name(&self, name: &str) -> String {
        format!("{}.{name}", self.path)
    }

    fn of<F: Real>(&self, name: &str, shape: &[usize]) -> Result<Vec<F>> {
        self.weights.of(&self.name(name), shape)
    }

    fn find<F: Real + Into<f64>>(&self, name: &str, n: usize) -> Result<Option<Vec<f64>>> {
        let found = self.weights.find::<F>(&self.name(name), &[n])?;
        Ok(found.map(|values| values.into_iter().map(Into::into).collect()))
    }
}

/// `y = x W`, and a bias if there is one.
pub(crate) fn linear<F: Real>(place: Place<'_>, [n_in, n_out]: [usize; 2]) -> Result<Layer> {
    let weight = Numbers::copy_of(&place.of::<F>("weight", &[n_in, n_out])?);
    let bias = place.weights.find::<F>(&place.name("bias"), &[n_out])?;
    let kernel = LinearKernel::new([n_in, n_out], weight, bias.map(|bias| Numbers::copy_of(&bias)));
    Ok(Layer::new(kernel.into(), 0))
}

/// Equal units that begin at zero.
pub(crate) fn units<U: Unit<S>, const S: usize>(n: usize, unit: &U, dt: f64) -> Result<Layer> {
    unit.check().map_err(|error| Error::Unsupported(error.to_string()))?;
    Ok(Layer::new(unit.kernel(n, dt), S - U::HELD))
}

/// A recurrent layer of rates.
pub(crate) fn cell<F: Real + Into<f64>>(place: Place<'_>, cell: Cell, sizes: [usize; 2], dt: f64) -> Result<Layer> {
    // Zeros and ones that the weight has been multiplied with.
    place.weights.ignore(&place.name("recurrent_mask"));
    match cell {
        Cell::Gru {} => cell_of::<F>(place, gru::units(), sizes, &["initial_state"]),
        Cell::Lstm {} => cell_of::<F>(place, lstm::units(), sizes, &["initial_h", "initial_c"]),
        Cell::Rnn { activation, tau_ms } => {
            let units = rnn::units(activation, tau_ms.map(|tau_ms| dt / tau_ms));
            cell_of::<F>(place, units, sizes, &["initial_state"])
        }
    }
}

fn cell_of<F: Real + Into<f64>>(
    place: Place<'_>,
    units: CellUnits,
    [n_in, n]: [usize; 2],
    initial: &[&str],
) -> Result<Layer> {
    let gates = units.shape().inputs();
    let of = |name: &str, shape: &[usize]| Ok::<_, Error>(Numbers::copy_of(&place.of::<F>(name, shape)?));
    let input = of("input_weight", &[n_in, gates * n])?;
    let recurrent = of("recurrent_weight", &[n, gates * n])?;
    let bias = of("bias", &[gates * n])?;
    let kernel = CellKernel::new(units, CellWeights::new([n_in, n, gates], &input, &recurrent, bias));
    let initial = initial.iter().map(|name| place.find::<F>(name, n)).collect::<Result<_>>()?;
    Ok(Layer { kernel: kernel.into(), initial })
}

/// Neurons with an input each.
pub(crate) fn neurons<F: Real + Into<f64>>(
    place: Place<'_>,
    neuron: &Neuron,
    lif: &LifConfig,
    n: usize,
    dt_ms: f64,
) -> Result<Layer> {
    let Neuron::Equations { name, text } = neuron else { return lif_neurons::<F>(place, lif, n, dt_ms) };
    let refuse = |reason: String| Error::Unsupported(format!("neuron {name}: {reason}"));
    let model = text.build().map_err(|error| refuse(error.to_string()))?;
    if model.ports().len() != 1 {
        return Err(refuse(format!("it has {} inputs; neurons of a layer have one", model.ports().len())));
    }
    let constants = model.constants(dt_ms).map_err(|error| refuse(error.to_string()))?;
    let program = Arc::new(model.program_of(&[Target::Port(0)], &[Sent::Output], &constants));
    let fixed = |initial: &Initial| vec![initial.value(|_| 0.0); n];
    let mut held: Vec<F> = Vec::new();
    for own in model.held() {
        match own.trained && own.positive {
            // In float64, then rounded.
            true => {
                let log = place.of::<F>(&format!("log_{}", own.name), &[n])?;
                held.extend(log.into_iter().map(|log| F::of(log.into().exp())));
            }
            false => held.extend(place.of::<F>(&own.name, &[n])?),
        }
    }
    let initial = model.states().iter().map(|state| {
        let values = match state.initial.is_random() {
            true => place.of::<F>(&format!("initial_{}", state.name), &[n])?.into_iter().map(Into::into).collect(),
            false => fixed(&state.initial),
        };
        Ok(Some(values))
    });
    let initial = initial.collect::<Result<_>>()?;
    let held = (!held.is_empty()).then(|| Numbers::copy_of(&held));
    Ok(Layer { kernel: GraphKernel::new(n, program).holding(held).into(), initial })
}

fn lif_neurons<F: Real + Into<f64>>(place: Place<'_>, lif: &LifConfig, n: usize, dt_ms: f64) -> Result<Layer> {
    lif.check().map_err(|error| Error::Unsupported(error.to_string()))?;
    let own = match lif.trained.any() {
        true => Some(Numbers::copy_of(&own_of_lif::<F>(place, lif, n, dt_ms)?)),
        false => None,
    };
    let leaves = if lif.refractory_ms > 0.0 { 3 } else { 2 };
    let kernel: Arc<dyn AnyKernel> = lif::kernel(n, lif, dt_ms, own);
    Ok(Layer::new(kernel, leaves))
}

/// `gain`, `v_th` and `v_reset` of each neuron, from the parameters in which they are trained: `bd_models::lif`.
fn own_of_lif<F: Real + Into<f64>>(place: Place<'_>, lif: &LifConfig, n: usize, dt_ms: f64) -> Result<Vec<F>> {
    let constant = |value: f64| vec![F::of(value); n];
    let gain = match place.find::<F>("log_tau_ms", n)? {
        Some(log) => log.into_iter().map(|log| F::of(-((-log).exp() * -dt_ms).exp_m1())).collect(),
        None => constant(Decay::new(dt_ms, lif.tau_ms).gain),
    };
    let gap: Option<Vec<F>> =
        place.find::<F>("log_gap", n)?.map(|log| log.into_iter().map(|log| F::of(log.exp())).collect());
    let reset: Option<Vec<F>> = place.find::<F>("v_reset", n)?.map(|all| all.into_iter().map(F::of).collect());
    let each = |gap: Vec<F>, of: &dyn Fn(F) -> F| gap.into_iter().map(of).collect::<Vec<F>>();
    let (v_th, v_reset) = match (gap, reset) {
        (None, _) => (constant(lif.v_th), constant(lif.v_reset)),
        (Some(gap), Some(reset)) => (reset.iter().zip(gap).map(|(reset, gap)| *reset + gap).collect(), reset),
        (Some(gap), None) if lif.trained.threshold => {
            (each(gap, &|gap| gap + F::of(lif.v_reset)), constant(lif.v_reset))
        }
        (Some(gap), None) => (constant(lif.v_th), each(gap, &|gap| -gap + F::of(lif.v_th))),
    };
    Ok([gain, v_th, v_reset].concat())
}
