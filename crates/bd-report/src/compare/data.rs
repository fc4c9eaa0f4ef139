//! Whether runs learn the same.

use bd_run::record::Record;
use serde_json::Value;

use crate::summary::file_name;

/// What a run learns from, in a word or two: the name of a file, a task, a system, a network that is simulated.
pub(super) fn name(record: &Record) -> String {
    let config = record.config();
    let text = |place: &str| config.pointer(place).and_then(Value::as_str);
    let file = text("/data/file").or(text("/network"));
    let file = file.map(|path| file_name(path).to_owned());
    let named = text("/data/task/name").map(|task| format!("task {task}"));
    let named = named.or_else(|| text("/data/system/name").map(|system| format!("system {system}")));
    file.or(named).unwrap_or_else(|| "–".into())
}

/// Whether all runs learn from the same: of files the same content.
pub(super) fn is_same(records: &[Record]) -> bool {
    let key = |record: &Record| {
        let text = |place: &str| record.config().pointer(place).and_then(Value::as_str).map(str::to_owned);
        text("/data/sha256").or(text("/network_sha256")).unwrap_or_else(|| name(record))
    };
    records.windows(2).all(|pair| key(&pair[0]) == key(&pair[1]))
}
