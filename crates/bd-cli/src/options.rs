//! Options as values of the configuration: which flag sets what.

use bd_core::{Error, Result};
use bd_run::config::penalties;
use bd_run::{AutoConfig, Layers};
use bd_train::data::split_names;
use serde::Serialize;
use serde_json::{Value, json};

use crate::args;
use crate::figures::check_signs;

/// Values by their paths in the configuration, of the options that were given.
struct Given(Vec<(&'static str, Value)>);

impl Given {
    fn of_run(run: &args::Run) -> Self {
        let mut given = Self(Vec::new());
        given.put("device", &run.device);
        given.put("dtype", &run.dtype);
        given.put("seed", &run.seed);
        given.put("threads", &run.threads);
        given
    }

    fn put(&mut self, path: &'static str, value: &Option<impl Serialize>) {
        self.0.extend(value.as_ref().map(|value| (path, json!(value))));
    }

    /// A choice of an alternative by its name, with that one's parameters.
    fn name(&mut self, path: &'static str, name: &Option<String>) {
        self.0.extend(name.as_ref().map(|name| (path, json!({"name": name}))));
    }

    /// A number, which JSON could not say if it is none.
    fn number(&mut self, path: &'static str, option: &str, value: Option<f64>) -> Result<()> {
        if let Some(value) = value.filter(|value| !value.is_finite()) {
            return Err(Error::Config(format!("{option} is {value}; it must be a number")));
        }
        self.put(path, &value);
        Ok(())
    }

    fn parts(&mut self, args: &args::Parts) -> Result<()> {
        self.put("data.test_file", &file("--test", &args.test)?);
        self.number("data.test", "--test-fraction", args.test_fraction)?;
        self.put("data.group", &args.group);
        self.names(args);
        self.put("data.targets_of", &args.targets_of);
        self.number("data.validation", "--validation", args.validation)
    }

    fn names(&mut self, args: &args::Parts) {
        self.put("data.arrays.x", &args.x);
        self.put("data.arrays.y", &args.y);
        self.put("data.arrays.trials", &args.trials);
    }

    fn online(&mut self, args: &args::Series) -> Result<()> {
        self.name("online", &args.online);
        self.number("online.forgetting", "--forgetting", args.forgetting)?;
        self.number("online.rate", "--rate", args.rate)
    }

    fn learning(&mut self, args: &args::Learning) -> Result<()> {
        self.parts(&args.parts)?;
        self.put("model.hidden", &args.hidden);
        self.name("loss", &args.loss);
        self.name("optim.rule", &args.optimizer);
        self.number("optim.lr", "--lr", args.lr)?;
        self.number("penalty.l2", "--l2", args.l2)?;
        self.put("epochs", &args.epochs);
        self.put("batch", &args.batch);
        self.put("ensemble", &args.ensemble);
        self.put("accumulate", &args.accumulate);
        self.put("truncate", &args.truncate);
        self.0.extend(args.patience.map(|patience| ("early_stopping", json!({"patience": patience}))));
        self.put("report_every", &args.report_every);
        self.put("tensorboard", &args.tensorboard.then_some(true));
        let weights = file("--weights", &args.weights)?;
        self.0.extend(weights.map(|run| ("initial", json!({"run": run, "sha256": null}))));
        Ok(())
    }

    fn layers(self, run: &args::Run) -> Layers {
        let of_run = || run.from.as_ref().map(|folder| folder.join("config.json"));
        Layers { config: run.config.clone().or_else(of_run), options: self.0, set: run.set.clone() }
    }
}

/// A path as JSON, which knows no other text than Unicode.
fn file(option: &str, path: &Option<std::path::PathBuf>) -> Result<Option<String>> {
    let Some(path) = path else { return Ok(None) };
    match path.to_str() {
        Some(text) => Ok(Some(text.to_owned())),
        None => Err(Error::Config(format!(
            "{option} {}: the path is not Unicode, and the configuration of the run could not name it; rename the file",
            path.display()
        ))),
    }
}

/// What is said of a series, its forecast and its run, whatever the model.
fn of_series(args: &args::Series) -> Result<Given> {
    let mut given = Given::of_run(&args.run);
    if let Some(split) = args.split.as_ref().filter(|split| split.len() != 3) {
        let found = split.len();
        return Err(Error::Config(format!(
            "--split has {found} fractions; it takes three, for training, validation and test, as in 0.8,0,0.2"
        )));
    }
    let alphas = args.alpha.as_deref().map(penalties).transpose()?;
    given.put("data.file", &file("--data", &args.data)?);
    given.name("data.system", &args.system);
    given.put("data.columns", &args.columns.as_deref().map(split_names));
    given.put("data.time", &args.time);
    given.number("dt", "--dt", args.dt)?;
    args.time_unit.as_deref().map_or(Ok(()), |unit| check_signs("--time-unit", unit))?;
    given.put("time_unit", &args.time_unit);
    given.number("split.warmup", "--warmup", args.warmup)?;
    given.put("split.split", &args.split);
    given.put("target", &args.target);
    given.put("scale", &args.scale);
    given.put("ridge.alpha", &alphas);
    given.put("ridge.solver", &args.solver);
    given.number("ridge.l1_ratio", "--l1-ratio", args.l1_ratio)?;
    given.online(args)?;
    given.put("select", &args.select);
    given.put("horizon", &args.horizon);
    given.put("free_run.steps", &args.free_run);
    Ok(given)
}

pub(crate) fn of_ngrc(args: &args::Ngrc) -> Result<Layers> {
    let mut given = of_series(&args.series)?;
    given.put("nvar.delay", &args.delay);
    given.put("nvar.order", &args.order);
    given.put("nvar.stride", &args.stride);
    given.put("nvar.constant", &args.constant.then_some(true));
    Ok(given.layers(&args.series.run))
}

pub(crate) fn of_esn(args: &args::Esn) -> Result<Layers> {
    let mut given = of_series(&args.series)?;
    given.parts(&args.parts)?;
    given.put("search", &args.search);
    given.put("reservoir.units", &args.units);
    given.put("reservoir.layers", &args.layers);
    given.name("reservoir.kind", &args.kind);
    given.number("reservoir.leak", "--leak", args.leak)?;
    given.number("reservoir.spectral_radius", "--spectral-radius", args.spectral_radius)?;
    given.number("reservoir.input_scaling", "--input-scaling", args.input_scaling)?;
    given.number("reservoir.bias_scaling", "--bias-scaling", args.bias_scaling)?;
    given.name("reservoir.matrix", &args.matrix);
    given.put("washout", &args.washout);
    Ok(given.layers(&args.series.run))
}

/// The same where the data are sequences with targets: the settings of the reservoir stand below `model` then.
pub(crate) fn of_esn_on_sequences(args: &args::Esn) -> Result<Layers> {
    let below_model = |(path, value): (&'static str, Value)| match RESERVOIR.iter().find(|(own, _)| *own == path) {
        Some((_, path)) => (*path, value),
        None => (path, value),
    };
    let layers = of_esn(args)?;
    Ok(Layers { options: layers.options.into_iter().map(below_model).collect(), ..layers })
}

/// Settings of a reservoir, of a forecast and of sequences; and the length of a step.
const RESERVOIR: [(&str, &str); 9] = [
    ("dt", "data.window_ms"),
    ("reservoir.units", "model.reservoir.units"),
    ("reservoir.layers", "model.reservoir.layers"),
    ("reservoir.kind", "model.reservoir.kind"),
    ("reservoir.leak", "model.reservoir.leak"),
    ("reservoir.spectral_radius", "model.reservoir.spectral_radius"),
    ("reservoir.input_scaling", "model.reservoir.input_scaling"),
    ("reservoir.bias_scaling", "model.reservoir.bias_scaling"),
    ("reservoir.matrix", "model.reservoir.matrix"),
];

/// Which data are meant, and nothing else.
pub(crate) fn of_data(args: &args::Esn) -> Result<Layers> {
    let mut given = Given(Vec::new());
    given.put("data.file", &file("--data", &args.series.data)?);
    given.names(&args.parts);
    Ok(given.layers(&args.series.run))
}

pub(crate) fn of_rnn(args: &args::Rnn) -> Result<Layers> {
    let mut given = Given::of_run(&args.run);
    given.name("data.task", &args.task);
    given.put("data.file", &file("--data", &args.data)?);
    given.put("data.scale", &args.scale);
    given.number("dt", "--dt", args.dt)?;
    given.name("model.cell", &args.cell);
    given.put("updates", &args.updates);
    given.learning(&args.learning)?;
    Ok(given.layers(&args.run))
}

pub(crate) fn of_snn(args: &args::Snn) -> Result<Layers> {
    let mut given = Given::of_run(&args.run);
    given.put("data.file", &file("--data", &args.data)?);
    given.put("model.network", &file("--model", &args.model)?);
    given.name("data.encode", &args.encode);
    given.number("dt", "--dt", args.dt)?;
    given.put("data.samples", &args.samples);
    given.put("data.steps", &args.steps);
    given.number("data.rate_hz", "--rate-hz", args.rate_hz)?;
    given.put("model.lif.surrogate", &args.surrogate);
    given.put("model.lif.reset", &args.reset);
    given.put("model.recurrent", &args.recurrent.then_some(true));
    given.learning(&args.learning)?;
    Ok(given.layers(&args.run))
}

pub(crate) fn of_conv(args: &args::Conv) -> Result<Layers> {
    let mut given = Given::of_run(&args.run);
    given.put("data.file", &file("--data", &args.data)?);
    given.parts(&args.parts)?;
    given.number("data.window_ms", "--dt", args.dt)?;
    given.put("model.features", &args.features);
    given.put("ridge.alpha", &args.alpha.as_deref().map(penalties).transpose()?);
    Ok(given.layers(&args.run))
}

/// What is said to every job that is tried.
pub(crate) fn of_auto(args: &args::Auto) -> Result<AutoConfig> {
    let mut given = Given(Vec::new());
    given.put("seed", &args.seed);
    given.put("threads", &args.threads);
    given.parts(&args.parts)?;
    file("--data", &Some(args.data.clone()))?;
    let mut of_networks = Given(Vec::new());
    of_networks.put("device", &args.device);
    of_networks.number("dt", "--dt", args.dt)?;
    let (of_networks, set) = (of_networks.0, args.set.clone());
    Ok(AutoConfig { file: args.data.clone(), options: given.0, of_networks, set, budget_s: args.budget })
}

/// What may change when a run goes on.
pub(crate) fn of_changes(args: &args::Changes) -> Result<Layers> {
    let mut given = Given(Vec::new());
    given.put("device", &args.device);
    given.put("threads", &args.threads);
    given.put("updates", &args.updates);
    given.put("epochs", &args.epochs);
    Ok(Layers { config: None, options: given.0, set: args.set.clone() })
}
