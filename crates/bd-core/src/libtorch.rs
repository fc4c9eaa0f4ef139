//! Which libtorch is loaded.

use std::fs;
use std::path::PathBuf;

/// The file of the libtorch in use, as the system loaded it.
pub fn file() -> Option<PathBuf> {
    let maps = fs::read_to_string("/proc/self/maps").ok()?;
    // A line is five fields and a path, which may hold spaces.
    let mut paths = maps.lines().filter_map(|line| line.find('/').map(|start| &line[start..]));
    paths.find(|path| path.ends_with("/libtorch_cpu.so")).map(PathBuf::from)
}

/// The version of the libtorch in use, from the file that lies beside its libraries; with its build, as in `+cu130`.
pub fn version() -> Option<String> {
    bd_libtorch::found_version(file()?.parent()?.parent()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loaded_libtorch_is_the_one_that_was_built_for() {
        tch::get_num_threads(); // makes sure that it is loaded
        assert!(version().unwrap().starts_with(bd_libtorch::VERSION));
    }
}
