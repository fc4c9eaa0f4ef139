//! The kernels of this crate behind pointers.

use std::sync::Arc;

use crate::models::cell::CellKernel;
use crate::models::linear::LinearKernel;
use crate::models::network::NetworkKernel;
use crate::models::recurrent::RecurrentKernel;
use crate::{AnyKernel, GraphKernel, KernelChain};

/// Here and not wherever a kernel is made, for where such a pointer is made all loops behind it are compiled.
macro_rules! shared {
    ($($kernel:ty),+) => {
        $(impl From<$kernel> for Arc<dyn AnyKernel> {
            #[inline(never)]
            fn from(kernel: $kernel) -> Self {
                Arc::new(kernel)
            }
        })+
    };
}

shared!(CellKernel, GraphKernel, KernelChain, LinearKernel, NetworkKernel, RecurrentKernel);
