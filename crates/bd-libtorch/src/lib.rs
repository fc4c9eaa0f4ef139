//! Which libtorch `bd` is built for, and where the build found it. The crate's build script stops a build against any other, in two lines.
//!
//! A program that uses the crates of `bd` has this as a build dependency, and one line in its `build.rs`:
//!
//! ```
//! bd_libtorch::link();
//! ```

#[cfg(test)]
mod place;
mod version;
pub use version::{VERSION, found_version};

/// The folder of libtorch's shared libraries; empty in a build for documentation alone.
pub const LIB: &str = match option_env!("BD_LIBTORCH_LIB") {
    Some(lib) => lib,
    None => "",
};

/// The folder of libtorch's headers; empty in a build for documentation alone.
pub const INCLUDE: &str = match option_env!("BD_LIBTORCH_INCLUDE") {
    Some(include) => include,
    None => "",
};

/// For a build script: programs, tests, examples and benches of its package find libtorch's shared libraries with no variable set, in the
/// folder where the build found them, or in `../lib` as seen from the program, for those that are carried elsewhere.
///
/// Cargo hands no such thing from a library to the programs that use it, and rustdoc takes none: documentation tests of the package
/// need `LD_LIBRARY_PATH`.
pub fn link() {
    if !LIB.is_empty() {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{LIB}");
        println!("cargo::rustc-link-arg=-Wl,-rpath,$ORIGIN/../lib");
    }
}
