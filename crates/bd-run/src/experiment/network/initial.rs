//! [`Initial`]: the parameters of another run, with which a training begins.

use bd_core::{Error, Params, Result, member_name};
use serde_json::{Value, json};
use tch::Tensor;

use crate::config::{InitialWeights, Model, NetworkConfig};
use crate::resume::compare;
use crate::{Config, Run};

/// What belongs to the data of a run: it is taken from those that are learned.
const OF_DATA: [&str; 2] = ["scale.", "target."];

/// The parameters of another run, and how its network differs.
pub(crate) struct Initial {
    run: String,
    members: usize,
    seed: u64,
    weights: Vec<(String, Tensor)>,
    differences: Vec<String>,
}

impl Initial {
    /// Reads what a configuration says, and has it name the file's hash. `None` where parameters are drawn.
    ///
    /// Fails with [`Error::Config`] if the run is of no network, and with [`Error::BadFile`] if its weights are not those that it wrote, or
    /// not those that the configuration names.
    pub(crate) fn read(config: &mut NetworkConfig) -> Result<Option<Self>> {
        let Some(initial) = &config.initial else { return Ok(None) };
        let run = Run::open(&initial.run)?;
        let weights = run.weights()?;
        let found = run.manifest().weights_sha256.clone();
        if let Some(known) = initial.sha256.as_ref().filter(|known| Some(*known) != found.as_ref()) {
            let found = found.unwrap_or_default();
            let why = format!("its weights have the hash {found}, and this configuration was made with {known}");
            return Err(Error::bad_file(run.path(), why));
        }
        let Config::Network(other) = run.config() else {
            let job = run.config().job();
            return Err(Error::Config(format!(
                "--weights {}: it is a run of {job}, and a training begins with the weights of one of rnn or snn",
                run.path().display()
            )));
        };
        let differences = differences(other, config);
        config.initial = Some(InitialWeights { sha256: found, ..initial.clone() });
        let (run, members, seed) = (run.path().display().to_string(), other.ensemble, other.seed);
        Ok(Some(Self { run, members, seed, weights, differences }))
    }

    /// Copies the parameters into those of a network, of an ensemble those of one network into each member.
    ///
    /// Fails with [`Error::Mismatch`] if one is there and not here or has another shape, or the other way round; with [`Error::Config`] of other
    /// ensembles, and of populations whose synapses were drawn otherwise.
    pub(super) fn load(&self, params: &Params, config: &NetworkConfig) -> Result<()> {
        let members = config.ensemble;
        if self.members != 1 && members != self.members {
            let (run, there) = (&self.run, self.members);
            return Err(Error::Config(format!(
                "{run} has {there} networks, and ensemble is {members}; take --ensemble {there}"
            )));
        }
        // Who is connected to whom follows from the seed of each, and is not among the weights.
        if matches!(config.model, Model::Populations(_)) && (self.seed, self.members) != (config.seed, members) {
            return Err(Error::Config(format!(
                "the synapses of {} are drawn by seed {} and {} of these networks; its weights are for --seed {} and --ensemble {}",
                self.run, self.seed, self.members, self.seed, self.members
            )));
        }
        for i in 0..members {
            let name = member_name(i, members);
            let source = if self.members == 1 { String::new() } else { member_name(i, self.members) };
            load_part(&self.part(&source), &params.part(&name), &self.run)?;
        }
        Ok(())
    }

    /// Those of a member that belong to the network.
    fn part(&self, member: &str) -> Vec<(String, &Tensor)> {
        let within = |full: &str| match member {
            "" => Some(full.to_owned()),
            _ => full.strip_prefix(member)?.strip_prefix('.').map(str::to_owned),
        };
        let all = self.weights.iter().filter_map(|(full, tensor)| Some((within(full)?, tensor)));
        all.filter(|(name, _)| is_of_network(name)).collect()
    }

    /// What is to be said.
    pub(crate) fn words(&self) -> Vec<String> {
        let mut words = vec![format!("start     from the weights of {}", self.run)];
        words.extend(self.differences.iter().map(|line| format!("note      {line}")));
        words
    }
}

fn is_of_network(name: &str) -> bool {
    !OF_DATA.iter().any(|of_data| name.starts_with(of_data))
}

fn load_part(saved: &[(String, &Tensor)], params: &Params, run: &str) -> Result<()> {
    let own: Vec<_> = params.named().into_iter().filter(|(name, _)| is_of_network(name)).collect();
    let found = |name: &str| saved.iter().find(|(known, _)| known == name).map(|(_, tensor)| *tensor);
    let mut differences = Vec::new();
    for (name, tensor) in &own {
        match found(name) {
            None => differences.push(format!("{name} {:?} is missing there", tensor.size())),
            Some(other) if other.size() != tensor.size() => {
                differences.push(format!("{name} is {:?} there and {:?} here", other.size(), tensor.size()));
            }
            Some(_) => {}
        }
    }
    let unknown = saved.iter().filter(|(name, _)| !own.iter().any(|(known, _)| known == name));
    differences.extend(unknown.map(|(name, tensor)| format!("{name} {:?} is not of this network", tensor.size())));
    if !differences.is_empty() {
        let what = format!("the network of {run} (--from {run}, too, takes its settings)");
        return Err(Error::Mismatch { what, differences });
    }
    let _guard = tch::no_grad_guard();
    for (name, tensor) in own {
        // In the dtype that is wanted here.
        tensor.shallow_clone().f_copy_(found(&name).expect("it was found"))?;
    }
    Ok(())
}

/// Settings of the network that are others here than there, and numbers that its weights hang on.
fn differences(there: &NetworkConfig, here: &NetworkConfig) -> Vec<String> {
    let of = |config: &NetworkConfig| -> Value {
        json!({"model": config.model, "dt": config.dt, "data": {"encode": config.data.encode, "scale": config.data.scale}})
    };
    let mut all = Vec::new();
    compare("", &of(there), &of(here), &mut all);
    all.into_iter().map(|(name, was, is)| format!("{name} is {is}, and was {was} in that run")).collect()
}
