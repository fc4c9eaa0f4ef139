//! What the crates call a setting, and the option that sets it here: messages of the crates name settings, those of the command line
//! options.

use bd_core::Error;
use bd_core::cuda::CudaProblem;

/// Settings as messages of the crates name them, in backticks, and their options.
const OPTIONS: [(&str, &str); 7] = [
    ("`columns`", "--columns"),
    ("`deterministic`", "--deterministic"),
    ("`dt`", "--dt"),
    ("`time`", "--time"),
    ("`data.arrays.x`", "--x"),
    ("`data.arrays.y`", "--y"),
    ("`data.arrays.trials`", "--trials"),
];

/// Settings whose options are called otherwise than they are.
const SETTINGS: [(&str, &str); 9] = [
    ("model.hidden", "--hidden"),
    ("data.test", "--test-fraction"),
    ("online.alpha", "--alpha"),
    ("nvar.delay", "--delay"),
    ("nvar.stride", "--stride"),
    ("nvar.order", "--order"),
    ("exponents", "--lyapunov"),
    ("duration_ms", "--duration-ms"),
    ("discard_ms", "--discard-ms"),
];

/// An error in the words of the command line, with what to do about it here.
pub(crate) fn told(error: &anyhow::Error) -> String {
    let said = OPTIONS.iter().fold(error.to_string(), |said, (setting, option)| said.replace(setting, option));
    match error.downcast_ref::<Error>() {
        Some(Error::Cuda(problem)) => said + of_cuda(problem),
        Some(Error::Setting { name, .. }) => match SETTINGS.iter().find(|(setting, _)| setting == name) {
            Some((setting, option)) => said.replacen(setting, &format!("{setting} ({option})"), 1),
            None => said,
        },
        _ => said,
    }
}

fn of_cuda(problem: &CudaProblem) -> &'static str {
    match problem {
        CudaProblem::LibraryMissing(_) => " (run scripts/libtorch --cuda to fetch one, or take --device cpu)",
        CudaProblem::NvrtcMissing(_) => " (run scripts/libtorch --nvrtc to fetch it)",
        _ => " (--device cpu)",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_become_options() {
        let error = Error::bad_file("s.npz", "name its columns with `columns`; there are: a, b");
        assert_eq!(told(&error.into()), "s.npz: name its columns with --columns; there are: a, b");
        let error = Error::setting("model.hidden", 0, "at least 1");
        assert_eq!(told(&error.into()), "model.hidden (--hidden) is 0; it must be at least 1");
        let error = Error::Cuda(CudaProblem::NoDriver("none".into()));
        assert!(told(&error.into()).ends_with("or use the CPU (--device cpu)"));
        assert_eq!(told(&anyhow::anyhow!("something else")), "something else");
    }
}
