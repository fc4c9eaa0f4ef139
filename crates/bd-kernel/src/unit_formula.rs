//! [`UnitFormula`]: step and adjoint of a unit as graphs, and as CUDA C.

use crate::{Code, Error, Graph, Id, Listing, NoSpikes, Num, Result, SurrogateGradient};

/// A neuron or synapse as graphs: its step, the adjoint, and the slope of its surrogate.
///
/// Names of the inputs, in this order: `x` (of several ports `x[0]`, `x[1]`, ...), `s[0]`, `s[1]`, ... of the state; of the adjoint then
/// `over`, `slope`, `gy` (of several outputs `gy[0]`, `gy[1]`, ...), `gnext[0]`, `gnext[1]`, ... The last numbers of the state may be
/// [held](crate::Unit::HELD).
#[derive(Debug, Clone)]
pub struct UnitFormula {
    pub(crate) name: String,
    pub(crate) ports: usize,
    pub(crate) step: StepGraph,
    pub(crate) adjoint: AdjointGraph,
    slope: (Graph, Id),
    /// A function that has no form but Rust's.
    refused: Option<Error>,
}

/// Forward.
#[derive(Debug, Clone)]
pub(crate) struct StepGraph {
    pub(crate) graph: Graph,
    /// The first is the spike of units that spike.
    pub(crate) outputs: Vec<Id>,
    /// The next state, without what is held.
    pub(crate) next: Vec<Id>,
    /// The distance from the threshold, of units that spike.
    pub(crate) over: Option<Id>,
}

impl StepGraph {
    /// The outputs, the next state, and the distance from the threshold if there is one.
    fn results(&self) -> Vec<Id> {
        self.outputs.iter().chain(&self.next).copied().chain(self.over).collect()
    }
}

/// Backward.
#[derive(Debug, Clone)]
pub(crate) struct AdjointGraph {
    pub(crate) graph: Graph,
    /// By port.
    pub(crate) gx: Vec<Id>,
    /// By number of state, what is held included.
    pub(crate) gs: Vec<Id>,
}

impl AdjointGraph {
    /// The gradients of the ports, and then those of the state.
    fn results(&self) -> Vec<Id> {
        self.gx.iter().chain(&self.gs).copied().collect()
    }
}

/// Where the formulas of a unit are written, with what they read.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) listing: Listing,
    /// By port.
    pub(crate) x: Vec<Code>,
    pub(crate) s: Vec<Code>,
}

impl Reading {
    pub(crate) fn new(ports: usize, states: usize) -> Self {
        let listing = Listing::new();
        let x = one_or_several(&listing, "x", ports);
        let s = names(&listing, "s", states);
        Self { listing, x, s }
    }

    /// What the adjoint of a unit with so many outputs reads besides.
    pub(crate) fn of_adjoint(&self, outputs: usize) -> Pulled {
        let spike = ["over", "slope"].map(|name| self.listing.name(name));
        let gy = one_or_several(&self.listing, "gy", outputs);
        Pulled { spike, gy, gnext: names(&self.listing, "gnext", self.s.len()) }
    }
}

/// What an adjoint reads besides inputs and state.
#[derive(Debug)]
pub(crate) struct Pulled {
    /// `over` and `slope`.
    pub(crate) spike: [Code; 2],
    /// Gradients of the outputs.
    pub(crate) gy: Vec<Code>,
    /// Gradients of the next state.
    pub(crate) gnext: Vec<Code>,
}

fn one_or_several(listing: &Listing, name: &str, count: usize) -> Vec<Code> {
    match count {
        1 => vec![listing.name(name)],
        _ => names(listing, name, count),
    }
}

fn names(listing: &Listing, name: &str, count: usize) -> Vec<Code> {
    (0..count).map(|i| listing.name(&format!("{name}[{i}]"))).collect()
}

pub(crate) fn ids(codes: &[Code]) -> Vec<Id> {
    codes.iter().map(Code::id).collect()
}

impl UnitFormula {
    /// From a step with `ports` inputs and `states` numbers of state, of which the last may be held: inputs and state to the output and the next
    /// state without what is held. It spikes by calling its last argument with the distance from the threshold, at most once.
    ///
    /// The adjoint is worked out by reverse mode.
    pub fn new(
        name: &str,
        sizes: [usize; 2],
        surrogate: &impl SurrogateGradient,
        step: impl Fn(&[Code], &[Code], &mut dyn FnMut(Code) -> Code) -> (Code, Vec<Code>),
    ) -> Self {
        Self::with_outputs(name, sizes, surrogate, |x, s, spike| {
            let (y, next) = step(x, s, spike);
            (vec![y], next)
        })
    }

    /// [`new`](Self::new) with several outputs, of which the first is the spike of units that spike.
    pub fn with_outputs(
        name: &str,
        [ports, states]: [usize; 2],
        surrogate: &impl SurrogateGradient,
        step: impl Fn(&[Code], &[Code], &mut dyn FnMut(Code) -> Code) -> (Vec<Code>, Vec<Code>),
    ) -> Self {
        let forward = |reading: &Reading| {
            let mut over = None;
            let (outputs, next) = step(&reading.x, &reading.s, &mut |distance| {
                over = Some(distance.clone());
                distance.heaviside()
            });
            (outputs, next, over)
        };
        let adjoint = |reading: &Reading, outputs: usize| {
            let Pulled { spike: [over, slope], gy, gnext } = reading.of_adjoint(outputs);
            let (outputs, mut next) = step(&reading.x, &reading.s, &mut |distance| {
                reading.listing.surrogate(&over.clone().heaviside(), &distance, &slope)
            });
            // What is held is its own next one.
            next.extend(reading.s[next.len()..].iter().cloned());
            let mut graph = reading.listing.graph();
            let [values, gradients] = [[&outputs[..], &next], [&gy, &gnext]].map(|parts| ids(&parts.concat()));
            let seeds: Vec<(Id, Id)> = values.into_iter().zip(gradients).collect();
            let by: Vec<Id> = reading.x.iter().chain(&reading.s).map(Code::id).collect();
            let mut gx = graph.gradient(&seeds, &by);
            let gs = gx.split_off(ports);
            AdjointGraph { graph, gx, gs }
        };
        Self::from_parts(name, [ports, states], surrogate, forward, adjoint)
    }

    /// From what writes the step (outputs, next state, distance from the threshold), and what writes the adjoint of one with so many outputs.
    pub(crate) fn from_parts(
        name: &str,
        [ports, states]: [usize; 2],
        surrogate: &impl SurrogateGradient,
        forward: impl Fn(&Reading) -> (Vec<Code>, Vec<Code>, Option<Code>),
        adjoint: impl Fn(&Reading, usize) -> AdjointGraph,
    ) -> Self {
        let reading = Reading::new(ports, states);
        let (outputs, next, over) = forward(&reading);
        let over = over.map(|over| over.id());
        let step = StepGraph { outputs: ids(&outputs), next: ids(&next), over, graph: reading.listing.graph() };
        let (slope_listing, slope) = surrogate_slope(surrogate);
        let refused = [&reading.listing, &slope_listing].into_iter().find_map(|listing| listing.finished().err());
        let slope = (slope_listing.graph(), slope.id());
        let adjoint = adjoint(&Reading::new(ports, states), outputs.len());
        Self { name: name.to_owned(), ports, step, adjoint, slope, refused }
    }

    /// Whether the slope of its surrogate, or anything else of it, has no form but Rust's.
    pub(crate) fn has_rust_functions(&self) -> bool {
        self.refused.is_some()
    }

    /// Numbers of state that change.
    pub(crate) fn moving(&self) -> usize {
        self.step.next.len()
    }

    /// Numbers of state that are held.
    pub(crate) fn held(&self) -> usize {
        self.adjoint.gs.len() - self.moving()
    }

    /// Numbers that a step gives out.
    pub(crate) fn outputs(&self) -> usize {
        self.step.outputs.len()
    }

    /// Whether a step reads a number of state.
    pub(crate) fn step_reads(&self, state: usize) -> bool {
        self.step.graph.depends(&self.step.results(), &format!("s[{state}]"))
    }

    /// Whether the adjoint reads the inputs, and for each number of state that changes whether it reads that.
    pub(crate) fn reads(&self) -> (bool, Vec<bool>) {
        let results = self.adjoint.results();
        let reads = |name: &str| self.adjoint.graph.depends(&results, name);
        let input = match self.ports {
            1 => reads("x"),
            ports => (0..ports).any(|port| reads(&format!("x[{port}]"))),
        };
        (input, (0..self.moving()).map(|j| reads(&format!("s[{j}]"))).collect())
    }

    /// These units and those before, whose outputs they read, as one: what is between them stays where it is made. Both have one port and one
    /// output; those before do not spike and hold nothing. The state is that of both, theirs first.
    pub(crate) fn behind(&self, before: &Self) -> Self {
        let split = before.moving();
        let none = |x: &Code| x.lit(0.0);
        // Output, next state, and the distance from the threshold if there is one.
        let step_of = |unit: &Self, x: Code, s: &[Code]| {
            let mut made = unit.step.graph.evaluate(&unit.step.results(), &[&[x], s].concat());
            let over = unit.step.over.and_then(|_| made.pop());
            (made.remove(0), made, over)
        };
        let adjoint_of = |unit: &Self, x: Code, s: &[Code], (spike, gy): ([Code; 2], Code), gnext: &[Code]| {
            let adjoint = &unit.adjoint;
            let mut pulled = adjoint.graph.evaluate(&adjoint.results(), &[&[x], s, &spike, &[gy], gnext].concat());
            (pulled.remove(0), pulled)
        };
        let forward = |reading: &Reading| {
            let (between, mut next, _) = step_of(before, reading.x[0].clone(), &reading.s[..split]);
            let (y, last, over) = step_of(self, between, &reading.s[split..]);
            next.extend(last);
            (vec![y], next, over)
        };
        // That of these units, then that of those before: the chain rule.
        let adjoint = |reading: &Reading, outputs: usize| {
            let Pulled { spike, mut gy, gnext } = reading.of_adjoint(outputs);
            let (x, (first, last)) = (&reading.x[0], reading.s.split_at(split));
            let (between, ..) = step_of(before, x.clone(), first);
            let (gbetween, gs_last) = adjoint_of(self, between, last, (spike, gy.remove(0)), &gnext[split..]);
            let no_spike = [none(x), none(x)];
            let (gx, mut gs) = adjoint_of(before, x.clone(), first, (no_spike, gbetween), &gnext[..split]);
            gs.extend(gs_last);
            AdjointGraph { graph: reading.listing.graph(), gx: vec![gx.id()], gs: ids(&gs) }
        };
        let states = split + self.adjoint.gs.len();
        let both = Self::from_parts(&self.name, [1, states], &NoSpikes, forward, adjoint);
        Self { slope: self.slope.clone(), refused: self.refused.clone().or(before.refused.clone()), ..both }
    }

    /// The same units with more outputs: these numbers of their state after each step.
    pub(crate) fn recording(&self, states: &[usize]) -> Self {
        let forward = |reading: &Reading| {
            let mut outputs = self.step.graph.evaluate(&self.step.results(), &[&reading.x[..], &reading.s].concat());
            let over = self.step.over.and_then(|_| outputs.pop());
            let next = outputs.split_off(self.outputs());
            outputs.extend(states.iter().map(|state| next[*state].clone()));
            (outputs, next, over)
        };
        // What is asked of such an output is asked of the next state.
        let adjoint = |reading: &Reading, outputs: usize| {
            let Pulled { spike, mut gy, mut gnext } = reading.of_adjoint(outputs);
            for (state, asked) in states.iter().zip(gy.split_off(self.outputs())) {
                gnext[*state] = gnext[*state].clone() + asked;
            }
            let given = [&reading.x[..], &reading.s, &spike, &gy, &gnext].concat();
            let mut gx = ids(&self.adjoint.graph.evaluate(&self.adjoint.results(), &given));
            let gs = gx.split_off(self.ports);
            AdjointGraph { graph: reading.listing.graph(), gx, gs }
        };
        let all = self.adjoint.gs.len();
        let recording = Self::from_parts(&self.name, [self.ports, all], &NoSpikes, forward, adjoint);
        Self { slope: self.slope.clone(), refused: self.refused.clone(), ..recording }
    }

    /// The adjoint with the slope of the surrogate worked out in it, of its distance from the threshold: it does not read `slope`. Without
    /// effect if the slope is a Rust function.
    pub(crate) fn adjoint_with_slope(&self) -> AdjointGraph {
        if self.has_rust_functions() {
            return self.adjoint.clone();
        }
        let graph = &self.adjoint.graph;
        let listing = Listing::new();
        let mut inputs: Vec<Code> = graph.inputs().iter().map(|name| listing.name(name)).collect();
        let place = |name: &str| graph.inputs().iter().position(|input| input == name).expect("an input of adjoints");
        let (slope_graph, slope) = &self.slope;
        let over = inputs[place("over")].clone();
        inputs[place("slope")] = slope_graph.evaluate(&[*slope], &[over]).remove(0);
        let mut gx = ids(&graph.evaluate(&self.adjoint.results(), &inputs));
        let gs = gx.split_off(self.ports);
        AdjointGraph { graph: listing.graph(), gx, gs }
    }

    /// The same with [simplified](Graph::simplified) graphs.
    pub fn simplified(&self) -> Self {
        let (graph, mut outputs) = self.step.graph.simplified(&self.step.results());
        let over = self.step.over.and_then(|_| outputs.pop());
        let next = outputs.split_off(self.outputs());
        let step = StepGraph { graph, outputs, next, over };
        let (graph, mut gx) = self.adjoint.graph.simplified(&self.adjoint.results());
        let gs = gx.split_off(self.ports);
        Self { step, adjoint: AdjointGraph { graph, gx, gs }, ..self.clone() }
    }

    /// Step, adjoint and surrogate as CUDA C: `step`, `adjoint` and `surrogate_gradient` are device functions. Several ports are an array, and so
    /// are several outputs; one is a number.
    /// `real` is `float` unless the text that includes this has defined it before (`#define real double`).
    pub fn cuda(&self) -> Result<String> {
        if let Some(error) = &self.refused {
            return Err(error.clone());
        }
        let given = |count: usize, name: &str| if count == 1 { name.to_owned() } else { format!("*{name}") };
        let (x, gy) = (given(self.ports, "x"), given(self.outputs(), "gy"));
        let assign = |graph: &Graph, ids: &[Id], to: &str| -> String {
            ids.iter().enumerate().map(|(j, id)| format!("    {to}[{j}] = {};\n", graph.operand(*id))).collect()
        };
        let StepGraph { graph: forward, outputs, next, over } = &self.step;
        let held: String = (next.len()..self.adjoint.gs.len()).map(|j| format!("    next[{j}] = s[{j}];\n")).collect();
        let AdjointGraph { graph: adjoint, gx, gs } = &self.adjoint;
        let (slope_graph, slope) = &self.slope;
        Ok(format!(
            "#ifndef real\n#define real float\n#endif\n
// {name}: the step. `over` is the distance from the threshold.
__device__ inline void step(const real {x}, const real *s, real *y, real *next, real *over) {{
{forward_text}    *over = {over};
{y}{next}{held}}}

// What stands in for the derivative of a spike.
__device__ inline real surrogate_gradient(const real distance) {{
{slope_text}    return {slope};
}}

// The adjoint of the step: gradients of output and next state to those of input and state.
__device__ inline void adjoint(const real {x}, const real *s, const real over, const real slope, const real {gy},
                               const real *gnext, real *gx, real *gs) {{
{adjoint_text}{gx}{gs}}}
",
            name = self.name,
            forward_text = forward.statements(&self.step.results()),
            over = over.map_or("real(0e0)".to_owned(), |over| forward.operand(over)),
            y = assign(forward, outputs, "y"),
            next = assign(forward, next, "next"),
            slope_text = slope_graph.statements(std::slice::from_ref(slope)),
            slope = slope_graph.operand(*slope),
            adjoint_text = adjoint.statements(&self.adjoint.results()),
            gx = assign(adjoint, gx, "gx"),
            gs = assign(adjoint, gs, "gs"),
        ))
    }
}

/// Compiled once for all units with such a surrogate.
#[inline(never)]
fn surrogate_slope<G: SurrogateGradient>(surrogate: &G) -> (Listing, Code) {
    let listing = Listing::new();
    let slope = surrogate.grad(listing.name("distance"));
    (listing, slope)
}
