//! [`simulate()`]: a network of a file over time, into a run folder.
//!
//! | file | content |
//! |---|---|
//! | `spikes.npz` | of each population whose spikes are kept `E.times_ms` (float64) and `E.neurons` (int64), by time |
//! | `traces.npz` | of each recorded state `E.v` `[neurons, steps]` and `E.v.neurons`, and `times_ms` `[steps]`; only if there are any |
//! | `network.toml` | the network as it was read |
//! | `synapses.npz` | of each projection the neurons that each synapse connects, its weight and its delay; if they are to be saved |
//! | `activity.json` | spikes, rate, regularity and synchrony of each population |
//! | `config.json`, `manifest.json` | as of every run, see [`folder`](crate::folder) |
//!
//! A spike of step `k` has the time `k dt`, as in Brian2, so that the spikes of one simulation are the input of another. A trace has the
//! states after each step, at the times `(k + 1) dt`.

mod config;
pub(crate) mod files;
mod input;
mod report;
pub(crate) mod source;
pub(crate) mod trained;
mod write;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use bd_core::files::sha256_hex;
use bd_core::text::plural;
use bd_core::{Error, Result, kind_name, threads};
use bd_kernel::{Compile, Real};
use bd_networks::{Given, Options, Origins, PopulationSpikes, Recording, Simulation};
use bd_train::memory::check_available;
use tch::kind::Element;

use self::config::Steps;
pub use self::config::{MOST_STEPS, SimulateConfig};
pub use self::report::{PopulationReport, SimulationReport, TraceReport};
use self::source::NetworkFile;
use self::trained::OfRun;
use crate::Run;
use crate::config::Dtype;
use crate::experiment::Setting;
use crate::folder::RunFolder;
use crate::listener::Listener;
use crate::manifest::{Manifest, Status};
use crate::seconds::Seconds;

/// How long the network is simulated between two looks at whether it is to stop.
const PIECE: Duration = Duration::from_millis(500);

/// What a simulation came to.
#[must_use = "the run is marked as done by `finish`"]
#[derive(Debug)]
pub struct Simulated {
    /// Its folder, in which everything is but what the caller adds.
    pub folder: RunFolder,
    /// What was found, for pictures and tables.
    pub report: SimulationReport,
    /// Of its parts: `build`, `run`, `write`.
    pub seconds: Seconds,
    /// Whether it was stopped before its end; then it has what was simulated until then.
    pub stopped: bool,
}

impl Simulated {
    /// How many seconds were simulated in a second, building and writing aside.
    pub fn times_real_time(&self) -> f64 {
        self.report.duration_ms() / 1e3 / self.seconds.of("run").unwrap_or(f64::NAN)
    }

    /// Marks the run as done, or as stopped: its folder.
    pub fn finish(self) -> Result<PathBuf> {
        match self.stopped {
            true => Ok(self.folder.keep(Status::Stopped)),
            false => self.folder.finish(),
        }
    }
}

/// Simulates the network of a file, or that of a run that has trained one, and writes what happened into a run folder. The device of the setting is
/// not used.
///
/// Where the setting's control stops it, it ends within about half a second and has what was simulated until then.
///
/// # Errors
///
/// [`Error::Config`] with line and column where the network is wrong, [`Error::BadFile`] where a file that it names is,
/// [`Error::OutOfMemory`] before anything is drawn or written if it would take more memory than there is.
pub fn simulate(mut config: SimulateConfig, setting: &Setting, listener: &dyn Listener) -> Result<Simulated> {
    config.check()?;
    setting.check_alone("a simulation")?;
    let mut origin = Origin::read(&mut config)?;
    origin.choose_input(&mut config, listener)?;
    match config.dtype {
        Dtype::F32 => run::<f32>(config, &origin, setting, listener),
        Dtype::F64 => run::<f64>(config, &origin, setting, listener),
    }
}

/// A network that was read.
struct Origin {
    source: NetworkFile,
    /// What training has made of it.
    given: Given,
    /// That has trained it.
    run: Option<Run>,
}

impl Origin {
    /// Of a file, or of the folder of a run.
    fn read(config: &mut SimulateConfig) -> Result<Self> {
        if !config.network.is_dir() {
            if let Some(member) = config.member {
                return Err(Error::setting("member", member, "of a run; a file has one network"));
            }
            return Ok(Self { source: NetworkFile::read(&config.network)?, given: Given::default(), run: None });
        }
        let run = Run::open(&config.network)?;
        let OfRun { source, given, seed, weights_sha256, .. } = OfRun::read(&run, *config.member.get_or_insert(1))?;
        if config.seed != seed {
            return Err(Error::setting(
                "seed",
                config.seed,
                format!("{seed}, by which the run has drawn its synapses"),
            ));
        }
        config.weights_sha256 = weights_sha256;
        Ok(Self { source, given, run: Some(run) })
    }
}

fn run<F: Real + Element>(
    mut config: SimulateConfig,
    origin: &Origin,
    setting: &Setting,
    listener: &dyn Listener,
) -> Result<Simulated> {
    let NetworkFile { toml, network, .. } = &origin.source;
    let (steps, rounded) = config.steps(network.dt_ms)?;
    rounded.iter().for_each(|rounded| listener.say(&format!("duration  {rounded}")));
    check_memory::<F>(&config, origin, steps)?;
    config.network_sha256 = Some(sha256_hex(toml.as_bytes()));
    config.make_absolute();
    threads::set(config.threads);
    let dtype = kind_name(config.dtype.kind());
    let program = setting.program.clone();
    let manifest = Manifest::of_job(&config.job, dtype, config.seed, config.threads, setting.device, program);
    let folder = RunFolder::create(setting.out.as_deref(), &config, manifest)?;
    let mut seconds = Seconds::since(setting.began);
    seconds.lap("setup");
    let Some(mut simulation) = drawn::<F>(&config, origin, setting, listener)? else {
        let kept = network.populations.iter().zip(&network.keeps_spikes).filter(|(_, keeps)| **keeps);
        let no_spikes = kept.map(|(of, _)| PopulationSpikes { population: of.name.clone(), spikes: Vec::new() });
        let nothing: Recording<F> = Recording { steps: 0, spikes: no_spikes.collect(), traces: Vec::new() };
        let report = SimulationReport::new(network, nothing, steps, 0)?;
        write::all(&folder, toml, &report)?;
        seconds.lap("build");
        return Ok(Simulated { folder, report, seconds, stopped: true });
    };
    seconds.lap("build");
    let synapses = simulation.synapses();
    listener.say(&format!(
        "network   {}, {}",
        plural(network.populations.len(), "population"),
        plural(synapses, "synapse")
    ));
    if config.save_synapses {
        write::synapses(&folder, network, &simulation)?;
    }
    let stopped = advance(&mut simulation, steps, network.dt_ms, setting, listener)?;
    for (population, outcome) in simulation.outcomes().into_iter().filter(|(_, outcome)| outcome != "interpreted") {
        listener.say(&format!("loops     {population}: {outcome}"));
    }
    let recording: Recording<F> = simulation.recording();
    drop(simulation);
    seconds.lap("run");
    let report = SimulationReport::new(network, recording, steps, synapses)?;
    write::all(&folder, toml, &report)?;
    seconds.lap("write");
    Ok(Simulated { folder, report, seconds, stopped })
}

/// The simulation before its first step; nothing if it is stopped while synapses are drawn.
fn drawn<F: Real>(
    config: &SimulateConfig,
    Origin { source, given, .. }: &Origin,
    setting: &Setting,
    listener: &dyn Listener,
) -> Result<Option<Simulation<F>>> {
    let files = &source.files;
    let edges = |file: &str| files.edges(file).cloned().ok_or_else(|| "it was not read".to_owned());
    let trains = |file: &str| files.train(file).cloned().ok_or_else(|| "it was not read".to_owned());
    let wanted = |part: f64| {
        listener.on_drawn(part);
        !setting.control.is_stopped()
    };
    let origins = Origins { edges: &edges, trains: &trains, given, wanted: &wanted };
    let compile = if config.compile { Compile::IfFound } else { Compile::Never };
    let options = Options { seed: config.seed, threads: config.threads, compile };
    let expected: f64 = source.network.projections.iter().map(|projection| projection.expected()).sum();
    listener.on_drawing(expected);
    let simulation = Simulation::<F>::of(&source.network, options, &origins).map_err(|error| source.wrong(error));
    listener.on_trained();
    simulation
}

/// Refuses what the machine does not hold.
fn check_memory<F: Real>(config: &SimulateConfig, origin: &Origin, steps: Steps) -> Result<()> {
    let Origin { source, given, .. } = origin;
    let mut bytes = source.network.bytes::<F>(steps.all, config.threads, &|file| source.files.edges(file));
    bytes.synapses += given.bytes(size_of::<F>() as f64);
    if config.save_synapses {
        let count: f64 = source.network.projections.iter().map(|projection| projection.expected()).sum();
        bytes.synapses += count * write::bytes_of_a_synapse::<F>();
    }
    // While they are written traces are there four times: as they were recorded, as a tensor, as a member of the file, and in the file.
    bytes.traces *= 4.0;
    let parts = [
        (bytes.synapses, "fewer synapses"),
        (bytes.arrivals, "fewer neurons or shorter delays"),
        (bytes.neurons, "fewer neurons"),
        (bytes.traces, "traces of fewer neurons, or a shorter duration"),
    ];
    let (_, advice) = parts.into_iter().max_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or_default();
    let single = if config.dtype == Dtype::F64 { ", or float32" } else { "" };
    check_available("the simulation", bytes.total(), &format!("take {advice}{single}"))
}

/// Makes the steps in pieces until it is to stop: whether it was.
fn advance<F: Real>(
    simulation: &mut Simulation<F>,
    steps: Steps,
    dt_ms: f64,
    setting: &Setting,
    listener: &dyn Listener,
) -> Result<bool> {
    listener.on_simulation(steps.all as f64 * dt_ms);
    let mut piece = 16;
    while simulation.done() < steps.all && !setting.control.is_stopped() {
        let began = Instant::now();
        simulation.advance(piece.min(steps.all - simulation.done()));
        let now_ms = simulation.done() as f64 * dt_ms;
        listener.on_simulated(now_ms);
        if let Some(what) = simulation.not_finite() {
            listener.on_trained();
            let where_ = format!("after {now_ms} ms; a smaller dt_ms may help, or a method for steep equations");
            return Err(Error::NotFinite { what, where_ });
        }
        // As many as take the time of a piece, and not all at once more.
        let factor = PIECE.as_secs_f64() / began.elapsed().as_secs_f64().max(1e-9);
        piece = ((piece as f64 * factor.min(4.0)) as u64).max(1);
    }
    listener.on_trained();
    Ok(simulation.done() < steps.all)
}

#[cfg(test)]
mod tests;
