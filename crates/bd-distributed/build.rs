//! Compiles the C++ shim (`shim/`) against the libtorch that `bd-libtorch` found, with stand-ins for Gloo's headers, which libtorch lacks.

use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=shim");
    bd_libtorch::link();
    if bd_libtorch::INCLUDE.is_empty() {
        return; // documentation alone
    }
    let include = Path::new(bd_libtorch::INCLUDE);
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .file("shim/group.cpp")
        .include("shim/gloo")
        .include(include)
        .include(include.join("torch/csrc/api/include"))
        .warnings(false) // libtorch's headers have plenty
        .compile("bd_group");
}
