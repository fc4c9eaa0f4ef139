//! Formulas, loops and adjoints of models of brain dynamics. Nothing here knows of tensors or of libtorch: kernels are made
//! of slices of numbers and work on slices of numbers.
//!
//! | | |
//! |---|---|
//! | [`Num`], [`Unit`] | a formula written once; a neuron or synapse as such a formula |
//! | [`Dual`], [`Listing`], [`Graph`] | what follows from a formula: derivatives, CUDA C, and the formula as data |
//! | [`UnitFormula`], [`Program`], [`GraphKernel`], [`Population`] | units that are known when the program runs: as graphs, interpreted, over samples and by themselves |
//! | [`Kernel`], [`AnyKernel`] | all steps of a system over a stretch of time, and their adjoint |
//! | [`UnitKernel`], [`KernelChain`] | kernels of equal units side by side, and of kernels in a row |
//! | [`Formula`] | what a GPU needs of units: their text and what stands around it |
//! | [`Instructions`], [`vectorised`] | loops compiled for several processors, chosen when they run |
//! | [`product`], [`product_of_one`], [`add_outer_product`] | products of dense matrices |
//! | [`Sparse`], [`SparseWeight`] | products of what is mostly zero: spikes, and fixed weights |
//! | [`InverseFactor`] | the inverse of a sum of outer products, updated vector by vector |
//! | [`models`] | the loops of models |
//! | [`convolutions`] | features of whole sequences by random convolutions |
//! | [`Rng`] | random numbers as a function of a seed, a name and a counter |
//! | [`Cache`] | what compilers have made, on disk |
//! | [`portable`] | functions that give the same bytes on every machine |
//! | [`Stretch`] | how a scan is cut up in time |
//! | [`SingleStep`] | a kernel for one step of one series at a time, without allocation |
//! | [`Block`], [`Workspaces`] | aligned numbers; memory that a kernel keeps from stretch to stretch |
//!
//! `bd-core` drives kernels over batches of tensors, on threads and inside libtorch's graph.

mod bits;
mod block;
mod cache;
mod chain;
mod compiled;
pub mod convolutions;
mod cpu;
mod dual;
mod error;
mod events;
mod formula;
mod functions;
mod graph;
mod graph_kernel;
mod huge;
mod in_loops;
mod inverse;
mod kernel;
mod lanes;
mod leaves;
mod lists;
mod memo;
pub mod models;
mod noise;
pub mod num;
mod outer;
mod pair;
mod population;
pub mod portable;
mod product;
mod product_of_one;
mod program;
mod real;
pub mod rng;
pub mod setting;
mod shared;
mod single_step;
mod sparse;
mod sparse_weight;
mod stretch;
mod stripes;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod transpose;
mod unit;
mod unit_formula;
mod unit_kernel;
mod unit_program;
mod vector;
mod workspaces;

pub use bits::{Bits, bits_len};
pub use block::Block;
pub use cache::Cache;
pub use chain::KernelChain;
pub use compiled::Compile;
pub use cpu::{Cpu, Instructions, Loops, vectorised};
pub use dual::Dual;
pub use error::{Error, Result};
pub use events::{Event, Events, Spike, TileEvents};
pub use formula::{Facts, Formula, LEAVES, fused_formula};
pub use functions::{sigmoid, tanh};
pub use graph::{Code, Function, Graph, Id, Listing, Op, Operator};
pub use graph_kernel::GraphKernel;
pub use huge::prefer_huge_pages;
pub use in_loops::InLoops;
pub use inverse::InverseFactor;
pub use kernel::{AnyKernel, Grads, Input, Kernel, LANES, OneSeries, PlainUnits, Sizes, Tile, Typed};

pub use lists::Lists;
pub use memo::Memo;
pub use noise::{Counts, Noise};
pub use num::Num;
pub use outer::{Series, add_outer_product, add_totals};
pub use pair::FusedPair;
pub use population::{GroupWorkspace, NeuronGroup, NeuronNumber, Population, PopulationSpike, PortInput};
pub use product::{Packed, Rows, RowsMut, Shape, Start, pack, product};
pub use product_of_one::product_of_one;
pub use program::Program;
pub use real::{Numbers, Real};
pub use rng::Rng;
pub use single_step::{SingleStep, flush, places, places_of};
pub use sparse::Sparse;
pub use sparse_weight::SparseWeight;
pub use stretch::Stretch;
pub use stripes::{Striped, stripe, striped_len, transpose_into_stripes};
pub use transpose::{transpose, transpose_loops};
pub use unit::{NoSpikes, SurrogateGradient, Unit};
pub use unit_formula::UnitFormula;
pub use unit_kernel::UnitKernel;
pub use unit_program::UnitProgram;
pub use vector::{Transpose, Vector, prefetch};
pub use workspaces::Workspaces;
