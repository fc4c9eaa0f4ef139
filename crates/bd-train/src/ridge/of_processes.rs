//! The R factor of samples that several processes have taken in.

use bd_core::{Error, Result, catch_torch};
use tch::{Device, Kind, Tensor};

use super::RidgeFactor;
use super::algebra::r_factor;
use crate::process_group::{ProcessGroup, gather_numbers};

impl RidgeFactor {
    /// The factor of the samples of all processes, each of which has taken in its own: the one that all samples together have, but for
    /// rounding. Every process gets the same bytes, and each has sent its factor alone, however many samples it had.
    ///
    /// The order of samples does not matter to a ridge regression. What features remember is the caller's: a process that begins in the
    /// middle of a series needs the state of the model there.
    pub fn of_all(&self, group: &dyn ProcessGroup) -> Result<Self> {
        let [height, width] = self.r.size()[..] else { unreachable!("a factor is a matrix") };
        let known = gather_numbers(group, &[width as f64, height as f64, self.rows as f64])?;
        if let Some(rank) = known.iter().position(|other| other[0] != known[0][0]) {
            return Err(Error::ProcessGroup(format!(
                "process 0 has {} columns of features and targets, and process {rank} has {}; start all with the same model",
                known[0][0], known[rank][0]
            )));
        }
        catch_torch(|| {
            let _guard = tch::no_grad_guard();
            let padded = Tensor::zeros([width, width], (Kind::Double, Device::Cpu));
            padded.narrow(0, 0, height).copy_(&self.r);
            let all = group.gather(&padded.reshape([-1]))?.reshape([-1, width, width]);
            let parts: Vec<Tensor> =
                known.iter().enumerate().map(|(rank, of)| all.get(rank as i64).narrow(0, 0, of[1] as i64)).collect();
            // LAPACK wants columns side by side.
            let stacked = Tensor::cat(&parts, 0).transpose(0, 1).contiguous().transpose(0, 1);
            let rows = known.iter().map(|of| of[2] as usize).sum();
            Ok(Self { r: r_factor(&stacked).to_device(self.r.device()), rows, ..*self })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use bd_core::Rng;

    use super::*;
    use crate::process_group::threads::Thread;
    use crate::ridge::Ridge;

    /// Features `[rows, 6]` and targets `[rows, 2]` of samples, whose columns differ in size by orders of magnitude.
    fn samples(rows: i64) -> (Tensor, Tensor) {
        let draw = |name: &str, n| Rng::new(0, name).tensor(&[rows, n], (Kind::Double, Device::Cpu), Rng::normal);
        let sizes = Tensor::from_slice(&[1.0, 1e3, 1e-3, 10.0, 0.1, 1.0]);
        (draw("x", 6) * sizes, draw("y", 2))
    }

    /// Weights of ridge regression with a fixed penalty, as numbers.
    fn weights(factor: &RidgeFactor) -> Vec<f64> {
        let solution = factor.solve(&Ridge { alpha: 1e-3, ..Ridge::default() }).unwrap();
        Vec::try_from(solution.weight.reshape([-1])).unwrap()
    }

    fn factor(x: &Tensor, y: &Tensor) -> RidgeFactor {
        let mut factor = RidgeFactor::new(6, 2, true, Device::Cpu);
        if x.size()[0] > 0 {
            factor.update(x, y).unwrap();
        }
        factor
    }

    /// Of four processes one has no sample, and one fewer than there are columns.
    #[test]
    fn factors_of_processes_are_the_factor_of_all_samples() {
        let rows = [50, 0, 3, 150];
        let (x, y) = samples(rows.iter().sum());
        let whole = factor(&x, &y);
        let train = |(rank, group): (usize, Thread)| {
            let from = rows[..rank].iter().sum();
            let (x, y) = (x.narrow(0, from, rows[rank]).copy(), y.narrow(0, from, rows[rank]).copy());
            thread::spawn(move || factor(&x, &y).of_all(&group).unwrap())
        };
        let threads: Vec<_> = Thread::group(4).into_iter().enumerate().map(train).collect();
        let found: Vec<RidgeFactor> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        for factor in &found {
            assert_eq!((factor.rows(), factor.r()), (203, found[0].r()));
            for (found, expected) in weights(factor).iter().zip(weights(&whole)) {
                assert!((found - expected).abs() <= 1e-12 * expected.abs().max(1.0), "{found} and {expected}");
            }
        }
    }

    #[test]
    fn factors_of_other_features_are_refused() {
        let threads: Vec<_> = Thread::group(2)
            .into_iter()
            .enumerate()
            .map(|(rank, group)| {
                let factor = RidgeFactor::new(3 + rank as i64, 2, true, Device::Cpu);
                thread::spawn(move || factor.of_all(&group).unwrap_err().to_string())
            })
            .collect();
        for thread in threads {
            let words = thread.join().unwrap();
            assert!(words.contains("process 0 has 6 columns of features and targets, and process 1 has 7"), "{words}");
        }
    }
}
