use super::*;
use crate::models::lif::{Free, LifConfig};
use crate::models::surrogate::Surrogate;
use crate::{Code, Num, Unit, UnitFormula};

const DT_MS: f64 = 0.1;

/// LIF neurons whose threshold is each one's own.
fn unit() -> Arc<UnitProgram> {
    let surrogate = Surrogate::Sigmoid { alpha: 4.0 };
    let lif = Free::<true>(LifConfig { surrogate, ..LifConfig::default() });
    let constants = lif.constants(DT_MS);
    let formula = UnitFormula::new("lif", [1, 3], &surrogate, |x, s, spike: &mut dyn FnMut(Code) -> Code| {
        let [v, was, gap] = [0, 1, 2].map(|j| s[j].clone());
        let (y, next) = lif.step(&constants, x[0].clone(), [v, was], |over| spike(over.shift(1.0) - gap));
        (y, next.to_vec())
    });
    Arc::new(UnitProgram::new(&formula, Some(surrogate), true))
}

/// The same by the formula over plain numbers, neuron by neuron.
fn by_steps(n: usize, steps: usize) -> (Vec<PopulationSpike>, Vec<f64>) {
    let lif = Free::<true>(LifConfig::default());
    let constants = lif.constants(DT_MS);
    let (mut spikes, mut last) = (Vec::new(), Vec::new());
    for neuron in 0..n {
        let (x, gap) = given(neuron);
        let mut s = [0.0, 0.0];
        for step in 0..steps {
            let (y, next) = lif.step(&constants, x, s, |over| (over + 1.0 - gap).heaviside());
            s = next;
            if y != 0.0 {
                spikes.push(PopulationSpike { step, neuron });
            }
        }
        last.push(s[0]);
    }
    spikes.sort_unstable();
    (spikes, last)
}

/// Input and threshold of a neuron.
fn given(neuron: usize) -> (f64, f64) {
    (1.5 + 0.01 * neuron as f64, 0.7 + 0.002 * neuron as f64)
}

#[test]
fn a_population_is_its_neurons_whatever_the_threads() {
    for n in [1, 31, 33, 700] {
        let (expected, last) = by_steps(n, 250);
        assert!(expected.len() > n, "{} spikes of {n} neurons", expected.len());
        for threads in [1, 2, 5, 1000] {
            let mut neurons = Population::<f64>::new(n, unit());
            neurons.set_input(0, &(0..n).map(|k| given(k).0).collect::<Vec<_>>());
            neurons.set_held(0, &(0..n).map(|k| given(k).1).collect::<Vec<_>>());
            // In two parts, of which none is a whole number of stretches.
            let mut spikes = neurons.advance(101, Instructions::best(), threads);
            spikes.extend(neurons.advance(149, Instructions::best(), threads));
            assert_eq!(spikes, expected, "{n} neurons, {threads} threads");
            for (found, exact) in neurons.state(0).iter().zip(&last) {
                assert!((found - exact).abs() < 1e-12, "{found} and not {exact}");
            }
            let fired: Vec<usize> = spikes.iter().filter(|spike| spike.step == 249).map(|spike| spike.neuron).collect();
            let sent: Vec<usize> = (0..n).filter(|k| neurons.state(1)[*k] == 1.0).collect();
            assert_eq!(fired, sent);
        }
    }
}

#[test]
fn nobody_is_no_population() {
    assert!(Population::<f32>::new(0, unit()).advance(10, Instructions::best(), 2).is_empty());
}
