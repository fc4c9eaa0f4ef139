//! Compiles the C++ shim (`shim/`) against the libtorch that `bd-libtorch` found.

use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=shim");
    if bd_libtorch::INCLUDE.is_empty() {
        return; // documentation alone
    }
    let include = Path::new(bd_libtorch::INCLUDE);
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .file("shim/autograd.cpp")
        .file("shim/stream.cpp")
        .include(include)
        .include(include.join("torch/csrc/api/include"))
        .warnings(false) // libtorch's headers have plenty
        .compile("bd_shim");
}
