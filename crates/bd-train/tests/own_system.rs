//! A system that is none of ours, trained, saved and resumed from a checkpoint on disk: bit for bit as without the break.

use std::ops::ControlFlow;

use bd_core::{Checkpoint, Inputs, ParamPath, Params, Result, Rng, Shared, System, state};
use bd_train::data::Examples;
use bd_train::optim::{Current, Next, UpdateRule};
use bd_train::{Bptt, EachStep, Loss, OptimConfig, Optimizer, Penalty, Schedule};
use tch::{Device, Kind, Tensor};

const ON: (Kind, Device) = (Kind::Float, Device::Cpu);

state! {
    /// Displacement and speed of each oscillator, `[batch, n]`.
    struct Oscillating { x: Tensor, v: Tensor }
}

/// Damped oscillators that are driven, with frequencies and damping of their own that are trained: `v' = u - w^2 x - d v`, `x' = v`,
/// semi-implicit Euler. `u = in W`, the output is `x C`; a fixed mask takes part.
#[derive(Debug)]
struct Oscillators {
    drive: Tensor,
    log_w: Tensor,
    log_d: Tensor,
    mask: Tensor,
    readout: Tensor,
}

impl Oscillators {
    fn new(mut path: ParamPath<'_>, [n_in, n, n_out]: [i64; 3]) -> Result<Self> {
        let draw = |shape: [i64; 2]| move |rng: &mut Rng| rng.tensor(&shape, ON, Rng::normal);
        Ok(Self {
            drive: path.param("drive", draw([n_in, n]))?,
            log_w: path.param("log_w", |rng| rng.tensor(&[n], ON, Rng::uniform))?,
            log_d: path.param("log_d", |_| Tensor::full([n], -1.0, ON))?,
            mask: path.fixed("mask", |rng| rng.tensor(&[n, n_out], ON, |rng| f64::from(rng.uniform() < 0.7)))?,
            readout: path.param("readout", draw([n, n_out]))?,
        })
    }
}

impl System for Oscillators {
    type State = Oscillating;

    fn n_in(&self) -> i64 {
        self.drive.size()[0]
    }

    fn n_out(&self) -> i64 {
        self.readout.size()[1]
    }

    fn init_state(&self, batch: i64, on: (Kind, Device)) -> Oscillating {
        let zeros = || Tensor::zeros([batch, self.drive.size()[1]], on);
        Oscillating { x: zeros(), v: zeros() }
    }

    fn step(&self, sha: &Shared, input: &Tensor, s: &Oscillating) -> (Tensor, Oscillating) {
        let pull = (&self.log_w * 2.0).exp() * &s.x + self.log_d.exp() * &s.v;
        let v = &s.v + (input.matmul(&self.drive) - pull) * sha.dt;
        let x = &s.x + &v * sha.dt;
        (x.matmul(&(&self.readout * &self.mask)), Oscillating { x, v })
    }
}

/// Descent with a momentum that starts at the first gradient.
#[derive(Debug)]
struct Rolling;

impl UpdateRule for Rolling {
    fn slots(&self) -> Vec<String> {
        vec!["m".into()]
    }

    fn next(&self, step: u64, lr: f64, params: &[Current]) -> Result<Vec<Next>> {
        let keep = if step == 1 { 0.0 } else { 0.9 };
        let next = |at: &Current| {
            let m = &at.slots[0] * keep + at.gradient * (1.0 - keep);
            Next { value: at.value - &m * lr, slots: vec![m] }
        };
        Ok(params.iter().map(next).collect())
    }
}

fn examples() -> Examples {
    let x = Rng::new(0, "x").tensor(&[12, 20, 2], ON, Rng::normal);
    let y = x.cumsum(1, Kind::Float).narrow(2, 0, 1) * 0.1;
    Examples::new(Inputs::batch_first(&x).unwrap(), y).unwrap()
}

/// Epochs `epochs` of a training, from a checkpoint if there is one.
fn train(own: bool, from: Option<&Checkpoint>, epochs: std::ops::Range<usize>) -> Checkpoint {
    let mut params = Params::new(3, ON);
    let model = Oscillators::new(params.at("osc"), [2, 6, 1]).unwrap();
    let schedule = Schedule::ExponentialDecay { rate: 0.9, steps: 5.0 };
    let optimizer = if own {
        Optimizer::with_rule(Rolling, 1e-2, &schedule, &params).unwrap()
    } else {
        Optimizer::new(&OptimConfig { lr: 1e-2, schedule, ..OptimConfig::default() }, &params).unwrap()
    };
    let bptt = Bptt::with_optimizer(&model, &params, Loss::Mse, optimizer, Shared::new(0.1)).unwrap();
    let bptt = bptt.clip(1.0).unwrap().penalty(Penalty { l1: 0.0, l2: 1e-4 }).unwrap();
    let mut bptt = bptt.truncate(10).unwrap().accumulate(2).unwrap();
    from.map_or(Ok(()), |checkpoint| bptt.resume(checkpoint)).unwrap();
    let (first, data) = (epochs.start, examples());
    let batches = |epoch: usize| {
        let mut rng = Rng::new(1, &format!("epoch {}", first + epoch));
        data.batches(3, Some(&mut rng)).collect::<Vec<_>>()
    };
    bptt.fit(epochs.len(), batches, |_, _| Ok(ControlFlow::Continue(()))).unwrap();
    bptt.checkpoint().unwrap()
}

#[test]
fn a_system_of_ones_own_is_resumed_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    for own in [false, true] {
        let whole = train(own, None, 0..6);
        let path = folder.path().join(format!("half {own}"));
        train(own, None, 0..3).save(&path).unwrap();
        let resumed = train(own, Some(&Checkpoint::load(&path).unwrap()), 3..6);
        // Of four batches two make an update, in two pieces: four updates an epoch.
        assert_eq!((&whole.meta["step"], &resumed.meta["step"]), (&24.into(), &24.into()));
        for (a, b) in [(&whole.model, &resumed.model), (&whole.optim, &resumed.optim)] {
            assert_eq!(a.len(), b.len());
            a.iter().zip(b).for_each(|((name, a), (other, b))| assert!(name == other && a.equal(b), "{name} {own}"));
        }
        let moved = |name: &str| {
            let of = |all: &[(String, Tensor)]| all.iter().find(|(known, _)| known == name).unwrap().1.copy();
            (of(&whole.model) - of(&train(own, None, 0..1).model)).abs().max().double_value(&[])
        };
        assert!(moved("osc.drive") > 1e-3 && moved("osc.log_w") > 1e-5 && moved("osc.mask") == 0.0);
    }
}

/// A loss in reach of states, against the same written out by hand on outputs that are the states.
#[test]
fn a_loss_sees_states_batch_first_and_in_the_graph() {
    use bd_train::WithRecords;
    let gradient = |recorded: bool| {
        let mut params = Params::new(3, ON);
        let model = Oscillators::new(params.at("osc"), [2, 6, 1]).unwrap();
        let mean = |y: &Tensor, _: &Tensor| y.square().mean(Kind::Float);
        let optim = OptimConfig { lr: 1e-2, ..OptimConfig::default() };
        let batch = examples();
        if recorded {
            let term = |records: &bd_train::Records, _: Option<&Tensor>| {
                assert_eq!(records["x"].size(), [12, 20, 6]);
                (records["x"].matmul(&(&model.readout * &model.mask))).square().mean(Kind::Float)
            };
            let loss = WithRecords::new(EachStep(mean), ["x"], term);
            let mut bptt = Bptt::new(&model, &params, loss, &optim, Shared::new(0.1)).unwrap();
            assert!(bptt.bytes(&bd_train::BatchOf::examples(&batch, 12)).is_none());
            let before = bptt.evaluate([Ok(batch.clone())]).unwrap();
            let update = bptt.update(&batch).unwrap();
            assert!((update.loss - before).abs() < 1e-6 * before, "{} and {before}", update.loss);
            (update.loss, update.gradient_norm)
        } else {
            let twice = |y: &Tensor, t: &Tensor| mean(y, t) * 2.0;
            let mut bptt = Bptt::new(&model, &params, twice, &optim, Shared::new(0.1)).unwrap();
            let update = bptt.update(&batch).unwrap();
            (update.loss, update.gradient_norm)
        }
    };
    let ((loss, norm), (expected_loss, expected_norm)) = (gradient(true), gradient(false));
    assert!((loss / expected_loss - 1.0).abs() < 1e-5, "{loss} and {expected_loss}");
    assert!((norm / expected_norm - 1.0).abs() < 1e-5, "{norm} and {expected_norm}");
}
