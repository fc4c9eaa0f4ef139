//! [`MemoryNeeds`]: what an update or a fit takes of the host's memory beside what the machine has, known before a run begins.

use std::fs;
use std::path::Path;

use bd_core::memory::proc_field;
use bd_core::{Error, Result};
use serde_json::{Value, json};

use crate::bptt::UpdateBytes;

/// What a training takes whatever its size: pages of libtorch that are used for the first time, figures, pieces of an evaluation. Measured: 28
/// to 72 MiB, of 60 jobs; of one job more or less by where the C library finds room, which the number of threads changes.
pub const BESIDE: u64 = 56 << 20;

/// Memory that training needs on the host, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct MemoryNeeds {
    /// Whose peak it is, such as `an update`.
    pub what: &'static str,
    /// At the peak, beside data and parameters, with [`BESIDE`].
    pub bytes: u64,
    /// Of a network, what is kept from the scan to its adjoint for each neuron and step, of one sample.
    pub per_neuron_step_bytes: Option<f64>,
    /// What would make it less, in the words of the program that asks, such as `take a smaller batch`. It ends the message of
    /// [`check`](Self::check).
    pub advice: &'static str,
}

impl MemoryNeeds {
    /// Of an update, see [`Bptt::bytes`](crate::Bptt::bytes), of layers with `hidden` neurons.
    pub fn of_update(update: &UpdateBytes, hidden: &[i64], advice: &'static str) -> Self {
        let neurons = hidden.iter().sum::<i64>().max(1) as f64;
        let per_neuron_step_bytes = Some(update.kept_per_step_bytes / neurons);
        let bytes = (update.total() as u64).saturating_add(BESIDE);
        Self { what: "an update", bytes, per_neuron_step_bytes, advice }
    }

    /// Of a fit in closed form that takes so many bytes.
    pub fn of_fit(bytes: u64, advice: &'static str) -> Self {
        Self { what: "the fit", bytes: bytes.saturating_add(BESIDE), per_neuron_step_bytes: None, advice }
    }

    /// With what the machine has now.
    pub fn beside(self) -> MemoryReport {
        MemoryReport { needs: self, present_bytes: present_bytes(), available_bytes: available_bytes() }
    }

    /// Fails with [`Error::OutOfMemory`] if the machine does not have what is needed and `data_bytes` for data that are not in
    /// memory yet. Where it is unknown what the machine has, nothing fails.
    pub fn check(&self, data_bytes: u64) -> Result<()> {
        self.check_against(available_bytes(), data_bytes)
    }

    fn check_against(&self, available_bytes: Option<u64>, data_bytes: u64) -> Result<()> {
        let data = if data_bytes > 1 << 26 { format!(", the data {} GiB", gib(data_bytes)) } else { String::new() };
        let what = format!("{} would take about {} GiB{data}", self.what, gib(self.bytes));
        refuse_beyond(available_bytes, self.bytes.saturating_add(data_bytes), &what, self.advice)
    }
}

/// Fails with [`Error::OutOfMemory`] if the machine does not have so many bytes for `what`, such as `the simulation`; `advice` ends the
/// message. Where it is unknown what the machine has, nothing fails.
pub fn check_available(what: &str, bytes: u64, advice: &str) -> Result<()> {
    refuse_beyond(available_bytes(), bytes, &format!("{what} would take about {} GiB", gib(bytes)), advice)
}

fn refuse_beyond(available: Option<u64>, bytes: u64, what: &str, advice: &str) -> Result<()> {
    match available {
        Some(available) if bytes > available => {
            let available = gib(available);
            Err(Error::OutOfMemory(format!("{what}, and {available} GiB are available; {advice}")))
        }
        _ => Ok(()),
    }
}

/// What training needs beside what there is.
#[derive(Debug, Clone, Copy)]
pub struct MemoryReport {
    /// What training needs.
    pub needs: MemoryNeeds,
    /// What this process has already, in bytes, if it is known.
    pub present_bytes: Option<u64>,
    /// What can be had beside that, in bytes, if it is known.
    pub available_bytes: Option<u64>,
}

impl MemoryReport {
    /// In a sentence for people.
    pub fn describe(&self) -> String {
        let MemoryNeeds { what, bytes, per_neuron_step_bytes, .. } = self.needs;
        let present = self
            .present_bytes
            .map_or(String::new(), |bytes| format!(" beside {} that are taken already", shown(bytes)));
        let kept = per_neuron_step_bytes.map_or(String::new(), |bytes| {
            let digits = usize::from(bytes < 10.0);
            format!(" ({bytes:.digits$} bytes a neuron and step are kept for the gradient)")
        });
        format!("about {} at the peak of {what}{present}{kept}", shown(bytes))
    }

    /// For programs, in bytes: `predicted_bytes`, `present_bytes`, `available_bytes`, `bytes_per_neuron_step`.
    pub fn json(&self) -> Value {
        json!({
            "predicted_bytes": self.needs.bytes,
            "present_bytes": self.present_bytes,
            "available_bytes": self.available_bytes,
            "bytes_per_neuron_step": self.needs.per_neuron_step_bytes,
        })
    }
}

fn gib(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / (1u64 << 30) as f64)
}

/// In MiB, or of much in GiB.
pub fn shown(bytes: u64) -> String {
    match bytes as f64 / (1u64 << 20) as f64 {
        mib if mib >= 10240.0 => format!("{} GiB", gib(bytes)),
        mib => format!("{:.0} MiB", mib.max(1.0)),
    }
}

/// What this process has in memory, in bytes. `None` where the system does not say, as only Linux does.
pub fn present_bytes() -> Option<u64> {
    kib(&proc_field("/proc/self/status", "VmRSS")?)
}

/// What can still be had, in bytes: of the machine, of the control groups of either version that this process is in, and of the limit of
/// its address space (`ulimit -v`). `None` where the system does not say.
pub fn available_bytes() -> Option<u64> {
    let machine = kib(&proc_field("/proc/meminfo", "MemAvailable")?)?;
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let group = group_bytes(&groups, Path::new("/sys/fs/cgroup"));
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let taken = || kib(&proc_field("/proc/self/status", "VmSize")?);
    let addresses = address_space(&limits).map(|limit| limit.saturating_sub(taken().unwrap_or(0)));
    [Some(machine), group, addresses].into_iter().flatten().min()
}

/// The soft limit of the address space in `/proc/self/limits`, in bytes, if there is one.
fn address_space(limits: &str) -> Option<u64> {
    limits.lines().find_map(|line| line.strip_prefix("Max address space"))?.split_whitespace().next()?.parse().ok()
}

fn kib(field: &str) -> Option<u64> {
    Some(field.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

/// The files of a control group.
struct GroupFiles {
    limit: &'static str,
    usage: &'static str,
    /// The line of `memory.stat` that counts cached pages of files that are not in use.
    cached: &'static str,
}

/// Linux, Documentation/admin-guide/cgroup-v2.rst.
const VERSION_2: GroupFiles = GroupFiles { limit: "memory.max", usage: "memory.current", cached: "inactive_file " };
/// Linux, Documentation/admin-guide/cgroup-v1/memory.rst.
const VERSION_1: GroupFiles =
    GroupFiles { limit: "memory.limit_in_bytes", usage: "memory.usage_in_bytes", cached: "total_inactive_file " };

/// What is left of the smallest limit of the groups that `/proc/self/cgroup` names, if there is one; `root` is where groups are mounted.
///
/// A line is `hierarchy:controllers:path`: hierarchy 0 without controllers is version 2, one with the controller `memory` version 1,
/// mounted in a folder of that name. In a container the path may be that outside, of which nothing is seen but the root.
fn group_bytes(groups: &str, root: &Path) -> Option<u64> {
    let path_of = |wanted: &dyn Fn(&str, &str) -> bool| {
        groups.lines().find_map(|line| {
            let (hierarchy, rest) = line.split_once(':')?;
            let (controllers, path) = rest.split_once(':')?;
            wanted(hierarchy, controllers).then_some(path)
        })
    };
    let version_2 = path_of(&|hierarchy, controllers| hierarchy == "0" && controllers.is_empty()).unwrap_or("/");
    let version_1 = path_of(&|_, controllers| controllers.split(',').any(|one| one == "memory")).unwrap_or("/");
    let (root_1, root_2) = (root.join("memory"), root.to_path_buf());
    let all = [(root_2, version_2, VERSION_2), (root_1, version_1, VERSION_1)];
    all.iter().filter_map(|(root, path, files)| least_left(root, path, files)).min()
}

/// The least that is left of a group and those above it.
fn least_left(root: &Path, path: &str, files: &GroupFiles) -> Option<u64> {
    let group = root.join(path.trim_start_matches('/'));
    group.ancestors().take_while(|folder| folder.starts_with(root)).filter_map(|folder| left(folder, files)).min()
}

/// What is left of the limit of a group. Files that are kept in memory for nothing but speed give way.
fn left(group: &Path, files: &GroupFiles) -> Option<u64> {
    let read = |name: &str| fs::read_to_string(group.join(name)).ok();
    let number = |name: &str| read(name)?.trim().parse::<u64>().ok();
    let (limit, usage) = (number(files.limit)?, number(files.usage)?);
    let stat = read("memory.stat").unwrap_or_default();
    let cached = stat.lines().find_map(|line| line.strip_prefix(files.cached)?.parse::<u64>().ok());
    Some(limit.saturating_sub(usage.saturating_sub(cached.unwrap_or(0))))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files in a folder of a fake `/sys/fs/cgroup`.
    fn write(root: &Path, group: &str, files: &[(&str, &str)]) {
        let folder = root.join(group);
        fs::create_dir_all(&folder).unwrap();
        for (name, text) in files {
            fs::write(folder.join(name), text).unwrap();
        }
    }

    #[test]
    fn a_group_has_left_what_is_neither_taken_nor_mere_files() {
        let folder = tempfile::tempdir().unwrap();
        let left = || left(folder.path(), &VERSION_2);
        assert_eq!(left(), None);
        write(folder.path(), "", &[("memory.current", "700\n"), ("memory.max", "max\n")]);
        assert_eq!(left(), None);
        write(folder.path(), "", &[("memory.max", "1000\n")]);
        assert_eq!(left(), Some(300));
        write(folder.path(), "", &[("memory.stat", "anon 500\ninactive_file 200\n")]);
        assert_eq!(left(), Some(500));
        write(folder.path(), "", &[("memory.current", "5000\n")]);
        assert_eq!(left(), Some(0));
    }

    /// 1000 - (700 - 200), of which `total_inactive_file` counts groups below, too; `inactive_file` would be of this group alone.
    #[test]
    fn groups_of_version_1_are_read() {
        let root = tempfile::tempdir().unwrap();
        let groups = "12:pids:/jobs/7\n4:memory:/jobs/7\n1:name=systemd:/jobs/7\n";
        assert_eq!(group_bytes(groups, root.path()), None);
        let stat = "cache 300\ninactive_file 1\ntotal_inactive_file 200\n";
        let files = [("memory.limit_in_bytes", "1000\n"), ("memory.usage_in_bytes", "700\n"), ("memory.stat", stat)];
        write(root.path(), "memory/jobs/7", &files);
        assert_eq!(group_bytes(groups, root.path()), Some(500));
        // Controllers may share a hierarchy.
        assert_eq!(group_bytes("3:cpu,memory:/jobs/7\n", root.path()), Some(500));
        // Seen from a container, the group is the root.
        let files = [("memory.limit_in_bytes", "400\n"), ("memory.usage_in_bytes", "100\n")];
        write(root.path(), "memory", &files);
        assert_eq!(group_bytes("3:memory:/docker/0123\n", root.path()), Some(300));
    }

    /// No limit is 2^63 less a page in version 1: more than any machine has, so that the machine decides.
    #[test]
    fn the_smallest_limit_counts_of_all_groups_and_both_versions() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "a", &[("memory.max", "500\n"), ("memory.current", "0\n")]);
        write(root.path(), "a/b", &[("memory.max", "900\n"), ("memory.current", "100\n")]);
        assert_eq!(group_bytes("0::/a/b\n", root.path()), Some(500));
        let files = [("memory.limit_in_bytes", "9223372036854771712\n"), ("memory.usage_in_bytes", "0\n")];
        write(root.path(), "memory/c", &files);
        assert_eq!(group_bytes("0::/a/b\n4:memory:/c\n", root.path()), Some(500));
        assert_eq!(group_bytes("4:memory:/c\n", root.path()), Some(9_223_372_036_854_771_712));
    }

    /// proc(5): name, soft limit, hard limit, unit.
    #[test]
    fn the_limit_of_the_address_space_counts() {
        let limits = |soft: &str| {
            format!("Limit     Soft Limit Hard Limit Units\nMax address space  {soft}  unlimited  bytes\n")
        };
        assert_eq!(address_space(&limits("3072000000")), Some(3_072_000_000));
        assert_eq!((address_space(&limits("unlimited")), address_space("")), (None, None));
    }

    #[test]
    fn what_is_not_there_is_refused() {
        let needs = MemoryNeeds { bytes: 3 << 30, ..MemoryNeeds::of_fit(0, "take less") };
        let error = needs.check_against(Some(2 << 30), 0).unwrap_err().to_string();
        assert_eq!(error, "out of memory: the fit would take about 3.0 GiB, and 2.0 GiB are available; take less");
        let error = needs.check_against(Some(4 << 30), 5 << 30).unwrap_err().to_string();
        assert!(error.contains("3.0 GiB, the data 5.0 GiB, and 4.0 GiB are available"), "{error}");
        assert!(needs.check_against(Some(4 << 30), 1 << 30).is_ok() && needs.check_against(None, 1 << 40).is_ok());
        assert!(MemoryNeeds { bytes: u64::MAX, ..needs }.check_against(Some(1), u64::MAX).is_err());
    }

    #[test]
    fn a_report_says_what_is_needed_and_what_is_there() {
        let (bytes, per_neuron_step_bytes) = (412 << 20, Some(9.25));
        let needs = MemoryNeeds { what: "an update", bytes, per_neuron_step_bytes, advice: "" };
        let report = MemoryReport { needs, present_bytes: Some(20 << 30), available_bytes: None };
        let words = "about 412 MiB at the peak of an update beside 20.0 GiB that are taken already (9.2 bytes a neuron and step";
        assert!(report.describe().starts_with(words), "{}", report.describe());
        assert_eq!(report.json()["available_bytes"], Value::Null);
        assert_eq!(report.json()["predicted_bytes"], 412 << 20);
        let report = MemoryReport { needs: MemoryNeeds::of_fit(44 << 20, ""), ..report };
        assert_eq!(report.describe(), "about 100 MiB at the peak of the fit beside 20.0 GiB that are taken already");
        assert_eq!(report.json()["bytes_per_neuron_step"], Value::Null);
    }

    #[test]
    fn lines_have_few_digits() {
        assert_eq!([3, 412 << 20, 20 << 30].map(shown), ["1 MiB", "412 MiB", "20.0 GiB"]);
    }

    /// A process of this size has some megabytes, and less than the machine had to give.
    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_some_memory() {
        assert!(present_bytes().unwrap() > 1 << 20 && available_bytes().is_some());
    }
}
