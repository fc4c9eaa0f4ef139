//! Exponents of a model that runs on its own outputs.

use bd_core::checked::{adopt_state, check_step_input};
use bd_core::{Error, Result, Shared, StateTree, System, catch_torch, setting};
use tch::{Device, Kind, Tensor};

use super::{Frame, LyapunovSpectrum, MOST_STEPS};

/// Length of a difference of the state, relative to the root mean square of its numbers: its square and the precision of float64 over
/// it are about as great.
const DIFFERENCE: f64 = 1e-5;

/// The `count` greatest exponents, per unit of time, of `model` on its own outputs over `steps` steps after `transient` steps, from
/// the input `first`, `[1, n]` in float64, and `state`. What varies is the next input and every number of the state that is a float; the
/// derivative of a step is taken by symmetric differences, all directions side by side in a batch.
///
/// A direction that shrinks by more than 1e-10 in a step cannot be told from one that vanishes.
///
/// Fails if the model has other outputs than inputs, if it is not in float64, or if it leaves all bounds.
pub fn lyapunov_of_model<S: System>(
    model: &S,
    sha: &Shared,
    first: &Tensor,
    state: &S::State,
    count: usize,
    [transient, steps]: [usize; 2],
) -> Result<LyapunovSpectrum> {
    sha.check()?;
    if model.n_in() != model.n_out() {
        return Err(Error::Config(format!(
            "a model of {} inputs and {} outputs cannot run on its own outputs",
            model.n_in(),
            model.n_out()
        )));
    }
    check_step_input(model, first)?;
    if first.size()[0] != 1 || first.kind() != Kind::Double {
        let found = format!("{:?} in {:?}", first.size(), first.kind());
        return Err(Error::DtypeOrDevice {
            what: "the first input".into(),
            expected: "one row in float64".into(),
            found,
        });
    }
    let on = (first.kind(), first.device());
    let state = adopt_state(model, state, 1, on)?;
    catch_torch(|| {
        let _guard = tch::no_grad_guard();
        let layout = Layout::of(model, on)?;
        let mut here = layout.rows(first, &state);
        let n = here.size()[1] as usize;
        setting::check("exponents", count, (1..=n).contains(&count), &format!("1 to {n}, the numbers that vary"))?;
        let fits = (2..=MOST_STEPS).contains(&steps) && transient <= MOST_STEPS;
        setting::check("steps", steps, fits, &format!("2 to {MOST_STEPS}, the transient no more"))?;
        let mut frame = Frame::new(n, count);
        let mut counters = state;
        for step in 0..transient + steps {
            let sha = sha.ahead(step);
            let size = here.square().mean(Kind::Double).sqrt().double_value(&[]).max(f64::MIN_POSITIVE);
            let length = DIFFERENCE * size * (n as f64).sqrt();
            let columns =
                Tensor::from_slice(frame.columns()).reshape([count as i64, n as i64]).to_device(on.1) * length;
            let all = Tensor::cat(&[&here, &(&here + &columns), &(&here - &columns)], 0);
            let (x, before) = layout.state(&all, &counters)?;
            let (y, after) = model.step(&sha, &x, &before);
            let all = layout.rows(&y, &after);
            here = all.narrow(0, 0, 1);
            let carried =
                (all.narrow(0, 1, count as i64) - all.narrow(0, 1 + count as i64, count as i64)) / (2.0 * length);
            let carried = Vec::<f64>::try_from(carried.to_device(Device::Cpu).contiguous().flatten(0, -1))?;
            if carried.iter().any(|value| !value.is_finite()) {
                let where_ = format!("step {step} of a run on its own outputs");
                return Err(Error::NotFinite { what: "the state of the model".into(), where_ });
            }
            match step.checked_sub(transient) {
                Some(index) => frame.carry(&carried, index, steps),
                None => frame.carry_through_transient(&carried),
            }
            counters = after;
        }
        Ok(frame.spectrum(steps as f64 * sha.dt))
    })
}

/// Where the batch is in the tensors of a state, and their sizes, so that a state is a row of numbers.
struct Layout {
    n_in: i64,
    /// Of each tensor of the state: the axis of the batch and the sizes with a batch of one; `None` for one that does not vary.
    leaves: Vec<Option<(i64, Vec<i64>)>>,
}

impl Layout {
    /// The axis of the batch is the one along which initial states of one and of two sequences differ.
    fn of<S: System>(model: &S, on: (Kind, Device)) -> Result<Self> {
        let [one, two] = [1, 2].map(|batch| model.init_state(batch, on).named());
        let leaves = one.iter().zip(&two).map(|((name, one), (_, two))| {
            if !one.is_floating_point() {
                return Ok(None);
            }
            let axis = one.size().iter().zip(two.size()).position(|(one, two)| *one != two);
            // A history of no steps has no numbers.
            match axis {
                Some(axis) => Ok(Some((axis as i64, one.size()))),
                None if one.numel() == 0 => Ok(None),
                None => {
                    Err(Error::Config(format!("the state {name} is the same for a batch of one and of two sequences")))
                }
            }
        });
        Ok(Self { n_in: model.n_in(), leaves: leaves.collect::<Result<_>>()? })
    }

    /// `[batch, number]` of inputs `[batch, n_in]` and a state.
    fn rows<S: StateTree>(&self, x: &Tensor, state: &S) -> Tensor {
        let mut parts = vec![x.shallow_clone()];
        for ((_, tensor), leaf) in state.named().iter().zip(&self.leaves) {
            let Some((axis, _)) = leaf else { continue };
            parts.push(tensor.movedim_int(*axis, 0).reshape([x.size()[0], -1]));
        }
        Tensor::cat(&parts, 1)
    }

    /// Inputs and state of rows; what does not vary is that of `fixed`.
    fn state<S: StateTree>(&self, rows: &Tensor, fixed: &S) -> Result<(Tensor, S)> {
        let batch = rows.size()[0];
        let (mut from, mut leaves) = (self.n_in, self.leaves.iter());
        let state = fixed.try_map("", &mut |_, tensor| {
            let Some(Some((axis, sizes))) = leaves.next() else { return Ok(tensor.shallow_clone()) };
            let numbers = sizes.iter().product::<i64>();
            let mut batch_first = sizes.clone();
            batch_first.remove(*axis as usize);
            batch_first.insert(0, batch);
            let part = rows.narrow(1, from, numbers).reshape(&batch_first).movedim_int(0, *axis).contiguous();
            from += numbers;
            Ok(part)
        })?;
        Ok((rows.narrow(1, 0, self.n_in), state))
    }
}

#[cfg(test)]
mod tests {
    use bd_core::state;

    use super::*;

    const ON: (Kind, Device) = (Kind::Double, Device::Cpu);

    state! {
        /// The two inputs before, in an order with the batch in the middle, and a counter.
        struct Lags { past: Tensor, steps: Tensor }
    }

    /// `y(t) = a y(t-1) + b y(t-2) + c y(t-3)` of one channel.
    #[derive(Debug)]
    struct Linear([f64; 3]);

    impl System for Linear {
        type State = Lags;

        fn n_in(&self) -> i64 {
            1
        }

        fn n_out(&self) -> i64 {
            1
        }

        fn init_state(&self, batch: i64, on: (Kind, Device)) -> Lags {
            Lags { past: Tensor::zeros([2, batch, 1], on), steps: Tensor::zeros([1], (Kind::Int64, on.1)) }
        }

        fn step(&self, _: &Shared, x: &Tensor, s: &Lags) -> (Tensor, Lags) {
            let [a, b, c] = self.0;
            let y = x * a + s.past.get(0) * b + s.past.get(1) * c;
            (y, Lags { past: Tensor::stack(&[x, &s.past.get(0)], 0), steps: &s.steps + 1 })
        }
    }

    /// Logarithms of the absolute roots of `z^3 = a z^2 + b z + c`, here 1, 0.5 and -0.2, over the step.
    #[test]
    fn of_a_linear_model_they_are_its_eigenvalues() {
        let roots = [1.0, 0.5, -0.2];
        let [p, q, r] = roots;
        let model = Linear([p + q + r, -(p * q + q * r + r * p), p * q * r]);
        let first = Tensor::ones([1, 1], ON) * 3.0;
        let (sha, state) = (Shared::new(0.1), model.init_state(1, ON));
        let found = lyapunov_of_model(&model, &sha, &first, &state, 3, [60, 400]).unwrap();
        for (found, root) in found.exponents.iter().zip(roots) {
            let expected = root.abs().ln() / 0.1;
            assert!((found - expected).abs() < 1e-6, "{found} and not {expected}");
        }
        assert!((found.time - 40.0).abs() < 1e-12);
        let error = lyapunov_of_model(&model, &sha, &first, &state, 4, [0, 9]).unwrap_err().to_string();
        assert!(error.starts_with("exponents is 4; it must be 1 to 3"), "{error}");
    }

    /// `y(t) = 1 / 2 y(t-1)` and nothing of what was before: two directions vanish at once.
    #[test]
    fn what_vanishes_has_no_exponent() {
        let model = Linear([0.5, 0.0, 0.0]);
        let first = Tensor::ones([1, 1], ON);
        let found = lyapunov_of_model(&model, &Shared::new(1.0), &first, &model.init_state(1, ON), 3, [5, 20]).unwrap();
        assert!((found.exponents[0] - 0.5f64.ln()).abs() < 1e-9, "{found:?}");
        assert!(found.exponents[1] < -20.0 && found.exponents[2] < -20.0, "{found:?}");
    }

    #[test]
    fn what_leaves_all_bounds_is_refused() {
        let model = Linear([1e200, 0.0, 0.0]);
        let first = Tensor::ones([1, 1], ON);
        let found = lyapunov_of_model(&model, &Shared::new(1.0), &first, &model.init_state(1, ON), 1, [0, 20]);
        assert!(found.unwrap_err().to_string().contains("the state of the model is not finite: step"));
    }
}
