//! What the process does with memory that is freed, and what Linux says of memory.

use std::fs;

/// From now on the process keeps memory that is freed and uses it again, where the allocator is glibc's; elsewhere nothing changes.
///
/// A training frees and wants the same hundreds of megabytes at every update. Given back to the system and handed out anew, every page
/// is cleared each time, which on a virtual machine can take longer than calculating what is written to it. The price is that
/// the process stays as large as it has once been: for a program that trains, like `bd`, and not for a library to decide.
pub fn keep_freed() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: these settings change where memory comes from and goes to, and no memory that is in use.
    unsafe {
        libc::mallopt(libc::M_MMAP_MAX, 0);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
    }
}

/// Lets all threads of this process take memory from one heap, so that what one of them has freed serves another: for threads that want
/// hundreds of megabytes each in turn. To be called before there are others, and with [`keep_freed`] by programs alone.
pub fn share_freed() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: as above.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

/// What stands behind a name and a colon in a file of Linux's `/proc`, such as `MemTotal` in `/proc/meminfo`: the first line that begins
/// with the name. `None` where there is none.
pub fn proc_field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_what_stands_behind_its_colon() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("meminfo");
        fs::write(&file, "MemTotal:       16384 kB\nMemAvailable:    8192 kB\n").unwrap();
        let field = |name| proc_field(file.to_str().unwrap(), name);
        assert_eq!(field("MemAvailable").unwrap(), "8192 kB");
        assert_eq!((field("Swap"), proc_field("/proc/none", "MemTotal")), (None, None));
    }
}
