//! Kernels over tensors: the kernels of a system ([`Fused`]), the one driver that runs them on the CPU ([`scan_fused`]) or a GPU
//! ([`gpu`]), and formulas over tensors ([`Field`], [`Units`]). What kernels are made of is `bd-kernel`.

mod driver;
mod element;
mod field;
pub mod gpu;
mod graph;
mod max_over_time;
mod unit;

pub(crate) use driver::scan_kernels;
pub use driver::{Library, ScanBytes, ScanOf, Tuning, is_librarys, scan_bytes, scan_fused, scan_tuned};
pub use element::{Element, numbers_of, with_numbers};
pub use field::Field;
pub use graph::{Edge, End, Fused, LinearKernelOf, Processor};
pub use max_over_time::max_over_time;
pub use unit::{UnitState, Units, spike, step_units};
