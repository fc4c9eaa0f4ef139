//! `--deterministic`: this program once more, with the variables that hold the libraries to one way of computing.

use std::env;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use bd_core::determinism::{VARIABLES, check_processor, is_held};
use bd_core::{Error, Result};

/// Goes on only where everything below is held, if that is wanted: libraries look at their variables once, so that this process becomes
/// one in which they are set. To be called before there is anything to lose, such as a connection to other processes.
pub(crate) fn hold(is_wanted: bool) -> Result<()> {
    if !is_wanted {
        return Ok(());
    }
    check_processor()?;
    if is_held() {
        return Ok(());
    }
    let program = env::current_exe().map_err(Error::storage("find", Path::new("/proc/self/exe")))?;
    let mut words = env::args_os();
    let mut again = Command::new(&program);
    words.next().map(|name| again.arg0(name));
    let error = again.args(words).envs(VARIABLES).exec();
    Err(Error::storage("start", &program)(error))
}
