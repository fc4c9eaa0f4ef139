//! `bd train`: a job from its options to its run folder, or a run that goes on.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use bd_core::device::{Device, device_name};
use bd_core::{DeviceSpec, Error, libtorch, text, threads};
use bd_run::folder::read_manifest;
use bd_run::{
    Assist, Config, Ended, FeaturesConfig, ForecastConfig, Layers, Listener, NetworkConfig, Outcome, Report, Resume,
    ResumeEnded, Setting,
};
use serde_json::{Value, json};

use crate::args::{self, Train};
use crate::auto;
use crate::console;
use crate::determinism;
use crate::figures;
use crate::info::{VERSION, git_hash};
use crate::options;
use crate::printed;
use crate::processes::{self, Group};
use crate::progress::Progress;
use crate::signals::Watch;
use crate::table;

pub(crate) fn train(args: args::TrainArgs) -> Result<()> {
    determinism::hold(args.run().is_some_and(|run| run.deterministic))?;
    match (args.job, args.resume) {
        (Some(Train::Ngrc(args)), None) => forecast(&args.series.run, "ngrc", options::of_ngrc(&args)?),
        (Some(Train::Esn(args)), None) => esn(&args),
        (Some(Train::Rnn(args)), None) => network(&args.run, &args.learning.processes, "rnn", options::of_rnn(&args)?),
        (Some(Train::Snn(args)), None) => network(&args.run, &args.learning.processes, "snn", options::of_snn(&args)?),
        (Some(Train::Conv(args)), None) => features(&args.run, "conv", options::of_conv(&args)?),
        (Some(Train::Auto(args)), None) => auto::auto(&args),
        (None, Some(run)) => resume(&run, &args.changes),
        (Some(_), Some(run)) => Err(Error::Config(format!(
            "--resume goes on with a run as it is and takes no job: bd train --resume {}",
            run.display()
        ))
        .into()),
        (None, None) => Err(Error::Config(
            "name a job (ngrc, esn, rnn, snn, conv or auto), or a run to go on with by --resume".into(),
        )
        .into()),
    }
}

fn forecast(args: &args::Run, name: &str, layers: Layers) -> Result<()> {
    if args.print_config {
        return printed::print(
            ForecastConfig::resolve(name, &layers).map(Box::new).map(Config::Forecast)?,
            &layers,
            args.json,
        );
    }
    // Settings are tried on several threads.
    bd_core::memory::share_freed();
    job(args, layers, |work, layers| {
        let config = ForecastConfig::resolve(name, layers)?;
        let setting = work.setting(&Config::Forecast(Box::new(config.clone())))?;
        bd_run::forecast(config, &setting, &work.progress)
    })
}

fn features(args: &args::Run, name: &str, layers: Layers) -> Result<()> {
    if args.print_config {
        let (config, _) = FeaturesConfig::resolve(name, &layers)?;
        return printed::print(Config::Features(Box::new(config)), &layers, args.json);
    }
    job(args, layers, |work, layers| {
        let (config, data) = FeaturesConfig::resolve(name, layers)?;
        let setting = work.setting(&Config::Features(Box::new(config.clone())))?;
        bd_run::fit_features(config, data, &setting, &work.progress)
    })
}

/// An echo state network forecasts a series, or learns the targets of sequences, by what is in the file.
fn esn(args: &args::Esn) -> Result<()> {
    let run = &args.series.run;
    match FeaturesConfig::are_examples(&options::of_data(args)?)? {
        true => features(run, "esn", options::of_esn_on_sequences(args)?),
        false => forecast(run, "esn", options::of_esn(args)?),
    }
}

fn network(args: &args::Run, processes: &args::Processes, name: &str, layers: Layers) -> Result<()> {
    if args.print_config {
        let (config, _) = NetworkConfig::resolve(name, &layers)?;
        return printed::print(Config::Network(Box::new(config)), &layers, args.json);
    }
    if processes::started(processes.processes)? {
        return Ok(());
    }
    let group = Group::join(processes)?;
    if let (true, Some(out)) = (processes.go_on, &args.out)
        && bd_run::agreed(group.as_ref().map(|group| &*group.group), || bd_run::is_begun(out))?
    {
        return go_on(out, layers, group, args.json, args.quiet);
    }
    job_among(args, layers, group, |work, layers| {
        let (config, lessons) = NetworkConfig::resolve(name, layers)?;
        let setting = work.setting(&Config::Network(Box::new(config.clone())))?;
        bd_run::train(config, lessons, &setting, &work.progress)
    })
}

/// What a job works with.
struct Work<'a> {
    began: Instant,
    watch: &'a Watch,
    progress: Progress,
    out: Option<&'a Path>,
    group: Option<Group>,
}

impl Work<'_> {
    /// Where it computes, by the configuration, and with how many threads: said in the first line.
    fn setting(&self, config: &Config) -> bd_core::Result<Setting> {
        let device = choose_device(config.device(), &self.progress)?;
        threads::set(config.threads());
        self.progress.say(&about(&device_name(device), &bd_core::kind_name(config.dtype().kind()), config.threads()));
        Ok(Setting {
            device,
            out: self.out.map(Path::to_path_buf),
            control: self.watch.control(),
            program: (VERSION, git_hash()),
            began: self.began,
            group: self.group.as_ref().map(|group| Arc::clone(&group.group)),
        })
    }
}

/// Sees a job of one process through.
fn job(args: &args::Run, layers: Layers, job: impl FnOnce(&Work<'_>, &Layers) -> bd_core::Result<Ended>) -> Result<()> {
    job_among(args, layers, Group::join(&args::Processes::default())?, job)
}

/// Sees a job through, as one of the processes of a group if there are several.
fn job_among(
    args: &args::Run,
    mut layers: Layers,
    group: Option<Group>,
    job: impl FnOnce(&Work<'_>, &Layers) -> bd_core::Result<Ended>,
) -> Result<()> {
    let began = Instant::now();
    let watch = Watch::begin()?;
    let quiet = args.quiet || group.as_ref().is_some_and(Group::assists);
    group.as_ref().map_or(Ok(()), |group| group.share_cores(&mut layers))?;
    let work = Work { began, watch: &watch, progress: Progress::new(quiet), out: args.out.as_deref(), group };
    layers.fit_threads()?.iter().for_each(|words| work.progress.say(&format!("note      {words}")));
    let ended = job(&work, &layers)?;
    finish(ended, &work, args.json, args.quiet)
}

fn resume(run: &Path, args: &args::Changes) -> Result<()> {
    // What is wrong with the folder is told when it is opened.
    let manifest = read_manifest(run);
    determinism::hold(manifest.as_ref().is_ok_and(|manifest| manifest.deterministic))?;
    if manifest.is_ok_and(|manifest| ["ngrc", "esn"].contains(&manifest.job.as_str())) {
        // As when a forecast began; where one reads sequences, it makes no difference.
        bd_core::memory::share_freed();
    }
    if processes::started(args.processes)? {
        return Ok(());
    }
    let of_group =
        args::Processes { distributed: args.distributed.clone(), timeout: args.timeout, ..Default::default() };
    let group = Group::join(&of_group)?;
    go_on(run, options::of_changes(args)?, group, args.json, args.quiet)
}

/// Goes on with a run, as one of the processes of a group if there are several.
fn go_on(run: &Path, mut layers: Layers, group: Option<Group>, as_json: bool, quiet: bool) -> Result<()> {
    let began = Instant::now();
    let watch = Watch::begin()?;
    let assists = group.as_ref().is_some_and(Group::assists);
    group.as_ref().map_or(Ok(()), |group| group.share_cores(&mut layers))?;
    let work = Work { began, watch: &watch, progress: Progress::new(quiet || assists), out: None, group };
    let ended = if assists {
        let assist = Assist::open(run, &layers)?;
        let setting = work.setting(assist.config())?;
        assist.run(&setting, &work.progress)?
    } else {
        let resume = Resume::open(run, &layers)?;
        let setting = work.setting(resume.config())?;
        resume.run(&setting, &work.progress)?
    };
    match ended {
        ResumeEnded::NothingLeft(_) if assists => Ok(()),
        ResumeEnded::Went(ended) => finish(ended, &work, as_json, quiet),
        ResumeEnded::NothingLeft(path) => {
            let path = path.display();
            work.progress.say(&format!(
                "run       {path} is done, and there is nothing left to do; a network goes on with more --updates or --epochs"
            ));
            if as_json {
                console::result(
                    &json!({"job": "resume", "run": run.to_string_lossy(), "nothing_left": true}).to_string(),
                )?;
            }
            Ok(())
        }
    }
}

/// Adds the plots, marks the run as done, and prints what was found.
fn finish(ended: Ended, work: &Work<'_>, as_json: bool, quiet: bool) -> Result<()> {
    let outcome = match ended {
        Ended::Finished(outcome) => outcome,
        Ended::Stopped { kept } => {
            let assists = work.group.as_ref().is_some_and(Group::assists);
            return Err(work.watch.interrupted(kept).of_assistant(assists).into());
        }
        Ended::Assisted => return Ok(()),
    };
    figures::save(&outcome.folder, figures::of(&outcome.report));
    let printed = if as_json { json_of(&outcome).to_string() } else { table::of(&outcome.report) };
    let seconds = outcome.seconds.total();
    let path = outcome.finish()?;
    if as_json || !quiet {
        console::result(&printed)?;
    }
    work.progress.say(&format!("run       {} ({seconds:.2} s)", path.display()));
    Ok(())
}

/// The object of `--json`: what was done, where, and what came of it.
fn json_of(outcome: &Outcome) -> Value {
    let mut seconds = outcome.seconds.to_json();
    let mut metrics = outcome.metrics.clone();
    let manifest = outcome.folder.manifest();
    let mut found = json!({
        "job": manifest.job, "run": outcome.folder.path().to_string_lossy(), "device": manifest.device,
        "objective": outcome.objective.name,
    });
    match &outcome.report {
        Report::Network(report) => {
            if let Some(trained) = report.trained.first() {
                let at = |fraction| trained.seconds_at(fraction);
                seconds.insert("update".into(), json!({"median": at(0.5), "p10": at(0.1), "p90": at(0.9)}));
                seconds.insert("drawing".into(), json!(trained.drawing_s));
                metrics.insert("train_loss_last_100".into(), json!(trained.mean_of_last(100)));
                metrics.insert("updates".into(), json!(trained.losses.len()));
            }
        }
        Report::Forecast(report) => {
            if let Some(choice) = &report.device {
                found["ridge"] = choice.json();
            }
        }
    }
    found["seconds"] = json!(seconds);
    found["metrics"] = json!(metrics);
    if let Some(memory) = &outcome.memory {
        found["memory"] = memory.json();
    }
    found
}

/// The device of a specification. Of `auto` it says what was chosen, and why that is no GPU.
pub(crate) fn choose_device(spec: DeviceSpec, progress: &Progress) -> bd_core::Result<Device> {
    let (device, problem) = spec.choose()?;
    if spec == DeviceSpec::Auto {
        let why = problem.map_or_else(String::new, |problem| format!(", for CUDA is not usable: {problem}"));
        progress.say(&format!("device    auto is {}{why}", device_name(device)));
    }
    Ok(device)
}

/// The program, and what it computes on.
pub(crate) fn about(device: &str, dtype: &str, threads: usize) -> String {
    let libtorch = libtorch::version();
    let libtorch = libtorch.as_deref().unwrap_or("unknown");
    format!("bd {VERSION}, libtorch {libtorch}, {device}, {dtype}, {}", text::plural(threads, "thread"))
}
