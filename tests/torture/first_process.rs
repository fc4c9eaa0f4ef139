//! `bd` as the first process of a container, for which Linux takes no default action of signals.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use crate::common::Desk;

/// `bd` as process 1 of a namespace, and its number outside; `None` where namespaces may not be made.
fn start(desk: &Desk, args: &[&str]) -> Option<(Child, String)> {
    let mut command = Command::new("unshare");
    let command = command.args(["--pid", "--fork", "--mount-proc", env!("CARGO_BIN_EXE_bd")]).args(args);
    let mut child = command.current_dir(desk.path("")).stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?;
    let children = format!("/proc/{0}/task/{0}/children", child.id());
    loop {
        if child.try_wait().unwrap().is_some() {
            return None;
        }
        match fs::read_to_string(&children).unwrap_or_default().split_whitespace().next() {
            Some(pid) if fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "bd") => {
                return Some((child, pid.to_owned()));
            }
            _ => sleep(Duration::from_millis(2)),
        }
    }
}

#[test]
fn it_ends_when_it_is_told_to() {
    let desk = Desk::new();
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let Some((mut child, pid)) = start(&desk, &["check"]) else {
            eprintln!("SKIPPED, first processes: this process may not make a namespace");
            return;
        };
        // Until it hears: what came before that is lost, as everywhere.
        let code_found = loop {
            let _ = Command::new("kill").args(["-s", signal, &pid]).stderr(Stdio::null()).status();
            sleep(Duration::from_millis(10));
            if let Some(status) = child.try_wait().unwrap() {
                break status.code();
            }
        };
        assert_eq!(code_found, Some(code));
    }
}
