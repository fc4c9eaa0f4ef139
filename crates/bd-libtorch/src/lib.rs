//! Which libtorch `bd` is built for. The crate's build script stops a build against any other, in two lines.

mod version;
pub use version::{VERSION, found_version};
