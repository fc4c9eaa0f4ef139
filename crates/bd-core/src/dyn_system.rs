//! [`DynSystem`]: a system whose type is not known until run time.
//!
//! The library is generic over [`System`]; a program that reads the sizes of its layers from a file is not. A `DynSystem` is itself a
//! system, with a state that can be visited, saved and loaded like any other.

use std::any::Any;
use std::fmt::Debug;

use tch::{Device, Kind, Tensor};

use crate::error::Result;
use crate::inputs::Inputs;
use crate::kernel::{Fused, Processor};
use crate::shared::Shared;
use crate::state::StateTree;
use crate::system::System;
use crate::tap::Tap;

/// A system of any type.
#[derive(Debug)]
pub struct DynSystem(Box<dyn ErasedSystem>);

/// State of a [`DynSystem`].
pub struct DynState(Box<dyn ErasedState>);

impl DynSystem {
    /// Erases the type of `system`.
    pub fn new(system: impl System + 'static) -> Self {
        Self(Box::new(system))
    }
}

/// A bug of the caller, like an index out of bounds.
const FOREIGN_STATE: &str = "a state is given to the system that made it";

/// [`System`] without its associated type.
trait ErasedSystem: Debug + Send {
    fn n_in(&self) -> i64;
    fn n_out(&self) -> i64;
    fn on(&self) -> Option<(Kind, Device)>;
    fn init_state(&self, batch: i64, on: (Kind, Device)) -> DynState;
    fn step(&self, sha: &Shared, x: &Tensor, s: &DynState) -> (Tensor, DynState);
    fn scan(&self, sha: &Shared, inputs: &Inputs, s: DynState, tap: &mut Tap) -> (Tensor, DynState);
    fn kernel(&self, sha: &Shared, processor: Processor) -> Option<Fused>;
    fn after_update(&self, updates: u64);
}

impl<S: System + 'static> ErasedSystem for S {
    fn n_in(&self) -> i64 {
        System::n_in(self)
    }

    fn n_out(&self) -> i64 {
        System::n_out(self)
    }

    fn on(&self) -> Option<(Kind, Device)> {
        System::on(self)
    }

    fn init_state(&self, batch: i64, on: (Kind, Device)) -> DynState {
        DynState(Box::new(System::init_state(self, batch, on)))
    }

    fn step(&self, sha: &Shared, x: &Tensor, s: &DynState) -> (Tensor, DynState) {
        let s = s.0.as_any().downcast_ref().expect(FOREIGN_STATE);
        let (y, next) = System::step(self, sha, x, s);
        (y, DynState(Box::new(next)))
    }

    fn scan(&self, sha: &Shared, inputs: &Inputs, s: DynState, tap: &mut Tap) -> (Tensor, DynState) {
        let Ok(s) = s.0.into_any().downcast() else { panic!("{FOREIGN_STATE}") };
        let (ys, last) = System::scan(self, sha, inputs, *s, tap);
        (ys, DynState(Box::new(last)))
    }

    fn kernel(&self, sha: &Shared, processor: Processor) -> Option<Fused> {
        System::kernel(self, sha, processor)
    }

    fn after_update(&self, updates: u64) {
        System::after_update(self, updates);
    }
}

/// [`StateTree`] without its own type in a signature.
trait ErasedState: Send {
    fn visit(&self, path: &str, f: &mut dyn FnMut(&str, &Tensor));
    fn try_map(&self, path: &str, f: &mut dyn FnMut(&str, &Tensor) -> Result<Tensor>) -> Result<DynState>;
    fn as_any(&self) -> &dyn Any;
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}

impl<T: StateTree + Send + 'static> ErasedState for T {
    fn visit(&self, path: &str, f: &mut dyn FnMut(&str, &Tensor)) {
        StateTree::visit(self, path, f);
    }

    fn try_map(&self, path: &str, f: &mut dyn FnMut(&str, &Tensor) -> Result<Tensor>) -> Result<DynState> {
        Ok(DynState(Box::new(StateTree::try_map(self, path, f)?)))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

impl StateTree for DynState {
    fn visit(&self, path: &str, f: &mut dyn FnMut(&str, &Tensor)) {
        self.0.as_ref().visit(path, f);
    }

    fn try_map(&self, path: &str, f: &mut dyn FnMut(&str, &Tensor) -> Result<Tensor>) -> Result<Self> {
        self.0.as_ref().try_map(path, f)
    }
}

impl Debug for DynState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let named = self.named();
        f.debug_map().entries(named.iter().map(|(name, tensor)| (name, tensor.size()))).finish()
    }
}

impl System for DynSystem {
    type State = DynState;

    fn n_in(&self) -> i64 {
        self.0.n_in()
    }

    fn n_out(&self) -> i64 {
        self.0.n_out()
    }

    fn on(&self) -> Option<(Kind, Device)> {
        self.0.on()
    }

    fn init_state(&self, batch: i64, on: (Kind, Device)) -> DynState {
        self.0.init_state(batch, on)
    }

    fn step(&self, sha: &Shared, x: &Tensor, s: &DynState) -> (Tensor, DynState) {
        self.0.step(sha, x, s)
    }

    fn scan(&self, sha: &Shared, inputs: &Inputs, s: DynState, tap: &mut Tap) -> (Tensor, DynState) {
        self.0.scan(sha, inputs, s, tap)
    }

    fn kernel(&self, sha: &Shared, processor: Processor) -> Option<Fused> {
        self.0.kernel(sha, processor)
    }

    fn after_update(&self, updates: u64) {
        self.0.after_update(updates);
    }
}
