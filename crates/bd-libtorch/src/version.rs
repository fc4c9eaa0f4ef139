/// The libtorch that the tch release in use accepts.
#[allow(unreachable_pub)] // the build script has it as a private module
pub const VERSION: &str = "2.11.0";
