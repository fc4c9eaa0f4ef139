//! [`examine`]: a system held to its contract in all ways of scanning, as a [`Row`] of a table.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::{Map, Value, json};
use tch::{Device, Kind, Tensor};

use super::{Difference, Form, Named, Recorded, ScanCase, Size, Trial, Way, compare, gradients, vary_vectors};
use crate::dyn_system::DynSystem;
use crate::error::{Result, catch_torch, panic_message};
use crate::params::Params;
use crate::rng::Rng;
use crate::shared::Phase;
use crate::system::System;

/// A model that can be made in any size, to be examined.
pub struct Subject {
    /// What it is called in the table. Sizes and random numbers of its examination depend on it.
    pub name: String,
    /// Whether difference quotients mean anything: not where a surrogate takes the place of a derivative.
    pub smooth: bool,
    build: Build,
}

type Build = Box<dyn Fn(&mut Params, i64) -> Result<DynSystem> + Sync + Send>;

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject").field("name", &self.name).field("smooth", &self.smooth).finish_non_exhaustive()
    }
}

impl Subject {
    /// A model whose outputs are differentiable functions of its inputs. `build` makes it with about as many units as its second argument says.
    pub fn smooth<S: System + 'static>(
        name: impl Into<String>,
        build: impl Fn(&mut Params, i64) -> Result<S> + Sync + Send + 'static,
    ) -> Self {
        let build = move |params: &mut Params, n: i64| Ok(DynSystem::new(build(params, n)?));
        Self { name: name.into(), smooth: true, build: Box::new(build) }
    }

    /// A model with spikes, whose states `spike` are 0 or 1 and whose gradients are those of a surrogate.
    pub fn spiking<S: System + 'static>(
        name: impl Into<String>,
        build: impl Fn(&mut Params, i64) -> Result<S> + Sync + Send + 'static,
    ) -> Self {
        Self { smooth: false, ..Self::smooth(name, build) }
    }

    /// The model with about `units` units, and its parameters, of which vectors are moved away from zero.
    pub fn build(&self, units: i64, seed: u64, on: (Kind, Device)) -> Result<(DynSystem, Params)> {
        let mut params = Params::new(seed, on);
        let system = (self.build)(&mut params, units)?;
        vary_vectors(&params, seed);
        Ok((system, params))
    }
}

/// Two ways to the same numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// The scan in float32 against its steps.
    StepsF32,
    /// The same in float64.
    StepsF64,
    /// The scan's gradients in float64 against difference quotients.
    Differences,
    /// The scan in float32 against steps in float64.
    Float64,
    /// The scan in float32 against that on the CPU.
    CpuF32,
    /// The same in float64.
    CpuF64,
}

impl Comparison {
    /// All, in the order of the columns of a table.
    pub const ALL: [Self; 6] =
        [Self::StepsF32, Self::StepsF64, Self::Differences, Self::Float64, Self::CpuF32, Self::CpuF64];

    /// In few letters, for a column of a table.
    pub fn name(self) -> &'static str {
        match self {
            Self::StepsF32 => "steps f32",
            Self::StepsF64 => "steps f64",
            Self::Differences => "differences",
            Self::Float64 => "float64",
            Self::CpuF32 => "cpu f32",
            Self::CpuF64 => "cpu f64",
        }
    }

    /// The largest difference allowed, relative to the largest entry of the reference. A surrogate may be steep near the threshold,
    /// so that what float32 rounds off there is enlarged.
    pub fn tolerance(self, smooth: bool) -> f64 {
        match self {
            Self::StepsF32 | Self::Float64 | Self::CpuF32 if smooth => 1e-4,
            Self::StepsF32 | Self::Float64 | Self::CpuF32 => 5e-4,
            Self::StepsF64 | Self::CpuF64 => 1e-11,
            Self::Differences => 1e-6,
        }
    }

    /// Those that there are on a device, of smooth models or of others.
    pub fn on(device: Device, smooth: bool) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |comparison| match comparison {
            Self::Differences => smooth,
            Self::CpuF32 | Self::CpuF64 => device != Device::Cpu,
            _ => true,
        })
    }
}

/// One comparison of a model, in all ways of scanning.
#[derive(Debug)]
pub struct Check {
    /// Which one.
    pub comparison: Comparison,
    /// The largest relative difference that is allowed.
    pub tolerance: f64,
    /// The largest relative difference that was found.
    pub largest: f64,
    /// What was found wrong first.
    pub fault: Option<Fault>,
}

/// What is wrong with a comparison.
#[derive(Debug, Clone)]
pub struct Fault {
    /// In a word: `differs`, `zero`, `NaN`, `unlike`, `spikes` or `error`.
    pub word: &'static str,
    /// In a sentence.
    pub sentence: String,
}

impl Check {
    fn new(comparison: Comparison, smooth: bool) -> Self {
        Self { comparison, tolerance: comparison.tolerance(smooth), largest: 0.0, fault: None }
    }

    /// Of a smooth model, by a relative difference that was found elsewhere.
    pub fn measured(comparison: Comparison, largest: f64) -> Self {
        let mut check = Self { largest, ..Self::new(comparison, true) };
        if largest.is_nan() || largest > check.tolerance {
            check.blame("differs", format!("differs by {largest:.1e}"));
        }
        check
    }

    /// Takes what was found in one way of scanning. Neurons that spike at different times have nothing to compare: that is a fault
    /// of its own.
    fn take(&mut self, found: &Named, expected: &Named, way: &str) {
        let (differ, all) = spikes(found, expected);
        if differ > 0 {
            self.blame("spikes", format!("{differ} spikes of {all} differ{way}"));
            return;
        }
        for difference in compare(found, expected) {
            self.judge(&difference, way);
        }
    }

    fn judge(&mut self, difference: &Difference, way: &str) {
        if let Size::Relative(size) = difference.size {
            self.largest = self.largest.max(size);
        }
        if difference.exceeds(self.tolerance) {
            let word = match difference.size {
                Size::Relative(_) => "differs",
                Size::Zero => "zero",
                Size::NotFinite => "NaN",
                Size::Unlike(_) => "unlike",
            };
            self.blame(word, format!("{difference}{way}"));
        }
    }

    fn blame(&mut self, word: &'static str, sentence: String) {
        self.fault.get_or_insert(Fault { word, sentence });
    }
}

/// What is found of a model: a row of a table, with a [`Check`] for each column.
#[derive(Debug)]
pub struct Row {
    /// Its name.
    pub model: String,
    /// One for each comparison that was made.
    pub checks: Vec<Check>,
    /// Of spiking models: how many spikes there are, by steps in float64.
    pub spikes: Option<usize>,
}

impl Row {
    /// The check of this comparison, if it was made.
    pub fn of(&self, comparison: Comparison) -> Option<&Check> {
        self.checks.iter().find(|check| check.comparison == comparison)
    }

    /// Compares `found` with `expected` for a comparison that this row has. `way` ends the sentence about what is wrong.
    ///
    /// # Panics
    ///
    /// If the row was made without that comparison.
    pub fn take(&mut self, comparison: Comparison, found: &Named, expected: &Named, way: &str) {
        let mut checks = self.checks.iter_mut();
        let check = checks.find(|check| check.comparison == comparison).expect("it is one of this row's");
        check.take(found, expected, way);
    }

    /// A row with these comparisons that `fill` fills. What panics or fails there is a fault of every check that had none.
    pub fn filled(
        model: &str,
        comparisons: impl Iterator<Item = Comparison>,
        smooth: bool,
        fill: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Self {
        let checks = comparisons.map(|comparison| Check::new(comparison, smooth)).collect();
        let mut row = Self { model: model.to_owned(), checks, spikes: (!smooth).then_some(0) };
        let done = catch_unwind(AssertUnwindSafe(|| catch_torch(|| fill(&mut row))));
        let words = match done {
            Ok(Ok(())) => return row,
            Ok(Err(error)) => error.to_string(),
            Err(payload) => panic_message(payload.as_ref()).into_owned(),
        };
        for check in &mut row.checks {
            check.blame("error", words.lines().next().unwrap_or_default().to_owned());
        }
        row
    }
}

/// Compares everything that a model promises, in all ways of scanning, with sizes and numbers that depend on `seed` and its name.
pub fn examine(model: &Subject, seed: u64, device: Device) -> Row {
    Row::filled(&model.name, Comparison::on(device, model.smooth), model.smooth, |row| {
        let mut rng = Rng::new(seed, &model.name);
        let units = 2 + (rng.bits() % if model.smooth { 39 } else { 11 }) as i64;
        let sized = sized_case(rng.bits());
        let case = if model.smooth { sized } else { steady_case(model, units, sized)? };
        let built = |kind, device| Built::new(model, units, case, (kind, device));
        let (single, double) = (built(Kind::Float, device)?, built(Kind::Double, device)?);
        let on_cpu = match device {
            Device::Cpu => None,
            _ => Some((built(Kind::Float, Device::Cpu)?, built(Kind::Double, Device::Cpu)?)),
        };
        for way in Way::ALL {
            let said = words(way);
            let (found, exact) = (single.trial(way).by_scan(), double.trial(way).by_scan());
            let steps = double.trial(way).by_step();
            row.take(Comparison::StepsF32, &found, &single.trial(way).by_step(), &said);
            row.take(Comparison::StepsF64, &exact, &steps, &said);
            let (found, steps) = (in_float64(&found), in_float64(&steps));
            row.take(Comparison::Float64, &found, &steps, &said);
            if let Some((single, double)) = &on_cpu {
                row.take(Comparison::CpuF32, &found, &in_float64(&single.trial(way).by_scan()), &said);
                row.take(Comparison::CpuF64, &in_float64(&exact), &in_float64(&double.trial(way).by_scan()), &said);
            }
            row.spikes = row.spikes.map(|before| before + spikes(&steps, &steps).1);
        }
        if model.smooth {
            // Small, for every entry is moved twice.
            let case = ScanCase { time: 5, batch: 2, ..case };
            let built = Built::new(model, 3, case, (Kind::Double, device))?;
            let trial = built.trial(Way { phase: Phase::Fit, record: Recorded::Nothing, form: Form::Dense });
            row.take(Comparison::Differences, &gradients(&trial.by_scan()), &trial.by_differences(), "");
        }
        Ok(())
    })
}

impl Row {
    /// For programs: name, number of spikes, and of each check its error, tolerance and verdict.
    pub fn json(&self) -> Value {
        let checks: Map<String, Value> = self
            .checks
            .iter()
            .map(|check| {
                let verdict = check.fault.as_ref().map_or("ok", |fault| fault.word);
                let mut value = json!({"error": check.largest, "tolerance": check.tolerance, "verdict": verdict});
                if let Some(fault) = &check.fault {
                    value["why"] = json!(fault.sentence);
                }
                (check.comparison.name().replace(' ', "_"), value)
            })
            .collect();
        let mut row = json!({"model": self.model, "checks": checks});
        if let Some(spikes) = self.spikes {
            row["spikes"] = json!(spikes);
        }
        row
    }
}

/// Which checks failed, as `model (column)`, and why.
pub fn failures(rows: &[Row]) -> Vec<(String, &str)> {
    let all = rows.iter().flat_map(|row| row.checks.iter().map(move |check| (row, check)));
    let failed = all.filter_map(|(row, check)| Some((row, check, check.fault.as_ref()?)));
    failed
        .map(|(row, check, fault)| (format!("{} ({})", row.model, check.comparison.name()), fault.sentence.as_str()))
        .collect()
}

/// A model that was made, and what it runs on.
struct Built {
    system: DynSystem,
    params: Params,
    case: ScanCase,
}

impl Built {
    fn new(model: &Subject, units: i64, case: ScanCase, on: (Kind, Device)) -> Result<Self> {
        let (system, params) = model.build(units, case.seed, on)?;
        Ok(Self { system, params, case: ScanCase { on, ..case } })
    }

    fn trial(&self, way: Way) -> Trial<'_, DynSystem> {
        Trial { system: &self.system, params: &self.params, case: self.case, way }
    }
}

/// Random sizes that fill no tile, a few, or wide ones; steps enough for what comes a few steps later. In float64 on the CPU.
pub fn sized_case(seed: u64) -> ScanCase {
    let case = ScanCase::random(seed, (Kind::Double, Device::Cpu), 0.0);
    ScanCase { time: 8 + case.time % 13, ..case }
}

/// The case with a seed for which there are spikes that survive scaling all inputs by 1 +- 2e-5, so that rounding cannot flip one: what
/// float32 rounds off, and what another device calculates in another order, is a hundredth of that. After 50 seeds the last one.
pub fn steady_case(model: &Subject, units: i64, sized: ScanCase) -> Result<ScanCase> {
    let mut case = sized;
    for attempt in 0..50 {
        case.seed = sized.seed.wrapping_add(attempt);
        let built = Built::new(model, units, case, sized.on)?;
        let holds = |form: Form| {
            let trial = built.trial(Way { phase: Phase::Predict, record: Recorded::All, form });
            let as_it_is = trial.scaled(1.0);
            let same = |scale: f64| spikes(&trial.scaled(scale), &as_it_is).0 == 0;
            let some = form != Form::Dense || spikes(&as_it_is, &as_it_is).1 > 0;
            some && [1.0 - 2e-5, 1.0 + 2e-5].into_iter().all(same)
        };
        if [Form::Dense, Form::Sparse, Form::Spikes].into_iter().all(holds) {
            break;
        }
    }
    Ok(case)
}

/// How many of the spikes that were recorded differ, and how many there are in the reference.
fn spikes(found: &Named, expected: &Named) -> (usize, usize) {
    let recorded = |all: &Named| -> Vec<Tensor> {
        let spikes = all.iter().filter(|(name, _)| name.starts_with("trace of") && name.ends_with("spike"));
        spikes.map(|(_, spikes)| spikes.shallow_clone()).collect()
    };
    let sum = |t: Tensor| t.sum(Kind::Int64).int64_value(&[]) as usize;
    let pairs = recorded(found).into_iter().zip(recorded(expected));
    pairs
        .filter(|(found, expected)| found.size() == expected.size())
        .fold((0, 0), |(differ, all), (found, expected)| {
            (differ + sum(found.ne_tensor(&expected)), all + sum(expected))
        })
}

/// The same tensors in float64 on the host, so that they can be compared with anything.
pub fn in_float64(all: &Named) -> Named {
    all.iter().map(|(name, t)| (name.clone(), t.to_device(Device::Cpu).to_kind(Kind::Double))).collect()
}

/// For the end of a sentence.
fn words(way: Way) -> String {
    let record = match way.record {
        Recorded::Nothing => "",
        Recorded::Some => ", some recorded",
        Recorded::All => ", recorded",
    };
    format!(" ({:?} input, {:?}{record})", way.form, way.phase).to_lowercase()
}

#[cfg(test)]
mod tests;
