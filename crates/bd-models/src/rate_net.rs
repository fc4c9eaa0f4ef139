//! [`RateNetConfig`]: networks of rates, one recurrent layer or several and a linear readout.
//!
//! ```text
//! input -> Rnn, Gru or Lstm -> ... -> Linear
//! ```

use bd_core::{DynSystem, Error, Kept, ParamPath, Params, Result, Stack};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind};

use crate::connections::from_excitatory;
use crate::gru::{Gru, GruConfig};
use crate::linear::{Linear, LinearConfig};
use crate::lstm::{Lstm, LstmConfig};
use crate::rnn::{Rnn, RnnConfig};
use crate::running_mean::RunningMean;

/// What a recurrent layer is made of, by name: `rnn`, `gru` or `lstm`, each with its own settings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "name", rename_all = "snake_case")]
#[allow(missing_docs)] // the names say it
pub enum Cell {
    Rnn(RnnConfig),
    Gru(GruConfig),
    Lstm(LstmConfig),
}

impl Default for Cell {
    /// That of BrainPy's tutorial: `relu`, and an initial state that is trained.
    fn default() -> Self {
        Self::Rnn(RnnConfig { train_initial_state: true, ..RnnConfig::default() })
    }
}

impl Cell {
    /// Every cell, with its default settings, and with an initial state that is trained.
    pub fn all() -> [Self; 3] {
        let gru = GruConfig { train_initial_state: true, ..GruConfig::default() };
        let lstm = LstmConfig { train_initial_state: true, ..LstmConfig::default() };
        [Self::default(), Self::Gru(gru), Self::Lstm(lstm)]
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Rnn(_) => "rnn",
            Self::Gru(_) => "gru",
            Self::Lstm(_) => "lstm",
        }
    }

    fn build(&self, path: &mut ParamPath<'_>, n_in: i64, n: i64) -> Result<DynSystem> {
        Ok(match self {
            Self::Rnn(config) => DynSystem::new(Rnn::new(path, n_in, n, config)?),
            Self::Gru(config) => DynSystem::new(Gru::new(path, n_in, n, config)?),
            Self::Lstm(config) => DynSystem::new(Lstm::new(path, n_in, n, config)?),
        })
    }
}

/// Settings of a network of rates. The defaults are those of BrainPy's tutorial.
///
/// | field | default | meaning |
/// |---|---|---|
/// | `n_in` | 1 | input channels |
/// | `hidden` | 100 | units of each recurrent layer, one or more layers |
/// | `n_out` | 1 | outputs |
/// | `cell` | `rnn` | what all recurrent layers are made of |
/// | `reads` | `state` | what the readout sees of the last recurrent layer: its `state`; `state_and_mean`, which is beside it the mean of its states so far ([`RunningMean`]); or of a `cell` with [`excitatory`](RnnConfig) units `excitatory`: these alone, by weights that stay positive |
/// | `readout` | | the linear map at the end |
///
/// Layers are called `r` and `o`, and between them `m` where there is a mean; of several recurrent layers `r1`, `r2`, ..., `o`. A name prefixes states (`r.h`) and parameters
/// (`r.input_weight`, `o.weight`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // the table has them
pub struct RateNetConfig {
    pub n_in: i64,
    pub hidden: Vec<i64>,
    pub n_out: i64,
    pub cell: Cell,
    pub reads: Reads,
    pub readout: LinearConfig,
}

/// What a readout sees of the layer before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Reads {
    /// Its output at the step.
    #[default]
    State,
    /// The same, and beside it the mean of the outputs up to the step.
    StateAndMean,
    /// Outputs of the units that excite, by weights that stay positive, as axons leave an area (Song, Yang and Wang 2016).
    Excitatory,
}

impl Default for RateNetConfig {
    fn default() -> Self {
        Self {
            n_in: 1,
            hidden: vec![100],
            n_out: 1,
            cell: Cell::default(),
            reads: Reads::State,
            readout: LinearConfig::default(),
        }
    }
}

impl RateNetConfig {
    /// The network, its weights made in `params`.
    pub fn build(&self, params: &mut Params) -> Result<Stack> {
        if self.hidden.is_empty() {
            return Err(Error::setting("hidden", "empty", "a list of at least one recurrent layer"));
        }
        let mut layers = Vec::new();
        let mut n_from = self.n_in;
        for (i, &n) in self.hidden.iter().enumerate() {
            let name = if self.hidden.len() == 1 { "r".to_owned() } else { format!("r{}", i + 1) };
            let layer = self.cell.build(&mut params.at(&name), n_from, n)?;
            layers.push((name, layer));
            n_from = n;
        }
        if self.reads == Reads::StateAndMean {
            layers.push(("m".into(), DynSystem::new(RunningMean::new(n_from)?)));
            n_from *= 2;
        }
        let kept = self.kept_by_readout(n_from, params.on())?;
        let readout = Linear::keeping(&mut params.at("o"), [n_from, self.n_out], &self.readout, kept)?;
        layers.push(("o".into(), DynSystem::new(readout)));
        Stack::new(layers)
    }

    /// What the readout's weight keeps, of `n` units.
    fn kept_by_readout(&self, n: i64, on: (Kind, Device)) -> Result<Kept> {
        match (self.reads, self.cell) {
            (Reads::Excitatory, Cell::Rnn(RnnConfig { excitatory: Some(share), .. })) => {
                Ok(from_excitatory(share, n, on))
            }
            (Reads::Excitatory, cell) => Err(Error::Config(format!(
                "reads is excitatory, but no unit of the {} has a sign of its own; set cell.excitatory, the share of units that excite",
                cell.name()
            ))),
            _ => Ok(Kept::default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use bd_core::testing::{ScanCase, assert_scan_is_steps};
    use bd_core::{StateTree, System};

    use super::*;

    const ON: (Kind, Device) = (Kind::Double, Device::Cpu);

    #[test]
    fn layers_have_names_and_scan_as_they_step() {
        for cell in Cell::all() {
            let config = RateNetConfig { n_in: 2, hidden: vec![5, 4], n_out: 3, cell, ..RateNetConfig::default() };
            let mut params = Params::new(1, ON);
            let net = config.build(&mut params).unwrap();
            let names: Vec<_> = params.named().into_iter().map(|(name, _)| name).collect();
            assert!(names.contains(&"r2.recurrent_weight".to_owned()) && names.contains(&"o.bias".to_owned()));
            assert!(net.init_state(1, ON).named().iter().any(|(name, _)| name == "r1.h"));
            assert_scan_is_steps(&net, &params, ScanCase { time: 9, batch: 5, on: ON, tolerance: 1e-11, seed: 2 });
        }
    }

    /// Units that excite, in rows 0 to 3 of 5, and no others, with positive weights.
    #[test]
    fn a_readout_of_excitatory_units_sees_no_others() {
        let cell = Cell::Rnn(RnnConfig { excitatory: Some(0.8), autapses: false, ..RnnConfig::default() });
        let config = RateNetConfig {
            n_in: 2,
            hidden: vec![6, 5],
            n_out: 3,
            cell,
            reads: Reads::Excitatory,
            ..Default::default()
        };
        let mut params = Params::new(1, ON);
        let net = config.build(&mut params).unwrap();
        assert_scan_is_steps(&net, &params, ScanCase { time: 9, batch: 5, on: ON, tolerance: 1e-11, seed: 2 });
        let weights = params.weights();
        let of = |name: &str| &weights.iter().find(|(known, _)| known == name).unwrap().1;
        assert!(of("o.weight").narrow(0, 0, 4).min().double_value(&[]) > 0.0);
        assert_eq!(of("o.weight").narrow(0, 4, 1).abs().max().double_value(&[]), 0.0);
        assert_eq!(of("r2.recurrent_mask").sum(Kind::Double).double_value(&[]), 20.0);
        let error = RateNetConfig { reads: Reads::Excitatory, ..Default::default() }.build(&mut Params::new(1, ON));
        assert_eq!(
            error.unwrap_err().to_string(),
            "reads is excitatory, but no unit of the rnn has a sign of its own; set cell.excitatory, the share of units that excite"
        );
    }

    #[test]
    fn cells_are_read_by_name() {
        for cell in Cell::all() {
            let text = serde_json::to_string(&cell).unwrap();
            assert!(text.starts_with(&format!("{{\"name\":\"{}\"", cell.name())), "{text}");
            assert_eq!(serde_json::from_str::<Cell>(&text).unwrap(), cell);
        }
        let none = RateNetConfig { hidden: vec![], ..RateNetConfig::default() };
        assert!(none.build(&mut Params::new(0, ON)).unwrap_err().to_string().contains("hidden is empty"));
    }
}
