//! Memory: what an update will take is told before a run begins, and refused where the machine has less.

use std::fs;
use std::path::Path;

use bd_core::{Error, Result};
use bd_train::UpdateBytes;
use serde_json::{Value, json};

use crate::info::proc_field;

/// What training needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Needs {
    /// At the peak of an update.
    pub(crate) update_bytes: u64,
    /// What is kept from the scan to its adjoint, for each neuron and step.
    pub(crate) per_neuron_step_bytes: f64,
    /// What makes it less, in words.
    pub(crate) advice: &'static str,
}

impl Needs {
    pub(crate) fn new(update: &UpdateBytes, hidden: &[i64], advice: &'static str) -> Self {
        let neurons = hidden.iter().sum::<i64>().max(1) as f64;
        let per_neuron_step_bytes = update.kept_per_step_bytes / neurons;
        Self { update_bytes: update.total() as u64, per_neuron_step_bytes, advice }
    }

    /// With what the machine has now.
    pub(crate) fn beside(self) -> Memory {
        Memory { needs: self, present_bytes: present_bytes(), available_bytes: available_bytes() }
    }

    /// Refuses what the machine does not have. `data_bytes` are those of data that are not there yet.
    pub(crate) fn check(&self, data_bytes: u64) -> Result<()> {
        match available_bytes() {
            Some(available) if self.update_bytes.saturating_add(data_bytes) > available => {
                let data =
                    if data_bytes > 1 << 26 { format!(", the data {} GiB", gib(data_bytes)) } else { String::new() };
                let (update, available) = (gib(self.update_bytes), gib(available));
                let advice = self.advice;
                Err(Error::OutOfMemory(format!(
                    "an update would take about {update} GiB{data}, and {available} GiB are available; {advice}"
                )))
            }
            _ => Ok(()),
        }
    }
}

/// What training needs beside what there is, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    needs: Needs,
    /// Of this process.
    present_bytes: Option<u64>,
    /// Beside these. Where it is not known, nothing is refused.
    available_bytes: Option<u64>,
}

impl Memory {
    /// For people.
    pub(crate) fn line(&self) -> String {
        let Needs { update_bytes, per_neuron_step_bytes, .. } = self.needs;
        let present = self
            .present_bytes
            .map_or(String::new(), |bytes| format!(" beside {} that are taken already", shown(bytes)));
        let per_step = match per_neuron_step_bytes {
            small if small < 10.0 => format!("{small:.1}"),
            large => format!("{large:.0}"),
        };
        format!(
            "memory    about {} at the peak of an update{present} ({per_step} bytes a neuron and step are kept for the gradient)",
            shown(update_bytes)
        )
    }

    /// For programs.
    pub(crate) fn json(&self) -> Value {
        json!({
            "predicted_bytes": self.needs.update_bytes,
            "present_bytes": self.present_bytes,
            "available_bytes": self.available_bytes,
            "bytes_per_neuron_step": self.needs.per_neuron_step_bytes,
        })
    }
}

fn gib(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / (1u64 << 30) as f64)
}

fn shown(bytes: u64) -> String {
    match bytes as f64 / (1u64 << 20) as f64 {
        mib if mib >= 10240.0 => format!("{} GiB", gib(bytes)),
        mib => format!("{:.0} MiB", mib.max(1.0)),
    }
}

fn present_bytes() -> Option<u64> {
    kib(&proc_field("/proc/self/status", "VmRSS")?)
}

/// What can still be had: of the machine, and of the control groups that this process is in.
fn available_bytes() -> Option<u64> {
    let machine = kib(&proc_field("/proc/meminfo", "MemAvailable")?)?;
    Some(group_bytes().map_or(machine, |group| group.min(machine)))
}

fn kib(field: &str) -> Option<u64> {
    Some(field.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

/// What is left of the smallest limit of a control group, if there is one.
fn group_bytes() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let own = groups.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or("/");
    // In a container the path may be that outside, of which nothing is seen but the root.
    let path = Path::new("/sys/fs/cgroup").join(own.trim_start_matches('/'));
    path.ancestors().take_while(|folder| folder.starts_with("/sys/fs/cgroup")).filter_map(left).min()
}

/// What is left of the limit of a group. Files that are kept in memory for nothing but speed make room.
fn left(group: &Path) -> Option<u64> {
    let read = |name: &str| fs::read_to_string(group.join(name)).ok();
    let number = |name: &str| read(name)?.trim().parse::<u64>().ok();
    let (most, current) = (number("memory.max")?, number("memory.current")?);
    let stat = read("memory.stat").unwrap_or_default();
    let files = stat.lines().find_map(|line| line.strip_prefix("inactive_file ")?.parse::<u64>().ok());
    Some(most.saturating_sub(current.saturating_sub(files.unwrap_or(0))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_left_what_is_neither_taken_nor_mere_files() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        assert_eq!(left(folder.path()), None);
        write("memory.current", "700\n");
        write("memory.max", "max\n");
        assert_eq!(left(folder.path()), None);
        write("memory.max", "1000\n");
        assert_eq!(left(folder.path()), Some(300));
        write("memory.stat", "anon 500\ninactive_file 200\n");
        assert_eq!(left(folder.path()), Some(500));
    }

    #[test]
    fn what_is_not_there_is_refused() {
        let needs = Needs { update_bytes: 1 << 60, per_neuron_step_bytes: 4.0, advice: "take less" };
        let told = needs.check(0).unwrap_err().to_string();
        assert!(told.starts_with("out of memory: an update would take about 1073741824.0 GiB, and "), "{told}");
        assert!(told.ends_with(" GiB are available; take less"), "{told}");
        assert!(Needs { update_bytes: 1, ..needs }.check(0).is_ok());
    }

    #[test]
    fn lines_have_few_digits() {
        assert_eq!([3, 412 << 20, 20 << 30].map(shown), ["1 MiB", "412 MiB", "20.0 GiB"]);
    }
}
