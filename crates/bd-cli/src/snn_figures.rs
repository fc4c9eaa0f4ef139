//! Stub.
use crate::plot::Figure;
use bd_core::Result;
use tch::Tensor;
pub(crate) struct Report {
    pub(crate) step: u64,
    pub(crate) loss: f64,
    pub(crate) accuracy: f64,
}
pub(crate) struct Recorded {
    pub(crate) layer: String,
    pub(crate) dt_ms: f64,
    pub(crate) v: Tensor,
    pub(crate) spike: Tensor,
}
pub(crate) fn figures(_losses: &[f64], _reports: &[Report], _recorded: &Recorded) -> Result<Vec<(String, Figure)>> {
    Ok(vec![])
}
