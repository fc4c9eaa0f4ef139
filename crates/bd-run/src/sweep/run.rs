//! [`sweep()`]: all trials of a sweep, side by side; [`sweep_trial()`]: one of them, for jobs of an array.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use bd_core::text::short;
use bd_core::{Error, Result};
use bd_train::Control;
use bd_train::memory::{available_bytes, shown};

use super::process::{Running, silent};
use super::report::SweepReport;
use super::spec::{SweepSpec, SweepTrial};
use super::state::{Standing, SweepFolder, TrialRow, Work};
use crate::config::{check_threads, cores};
use crate::listener::Listener;

/// Between two looks at the processes.
const LOOK: Duration = Duration::from_millis(20);

/// What surrounds a sweep.
#[derive(Debug, Clone)]
pub struct SweepSetting {
    /// The program that runs a trial: `bd`.
    pub program: PathBuf,
    /// The folder of the sweep, new or of the same one.
    pub out: PathBuf,
    /// Trials at work at once; as many as there are cores for where nothing is said, on a GPU one.
    pub jobs: Option<usize>,
    /// Threads of each of them, which change no result.
    pub threads: usize,
    /// Stops it: its trials write their checkpoints.
    pub control: Control,
    /// When the work began.
    pub began: Instant,
}

/// How a sweep ended.
#[derive(Debug)]
pub enum SweepEnded {
    /// All trials have ended, or failed.
    Finished(Box<SweepReport>),
    /// It was stopped; the same call goes on in this folder.
    Stopped(PathBuf),
}

/// How a trial ended that was run alone.
#[derive(Debug)]
pub enum TrialEnded {
    /// It is done, or failed.
    Finished(Box<TrialRow>),
    /// It was stopped; the same call goes on in this folder.
    Stopped(PathBuf),
}

/// Runs the trials of a sweep that have not ended yet, each in a process of its own, and says what came of all. The calling thread must
/// live as long: its end is a signal to the processes to stop.
///
/// Fails with [`Error::Locked`] while another process runs the same sweep, and with [`Error::Mismatch`] if the folder is of another one.
pub fn sweep(spec: &SweepSpec, setting: &SweepSetting, listener: &dyn Listener) -> Result<SweepEnded> {
    let jobs = jobs(spec, setting)?;
    let folder = SweepFolder::open(&setting.out, spec)?;
    let _lock = folder.lock()?;
    let mut trials = Trials::new(spec, setting, &folder, listener, spec.all())?;
    let open = trials.pending.len();
    listener.say(&format!(
        "sweep     {}: {} of {} trials are to be run, at most {jobs} at once with {} threads each, in {}",
        spec.job,
        open,
        spec.count().unwrap_or(0),
        setting.threads,
        folder.path().display()
    ));
    listener.on_search(open);
    let whole = trials.run(jobs, true);
    listener.on_trained();
    if !whole? {
        return Ok(SweepEnded::Stopped(folder.path().to_path_buf()));
    }
    let mut report = trials.report()?;
    report.choose(&folder)?;
    folder.write(spec, &report)?;
    folder.write_table(&report)?;
    Ok(SweepEnded::Finished(Box::new(report)))
}

/// Runs one trial of a sweep, by its number from 0, unless it has ended. Several processes may do so in one folder.
pub fn sweep_trial(
    spec: &SweepSpec,
    number: usize,
    setting: &SweepSetting,
    listener: &dyn Listener,
) -> Result<TrialEnded> {
    jobs(spec, setting)?;
    let all = spec.all();
    let last = all.len().saturating_sub(1);
    let Some(trial) = all.into_iter().nth(number) else {
        return Err(Error::setting("index", number, format!("from 0 to {last}")));
    };
    let folder = SweepFolder::open(&setting.out, spec)?;
    let mut trials = Trials::new(spec, setting, &folder, listener, vec![trial.clone()])?;
    if !trials.run(1, false)? {
        return Ok(TrialEnded::Stopped(folder.path().to_path_buf()));
    }
    let row = folder.row(&trial)?.ok_or_else(|| Error::Config(format!("{} has no result", trial.name())))?;
    Ok(TrialEnded::Finished(Box::new(row)))
}

/// How many trials are at work at once.
fn jobs(spec: &SweepSpec, setting: &SweepSetting) -> Result<usize> {
    check_threads(setting.threads)?;
    let on_cpu = spec.base.get("device").is_none_or(|device| device == "cpu") && !spec.grid.contains_key("device");
    let usual = if on_cpu { (cores() / setting.threads).max(1) } else { 1 };
    match setting.jobs {
        Some(0) => Err(Error::setting("jobs", 0, "at least 1")),
        jobs => Ok(jobs.unwrap_or(usual)),
    }
}

/// A trial that waits.
struct Pending {
    trial: SweepTrial,
    /// To be run without company: there was not the memory for it beside others.
    alone: bool,
    /// That it waits for another process has been said.
    said: bool,
}

struct Trials<'a> {
    spec: &'a SweepSpec,
    setting: &'a SweepSetting,
    folder: &'a SweepFolder,
    listener: &'a dyn Listener,
    all: Vec<SweepTrial>,
    pending: VecDeque<Pending>,
    running: Vec<Running>,
    /// What the largest trial so far took of memory.
    largest_bytes: u64,
    done: usize,
}

impl<'a> Trials<'a> {
    fn new(
        spec: &'a SweepSpec,
        setting: &'a SweepSetting,
        folder: &'a SweepFolder,
        listener: &'a dyn Listener,
        all: Vec<SweepTrial>,
    ) -> Result<Self> {
        let mut pending = VecDeque::new();
        for trial in &all {
            if !folder.has_ended(trial)? {
                pending.push_back(Pending { trial: trial.clone(), alone: false, said: false });
            }
        }
        Ok(Self { spec, setting, folder, listener, all, pending, running: Vec::new(), largest_bytes: 0, done: 0 })
    }

    /// Whether all have ended; else it was stopped. `records` whether what is known is written after each.
    fn run(&mut self, jobs: usize, records: bool) -> Result<bool> {
        let ended = self.run_all(jobs, records);
        // Nobody would hear of them any more.
        if ended.is_err() {
            self.running.iter().for_each(Running::stop);
        }
        ended
    }

    fn run_all(&mut self, jobs: usize, records: bool) -> Result<bool> {
        let mut asked = false;
        loop {
            let stopped = self.setting.control.is_stopped();
            if stopped && !asked {
                self.running.iter().for_each(Running::stop);
                asked = true;
            }
            if self.look(stopped)? && records {
                self.folder.write(self.spec, &self.report()?)?;
            }
            if !stopped {
                self.start_some(jobs)?;
            }
            if self.running.is_empty() && (stopped || self.pending.is_empty()) {
                return Ok(!stopped || self.all_have_ended()?);
            }
            sleep(LOOK);
        }
    }

    fn all_have_ended(&self) -> Result<bool> {
        self.all.iter().try_fold(true, |all, trial| Ok(all && self.folder.has_ended(trial)?))
    }

    /// Starts trials while there is room for them.
    fn start_some(&mut self, jobs: usize) -> Result<()> {
        // Each of those that wait is looked at once: those of another process go to the end.
        for _ in 0..self.pending.len() {
            let Some(next) = self.pending.front() else { break };
            if self.running.len() >= jobs || !self.has_room(next) {
                break;
            }
            let Some(Pending { trial, alone, said }) = self.pending.pop_front() else { break };
            match self.folder.standing(&trial)? {
                Standing::Ended(row) => self.say(&row),
                Standing::Busy(owner) => {
                    if !said {
                        self.listener.say(&format!("waits     {}: {owner} is at work on it", trial.name()));
                    }
                    self.pending.push_back(Pending { trial, alone, said: true });
                }
                Standing::Open(lock, work) => {
                    let word = if work == Work::Begin { "trial    " } else { "resume   " };
                    self.listener.say(&format!("{word} {}: {}", trial.number, trial.words()));
                    let (program, threads) = (&self.setting.program, self.setting.threads);
                    let started = Running::start(program, threads, self.spec, self.folder, trial, (lock, work))?;
                    self.running.push(started);
                    let has_company = self.running.len() > 1;
                    self.running.iter_mut().for_each(|running| running.had_company |= has_company);
                }
            }
        }
        Ok(())
    }

    /// Whether a trial may begin beside those at work. The first may always: its own process knows what it needs.
    fn has_room(&self, next: &Pending) -> bool {
        let is_alone = self.running.is_empty();
        is_alone || (!next.alone && available_bytes().is_none_or(|available| available >= self.largest_bytes))
    }

    /// Takes in what has ended: whether something has.
    fn look(&mut self, stopped: bool) -> Result<bool> {
        let mut any = false;
        let mut i = 0;
        while i < self.running.len() {
            let Some(status) = self.running[i].ended()? else {
                i += 1;
                continue;
            };
            let ended = self.running.swap_remove(i);
            any |= self.take_in(ended, status, stopped)?;
        }
        Ok(any)
    }

    /// Whether a trial has ended for good.
    fn take_in(&mut self, ended: Running, status: std::process::ExitStatus, stopped: bool) -> Result<bool> {
        let Running { trial, work, had_company, .. } = ended;
        let printed = match self.folder.outcome(&trial)? {
            Some(printed) => printed,
            None if stopped => return Ok(false),
            None => {
                self.folder.write_failure(&trial, &silent(status))?;
                self.folder.outcome(&trial)?.unwrap_or_default()
            }
        };
        let needs = ["predicted_bytes", "present_bytes"].map(|name| printed["memory"][name].as_u64().unwrap_or(0));
        self.largest_bytes = self.largest_bytes.max(needs[0].saturating_add(needs[1]));
        let row = TrialRow::of(&trial, &printed);
        let code = row.error.as_ref().map_or(0, |error| error.code);
        if stopped && code >= 128 {
            return Ok(false);
        }
        if code == 4 && had_company {
            let bytes = shown(self.largest_bytes);
            self.listener.say(&format!("waits     {}: too little memory beside others ({bytes} each)", trial.name()));
            self.pending.push_front(Pending { trial, alone: true, said: true });
            return Ok(false);
        }
        // A checkpoint that is of no use must not end a trial that can be begun.
        if code == 7 && work == Work::Resume {
            self.listener.say(&format!("anew      {}: it cannot be resumed", trial.name()));
            self.folder.clear(&trial)?;
            std::fs::remove_file(self.folder.printed(&trial))
                .map_err(Error::storage("remove", self.folder.printed(&trial)))?;
            self.pending.push_front(Pending { trial, alone: false, said: false });
            return Ok(false);
        }
        self.say(&row);
        Ok(true)
    }

    fn say(&mut self, row: &TrialRow) {
        self.done += 1;
        self.listener.on_tried(self.done);
        let words = match (&row.error, row.objective, &row.objective_name) {
            (Some(error), ..) => format!("failed    {}: code {}, {}", row.trial, error.code, error.message),
            (None, Some(value), Some(name)) => format!("tried     {}: {name} {}", row.trial, short(value)),
            _ => format!("tried     {}", row.trial),
        };
        let seconds = row.seconds.map_or(String::new(), |seconds| format!(" ({seconds:.1} s)"));
        self.listener.say(&(words + &seconds));
    }

    /// What is known by now.
    fn report(&self) -> Result<SweepReport> {
        let rows = self.all.iter().map(|trial| self.folder.row(trial)).collect::<Result<Vec<_>>>()?;
        let rows = rows.into_iter().flatten().collect();
        Ok(SweepReport::new(self.spec, self.folder.path(), rows, self.setting.began.elapsed().as_secs_f64()))
    }
}
