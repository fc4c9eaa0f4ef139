//! Three newcomers as scripts, `tests/newcomers`: each in an empty folder, with the real binary.

use std::path::Path;
use std::process::Command;

use crate::common::{Desk, ended};

/// How a script ends that lacks a program or package of the machine.
const LEFT_OUT: i32 = 77;

fn comes(newcomer: &str) {
    let desk = Desk::new();
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR"));
    let runner = std::env::current_exe().unwrap().with_file_name("libbd_runner.so");
    let mut command = Command::new(checkout.join("tests/newcomers").join(newcomer));
    let command = command.current_dir(desk.path("")).env("CHECKOUT", checkout).env("BD", env!("CARGO_BIN_EXE_bd"));
    let said = ended(command.env("RUNNER", runner).env_remove("LD_LIBRARY_PATH").output().unwrap());
    if said.code == LEFT_OUT {
        eprintln!("{newcomer} is left out: {}", said.stderr);
        return;
    }
    assert_eq!(said.code, 0, "{newcomer}: {}{}", said.stdout, said.stderr);
}

#[test]
fn a_neuroscientist_with_a_recording() {
    comes("neuroscientist.sh");
}

#[test]
fn an_engineer_with_a_control_loop() {
    comes("engineer.sh");
}

#[test]
fn a_student_of_the_tutorial() {
    comes("student.sh");
}
