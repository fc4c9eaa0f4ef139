//! [`examine_all`], [`examine_neuron`]: whether every model, ridge regression, or a neuron of one's own, compute on this machine what
//! they should.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use bd_core::contract::Named;
use bd_core::contract::report::{Check, Comparison, Row, Subject, examine, in_float64};
use bd_core::{Error, Params, Result, Rng, Shared, System, threads};
use bd_equations::{Model, NeuronText};
use bd_models::{EquationNeurons, Ngrc, NgrcConfig, NvarConfig, catalogue};
use bd_train::Ridge;
use tch::{Device, Kind};

use crate::neuron::NamedNeuron;

/// The rows of all models and of ridge regression in the order of the table, each shown as soon as those before it are. Models are small and
/// their steps are many small operations: as many run at once as there are threads.
pub fn examine_all(seed: u64, device: Device, show: impl Fn(&Row) -> Result<()>) -> Result<Vec<Row>> {
    let models = catalogue::all();
    let (next, (send, receive)) = (AtomicUsize::new(0), mpsc::channel());
    let work = |rows: mpsc::Sender<(usize, Row)>| {
        threads::set_libtorch(1); // each thread has a number of its own
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            let row = match models.get(i) {
                Some(model) => examine(model, seed, device),
                None if i == models.len() => examine_ridge(seed, device),
                None => return,
            };
            if rows.send((i, row)).is_err() {
                return; // a row could not be shown, and its receiver is gone
            }
        }
    };
    let work = &work;
    std::thread::scope(|scope| {
        let receive = receive;
        for _ in 0..threads::kernel_threads() {
            let send = send.clone();
            scope.spawn(move || work(send));
        }
        drop(send);
        let (mut rows, mut early) = (Vec::new(), BTreeMap::new());
        for (i, row) in receive {
            early.insert(i, row);
            while let Some(row) = early.remove(&rows.len()) {
                show(&row)?;
                rows.push(row);
            }
        }
        Ok(rows)
    })
}

/// What is found of one neuron.
#[derive(Debug)]
pub struct NeuronRow {
    /// Scans against steps; reverse mode against difference quotients, of a neuron with a threshold where nothing spikes.
    pub row: Row,
    /// [`Model::largest_product`].
    pub largest_product: f64,
}

/// A neuron as every model is examined, and its gradients over steps of `dt_ms`.
pub fn examine_neuron(neuron: &NamedNeuron, dt_ms: f64, seed: u64, device: Device) -> Result<NeuronRow> {
    let refuse = |error: bd_equations::Error| Error::Config(format!("neuron {}: {error}", neuron.name));
    let largest_product = neuron.model.largest_product(dt_ms).map_err(refuse)?;
    let text = driven(neuron).map_err(refuse)?;
    let build = move |params: &mut Params, n: i64| EquationNeurons::new(&mut params.at("r"), n, &text);
    let row = match neuron.model.surrogate() {
        None => examine(&Subject::smooth(&neuron.name, build), seed, device),
        Some(_) => {
            let mut row = examine(&Subject::spiking(&neuron.name, build), seed, device);
            let difference = neuron.model.difference_from_quotients(dt_ms).map_err(refuse)?;
            row.checks.push(Check::measured(Comparison::Differences, difference));
            row
        }
    };
    Ok(NeuronRow { row, largest_product })
}

/// Length of a step where a system is examined.
const EXAMINED_DT_MS: f64 = 0.1;

/// The text of a neuron with inputs so strong that an input of 1 makes it spike within the few steps of an examination; as it is, if
/// differences then grow beyond what float32 holds, so that no two ways of calculating could agree.
fn driven(neuron: &NamedNeuron) -> bd_equations::Result<NeuronText> {
    for exponent in (0..=12).filter(|_| neuron.model.surrogate().is_some()) {
        let mut text = neuron.text.clone();
        for value in text.inputs.values_mut() {
            *value = value.times(2f64.powi(exponent));
        }
        let model = text.build()?;
        if !model.simulate(EXAMINED_DT_MS, [1.0; 10])?.spikes.is_empty() {
            let holds = model.largest_product(EXAMINED_DT_MS)? <= Model::LARGEST_IN_FLOAT32;
            return Ok(if holds { text } else { neuron.text.clone() });
        }
    }
    Ok(neuron.text.clone())
}

/// Ridge regression's solution in float32 and on the device, against that on the CPU in float64.
fn examine_ridge(seed: u64, device: Device) -> Row {
    let comparisons = Comparison::on(device, false)
        .filter(|comparison| !matches!(comparison, Comparison::StepsF32 | Comparison::StepsF64));
    let mut row = Row::filled("ridge regression", comparisons, true, |row| {
        let exact = solution(seed, (Kind::Double, Device::Cpu))?;
        let single = solution(seed, (Kind::Float, device))?;
        row.take(Comparison::Float64, &in_float64(&single), &exact, "");
        if device != Device::Cpu {
            let on_cpu = solution(seed, (Kind::Float, Device::Cpu))?;
            row.take(Comparison::CpuF32, &in_float64(&single), &in_float64(&on_cpu), "");
            let double = solution(seed, (Kind::Double, device))?;
            row.take(Comparison::CpuF64, &in_float64(&double), &exact, "");
        }
        Ok(())
    });
    row.spikes = None;
    row
}

/// Weights of a readout fitted to random numbers. The penalty makes the problem one that float32 can hold.
fn solution(seed: u64, on: (Kind, Device)) -> Result<Named> {
    let mut params = Params::new(seed, on);
    let nvar = NvarConfig { delay: 3, stride: 2, order: vec![2], constant: false };
    let ngrc = Ngrc::new(&mut params, 2, 2, &NgrcConfig { nvar, ..NgrcConfig::default() })?;
    let mut rng = Rng::new(seed, "ridge");
    let mut normal = |channels: i64| rng.tensor(&[3, 50, channels], on, Rng::normal);
    let (x, y) = (normal(ngrc.n_in()), normal(ngrc.n_out()));
    let ridge = Ridge { alpha: 0.1, ..Ridge::default() };
    ridge.fit(&ngrc, &Shared::default(), &x, &y, ngrc.init_state(3, on))?;
    Ok(params.named().into_iter().map(|(name, t)| (name, t.detach())).collect())
}
