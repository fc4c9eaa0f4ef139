//! [`EventFiles`]: the numbers of `metrics.jsonl` once more as event files, which TensorBoard shows while a network is trained.
//!
//! Format: TensorFlow's `record_writer.h`, `event.proto` and `summary.proto`. A record is the length of its data in 8 bytes, a checksum of
//! these, the data, and a checksum of them; the least byte is first. What counts stays in `metrics.jsonl`: numbers here are float32.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use bd_core::{Error, Result};
use serde_json::Value;

/// Below a run's folder.
const FOLDER: &str = "tensorboard";
/// What the first record of a file says.
const VERSION: &[u8] = b"brain.Event:2";
/// `SessionLog.START`: points of this step and later that were written before are void.
const START: &[u8] = &[0x08, 1];

/// Event files of a run: a folder for each part of the data, and of an ensemble for each member and part.
#[derive(Debug)]
pub(crate) struct EventFiles {
    folder: PathBuf,
    open: BTreeMap<String, File>,
}

impl EventFiles {
    /// Those of a run, of which files are made when there is something to be written.
    pub(crate) fn of(run: &Path) -> Self {
        Self { folder: run.join(FOLDER), open: BTreeMap::new() }
    }

    /// Writes the numbers of a line of an update. `metrics` is the file of all lines, which says what is valid of what was written before.
    pub(crate) fn report(&mut self, line: &Value, metrics: &Path) -> Result<()> {
        let (Some(part), Some(step)) = (part(line), line["step"].as_u64()) else { return Ok(()) };
        let summary: Vec<u8> = numbers(line).flat_map(|(name, number)| field(1, &value(name, number))).collect();
        let event = event(step, (5, &summary));
        let path = self.folder.join(&part);
        let file = match self.open.entry(part) {
            std::collections::btree_map::Entry::Occupied(there) => there.into_mut(),
            std::collections::btree_map::Entry::Vacant(free) => {
                let from = first_void(metrics, free.key(), step)?;
                let file = begin(&path, from).map_err(Error::storage("write", &path))?;
                free.insert(file)
            }
        };
        // Whole records, so that a reader waits for at most the last one.
        file.write_all(&record(&event)).map_err(Error::storage("write", path))
    }
}

/// The folder of a line: `train`, `validation`, or `member-2-train`.
fn part(line: &Value) -> Option<String> {
    let split = line["split"].as_str()?;
    Some(match line["member"].as_u64() {
        Some(member) => format!("member-{member}-{split}"),
        None => split.to_owned(),
    })
}

/// The numbers of a line by their names, without those that say where it belongs.
fn numbers(line: &Value) -> impl Iterator<Item = (&str, f32)> {
    let all = line.as_object().into_iter().flatten();
    let numbers = all.filter_map(|(name, value)| Some((name.as_str(), value.as_f64()? as f32)));
    numbers.filter(|(name, _)| !["step", "member"].contains(name))
}

/// The step after the last line of a part before `step`: what was written of later steps belongs to updates that are made again.
fn first_void(metrics: &Path, of: &str, step: u64) -> Result<u64> {
    let text = fs::read(metrics).map_err(Error::storage("read", metrics))?;
    let step_of = |line: &[u8]| {
        let line: Value = serde_json::from_slice(line).ok()?;
        line["step"].as_u64().filter(|known| *known < step && part(&line).as_deref() == Some(of))
    };
    Ok(text.split(|byte| *byte == b'\n').filter_map(step_of).max().map_or(0, |last| last + 1))
}

/// A new file in a folder, later by its name than those that are there: its first records void what was written from a step on.
fn begin(folder: &Path, from: u64) -> std::io::Result<File> {
    fs::create_dir_all(folder)?;
    let time = |entry: std::io::Result<fs::DirEntry>| {
        let name = entry.ok()?.file_name().into_string().ok()?;
        name.strip_prefix("events.out.tfevents.")?.split('.').next()?.parse::<u64>().ok()
    };
    let last = fs::read_dir(folder)?.filter_map(time).max().unwrap_or(0);
    let seconds = (now() as u64).max(last + 1);
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host: String = host.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    let host = if host.is_empty() { "localhost" } else { &host };
    let path = folder.join(format!("events.out.tfevents.{seconds:010}.{host}.{}.0", std::process::id()));
    let mut file = OpenOptions::new().create_new(true).append(true).open(path)?;
    let first = [record(&event(0, (3, VERSION))), record(&event(from, (7, START)))].concat();
    file.write_all(&first)?;
    Ok(file)
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// `Event` of a step: its time, its step, and what it is of.
fn event(step: u64, (number, content): (u64, &[u8])) -> Vec<u8> {
    let mut event = vec![1 << 3 | 1];
    event.extend(now().to_le_bytes());
    event.push(2 << 3);
    event.extend(varint(step));
    event.extend(field(number, content));
    event
}

/// `Summary.Value` of a number: tag and `simple_value`.
fn value(name: &str, number: f32) -> Vec<u8> {
    let mut value = field(1, name.as_bytes());
    value.push(2 << 3 | 5);
    value.extend(number.to_le_bytes());
    value
}

/// A field of bytes.
fn field(number: u64, content: &[u8]) -> Vec<u8> {
    [varint(number << 3 | 2), varint(content.len() as u64), content.to_vec()].concat()
}

/// Seven bits a byte, the least first.
fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    [&length[..], &masked(&length).to_le_bytes(), data, &masked(data).to_le_bytes()].concat()
}

/// A checksum of what holds checksums would be weak: it is turned and moved.
fn masked(data: &[u8]) -> u32 {
    crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32 by Castagnoli's polynomial, bit by bit: there are a few hundred bytes for each report.
fn crc32c(data: &[u8]) -> u32 {
    let bit = |crc: u32| (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg());
    !data.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| bit(crc)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// RFC 3720, B.4, and the check value of the catalogue of CRCs.
    #[test]
    fn checksums_are_those_of_castagnoli() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
    }

    /// The data of all records of a file, of which each is whole.
    fn records(path: &Path) -> Vec<Vec<u8>> {
        let (bytes, mut at, mut all) = (fs::read(path).unwrap(), 0, Vec::new());
        while at < bytes.len() {
            let length = u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
            let sum = |from: usize| u32::from_le_bytes(bytes[from..from + 4].try_into().unwrap());
            let data = &bytes[at + 12..at + 12 + length];
            assert_eq!((sum(at + 8), sum(at + 12 + length)), (masked(&bytes[at..at + 8]), masked(data)));
            all.push(data.to_vec());
            at += 16 + length;
        }
        all
    }

    fn files(folder: &Path) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }

    #[test]
    fn lines_are_events_of_their_part() {
        let run = tempfile::tempdir().unwrap();
        let metrics = run.path().join("metrics.jsonl");
        fs::write(&metrics, "").unwrap();
        let mut events = EventFiles::of(run.path());
        for line in [
            json!({"step": 300, "split": "train", "loss": 0.5, "best": true, "validation_loss": null}),
            json!({"step": 300, "split": "validation", "loss": 0.25, "member": 2}),
            json!({"split": "test", "accuracy": 1.0}),
            json!({"delay": 3}),
        ] {
            events.report(&line, &metrics).unwrap();
        }
        let folder = run.path().join("tensorboard");
        let names: Vec<String> =
            files(&folder).iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
        assert_eq!(names, ["member-2-validation", "train"]);
        let found = records(&files(&folder.join("train"))[0]);
        assert_eq!(found.len(), 3);
        assert!(found[0].ends_with(b"\x1a\x0dbrain.Event:2"));
        // Behind 9 bytes of time: step 0; session_log with status START.
        assert_eq!(found[1][9..], [0x10, 0, 0x3a, 2, 0x08, 1]);
        // Step 300 is 0xac 0x02; a summary of 13 bytes with one value: tag "loss" and 0.5, which is 0x3f000000.
        assert_eq!(found[2][9..], *b"\x10\xac\x02\x2a\x0d\x0a\x0b\x0a\x04loss\x15\x00\x00\x00\x3f");
    }

    /// A run that goes on writes another file, whose beginning voids what is made again.
    #[test]
    fn what_is_made_again_is_void() {
        let run = tempfile::tempdir().unwrap();
        let metrics = run.path().join("metrics.jsonl");
        fs::write(&metrics, "").unwrap();
        let report = |events: &mut EventFiles, step: u64| {
            events.report(&json!({"step": step, "split": "train", "loss": 1.0}), &metrics).unwrap();
        };
        let mut events = EventFiles::of(run.path());
        [10, 20, 30].iter().for_each(|step| report(&mut events, *step));
        fs::write(&metrics, "{\"step\":10,\"split\":\"train\"}\n{\"step\":25,\"split\":\"validation\"}\n").unwrap();
        report(&mut EventFiles::of(run.path()), 25);
        let all = files(&run.path().join("tensorboard/train"));
        assert_eq!(all.len(), 2);
        let found = records(&all[1]);
        assert_eq!(found[1][9..], [0x10, 11, 0x3a, 2, 0x08, 1]);
    }
}
