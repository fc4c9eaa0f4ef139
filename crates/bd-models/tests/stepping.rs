//! Streaming: as many steps as one likes in the same memory, and the same numbers as a scan.

use bd_core::testing::assert_close;
use bd_core::{DynSystem, Inputs, Params, Phase, Rng, Shared, Stack, StateTree, Stepper, System, Tap};
use bd_models::{Cell, RateNetConfig, SnnConfig};
use tch::{Device, Kind, Tensor};

const ON: (Kind, Device) = (Kind::Float, Device::Cpu);

fn networks() -> [Stack; 2] {
    let [_, gru, _] = Cell::all();
    let rates = RateNetConfig { n_in: 3, hidden: vec![8], n_out: 1, cell: gru, ..RateNetConfig::default() };
    let spiking = SnnConfig { n_in: 3, hidden: vec![8], n_out: 1, ..SnnConfig::default() };
    [rates.build(&mut Params::new(1, ON)).unwrap(), spiking.build(&mut Params::new(1, ON)).unwrap()]
}

/// Resident memory of this process in bytes.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

fn assert_outside_the_graph<S: StateTree>(state: &S) {
    state.visit("", &mut |name, tensor| assert!(!tensor.requires_grad(), "{name} keeps a graph"));
}

/// A graph of 20 kB a step would be 2 GB; what the allocator keeps is far below 64 MB, whatever else the machine does.
#[test]
fn a_hundred_thousand_steps_take_no_memory() {
    let inputs = Rng::new(0, "x").tensor(&[100, 1, 3], ON, |rng| 10.0 * rng.normal());
    let inputs: Vec<Tensor> = inputs.unbind(0);
    for net in networks() {
        let mut stepper = Stepper::new(net, 0.1, 1, ON).unwrap();
        (0..1000).for_each(|i| drop(stepper.step(&inputs[i % 100]).unwrap()));
        let before = resident();
        for i in 0..100_000 {
            let y = stepper.step(&inputs[i % 100]).unwrap();
            assert!(!y.requires_grad());
        }
        assert_outside_the_graph(stepper.state());
        assert!(resident() < before + (64 << 20), "{before} bytes before, {} after", resident());
        assert_eq!(stepper.now().i, 101_000);
    }
}

/// Checked steps keep no graph where nothing is fitted, and one where something is.
#[test]
fn the_phase_says_whether_checked_steps_are_recorded() {
    for net in networks() {
        for phase in [Phase::Predict, Phase::Fit] {
            let sha = Shared::new(0.1).in_phase(phase);
            let x = Tensor::ones([1, 3], ON);
            // What the parameters have done to a spike arrives at the outputs some steps later.
            let (mut y, mut state) = net.try_step(&sha, &x, &net.init_state(1, ON)).unwrap();
            for i in 1..5 {
                (y, state) = net.try_step(&sha.ahead(i), &x, &state).unwrap();
            }
            assert_eq!(y.requires_grad(), phase == Phase::Fit);
            if phase == Phase::Predict {
                assert_outside_the_graph(&state);
            }
        }
    }
}

/// Step by step, forked from a saved state, and after a reset: what a scan gives.
#[test]
fn steps_are_those_of_a_scan() {
    let xs = Rng::new(0, "x").tensor(&[30, 2, 3], ON, |rng| 10.0 * rng.normal());
    for net in networks() {
        let sha = Shared::new(0.1);
        let expected = net.scan(&sha, &Inputs::of_steps(&xs), net.init_state(2, ON), &mut Tap::none()).0.detach();
        // Erased, as a program that reads its layers from a file has it.
        let mut stepper = Stepper::new(DynSystem::new(net), 0.1, 2, ON).unwrap();
        let run = |stepper: &mut Stepper<DynSystem>, from: usize| {
            let ys = (from..30).map(|i| stepper.step(&xs.get(i as i64)).unwrap()).collect::<Vec<_>>();
            Tensor::stack(&ys, 0)
        };
        assert_close("all", &run(&mut stepper, 0), &expected, 1e-5);
        stepper.reset().unwrap();
        (0..10).for_each(|i| drop(stepper.step(&xs.get(i)).unwrap()));
        let saved = stepper.state().share();
        let first = run(&mut stepper, 10);
        stepper.set_state(&saved, 10).unwrap();
        assert_eq!(run(&mut stepper, 10), first);
        assert_close("the rest", &first, &expected.narrow(0, 10, 20), 1e-5);
    }
}

/// A control loop on a thread of its own.
#[test]
fn a_stepper_moves_to_another_thread() {
    let [net, _] = networks();
    let mut stepper = Stepper::new(net, 0.1, 1, ON).unwrap();
    let y = std::thread::spawn(move || stepper.step(&Tensor::ones([1, 3], ON)).unwrap().double_value(&[0, 0])).join();
    assert!(y.unwrap().is_finite());
}
