//! What the process does with memory that is freed.

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
