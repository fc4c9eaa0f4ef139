//! Which libtorch `bd` is built for. The crate's build script stops a build against any other, in two lines, before
//! torch-sys spends minutes on it.

mod version;
pub use version::VERSION;
