//! `bd train JOB --print-config`: every value of a configuration, with what has set it.

use anyhow::Result;
use bd_run::config::{sources, to_toml};
use bd_run::{Config, Layers};
use serde_json::{Map, json};

use crate::console;

pub(crate) fn print(config: Config, layers: &Layers, as_json: bool) -> Result<()> {
    let values = sources(&config, layers)?;
    let text = match as_json {
        true => {
            let sources: Map<_, _> = values.into_iter().map(|value| (value.path, json!(value.source))).collect();
            json!({"config": config, "sources": sources}).to_string()
        }
        false => to_toml(&values, layers.config.as_deref())?,
    };
    Ok(console::result(text.trim_end())?)
}
