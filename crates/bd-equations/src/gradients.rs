//! Whether gradients of a neuron are right, and how far they grow on the way back: [`Model::largest_product`],
//! [`Model::difference_from_quotients`].

use bd_kernel::{Code, Dual, Graph, Id, Listing, Num, SurrogateGradient};

use crate::error::Result;
use crate::model::{Model, StepConstants};
use crate::simulate::steps;

/// Inputs along which products are taken, in multiples of the [response's](Model::response).
const FACTORS: [f64; 6] = [0.5, 1.0, 1.5, 2.0, 3.0, 4.0];

/// Derivatives begin anew where they have fallen below. The first finds what grows step by step, the second what grows through other
/// states after it has decayed, as the upstroke of a neuron with channels does.
const FLOORS: [f64; 2] = [1.0, 1e-3];

impl Model {
    /// The largest [product](Self::largest_product) that float32 holds: with 7 digits it leaves one of a gradient that is 1 where it
    /// begins.
    pub const LARGEST_IN_FLOAT32: f64 = 1e6;

    /// The largest `|dx_k/dx_j|` of the first state `x` over steps `j < k`, before the reset of step `k`, at constant inputs of
    /// 0.5 to 4 times the [response's](Self::response), 1 s each (at most 20,000 steps). It is at least 1. A reset outside the gradient
    /// ends a product, so that it lies between two spikes then; a run whose state leaves all numbers ends there.
    ///
    /// With more states than one it is a lower bound: a derivative begins with `x` alone, anew where it has fallen below 1, and
    /// once more where it has fallen below 0.001.
    pub fn largest_product(&self, dt_ms: f64) -> Result<f64> {
        let constants = self.constants(dt_ms)?;
        let (level, steps) = (self.response(dt_ms)?.level, steps(1000.0, dt_ms));
        let runs = FACTORS.iter().flat_map(|factor| FLOORS.map(|floor| (factor * level, floor)));
        Ok(runs.map(|(input, floor)| self.product_along(&constants, input, floor, steps)).fold(1.0, f64::max))
    }

    fn product_along(&self, constants: &StepConstants, input: f64, floor: f64, steps: usize) -> f64 {
        let x = vec![Dual::fixed(input); self.ports().len()];
        let fixed = |s: &[f64]| -> Vec<Dual<f64>> { s.iter().copied().map(Dual::fixed).collect() };
        let mut s = fixed(&self.initial());
        let mut largest = 1.0f64;
        for _ in 0..steps {
            if s[0].slope.is_none_or(|slope| slope.abs() < floor) {
                s = fixed(&s.iter().map(|s| s.value).collect::<Vec<_>>());
                s[0] = Dual::varied(s[0].value, true);
            }
            let between = self.integrate(constants, &x, &s);
            let Dual { value, slope } = between.first();
            let slope = slope.unwrap_or(0.0).abs();
            match (value.is_finite(), slope.is_finite()) {
                (true, true) => largest = largest.max(slope),
                (true, false) => return f64::INFINITY,
                (false, _) => return largest,
            }
            let (_, next) = self.fire(constants, between, |distance| self.spike(distance));
            s.splice(..next.len(), next);
        }
        largest
    }

    /// A spike with the surrogate's derivative.
    fn spike(&self, distance: Dual<f64>) -> Dual<f64> {
        let slope = self.surrogate().map_or(0.0, |surrogate| surrogate.grad(distance.value));
        Dual { value: distance.value.heaviside(), slope: distance.slope.map(|d| slope * d) }
    }

    /// The largest difference, relative to `1 + |derivative|`, between derivatives of a step by reverse mode and difference quotients
    /// over five points: of each next state by each input, state and held number, at some 40 states of a run of 1 s in whose steps
    /// nothing spikes. Lines that are outside the gradient are in it here, for quotients know of none.
    pub fn difference_from_quotients(&self, dt_ms: f64) -> Result<f64> {
        let whole = self.with_whole_gradient();
        whole.difference(dt_ms)
    }

    /// The same with every line in the gradient, whatever [`NeuronText::detached`](crate::NeuronText::detached) says.
    pub fn with_whole_gradient(&self) -> Self {
        let mut whole = self.clone();
        whole.equations.lines.iter_mut().for_each(|line| line.detached = false);
        whole
    }

    fn difference(&self, dt_ms: f64) -> Result<f64> {
        let constants = self.constants(dt_ms)?;
        let (level, steps) = (self.response(dt_ms)?.level, steps(1000.0, dt_ms));
        // Between 0.05 and 1.5 times the level: in a clip of inputs at 0 there would be no derivative.
        let inputs: Vec<f64> = (0..steps).map(|k| level * (0.05 + 0.0145 * ((37 * k) % 101) as f64)).collect();
        let run = self.simulate(dt_ms, inputs.iter().copied())?;
        let reverse = Reverse::new(self, &constants);
        let mut largest = 0.0f64;
        for step in (1..steps).step_by(steps.div_ceil(40).max(1)) {
            let mut at = vec![inputs[step]; self.ports().len()];
            at.extend(&run.states[step - 1]);
            at.extend(&self.initial()[self.states().len()..]);
            largest = largest.max(self.difference_at(&constants, &reverse, &at).unwrap_or(0.0));
        }
        Ok(largest)
    }

    /// Nothing if it spikes near there. `at` are inputs, states and held numbers.
    fn difference_at(&self, constants: &StepConstants, reverse: &Reverse, at: &[f64]) -> Option<f64> {
        let (moving, ports) = (self.states().len(), self.ports().len());
        let step = |at: &[f64]| {
            let mut fired = false;
            let spike = |distance: f64| {
                fired = distance >= 0.0;
                distance.heaviside()
            };
            let (y, next) = self.step(constants, &at[..ports], &at[ports..], spike);
            (!fired).then(|| self.differentiable(y, next))
        };
        let derivatives = reverse.derivatives(at);
        let mut largest = 0.0f64;
        // All but the spike and the state of refractoriness.
        for which in (0..at.len()).filter(|which| !(ports + self.variables..ports + moving).contains(which)) {
            let h = 1e-4 * (at[which].abs() + 0.1);
            let moved = |k: f64| {
                let mut at = at.to_vec();
                at[which] += k * h;
                step(&at)
            };
            let [a, b, c, d] = [moved(-2.0)?, moved(-1.0)?, moved(1.0)?, moved(2.0)?];
            for (result, derivatives) in derivatives.iter().enumerate() {
                let quotient = (8.0 * (c[result] - b[result]) - (d[result] - a[result])) / (12.0 * h);
                let difference = (derivatives[which] - quotient).abs() / (1.0 + quotient.abs());
                largest = if difference.is_nan() { f64::INFINITY } else { largest.max(difference) };
            }
        }
        Some(largest)
    }

    /// Of what a step gives: the next variables, and the output unless that is a spike.
    fn differentiable<N>(&self, y: N, mut next: Vec<N>) -> Vec<N> {
        next.truncate(self.variables);
        next.extend(self.output.is_some().then_some(y));
        next
    }
}

/// Derivatives of a step without a spike by reverse mode, from the graph that the interpreter runs.
struct Reverse {
    graph: Graph,
    /// By input, state and held number, of the sum of results times their seeds.
    gradients: Vec<Id>,
    results: usize,
}

impl Reverse {
    fn new(model: &Model, constants: &StepConstants) -> Self {
        let listing = Listing::new();
        let names =
            |name: &str, n: usize| -> Vec<Code> { (0..n).map(|i| listing.name(&format!("{name}[{i}]"))).collect() };
        let (x, s) = (names("x", model.ports().len()), names("s", model.states().len() + model.held().len()));
        let (y, next) = model.step(constants, &x, &s, Num::heaviside);
        let results = model.differentiable(y, next);
        let seeds: Vec<(Id, Id)> =
            results.iter().zip(names("seed", results.len())).map(|(result, seed)| (result.id(), seed.id())).collect();
        let mut graph = listing.graph();
        let by: Vec<Id> = x.iter().chain(&s).map(Code::id).collect();
        let gradients = graph.gradient(&seeds, &by);
        let (graph, gradients) = graph.simplified(&gradients);
        Self { graph, gradients, results: seeds.len() }
    }

    /// `[result][input, state or held number]`.
    fn derivatives(&self, at: &[f64]) -> Vec<Vec<f64>> {
        let of = |result: usize| {
            let seeds = (0..self.results).map(|i| f64::from(i == result));
            let inputs: Vec<f64> = at.iter().copied().chain(seeds).collect();
            self.graph.evaluate(&self.gradients, &inputs)
        };
        (0..self.results).map(of).collect()
    }
}
