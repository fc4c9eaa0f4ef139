//! [`Metrics`]: `metrics.jsonl`, one object a line, which goes on where a checkpoint was written.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use bd_core::files::sync_entry;
use bd_core::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::tensorboard::EventFiles;

/// Its name in the folder of a run.
const NAME: &str = "metrics.jsonl";

/// The file of metrics of a run.
#[derive(Debug)]
pub(crate) struct Metrics {
    path: PathBuf,
    file: File,
    bytes: u64,
    lines: u64,
    events: Option<EventFiles>,
}

/// How much of the file there was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Mark {
    bytes: u64,
    lines: u64,
}

impl Metrics {
    /// Opens the file in a run folder, new or to go on: what is in it stays until [`cut`](Self::cut).
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        let path = folder.join(NAME);
        let file = OpenOptions::new().create(true).append(true).open(&path).map_err(Error::storage("open", &path))?;
        // A checkpoint speaks of the file: it must not be gone after a power cut where the checkpoint is not.
        sync_entry(&path)?;
        let bytes = file.metadata().map_err(Error::storage("read", &path))?.len();
        let text = std::fs::read(&path).map_err(Error::storage("read", &path))?;
        let lines = text.iter().filter(|byte| **byte == b'\n').count() as u64;
        Ok(Self { path, file, bytes, lines, events: None })
    }

    /// From now on the numbers of lines are written for TensorBoard, too.
    pub(crate) fn mirror(&mut self, folder: &Path) {
        self.events = Some(EventFiles::of(folder));
    }

    /// Appends an object as one line.
    pub(crate) fn report(&mut self, metrics: &Value) -> Result<()> {
        let line = format!("{metrics}\n");
        self.file.write_all(line.as_bytes()).map_err(Error::storage("write", &self.path))?;
        (self.bytes, self.lines) = (self.bytes + line.len() as u64, self.lines + 1);
        self.events.as_mut().map_or(Ok(()), |events| events.report(metrics, &self.path))
    }

    /// What is in the file by now, safe on the disk.
    pub(crate) fn mark(&mut self) -> Result<Value> {
        self.file.sync_all().map_err(Error::storage("write", &self.path))?;
        Ok(json!(Mark { bytes: self.bytes, lines: self.lines }))
    }

    /// Cuts off what came after a [mark](Self::mark): lines of updates that are made again, a line that was cut off.
    pub(crate) fn cut(&mut self, mark: &Value) -> Result<()> {
        self.cut_after_last(std::iter::once(mark))
    }

    /// Cuts off what came after the last of these [marks](Self::mark). Without a mark all of it stays.
    pub(crate) fn cut_after_last<'m>(&mut self, marks: impl Iterator<Item = &'m Value>) -> Result<()> {
        let read = |mark: &Value| {
            Mark::deserialize(mark)
                .map_err(|error| Error::Config(format!("a checkpoint says nothing of metrics.jsonl: {error}")))
        };
        let marks = marks.map(read).collect::<Result<Vec<_>>>()?;
        let Some(mark) = marks.into_iter().max() else { return Ok(()) };
        if self.bytes < mark.bytes {
            let (found, expected) = (self.bytes, mark.bytes);
            return Err(Error::bad_file(
                &self.path,
                format!("it has {found} bytes, but had {expected} when the checkpoint was written; lines are missing"),
            ));
        }
        self.cut_to(mark)
    }

    /// Split and update of the lines of a member of an ensemble, or of a network alone.
    pub(crate) fn reported(&self, member: Option<usize>) -> Result<HashSet<(String, u64)>> {
        let text = std::fs::read(&self.path).map_err(Error::storage("read", &self.path))?;
        let known = |line: &[u8]| {
            let line: Value = serde_json::from_slice(line).ok()?;
            let is_own = line["member"].as_u64() == member.map(|member| member as u64);
            is_own.then(|| Some((line["split"].as_str()?.to_owned(), line["step"].as_u64()?)))?
        };
        Ok(text.split(|byte| *byte == b'\n').filter_map(known).collect())
    }

    /// Cuts off the first line that is none of `these`, and all that follow.
    pub(crate) fn keep_first(&mut self, these: impl Fn(&Value) -> bool) -> Result<()> {
        let text = std::fs::read(&self.path).map_err(Error::storage("read", &self.path))?;
        let is_one =
            |line: &&[u8]| line.ends_with(b"\n") && serde_json::from_slice(line).is_ok_and(|line| these(&line));
        let kept: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').take_while(is_one).collect();
        self.cut_to(Mark { bytes: kept.iter().map(|line| line.len() as u64).sum(), lines: kept.len() as u64 })
    }

    fn cut_to(&mut self, Mark { bytes, lines }: Mark) -> Result<()> {
        self.file.set_len(bytes).map_err(Error::storage("write", &self.path))?;
        (self.bytes, self.lines) = (bytes, lines);
        Ok(())
    }
}

/// Waits until all that was reported to the file of a run folder, if there is one, is on the disk.
pub(crate) fn sync(folder: &Path) -> Result<()> {
    let path = folder.join(NAME);
    match File::open(&path).and_then(|file| file.sync_all()) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::storage("write", &path)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_after_a_mark_is_cut_off_and_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut metrics = Metrics::open(folder.path()).unwrap();
        metrics.report(&json!({"step": 1})).unwrap();
        let mark = metrics.mark().unwrap();
        assert_eq!(mark, json!({"bytes": 11, "lines": 1})); // {"step":1} and a line's end
        metrics.report(&json!({"step": 2})).unwrap();
        drop(metrics);
        // A process that was killed in the middle of a line.
        let path = folder.path().join("metrics.jsonl");
        let mut text = std::fs::read_to_string(&path).unwrap();
        text.truncate(text.len() - 3);
        std::fs::write(&path, text).unwrap();
        let mut metrics = Metrics::open(folder.path()).unwrap();
        metrics.cut_after_last([&json!({"bytes": 0, "lines": 0}), &mark].into_iter()).unwrap();
        metrics.report(&json!({"step": 2.5})).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"step\":1}\n{\"step\":2.5}\n");
    }

    #[test]
    fn lines_are_kept_up_to_the_first_of_another_kind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let is_tried = |line: &Value| line.get("delay").is_some();
        for (text, kept) in [
            ("", ""),
            ("{\"loss\":1}\n{\"delay\":1}\n", ""),
            ("{\"delay\":1}\n{\"delay\":2}\n{\"loss\":1}\n{\"delay\":3}\n", "{\"delay\":1}\n{\"delay\":2}\n"),
            ("{\"delay\":1}\n{\"delay\":2}", "{\"delay\":1}\n"), // a line that was cut off
        ] {
            std::fs::write(&path, text).unwrap();
            let mut metrics = Metrics::open(folder.path()).unwrap();
            metrics.keep_first(is_tried).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), kept);
            let lines = kept.lines().count();
            assert_eq!(metrics.mark().unwrap(), json!({"bytes": kept.len(), "lines": lines}));
        }
    }

    #[test]
    fn the_lines_of_each_member_are_known() {
        let folder = tempfile::tempdir().unwrap();
        let mut metrics = Metrics::open(folder.path()).unwrap();
        for line in [
            json!({"step": 3, "split": "train", "member": 1}),
            json!({"step": 4, "split": "validation", "member": 1}),
            json!({"step": 3, "split": "train", "member": 2}),
            json!({"step": 3, "split": "train"}),
            json!({"split": "test"}),
        ] {
            metrics.report(&line).unwrap();
        }
        let known = |member, step, split: &str| metrics.reported(member).unwrap().contains(&(split.to_owned(), step));
        assert!(known(Some(1), 3, "train") && known(Some(1), 4, "validation") && !known(Some(1), 4, "train"));
        assert!(known(Some(2), 3, "train") && !known(Some(2), 4, "validation") && known(None, 3, "train"));
        assert_eq!([Some(1), Some(2), None].map(|member| metrics.reported(member).unwrap().len()), [2, 1, 1]);
    }

    #[test]
    fn missing_lines_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut metrics = Metrics::open(folder.path()).unwrap();
        metrics.report(&json!({"step": 1})).unwrap();
        let mark = metrics.mark().unwrap();
        std::fs::write(folder.path().join("metrics.jsonl"), "").unwrap();
        let error = Metrics::open(folder.path()).unwrap().cut(&mark).unwrap_err().to_string();
        assert!(error.contains("it has 0 bytes, but had 11"), "{error}");
    }
}
