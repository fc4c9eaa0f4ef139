//! Compiles the C++ shim (`shim/`) against the libtorch that torch-sys found.

use std::env;
use std::path::Path;

fn main() {
    // From torch-sys (`links = "tch"`); Cargo hands it to direct dependents alone.
    let lib = env::var("DEP_TCH_LIBTORCH_LIB").expect("torch-sys says where libtorch's libraries are");
    let home = env::var("LIBTORCH_INCLUDE").unwrap_or_else(|_| {
        Path::new(&lib).parent().expect("libtorch's libraries are in a folder of it").display().to_string()
    });
    let include = Path::new(&home).join("include");
    println!("cargo::rerun-if-changed=shim");
    println!("cargo::rerun-if-env-changed=LIBTORCH_INCLUDE");
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .file("shim/autograd.cpp")
        .file("shim/stream.cpp")
        .include(&include)
        .include(include.join("torch/csrc/api/include"))
        .warnings(false) // libtorch's headers have plenty
        .compile("bd_shim");
}
