//! Scans that begin with a wide linear map of numbers: one product by libtorch's library over many steps, then the kernel of what
//! comes behind it with currents that are given; backward the kernel's adjoint, then the products of the adjoint.

use bd_kernel::{AnyKernel, Typed};
use tch::{Device, Tensor};

use super::bytes::{COPIES, ScanBytes, ScanOf};
use super::library::{Product, Start, copied, multiply, ones};
use super::memory::uninitialised;
use super::plan::{Dense, Kept, NEAR_BYTES, Plan};
use super::{Outcome, Room, Tuning};
use crate::autograd::{Gradients, attach_saving};
use crate::error::Result;
use crate::fused::graph::LinearMap;
use crate::fused::{Element, Fused};

/// Rows of a piece that are enough, unless the map has more outputs: each piece packs the weight again.
const PIECE_ROWS: usize = 4096;

/// How such a scan is cut up.
pub(super) struct Wide {
    map: LinearMap,
    /// The plan of what comes behind the map, over all time.
    rest: Option<Plan>,
    time: i64,
    batch: i64,
    /// Steps of a piece.
    piece: i64,
    /// Whether the currents of all steps are stored for the adjoint, and not calculated again.
    stores: bool,
    on_threads: usize,
}

/// What the adjoint needs.
struct KeptOfWide<F> {
    currents: Option<Tensor>,
    /// Of each piece.
    rest: Vec<Kept<F>>,
}

/// What the adjoint is asked for.
#[derive(Clone, Copy)]
struct Wanted {
    xs: bool,
    weight: bool,
    bias: bool,
}

impl Wide {
    /// The plan of a map and what comes behind it. Nothing where the latter has no kernel.
    pub(super) fn new<F: Element>(
        (map, rest): (LinearMap, Option<Fused>),
        (time, batch): (usize, usize),
        widths: Vec<usize>,
        traced: &[usize],
        record: bool,
        tuning: Tuning,
    ) -> Option<Self>
    where
        dyn AnyKernel: Typed<F>,
    {
        let n = map.weight.size()[1] as usize;
        let row_bytes = n * size_of::<F>();
        let of_kernel = |kernel| Plan::new::<F>(kernel, (time, batch), widths, traced, (false, record), tuning);
        let rest = match rest {
            Some(rest) => Some(of_kernel(rest.kernel()?)),
            None => None,
        };
        let stretch = rest.as_ref().map_or(1, Plan::stretch);
        let rows = n.max(PIECE_ROWS).min(tuning.piece_bytes / row_bytes.max(1));
        let piece = (rows / batch).next_multiple_of(stretch).clamp(1, time);
        // What the kernels' copies of a weight would take, or what is little.
        let spared = COPIES * map.weight.numel() * size_of::<F>();
        let most = tuning.stored_bytes.min(spared.max(NEAR_BYTES));
        let stores = record && rest.is_some() && time * batch * row_bytes <= most;
        let [time, batch, piece] = [time, batch, piece].map(|n| n as i64);
        Some(Self { map, rest, time, batch, piece, stores, on_threads: tuning.threads })
    }

    fn n_in(&self) -> i64 {
        self.map.weight.size()[0]
    }

    fn n_between(&self) -> i64 {
        self.map.weight.size()[1]
    }

    fn n_out(&self) -> i64 {
        self.rest.as_ref().map_or(self.n_between(), |rest| rest.n_out() as i64)
    }

    /// First steps of the pieces, and how many each has.
    fn pieces(&self) -> impl DoubleEndedIterator<Item = (i64, i64)> {
        let (time, piece) = (self.time, self.piece);
        (0..(time + piece - 1) / piece).map(move |i| (i * piece, piece.min(time - i * piece)))
    }

    fn series<F: Element>(&self, steps: i64, n: i64) -> Tensor {
        uninitialised::<F>(&[steps, self.batch, n])
    }

    /// The scan, with the adjoint on what comes out. `params` are those of the map, then those of what comes behind it.
    pub(super) fn run<F: Element>(self, xs: &Tensor, leaves: &[Tensor], params: &[Tensor], record: bool) -> Outcome
    where
        dyn AnyKernel: Typed<F>,
    {
        let numbers = xs.detach().contiguous();
        let (outcome, kept) = self.forward::<F>(&numbers, leaves, record);
        if record {
            let inputs: Vec<&Tensor> = std::iter::once(xs).chain(leaves).chain(params).collect();
            let outputs: Vec<&Tensor> =
                std::iter::once(&outcome.ys).chain(&outcome.last).chain(&outcome.traces).collect();
            let (map, behind) = params.split_at(1 + usize::from(self.map.bias.is_some()));
            // The backward reads input and map again.
            let saved: Vec<&Tensor> = std::iter::once(xs).chain(map).collect();
            let wanted = Wanted {
                xs: xs.requires_grad(),
                weight: map[0].requires_grad(),
                bias: map.get(1).is_some_and(Tensor::requires_grad),
            };
            let behind: Vec<Vec<i64>> = behind.iter().map(Tensor::size).collect();
            let wide = self.outside();
            attach_saving(&inputs, &outputs, &saved, move |grads| {
                wide.backward::<F>(&numbers, &kept, grads, &behind, wanted)
            })
            .expect("fresh outputs can be attached");
        }
        outcome
    }

    /// With parameters outside of the graph, which would keep itself alive through them.
    fn outside(self) -> Self {
        let LinearMap { weight, bias } = &self.map;
        let map = LinearMap { weight: weight.detach(), bias: bias.as_ref().map(Tensor::detach) };
        Self { map, ..self }
    }

    /// The currents of some steps, into `currents`.
    fn multiply(&self, xs: &Tensor, currents: &Tensor) {
        let start = self.map.bias.as_ref().map_or(Start::Zero, |bias| Start::Row(bias.detach()));
        let (a, out) = (xs.reshape([-1, self.n_in()]), currents.view([-1, self.n_between()]));
        multiply(vec![Product { out, a, b: self.map.weight.detach(), start }], self.on_threads);
    }

    fn forward<F: Element>(&self, xs: &Tensor, leaves: &[Tensor], record: bool) -> (Outcome, KeptOfWide<F>)
    where
        dyn AnyKernel: Typed<F>,
    {
        let ys = self.series::<F>(self.time, self.n_out());
        let Some(rest) = &self.rest else {
            self.pieces()
                .for_each(|(from, steps)| self.multiply(&xs.narrow(0, from, steps), &ys.narrow(0, from, steps)));
            let outcome = Outcome { ys, last: Vec::new(), traces: Vec::new() };
            return (outcome, KeptOfWide { currents: None, rest: Vec::new() });
        };
        let traces = rest.room_of_traces::<F>();
        let currents = self.series::<F>(if self.stores { self.time } else { self.piece }, self.n_between());
        let mut last: Vec<Tensor> = leaves.iter().map(Tensor::shallow_clone).collect();
        let mut kept = Vec::new();
        for (from, steps) in self.pieces() {
            let own = currents.narrow(0, if self.stores { from } else { 0 }, steps);
            self.multiply(&xs.narrow(0, from, steps), &own);
            let cut = |series: &Tensor| series.narrow(0, from, steps);
            let room = Room { ys: cut(&ys), traces: traces.iter().map(cut).collect() };
            let given = Dense { xs: own, wants_gxs: true };
            let (done, kept_of_piece) =
                rest.of_steps(from as usize, steps as usize).forward::<F>(Some(&given), None, &last, record, room);
            last = done.last;
            kept.push(kept_of_piece);
        }
        (Outcome { ys, last, traces }, KeptOfWide { currents: self.stores.then_some(currents), rest: kept })
    }

    /// Gradients of the input, of the leaves of the first state, and of the parameters.
    fn backward<F: Element>(
        &self,
        xs: &Tensor,
        kept: &KeptOfWide<F>,
        grads: &[Option<Tensor>],
        behind: &[Vec<i64>],
        wanted: Wanted,
    ) -> Result<Gradients>
    where
        dyn AnyKernel: Typed<F>,
    {
        let (n_in, n) = (self.n_in(), self.n_between());
        let n_leaves = self.rest.as_ref().map_or(0, Plan::n_leaves);
        let cut = |grad: &Option<Tensor>, from, steps| grad.as_ref().map(|grad| grad.narrow(0, from, steps));
        let gxs = wanted.xs.then(|| self.series::<F>(self.time, n_in));
        let gweight = wanted.weight.then(|| uninitialised::<F>(&[n_in, n]));
        let gbias = wanted.bias.then(|| uninitialised::<F>(&[1, n]));
        let room = self.rest.as_ref().map(|_| self.series::<F>(self.piece, n));
        let again = self.rest.as_ref().filter(|_| !self.stores).map(|_| self.series::<F>(self.piece, n));
        let mut gleaves = grads[1..1 + n_leaves].iter().map(|grad| grad.as_ref().map(Tensor::shallow_clone)).collect();
        let mut gbehind: Vec<Option<Tensor>> = behind.iter().map(|_| None).collect();
        for (i, (from, steps)) in self.pieces().enumerate().collect::<Vec<_>>().into_iter().rev() {
            let xs = xs.narrow(0, from, steps);
            let gcurrents = match (&self.rest, &room) {
                (Some(rest), Some(room)) => {
                    let given = match (&kept.currents, &again) {
                        (None, Some(again)) => {
                            let again = again.narrow(0, 0, steps);
                            self.multiply(&xs, &again);
                            again
                        }
                        (currents, _) => currents.as_ref().expect("stored if not made again").narrow(0, from, steps),
                    };
                    let asked: Gradients = std::iter::once(cut(&grads[0], from, steps))
                        .chain(gleaves)
                        .chain(grads[1 + n_leaves..].iter().map(|grad| cut(grad, from, steps)))
                        .collect();
                    let room = room.narrow(0, 0, steps);
                    let given = Dense { xs: given, wants_gxs: true };
                    let plan = rest.of_steps(from as usize, steps as usize);
                    let found = plan.backward::<F>(Some(&given), &kept.rest[i], &asked, behind, Some(room))?;
                    let mut found = found.into_iter();
                    let gcurrents = found.next().flatten();
                    gleaves = found.by_ref().take(n_leaves).collect::<Vec<_>>();
                    for (sum, found) in gbehind.iter_mut().zip(found) {
                        *sum = match (sum.take(), found) {
                            (Some(sum), Some(found)) => Some(sum + found),
                            (sum, found) => sum.or(found),
                        };
                    }
                    gcurrents
                }
                _ => cut(&grads[0], from, steps).map(|grad| grad.to_kind(F::KIND).contiguous()),
            };
            let gcurrents = match gcurrents {
                Some(found) => found.view([-1, n]),
                None => Tensor::zeros([steps * self.batch, n], (F::KIND, Device::Cpu)),
            };
            let is_first = from + steps == self.time;
            let sum = |out: &Tensor, a: Tensor| Product {
                out: out.shallow_clone(),
                a,
                b: gcurrents.shallow_clone(),
                start: if is_first { Start::Zero } else { Start::There },
            };
            let mut products = Vec::new();
            if let Some(gxs) = &gxs {
                let out = gxs.narrow(0, from, steps).view([-1, n_in]);
                products.push(Product {
                    out,
                    a: gcurrents.shallow_clone(),
                    b: self.map.weight.tr(),
                    start: Start::Zero,
                });
            }
            products.extend(gweight.as_ref().map(|out| sum(out, xs.view([-1, n_in]).tr())));
            products.extend(gbias.as_ref().map(|out| sum(out, ones(steps * self.batch, F::KIND))));
            multiply(products, self.on_threads);
        }
        let own = [gweight].into_iter().chain(self.map.bias.as_ref().map(|_| gbias.map(|sum| sum.view([n]))));
        Ok(std::iter::once(gxs).chain(gleaves).chain(own).chain(gbehind).collect())
    }

    /// What it takes of memory, in bytes.
    pub(super) fn bytes<F: Element>(&self, scan: &ScanOf) -> ScanBytes
    where
        dyn AnyKernel: Typed<F>,
    {
        let size = |steps: i64, n: i64| (steps * self.batch * n) as usize * size_of::<F>();
        let (n_in, n) = (self.n_in(), self.n_between());
        let if_recorded = |bytes: usize| if scan.record { bytes } else { 0 };
        let behind = match &self.rest {
            Some(rest) => rest.bytes::<F>(&ScanOf { wants_input_gradient: false, ..*scan }, false),
            None => ScanBytes {
                outputs_bytes: size(self.time, n),
                output_gradients_bytes: if_recorded(size(self.time, n)),
                ..ScanBytes::default()
            },
        };
        let pieces = match (&self.rest, scan.record, self.stores) {
            (None, false, _) => 0,
            (Some(_), true, false) => 2,
            _ => 1,
        };
        let rows = self.piece * self.batch;
        let products = [Some([rows, n_in, n]), scan.record.then_some([n_in, rows, n])];
        let for_input = (scan.record && scan.wants_input_gradient).then_some([rows, n, n_in]);
        let copied =
            products.into_iter().chain([for_input]).flatten().map(|shape| copied(shape, self.on_threads)).max();
        let map = n_in * n + self.map.bias.as_ref().map_or(0, |_| n);
        ScanBytes {
            input_gradient_bytes: if scan.record && scan.wants_input_gradient { size(self.time, n_in) } else { 0 },
            stored_bytes: behind.stored_bytes + if self.stores { size(self.time, n) } else { 0 },
            workspaces_bytes: behind.workspaces_bytes
                + pieces * size(self.piece, n)
                + copied.unwrap_or(0) * size_of::<F>(),
            parameter_gradients_bytes: behind.parameter_gradients_bytes + if_recorded(map as usize * size_of::<F>()),
            ..behind
        }
    }
}
