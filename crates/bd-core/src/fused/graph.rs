//! [`Fused`]: the kernels of a system with their parameters, and how they are connected.

use std::fmt::Debug;
use std::sync::Arc;

use bd_kernel::{AnyKernel, KernelChain};
use tch::{Device, Tensor};

use super::gpu::{self, GpuKernel, UnitsOnGpu};

/// What a kernel is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Processor {
    /// The CPU: a [`Kernel`](bd_kernel::Kernel), with copies of the parameters.
    Cpu,
    /// A GPU: a [`GpuKernel`], or a kernel that [has a formula](AnyKernel::formula), which is handed the parameters.
    Gpu,
}

impl Processor {
    /// What runs a scan of tensors on a device.
    pub fn of(device: Device) -> Self {
        if device == Device::Cpu { Self::Cpu } else { Self::Gpu }
    }
}

/// The kernels of a system as a graph: parts, each of which reads what its edges bring, and their parameters, in the order of their
/// gradients. The state of the system is that of the parts, in their order. A kernel for the CPU has copied the values of its
/// parameters.
///
/// Only graphs that are a [path](Self::chain), from the input through each part to the output, are run by kernels today; of any other
/// [`kernel`](Self::kernel) and [`on_gpu`](Self::on_gpu) give nothing, and its system goes step by step.
#[derive(Debug)]
pub struct Fused {
    parts: Vec<Part>,
    edges: Vec<Edge>,
    /// Handles on the parameters.
    pub params: Vec<Tensor>,
}

/// Outputs that are inputs elsewhere. What several edges bring to one end is added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// Where it begins: a part, or the input of all.
    pub from: End,
    /// Where it ends: a part, or the output of all.
    pub to: End,
    /// How many steps later it arrives. Within a step, an edge leads to a later part.
    pub delay_steps: usize,
}

/// An end of an [`Edge`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The input or the output of the whole graph.
    Outside,
    /// One of the parts, by number.
    Part(usize),
}

impl Edge {
    /// An edge within a step.
    pub fn at_once(from: End, to: End) -> Self {
        Self { from, to, delay_steps: 0 }
    }

    /// The edges of a path through so many parts, in order.
    fn path(parts: usize) -> Vec<Self> {
        let end = |i: usize| if i == 0 || i > parts { End::Outside } else { End::Part(i - 1) };
        (0..=parts).map(|i| Self::at_once(end(i), end(i + 1))).collect()
    }

    /// The same where parts are numbered from `first` on.
    fn shifted(self, first: usize) -> Self {
        let shift = |end: End| match end {
            End::Outside => End::Outside,
            End::Part(part) => End::Part(part + first),
        };
        Self { from: shift(self.from), to: shift(self.to), ..self }
    }
}

#[derive(Debug, Clone)]
struct Part {
    kernel: Form,
    n_params: usize,
}

#[derive(Debug, Clone)]
enum Form {
    /// For the CPU, and perhaps for a GPU as well.
    Any(Arc<dyn AnyKernel>),
    /// A linear map on the CPU, whose kernel is made where it is needed.
    Linear(LinearKernelOf),
    /// For a GPU alone.
    Gpu(Arc<dyn GpuKernel>),
}

/// Makes the kernel of a [linear map](Fused::linear) from its weight `[n_in, n_out]` and perhaps its bias `[n_out]`. Nothing for a dtype
/// that kernels do not have.
pub type LinearKernelOf = fn(&Tensor, Option<&Tensor>) -> Option<Arc<dyn AnyKernel>>;

/// The weight `[n_in, n_out]` and perhaps the bias `[n_out]` of a linear map, as they are in the graph of libtorch.
#[derive(Debug)]
pub(super) struct LinearMap {
    pub(super) weight: Tensor,
    pub(super) bias: Option<Tensor>,
}

impl Fused {
    /// A linear map `y = x W + b` without a state, for the CPU: `weight` is `[n_in, n_out]`. Laying out a weight for a kernel takes several
    /// copies of it, which are left out where the product is [libtorch's](super::Library).
    pub fn linear(kernel: LinearKernelOf, weight: &Tensor, bias: Option<&Tensor>) -> Self {
        let params: Vec<&Tensor> = std::iter::once(weight).chain(bias).collect();
        Self::of(Form::Linear(kernel), &params)
    }

    /// A kernel with its parameters.
    pub fn new(kernel: Arc<dyn AnyKernel>, params: &[&Tensor]) -> Self {
        Self::of(Form::Any(kernel), params)
    }

    /// One for a GPU.
    pub fn for_gpu(kernel: impl GpuKernel + 'static, params: &[&Tensor]) -> Self {
        Self::of(Form::Gpu(Arc::new(kernel)), params)
    }

    fn of(kernel: Form, params: &[&Tensor]) -> Self {
        let part = Part { kernel, n_params: params.len() };
        let params = params.iter().map(|tensor| tensor.shallow_clone()).collect();
        Self { parts: vec![part], edges: Edge::path(1), params }
    }

    /// Graphs in a row as one, each fed by the one before.
    pub fn chain(members: Vec<Self>) -> Self {
        let edges = Edge::path(members.len());
        Self::connected(members, &edges)
    }

    /// Graphs as the parts of one. `edges` are those between them; they number `members`.
    pub fn connected(members: Vec<Self>, edges: &[Edge]) -> Self {
        let firsts: Vec<usize> = members
            .iter()
            .scan(0, |next, member| {
                *next += member.parts.len();
                Some(*next - member.parts.len())
            })
            .collect();
        let firsts = &firsts;
        let all = |member: usize| members[member].edges.iter().map(move |edge| edge.shifted(firsts[member]));
        // Where a member, or the outside, gives its outputs and takes its inputs, and how late.
        let sources = |end: End| match end {
            End::Outside => vec![(End::Outside, 0)],
            End::Part(i) => all(i).filter(|e| e.to == End::Outside).map(|e| (e.from, e.delay_steps)).collect(),
        };
        let targets = |end: End| match end {
            End::Outside => vec![(End::Outside, 0)],
            End::Part(i) => all(i).filter(|e| e.from == End::Outside).map(|e| (e.to, e.delay_steps)).collect(),
        };
        let inner = (0..members.len()).flat_map(all).filter(|e| e.from != End::Outside && e.to != End::Outside);
        let mut found: Vec<Edge> = inner.collect();
        for edge in edges {
            for (from, before) in sources(edge.from) {
                let to = targets(edge.to).into_iter();
                found.extend(to.map(|(to, after)| Edge { from, to, delay_steps: before + edge.delay_steps + after }));
            }
        }
        let (mut parts, mut params) = (Vec::new(), Vec::new());
        for member in members {
            parts.extend(member.parts);
            params.extend(member.params);
        }
        Self { parts, edges: found, params }
    }

    /// The parts in order, if their graph is a path through all of them.
    fn path(&self) -> Option<&[Part]> {
        let path = Edge::path(self.parts.len());
        (self.edges.len() == path.len() && path.iter().all(|edge| self.edges.contains(edge))).then_some(&self.parts)
    }

    /// The path with kernels merged that can be: from the beginning, since what is merged can be merged with what comes behind it.
    fn merged(&self) -> Option<Vec<Part>> {
        let mut parts: Vec<Part> = Vec::new();
        for part in self.path()? {
            let both = match (parts.last().map(|before| &before.kernel), &part.kernel) {
                (Some(Form::Any(before)), Form::Any(kernel)) => kernel.behind(before.as_ref()),
                _ => None,
            };
            match (both, parts.last_mut()) {
                (Some(both), Some(last)) => {
                    *last = Part { kernel: Form::Any(both), n_params: last.n_params + part.n_params };
                }
                _ => parts.push(part.clone()),
            }
        }
        Some(parts)
    }

    /// In how many loops the CPU goes through all of it: kernels, of which those that can be merged are one, and products of libtorch.
    /// Nothing where it is no path.
    pub fn loops(&self) -> Option<usize> {
        Some(self.merged()?.len())
    }

    /// All of it as one kernel for the CPU, which it must have been made for. Nothing where it is no path.
    pub fn kernel(&self) -> Option<Arc<dyn AnyKernel>> {
        let mut params = self.params.as_slice();
        let kernels = self.merged()?.into_iter().map(|part| {
            let (own, rest) = params.split_at(part.n_params);
            params = rest;
            match part.kernel {
                Form::Any(kernel) => Some(kernel),
                Form::Linear(kernel) => kernel(&own[0], own.get(1)),
                Form::Gpu(kernel) => panic!("{kernel:?} is for a GPU, and the CPU was asked for"),
            }
        });
        let mut kernels: Vec<_> = kernels.collect::<Option<_>>()?;
        Some(if kernels.len() == 1 { kernels.remove(0) } else { KernelChain::new(kernels).into() })
    }

    /// The linear map that a path through at least one part begins with, and what comes behind it, which may be nothing.
    pub(super) fn behind_linear(&self) -> Option<(LinearMap, Option<Self>)> {
        let (first, parts) = self.path()?.split_first()?;
        let Form::Linear(_) = first.kernel else { return None };
        let own = |i: usize| (i < first.n_params).then(|| self.params[i].shallow_clone());
        let params = self.params[first.n_params..].iter().map(Tensor::shallow_clone).collect();
        let rest = Self { parts: parts.to_vec(), edges: Edge::path(parts.len()), params };
        Some((LinearMap { weight: own(0)?, bias: own(1) }, (!parts.is_empty()).then_some(rest)))
    }

    /// All of it for a GPU, part by part with the number of its parameters; units in a row are one part. Nothing where it is no path, or
    /// if there is a part that has no such form.
    pub fn on_gpu(&self) -> Option<Vec<(Arc<dyn GpuKernel>, usize)>> {
        let form = |Part { kernel, n_params }| match kernel {
            // Of units without inputs, nobody would know how many there are.
            Form::Any(kernel) => {
                let formula = kernel.formula().filter(|formula| formula.facts().ports > 0)?;
                Some((Arc::new(UnitsOnGpu(formula)) as Arc<dyn GpuKernel>, n_params))
            }
            Form::Gpu(kernel) => Some((kernel, n_params)),
            Form::Linear(_) => None,
        };
        self.merged()?.into_iter().map(form).collect::<Option<_>>().map(gpu::in_a_chain)
    }

    /// Whether there is something to run on such a processor.
    pub(crate) fn runs_on(&self, processor: Processor) -> bool {
        match processor {
            Processor::Cpu => self.path().is_some(),
            Processor::Gpu => self.on_gpu().is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use bd_kernel::{NoSpikes, Num, Unit, UnitKernel};

    use super::*;

    /// `y = c x`.
    #[derive(Debug, Clone, Copy)]
    struct Times(f64);

    impl Unit<0> for Times {
        const NAME: &'static str = "times";
        const STATES: [&'static str; 0] = [];
        type Constants = ();
        type Surrogate = NoSpikes;

        fn constants(&self, _dt: f64) {}

        fn surrogate(&self) -> NoSpikes {
            NoSpikes
        }

        fn step<N: Num>(&self, _: &(), x: N, _: [N; 0], _: impl FnOnce(N) -> N) -> (N, [N; 0]) {
            (x.scale(self.0), [])
        }
    }

    fn part() -> Fused {
        Fused::new(Arc::new(UnitKernel::new(2, &Times(0.5), 1.0)), &[])
    }

    fn edge(from: Option<usize>, to: Option<usize>, delay_steps: usize) -> Edge {
        let end = |part: Option<usize>| part.map_or(End::Outside, End::Part);
        Edge { from: end(from), to: end(to), delay_steps }
    }

    #[test]
    fn rows_of_rows_are_a_path() {
        let row = Fused::chain(vec![part(), Fused::chain(vec![part(), part()]), part()]);
        assert_eq!(row.edges.len(), 5);
        assert_eq!((row.loops(), row.kernel().is_some()), (Some(4), true));
        assert!(row.runs_on(Processor::Cpu) && row.runs_on(Processor::Gpu));
    }

    /// A row and a part beside it, whose outputs are added: each edge between members is one between their own ends.
    #[test]
    fn members_keep_their_edges_and_what_is_no_path_has_no_kernel() {
        let members = vec![Fused::chain(vec![part(), part()]), part()];
        let beside = [edge(None, Some(0), 0), edge(None, Some(1), 3), edge(Some(0), None, 0), edge(Some(1), None, 1)];
        let graph = Fused::connected(members, &beside);
        let expected = [
            edge(Some(0), Some(1), 0),
            edge(None, Some(0), 0),
            edge(None, Some(2), 3),
            edge(Some(1), None, 0),
            edge(Some(2), None, 1),
        ];
        assert_eq!(graph.edges, expected);
        assert!(graph.kernel().is_none() && graph.on_gpu().is_none() && !graph.runs_on(Processor::Cpu));
    }
}
