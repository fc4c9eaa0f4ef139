//! Configuration in layers: a file over the defaults, options over the file, `--set` over both. Every key must be one
//! that the defaults have.

use std::fs;
use std::path::Path;

use bd_core::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Where an editor finds what a JSON file may say.
const OF_EDITORS: &str = "$schema";

/// Reads a configuration file, TOML or JSON by its extension.
pub(crate) fn read(path: &Path) -> Result<Value> {
    let bad = |reason: String| Error::Config(format!("{}: {reason}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| Error::bad_file(path, format!("cannot be read: {error}")))?;
    let mut value: Value = match path.extension().and_then(|extension| extension.to_str()) {
        Some("json") => serde_json::from_str(&text).map_err(|error| bad(error.to_string()))?,
        Some("toml") => toml::from_str(&text).map_err(|error| bad(error.to_string().trim_end().to_owned()))?,
        _ => return Err(bad("a configuration file ends in .toml or .json".into())),
    };
    let Some(table) = value.as_object_mut() else {
        return Err(bad("a configuration is a table of names and values".into()));
    };
    table.shift_remove(OF_EDITORS);
    Ok(value)
}

/// Puts `value` at a dotted path of `layer`, with the tables on the way made.
pub(super) fn put(layer: &mut Value, path: &str, value: Value) -> Result<()> {
    let mut here = layer;
    for key in path.split('.') {
        if !here.is_object() {
            return Err(Error::Config(format!("{path} is set, and so is a value above it")));
        }
        here = &mut here[key];
        if here.is_null() {
            *here = Value::Object(Map::new());
        }
    }
    if !value.is_object() && here.as_object().is_some_and(|below| !below.is_empty()) {
        return Err(Error::Config(format!("{path} is set, and so is a value below it")));
    }
    *here = value;
    Ok(())
}

/// Puts an `a.b=c` of `--set` into `layer`. The value is read as JSON if it is that, `1,2` as a list, else as text.
pub(super) fn put_assignment(layer: &mut Value, assignment: &str) -> Result<()> {
    let Some((path, text)) = assignment.split_once('=').filter(|(path, _)| !path.split('.').any(str::is_empty)) else {
        return Err(Error::Config(format!("--set {assignment}: expected NAME=VALUE, as in nvar.delay=3")));
    };
    let json = serde_json::from_str(text).ok();
    let list = || serde_json::from_str(&format!("[{text}]")).ok().filter(|_| text.contains(','));
    put(layer, path, json.or_else(list).unwrap_or_else(|| Value::String(text.to_owned())))
}

/// The defaults of the alternative called by a name, at a path; see [`overlay`].
pub(super) type Alternatives<'a> = dyn Fn(&str, &str) -> Result<Value> + 'a;

/// Of the alternatives of a kind, the one whose `name` is this, as a table.
pub(super) fn alternative<T: Serialize>(all: &[T], what: &str, name: &str) -> Result<Value> {
    let all: Vec<Value> = all.iter().map(|one| serde_json::to_value(one).expect("it is JSON")).collect();
    all.iter().find(|one| one["name"] == name).cloned().ok_or_else(|| {
        let known = all.iter().filter_map(|one| one["name"].as_str()).collect::<Vec<_>>().join(", ");
        Error::Config(format!("{what} cannot be '{name}'; there are: {known}"))
    })
}

/// Lays `top` over `base`. A key that `base` does not have is an error that names the nearest one that it has.
///
/// A table with a `name` is one of several alternatives with parameters of their own: where `top` names another one, the table
/// becomes that one's defaults first. The name alone stands for a table of it.
pub(super) fn overlay(base: &mut Value, top: &Value, path: &str, alternatives: &Alternatives<'_>) -> Result<()> {
    let named = |table: &Value| table.get("name").and_then(Value::as_str).map(str::to_owned);
    if let (Some(_), Some(other)) = (named(base), top.get("name").filter(|name| !name.is_string())) {
        // Serde would take a number for the place of an alternative in the program.
        return Err(Error::Config(format!("{} is {other}; it is a name in quotes", bd_core::join(path, "name"))));
    }
    if let (Some(now), Some(asked)) = (named(base), named(top).or_else(|| top.as_str().map(str::to_owned))) {
        if asked != now {
            *base = alternatives(path, &asked)?;
        }
        if top.is_string() {
            return Ok(());
        }
    }
    match (base, top) {
        (Value::Object(base), Value::Object(top)) => {
            for (key, value) in top {
                let path = bd_core::join(path, key);
                let Some(here) = base.get_mut(key) else {
                    return Err(unknown_key(&path, key, base));
                };
                overlay(here, value, &path, alternatives)?;
            }
        }
        (Value::Object(_), top) if !top.is_null() => {
            return Err(Error::Config(format!("{path} is a table of values, not a value")));
        }
        (list @ Value::Array(_), Value::String(text)) => {
            *list = text.split(',').map(|item| Value::String(item.to_owned())).collect();
        }
        (list @ Value::Array(_), top) if !top.is_array() => *list = Value::Array(vec![top.clone()]),
        (base, top) => *base = top.clone(),
    }
    Ok(())
}

/// A key that a table does not have, with the nearest one that it has, or that a table in it has by this name.
pub(crate) fn unknown_key(path: &str, key: &str, known: &Map<String, Value>) -> Error {
    let above = path.rsplit_once('.').map_or("", |(above, _)| above);
    let likeness = |name: &str| strsim::jaro_winkler(name, key);
    let like = known.keys().filter(|name| likeness(name) > LIKE).max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    let meant = like.cloned().or_else(|| place_of(key, known));
    let meant = meant.map_or(String::new(), |meant| format!("; did you mean {}?", bd_core::join(above, &meant)));
    let all = known.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    Error::Config(format!("unknown configuration key {path}{meant} (known here: {all})"))
}

/// From here on, names are so much alike that one may be meant by the other (Jaro and Winkler's likeness, 1 of equals).
const LIKE: f64 = 0.7;

/// Where a key is in the tables of a table, if it is in one: `model.hidden` of `hidden`.
fn place_of(key: &str, tables: &Map<String, Value>) -> Option<String> {
    let place = |(name, table): (&String, &Value)| {
        let table = table.as_object()?;
        let below = table.contains_key(key).then(|| key.to_owned()).or_else(|| place_of(key, table))?;
        Some(bd_core::join(name, &below))
    };
    tables.iter().find_map(place)
}

/// The typed configuration, or the part of it that is called `name`. A value of the wrong type is named by its path.
pub(crate) fn typed<T: DeserializeOwned>(value: Value, name: &str) -> Result<T> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        // A value that may be missing has a nameless place of its own.
        let path = bd_core::join(name, error.path().to_string().trim_end_matches('.'));
        Error::Config(format!("{path}: {}", error.into_inner()))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn base() -> Value {
        json!({"seed": 0, "nvar": {"delay": 4, "order": [2]}, "data": {"file": null, "columns": []},
               "rule": {"name": "adam", "eps": 1e-8}})
    }

    fn laid(assignments: &[&str]) -> Result<Value> {
        let mut layer = json!({});
        for assignment in assignments {
            put_assignment(&mut layer, assignment)?;
        }
        let mut value = base();
        overlay(&mut value, &layer, "", &|path, name| {
            alternative(&[json!({"name": "adam", "eps": 1e-8}), json!({"name": "sgd"})], path, name)
        })?;
        Ok(value)
    }

    #[test]
    fn another_name_brings_its_own_parameters() {
        let rule = |assignments: &[&str]| laid(assignments).map(|value| value["rule"].clone());
        assert_eq!(rule(&["rule.eps=0.1"]).unwrap(), json!({"name": "adam", "eps": 0.1}));
        for assignment in ["rule.name=sgd", "rule=sgd", r#"rule={"name": "sgd"}"#] {
            assert_eq!(rule(&[assignment]).unwrap(), json!({"name": "sgd"}));
        }
        assert_eq!(rule(&["rule=adam"]).unwrap(), json!({"name": "adam", "eps": 1e-8}));
        let error = rule(&["rule.name=1"]).unwrap_err().to_string();
        assert_eq!(error, "rule.name is 1; it is a name in quotes");
        let error = rule(&["rule=adma"]).unwrap_err().to_string();
        assert_eq!(error, "rule cannot be 'adma'; there are: adam, sgd");
        for both in [["rule.eps=1", "rule=sgd"], ["rule=sgd", "rule.eps=1"]] {
            let error = rule(&both).unwrap_err().to_string();
            assert!(error.contains("is set, and so is a value"), "{error}");
        }
        assert!(
            rule(&["rule.name=sgd", "rule.eps=1"])
                .unwrap_err()
                .to_string()
                .contains("unknown configuration key rule.eps")
        );
    }

    #[test]
    fn values_are_read_as_what_they_look_like() {
        let value = laid(&["seed=7", "nvar.order=2,3", "data.file=a b.csv", "data.columns=x,y"]).unwrap();
        let data = json!({"file": "a b.csv", "columns": ["x", "y"]});
        assert_eq!(
            value,
            json!({"seed": 7, "nvar": {"delay": 4, "order": [2, 3]}, "data": data, "rule": value["rule"]})
        );
        assert_eq!(laid(&["nvar.order=3"]).unwrap()["nvar"]["order"], json!([3]));
        assert_eq!(laid(&["seed=1", "seed=2"]).unwrap()["seed"], 2, "the last one counts");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (assignment, words) in [
            ("nvar.dealy=3", "unknown configuration key nvar.dealy; did you mean nvar.delay?"),
            ("sede=3", "did you mean seed?"),
            ("delay=3", "unknown configuration key delay; did you mean nvar.delay? (known here: "),
            ("colour=3", "unknown configuration key colour (known here: "),
            ("nvar=3", "nvar is a table"),
            ("nvar", "expected NAME=VALUE"),
            (".a=1", "expected NAME=VALUE"),
        ] {
            let error = laid(&[assignment]).unwrap_err().to_string();
            assert!(error.contains(words), "{words:?} not in: {error}");
        }
    }
}
