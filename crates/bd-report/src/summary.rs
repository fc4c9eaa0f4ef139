//! What a run is, how good it is and how it ended, in plain sentences.

mod ended;
mod good;
mod what;

use bd_run::record::Record;
use serde_json::Value;

pub(crate) use self::ended::{unit_of_updates, units_of_updates};

/// Three paragraphs or fewer.
pub(crate) fn of(record: &Record) -> Vec<String> {
    let all = [what::sentences(record), good::sentences(record), ended::sentences(record)];
    all.into_iter().filter(|words| !words.is_empty()).collect()
}

/// The name of what is chosen at a place of the configuration.
fn chosen<'a>(config: &'a Value, place: &str) -> Option<&'a str> {
    config.pointer(place)?.get("name")?.as_str()
}

/// The name of a file without its folders.
pub(crate) fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}
