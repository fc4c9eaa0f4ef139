//! Fused scans: all time steps of a system, and their adjoint, in loops of our own.
//!
//! | | |
//! |---|---|
//! | [`Unit`] | a neuron or synapse written once, as a formula over [`Num`]: the definition by libtorch ([`Field`]), the loops of the CPU with their adjoint ([`Dual`]) and CUDA C ([`Code`]) follow from it |
//! | [`Kernel`] | the fused form of any system; what [`System::kernel`](crate::System::kernel) returns. Kernels in a row are one ([`KernelChain`]) |
//! | [`scan_fused`] | the one driver: dtype, tiles of the batch, stretches of time, threads, records, and the graph ([`attach`](crate::attach)). Nothing else knows of autograd |
//!
//! What needs no tensor is the crate `bd-kernel`, which builds without libtorch; its items stand here too.

pub use bd_kernel::{
    AnyKernel, Bits, Block, Code, Cpu, Dual, Error, Event, Events, Facts, Formula, FusedPair, Grads, Input,
    Instructions, Kernel, KernelChain, LANES, Listing, Lists, Loops, Memo, NoSpikes, Num, Numbers, OneSeries, Packed,
    Real, Result, Rows, RowsMut, Series, Shape, Sizes, Sparse, SparseWeight, Start, Striped, SurrogateGradient, Tile,
    Transpose, Typed, Unit, UnitKernel, Vector, Workspaces, add_outer_product, add_totals, bits_len, num, pack,
    product, product_of_one, sigmoid, stripe, striped_len, tanh, transpose, transpose_into_stripes, vectorised,
};

pub use crate::fused::{
    Edge, Element, End, Field, Fused, Library, LinearKernelOf, Processor, ScanBytes, ScanOf, Tuning, UnitState, Units,
    gpu, is_librarys, max_over_time, numbers_of, scan_bytes, scan_fused, scan_tuned, spike, step_units, with_numbers,
};
