//! A process group of threads, for tests.

use std::sync::{Arc, Barrier, Mutex};

use bd_core::Result;
use tch::Tensor;

use super::ProcessGroup;

/// One of several threads that stand for processes.
#[derive(Debug, Clone)]
pub(crate) struct Thread {
    rank: usize,
    all: Arc<All>,
}

#[derive(Debug)]
struct All {
    given: Mutex<Vec<Option<Tensor>>>,
    barrier: Barrier,
}

impl Thread {
    pub(crate) fn group(size: usize) -> Vec<Self> {
        let given = Mutex::new((0..size).map(|_| None).collect());
        let all = Arc::new(All { given, barrier: Barrier::new(size) });
        (0..size).map(|rank| Self { rank, all: Arc::clone(&all) }).collect()
    }

    /// Everybody's tensor.
    fn share(&self, own: &Tensor) -> Vec<Tensor> {
        self.all.given.lock().unwrap()[self.rank] = Some(own.copy());
        self.all.barrier.wait();
        let all = self.all.given.lock().unwrap().iter().map(|given| given.as_ref().unwrap().copy()).collect();
        // Nobody gives anew before everybody has taken.
        self.all.barrier.wait();
        all
    }
}

impl ProcessGroup for Thread {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.all.given.lock().unwrap().len()
    }

    fn gather(&self, own: &Tensor) -> Result<Tensor> {
        Ok(Tensor::stack(&self.share(own), 0))
    }

    fn exchange(&self, own: &Tensor) -> Result<Tensor> {
        let rows: Vec<Tensor> = self.share(own).iter().map(|all| all.get(self.rank as i64)).collect();
        Ok(Tensor::stack(&rows, 0))
    }
}
