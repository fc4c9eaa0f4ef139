//! Which libtorch is loaded, and how a program leaves it.

use std::fs;
use std::io::{self, Write};
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

/// Ends the process with the exit code `code`, as [`std::process::exit`] does, but lets libtorch be: taking its register of operators apart
/// takes 0.1 s, a third of a short command, and the system frees all of it at once. Standard output is flushed; what else has to be
/// written or removed in the end is to be dropped before, and functions that were registered for the end, such as those of profilers, are not called.
pub fn exit(code: u8) -> ! {
    // Whoever reads may have gone; the code says what happened.
    let _ = io::stdout().flush();
    // SAFETY: the one writes what libraries in C have printed, the other ends the process; neither touches memory of ours.
    unsafe {
        libc::fflush(std::ptr::null_mut());
        libc::_exit(code.into())
    }
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
