//! Compiles the C++ shim (`shim/`) against the libtorch that `bd-libtorch` found.

use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=shim");
    if bd_libtorch::INCLUDE.is_empty() {
        return; // documentation alone
    }
    let include = Path::new(bd_libtorch::INCLUDE);
    let is_release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    cc::Build::new()
        .cpp(true)
        .opt_level(if is_release { 3 } else { 0 }) // it only hands on, and takes a minute to optimise
        .std("c++17")
        .file("shim/autograd.cpp")
        .file("shim/stream.cpp")
        .include(include)
        .include(include.join("torch/csrc/api/include"))
        .warnings(false) // libtorch's headers have plenty
        .compile("bd_shim");
}
