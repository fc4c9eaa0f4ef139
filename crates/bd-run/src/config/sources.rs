//! Where the values of a configuration come from.

use std::path::Path;

use bd_core::{Error, Result};
use serde::Serialize;
use serde_json::Value;

use super::{Config, Layers};

/// What has set a value of a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Nobody: it is the default of the job, or follows from the data.
    Default,
    /// The configuration file.
    File,
    /// An option of its own.
    Option,
    /// An assignment of `--set`.
    Set,
}

/// A value of a configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Sourced {
    /// Its dotted path, such as `optim.lr`.
    pub path: String,
    /// The value in force: no table, unless it is an empty one.
    pub value: Value,
    /// What has set it.
    pub source: Source,
}

/// All values of a configuration in its order, and which of the layers it was made of has set each: the strongest that names it.
///
/// A number or truth value that a layer names and that is not in force is not from there: what a file says of data that somebody replaces
/// is void.
pub fn sources(config: &Config, layers: &Layers) -> Result<Vec<Sourced>> {
    let value = serde_json::to_value(config)
        .map_err(|error| Error::Config(format!("the configuration cannot be written as JSON: {error}")))?;
    let tables = layers.tables()?;
    // Without a file there are the tables of options and of --set alone.
    let of_table = [Source::File, Source::Option, Source::Set];
    let of_table = &of_table[of_table.len() - tables.len()..];
    let mut values = Vec::new();
    leaves(&value, &mut Vec::new(), &mut |path, value| {
        let named = tables.iter().zip(of_table).rev().find(|(table, _)| names(table, path, value));
        let source = named.map_or(Source::Default, |(_, source)| *source);
        values.push(Sourced { path: path.join("."), value: value.clone(), source });
    });
    Ok(values)
}

/// Visits what is no table, in order.
fn leaves<'a>(value: &'a Value, path: &mut Vec<&'a str>, visit: &mut impl FnMut(&[&str], &Value)) {
    match value.as_object().filter(|table| !table.is_empty()) {
        None => visit(path, value),
        Some(table) => {
            for (name, value) in table {
                path.push(name);
                leaves(value, path, visit);
                path.pop();
            }
        }
    }
}

/// Whether a layer sets the value at a path, by itself or by what stands for a table above it.
fn names(layer: &Value, path: &[&str], in_force: &Value) -> bool {
    let mut here = layer;
    for name in path {
        match here {
            Value::Object(table) => match table.get(*name) {
                Some(below) => here = below,
                None => return false,
            },
            // A name alone stands for a table of it, with all its values.
            _ => return true,
        }
    }
    let is_void = (here.is_number() && in_force.is_number() && here.as_f64() != in_force.as_f64())
        || (here.is_boolean() && in_force.is_boolean() && here != in_force);
    !is_void
}

/// A line for each value, with its source as a remark behind it, of what a file has set the path of the file. TOML has no null: what is null
/// is a remark as a whole.
pub fn to_toml(values: &[Sourced], file: Option<&Path>) -> Result<String> {
    let lines = values.iter().map(|Sourced { path, value, .. }| assignment(path, value)).collect::<Result<Vec<_>>>()?;
    let width = lines.iter().map(|line| line.chars().count()).filter(|width| *width <= WIDEST).max().unwrap_or(0);
    let mut text = String::new();
    for (line, value) in lines.iter().zip(values) {
        let source = match value.source {
            Source::Default => "default".to_owned(),
            Source::File => file.map_or(String::new(), |path| path.display().to_string()),
            Source::Option => "option".to_owned(),
            Source::Set => "--set".to_owned(),
        };
        // A name of a file could end the remark.
        let source = source.replace(char::is_control, "?");
        text += &format!("{line:width$}  # {source}\n");
    }
    Ok(text)
}

/// Characters of an assignment beyond which the remarks of the others are not moved.
const WIDEST: usize = 60;

fn assignment(path: &str, value: &Value) -> Result<String> {
    let path = path.split('.').map(key).collect::<Vec<_>>().join(".");
    let no_toml = |error| Error::Config(format!("{path} cannot be written as TOML: {error}"));
    Ok(match value {
        Value::Null => format!("# {path} = null"),
        value => format!("{path} = {}", toml::Value::try_from(value).map_err(no_toml)?),
    })
}

/// A key, in quotes unless it is plain.
fn key(name: &str) -> String {
    let is_plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if is_plain { name.to_owned() } else { toml::Value::String(name.to_owned()).to_string() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ForecastConfig;

    #[test]
    fn every_value_has_the_strongest_source_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("c.toml");
        std::fs::write(&file, "seed = 1\n[nvar]\nstride = 2\ndelay = 7\n").unwrap();
        let layers = Layers {
            config: Some(file),
            options: vec![("nvar.delay", json!(3))],
            set: vec!["ridge.alpha=0.5".into(), "data.system=rossler".into()],
        };
        let config = Config::Forecast(Box::new(ForecastConfig::resolve("ngrc", &layers).unwrap()));
        let found = sources(&config, &layers).unwrap();
        let of = |path: &str| found.iter().find(|value| value.path == path).unwrap_or_else(|| panic!("no {path}"));
        assert_eq!((of("seed").source, &of("seed").value), (Source::File, &json!(1)));
        assert_eq!(of("nvar.stride").source, Source::File);
        assert_eq!((of("nvar.delay").source, &of("nvar.delay").value), (Source::Option, &json!(3)));
        assert_eq!((of("ridge.alpha").source, &of("ridge.alpha").value), (Source::Set, &json!([0.5])));
        assert_eq!(of("data.system.name").source, Source::Set);
        assert_eq!(of("data.system.params.a").source, Source::Set, "the name brings its parameters");
        assert_eq!(of("dtype").source, Source::Default);
        // Put together again they are the configuration.
        let mut again = json!({});
        for value in &found {
            super::super::overlay::put(&mut again, &value.path, value.value.clone()).unwrap();
        }
        assert_eq!(again, serde_json::to_value(&config).unwrap());
    }

    #[test]
    fn text_that_is_read_again() {
        let value = |path: &str, value: Value, source| Sourced { path: path.into(), value, source };
        let values = [
            value("seed", json!(3), Source::Set),
            value("a.x y", json!(["p", "q"]), Source::File),
            value("a.none", Value::Null, Source::Default),
        ];
        let text = to_toml(&values, Some(Path::new("c\n.toml"))).unwrap();
        assert_eq!(
            text,
            "seed = 3              # --set\na.\"x y\" = [\"p\", \"q\"]  # c?.toml\n# a.none = null       # default\n"
        );
        let back: Value = toml::from_str(&text).unwrap();
        assert_eq!(back, json!({"seed": 3, "a": {"x y": ["p", "q"]}}));
    }
}
