//! `bd train snn`: a spiking network that learns random spike trains with random labels, as in BrainPy's tutorial.

use std::ops::ControlFlow;
use std::time::Instant;

use anyhow::Result;
use bd_core::files::save_tensors;
use bd_core::npz::save_npz;
use bd_core::{Error, Params, Rng, Shared, Spikes, Stack, Tap, catch_torch, threads};
use bd_train::data::{Examples, Sequences};
use bd_train::loss::accuracy;
use bd_train::{Activity, Bptt, Loss, Objective, OverTime, RunDir, activity, predict_sequences};
use serde_json::{Map, Value, json};
use tch::{Device, Kind, Tensor};

use crate::args;
use crate::console;
use crate::finished;
use crate::interrupt::Interrupt;
use crate::job::{Seconds, greeting, manifest, print_json, unfinished};
use crate::plan::SnnPlan;
use crate::snn_figures::{Recorded, Report, figures};
use crate::text::{plural, short};
use crate::training::{Progress, Seen, Trained, Training};

/// More samples than this nobody looks at in one picture.
const MOST_PICTURED: usize = 15;

/// A network with the examples it learns.
struct Job {
    plan: SnnPlan,
    params: Params,
    net: Stack,
    examples: Examples,
    over: OverTime,
}

/// What the trained network does on all examples.
struct Evaluated {
    scores: Tensor,
    loss: f64,
    accuracy: f64,
    activity: Vec<Activity>,
}

pub(crate) fn train(args: &args::Snn) -> Result<()> {
    let began = Instant::now();
    let interrupt = Interrupt::watch()?;
    let plan = SnnPlan::resolve(args)?;
    let device = plan.device.resolve()?;
    threads::set(plan.threads);
    let manifest = manifest(&plan.job, device, plan.dtype.kind(), plan.threads, plan.seed);
    let first_line = greeting(&manifest);
    let job = catch_torch(|| Job::new(plan, device))?;
    let before = Progress::plain(args.run.quiet);
    before.say(&first_line);
    before.say(&job.describe());
    let progress = Progress::new(args.run.quiet, job.updates());

    let run = RunDir::create(args.run.out.as_deref(), manifest)?;
    let mut seconds = Seconds::since(began, "setup");
    let done = match job.run(&run, &progress, &interrupt, &mut seconds) {
        Ok(done) => done,
        Err(error) => return Err(unfinished(run, error)),
    };
    let path = run.finish(Some(done.weights))?;
    seconds.0.insert("total".into(), json!(began.elapsed().as_secs_f64()));
    seconds.0.insert("update".into(), done.trained.spread());

    if args.run.json {
        let mut metrics = job.metrics(&done.evaluated);
        metrics.insert("train_loss_last_100".into(), json!(done.trained.last_100()));
        print_json(&job.plan.job, &path, device, json!({"seconds": seconds.0, "metrics": metrics}))?;
    } else if !args.run.quiet {
        console::result(&job.table(&done.evaluated))?;
    }
    progress.say(&format!("run       {} ({:.2} s)", path.display(), began.elapsed().as_secs_f64()));
    Ok(())
}

/// `bd eval`: the trained network on the examples of its run once more.
pub(crate) fn eval(args: &args::Eval, plan: SnnPlan) -> Result<()> {
    let device = args.reuse.device.as_deref().map_or(Ok(plan.device), str::parse)?.resolve()?;
    threads::set(finished::threads(&args.reuse, plan.threads)?);
    let job = catch_torch(|| Job::new(plan, device))?;
    job.params.load(&finished::weights_of(&args.run)?)?;
    let evaluated = catch_torch(|| job.evaluate())?;
    if args.reuse.json {
        print_json("eval", &args.run, device, json!({"metrics": job.metrics(&evaluated)}))?;
    } else if !args.reuse.quiet {
        console::result(&job.table(&evaluated))?;
    }
    Ok(())
}

/// What a run that came to its end has found.
struct Done {
    trained: Trained,
    evaluated: Evaluated,
    /// SHA-256 of the weights.
    weights: String,
}

impl Job {
    fn new(plan: SnnPlan, device: Device) -> bd_core::Result<Self> {
        let on = (plan.dtype.kind(), device);
        let data = &plan.data;
        let shape = [data.steps, data.samples, usize::try_from(plan.model.n_in).unwrap_or(0)];
        let probability = data.rate_hz * plan.dt_ms / 1000.0;
        let spikes = Spikes::draw(shape, on, probability, &mut Rng::new(plan.seed, "inputs"))?;
        let mut rng = Rng::new(plan.seed, "labels");
        let classes = plan.model.n_out as f64;
        let labels: Vec<i64> = (0..data.samples).map(|_| (rng.uniform() * classes) as i64).collect();
        let examples = Examples::new(Sequences::Spikes(spikes), Tensor::from_slice(&labels).to_device(device))?;
        let mut params = Params::new(plan.seed, on);
        let net = plan.model.build(&mut params)?;
        let Loss::CrossEntropy { over } = plan.loss else { unreachable!("the plan was checked") };
        Ok(Self { plan, params, net, examples, over })
    }

    fn describe(&self) -> String {
        let Sequences::Spikes(spikes) = self.examples.inputs() else { unreachable!("spikes were drawn") };
        let [steps, samples, channels] = spikes.shape();
        let hidden = self.plan.model.hidden.iter().map(ToString::to_string).collect::<Vec<_>>().join("-");
        let (n_in, n_out) = (self.plan.model.n_in, self.plan.model.n_out);
        let percent = 100.0 * spikes.count() as f64 / (steps * samples * channels) as f64;
        let weights: usize = self.params.trainable().iter().map(|(_, tensor)| tensor.numel()).sum();
        format!(
            "data      {} of {} ({} ms), {}, {} spikes (in {} % of all channels and steps), kept as a list\n\
             model     snn {n_in}-{hidden}-{n_out}, {}",
            plural(samples, "sample"),
            plural(steps, "step"),
            short(steps as f64 * self.plan.dt_ms),
            plural(channels, "channel"),
            spikes.count(),
            short(percent),
            plural(weights, "weight"),
        )
    }

    fn batch(&self) -> usize {
        self.plan.batch.unwrap_or(usize::MAX).min(self.examples.count())
    }

    fn updates_an_epoch(&self) -> u64 {
        self.examples.count().div_ceil(self.batch()) as u64
    }

    fn updates(&self) -> u64 {
        self.plan.epochs as u64 * self.updates_an_epoch()
    }

    fn sha(&self) -> Shared {
        Shared { key: self.plan.seed, ..Shared::new(self.plan.dt_ms) }
    }

    /// Trains, evaluates and writes everything.
    fn run(&self, run: &RunDir, progress: &Progress, interrupt: &Interrupt, seconds: &mut Seconds) -> Result<Done> {
        run.write_json("config.json", &self.plan)?;
        let (trained, reports) = self.train(run, progress, interrupt)?;
        seconds.lap("train");
        interrupt.check()?;
        let evaluated = catch_torch(|| self.evaluate())?;
        seconds.lap("evaluate");
        let weights = self.write(run, &evaluated)?;
        for (name, figure) in figures(&trained.losses, &reports, &self.record()?)? {
            interrupt.check()?;
            if let Err(error) = figure.save(run, &name) {
                console::message(&format!("bd: warning: the plot {name} is missing: {error}"));
            }
        }
        interrupt.check()?;
        seconds.lap("write");
        Ok(Done { trained, evaluated, weights })
    }

    fn train(&self, run: &RunDir, progress: &Progress, interrupt: &Interrupt) -> Result<(Trained, Vec<Report>)> {
        let plan = &self.plan;
        let mut bptt = Bptt::new(&self.net, &self.params, plan.loss, &plan.optim, self.sha())?;
        if let Some(norm) = plan.clip {
            bptt = bptt.clip(norm)?;
        }
        let (mut reports, mut warned) = (Vec::new(), Vec::new());
        let batches = |epoch: usize| {
            self.examples.batches(self.batch(), Some(&mut Rng::new(plan.seed, &format!("epoch {epoch}"))))
        };
        let each = |seen: &Seen<'_>| {
            let first_epoch = seen.update.step == self.updates_an_epoch();
            let active = if first_epoch || seen.report { self.watch(progress, &mut warned)? } else { Vec::new() };
            if seen.report {
                reports.push(self.report(run, seen, &active)?);
            }
            Ok(ControlFlow::Continue(()))
        };
        let SnnPlan { report_every, checkpoint_every, .. } = *plan;
        let training = Training { run, progress, interrupt, updates: self.updates(), report_every, checkpoint_every };
        let trained = training.fit(&mut bptt, plan.epochs, batches, each)?;
        Ok((trained, reports))
    }

    /// How much each layer spikes over all examples, with a warning if a layer is silent or never still: once for each layer.
    fn watch(&self, progress: &Progress, warned: &mut Vec<String>) -> bd_core::Result<Vec<Activity>> {
        let active = activity(&self.net, &self.sha(), self.examples.inputs(), &self.plan.model.neurons())?;
        for layer in &active {
            if let Some(warning) = layer.warning().filter(|_| !warned.contains(&layer.layer)) {
                progress.say(&format!("warning   {warning}"));
                warned.push(layer.layer.clone());
            }
        }
        Ok(active)
    }

    /// Spikes of a neuron in a second.
    fn hz(&self, active: &Activity) -> f64 {
        active.per_step * 1000.0 / self.plan.dt_ms
    }

    fn rates(&self, active: &[Activity]) -> Map<String, Value> {
        active.iter().map(|layer| (format!("spike_rate.{}", layer.layer), json!(self.hz(layer)))).collect()
    }

    fn report(&self, run: &RunDir, seen: &Seen<'_>, active: &[Activity]) -> bd_core::Result<Report> {
        let Seen { update, wall_s, .. } = *seen;
        // Of the batch of this update, which need not be all examples.
        let accuracy = (self.batch() == self.examples.count())
            .then(|| accuracy(&self.over.scores(&update.outputs, None), self.examples.targets()));
        let mut line = json!({
            "step": update.step,
            "epoch": update.step.div_ceil(self.updates_an_epoch()),
            "split": "train",
            "loss": update.loss,
            "accuracy": accuracy,
            "lr": self.plan.optim.lr * self.plan.optim.schedule.factor(update.step - 1),
            "gradient_norm": update.gradient_norm,
            "wall_s": wall_s,
            "samples_per_s": update.step as f64 * self.batch() as f64 / wall_s,
        });
        line.as_object_mut().expect("an object").extend(self.rates(active));
        run.report(&line)?;
        Ok(Report { step: update.step, loss: update.loss, accuracy: accuracy.unwrap_or(f64::NAN) })
    }

    fn evaluate(&self) -> bd_core::Result<Evaluated> {
        let scores = self.examples.batches(self.batch(), None).map(|batch| {
            let outputs = predict_sequences(&self.net, &self.sha(), batch?.inputs(), &mut Tap::none())?;
            Ok(self.over.scores(&outputs, None))
        });
        let scores = Tensor::cat(&scores.collect::<bd_core::Result<Vec<_>>>()?, 0);
        let labels = self.examples.targets();
        // A score is its own maximum over one step.
        let loss =
            Loss::CrossEntropy { over: OverTime::Last }.loss(&scores.unsqueeze(1), labels, None).double_value(&[]);
        if !loss.is_finite() {
            let where_ = format!("it is {loss} after the last update");
            return Err(Error::NotFinite { what: "the loss".into(), where_ });
        }
        let active = activity(&self.net, &self.sha(), self.examples.inputs(), &self.plan.model.neurons())?;
        Ok(Evaluated { loss, accuracy: accuracy(&scores, labels), activity: active, scores })
    }

    /// Voltages and spikes of the first samples and the first hidden layer.
    fn record(&self) -> bd_core::Result<Recorded> {
        let samples: Vec<usize> = (0..self.examples.count().min(MOST_PICTURED)).collect();
        let layer = self.plan.model.neurons().remove(0);
        let [v, spike] = ["v", "spike"].map(|state| format!("{layer}.{state}"));
        let mut tap = Tap::new([&v, &spike]);
        let _ = predict_sequences(&self.net, &self.sha(), &self.examples.inputs().select(&samples)?, &mut tap)?;
        let records = tap.finish()?;
        let host = |name: &str| records[name].transpose(0, 1).to_device(Device::Cpu).to_kind(Kind::Double);
        Ok(Recorded { dt_ms: self.plan.dt_ms, v: host(&v), spike: host(&spike), layer })
    }

    /// Writes everything but the plots, and returns the SHA-256 of the weights.
    fn write(&self, run: &RunDir, evaluated: &Evaluated) -> bd_core::Result<String> {
        let arrays = [("score", &evaluated.scores), ("label", self.examples.targets())];
        let arrays = arrays.map(|(name, tensor)| (name.to_owned(), tensor.shallow_clone()));
        save_npz(&run.file("predictions.npz")?, &arrays)?;
        save_tensors(&run.file("model.safetensors")?, &self.params.named())
    }

    fn metrics(&self, evaluated: &Evaluated) -> Map<String, Value> {
        let mut metrics = Map::new();
        metrics.insert("train_loss".into(), json!(evaluated.loss));
        metrics.insert("train_accuracy".into(), json!(evaluated.accuracy));
        metrics.extend(self.rates(&evaluated.activity));
        metrics
    }

    fn table(&self, evaluated: &Evaluated) -> String {
        let mut text = format!(
            "{:>14}  {}\n{:>14}  {}",
            "train loss",
            short(evaluated.loss),
            "accuracy",
            short(evaluated.accuracy)
        );
        for layer in &evaluated.activity {
            let quiet = match layer.silent {
                0 => String::new(),
                silent => format!(", {silent} of {} neurons silent", layer.neurons),
            };
            let name = format!("rate of {}", layer.layer);
            text += &format!("\n{name:>14}  {} Hz{quiet}", short(self.hz(layer)));
        }
        text
    }
}
