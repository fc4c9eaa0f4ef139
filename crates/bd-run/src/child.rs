//! Processes that a run starts: they end with the one that started them, and hear its signals.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

/// Sends a signal to a process that was not waited for yet: its number may be somebody else's afterwards.
pub fn signal(child: &Child, signal: i32) {
    if let Ok(pid) = libc::pid_t::try_from(child.id()) {
        // SAFETY: it is a call of the system without memory of ours.
        unsafe { libc::kill(pid, signal) };
    }
}

/// The process of a command gets SIGTERM when this one is gone, however it ended.
pub fn end_with_parent(command: &mut Command) {
    #[cfg(target_os = "linux")]
    {
        let parent = std::process::id();
        let ask = move || {
            // SAFETY: both are calls of the system without memory of ours, as is allowed between fork and exec.
            let gone = unsafe {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM);
                libc::getppid() as u32 != parent
            };
            // It was killed before it could be heard of.
            if gone { Err(std::io::Error::from(std::io::ErrorKind::BrokenPipe)) } else { Ok(()) }
        };
        // SAFETY: the closure allocates nothing and takes no lock.
        unsafe { command.pre_exec(ask) };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = command;
}
