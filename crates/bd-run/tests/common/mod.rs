//! What tests of runs that are stopped have in common.

use bd_run::Ended;

/// Whether a run has come to its end, and not been stopped; one that was stopped is kept.
pub(crate) fn done(ended: Ended) -> bool {
    match ended {
        Ended::Finished(outcome) => outcome.finish().map(|_| true).unwrap(),
        Ended::Stopped { kept } => {
            assert!(kept.is_some());
            false
        }
    }
}
