//! Teams of all kinds on an emulated GPU, against steps by libtorch of the same formulas.

use bd_core::kernel::{Field, Fused, Num, Processor};
use bd_core::nvrtc::Nvrtc;
use bd_core::testing::{OnGpu, ScanCase, assert_scan_is_steps, emulated};
use bd_core::{Params, Shared, StateTree, System, join};
use tch::Device;

use super::*;
use crate::{CubaLif, ExponConfig, LifConfig};
use bd_kernel::models::cell::{CellUnit, Functions, Own};
use bd_kernel::models::gru::GruUnit;
use bd_kernel::models::lstm::LstmUnit;

/// One phase: a leak of its own for each unit, by its second input.
#[derive(Debug, Clone, Copy)]
struct OnePhase;

impl CellUnit for OnePhase {
    const NAME: &'static str = "one phase";
    const PHASES: &'static [usize] = &[2];
    const FUNCTIONS: &'static [usize] = &[2];
    const STATES: usize = 2;

    fn phase<N: Num>(&self, _phase: usize, a: &[N], s: &mut [N], f: &mut impl Functions<N>) -> N {
        s[1] = s[1].clone() * f.sigmoid(a[1].clone()) + a[0].clone();
        s[0] = f.tanh(s[1].clone()) + s[0].clone().scale(0.3);
        s[0].clone()
    }
}

/// Two phases of two inputs and one; both read the state, and two numbers pass.
#[derive(Debug, Clone, Copy)]
pub(super) struct TwoPhases;

impl CellUnit for TwoPhases {
    const NAME: &'static str = "two phases";
    const PHASES: &'static [usize] = &[2, 1];
    const FUNCTIONS: &'static [usize] = &[2, 1];
    const STATES: usize = 1;
    const PASSING: usize = 2;

    fn phase<N: Num>(&self, phase: usize, a: &[N], s: &mut [N], f: &mut impl Functions<N>) -> N {
        if phase == 0 {
            (s[1], s[2]) = (f.sigmoid(a[0].clone()), a[1].clone());
            return f.tanh(a[1].clone()) * s[0].clone();
        }
        s[0] = s[0].clone().scale(0.5) + s[1].clone() * f.tanh(a[0].clone() + s[2].clone());
        s[0].clone()
    }
}

/// A system of these formulas, stepped by libtorch; its scan for GPUs shares out the work as it is told.
#[derive(Debug)]
struct ByFormula<U> {
    unit: U,
    weight: Tensor,
    share: fn(Problem<'_>, GpuLimits) -> Result<TeamLayout>,
}

#[derive(Debug)]
struct Numbers(Vec<Tensor>);

impl StateTree for Numbers {
    fn visit(&self, path: &str, f: &mut dyn FnMut(&str, &Tensor)) {
        self.0.iter().enumerate().for_each(|(j, value)| f(&join(path, &format!("s{j}")), value));
    }

    fn try_map(&self, path: &str, f: &mut dyn FnMut(&str, &Tensor) -> Result<Tensor>) -> Result<Self> {
        let all = self.0.iter().enumerate().map(|(j, value)| f(&join(path, &format!("s{j}")), value));
        Ok(Self(all.collect::<Result<_>>()?))
    }
}

impl<U: CellUnit> System for ByFormula<U> {
    type State = Numbers;

    fn n_in(&self) -> i64 {
        self.weight.size()[1]
    }

    fn n_out(&self) -> i64 {
        self.weight.size()[0]
    }

    fn init_state(&self, batch: i64, on: (Kind, Device)) -> Numbers {
        Numbers((0..U::STATES).map(|j| Tensor::full([batch, self.n_out()], 0.1 * j as f64, on)).collect())
    }

    fn step(&self, _sha: &Shared, x: &Tensor, s: &Numbers) -> (Tensor, Numbers) {
        let n = self.n_out();
        let (mut fed, mut from) = (s.0[0].shallow_clone(), 0);
        let mut numbers: Vec<Field> = s.0.iter().map(|value| Field(value.shallow_clone())).collect();
        numbers.extend((0..U::PASSING).map(|_| Field(fed.zeros_like())));
        for (phase, inputs) in U::PHASES.iter().enumerate() {
            let width = *inputs as i64 * n;
            let a = x.narrow(1, from, width) + fed.matmul(&self.weight.narrow(1, from, width));
            let a: Vec<Field> = a.chunk(*inputs as i64, 1).into_iter().map(Field).collect();
            fed = self.unit.phase(phase, &a, &mut numbers, &mut Own).0;
            from += width;
        }
        let state = numbers.into_iter().take(U::STATES).map(|field| field.0).collect();
        (fed, Numbers(state))
    }

    fn kernel(&self, _sha: &Shared, _processor: Processor) -> Option<Fused> {
        let mut cell = RecurrentOnGpu::cell(self.unit, self.n_out() as usize);
        cell.share = self.share;
        Some(Fused::for_gpu(cell, &[&self.weight]))
    }
}

/// Teams of so many members and samples, with the weight in shared memory or not.
fn told<const MEMBERS: usize, const SAMPLES: usize, const RESIDENT: bool>(
    problem: Problem<'_>,
    limits: GpuLimits,
) -> Result<TeamLayout> {
    Ok(TeamLayout::with(problem, limits, (MEMBERS, SAMPLES, RESIDENT)).expect("there is limits"))
}

fn assert_on(gpu: &Arc<Gpu>, share: fn(Problem<'_>, GpuLimits) -> Result<TeamLayout>, [n, time, batch]: [i64; 3]) {
    let on = (Kind::Double, Device::Cpu);
    fn check<U: CellUnit>(gpu: &Arc<Gpu>, system: impl Fn(Tensor) -> ByFormula<U>, n: i64, case: ScanCase) {
        let mut params = Params::new(case.seed, case.on);
        let width = n * U::PHASES.iter().sum::<usize>() as i64;
        let weight = params.at("r").param("weight", |rng| rng.tensor(&[n, width], case.on, bd_core::Rng::normal) * 0.3);
        assert_scan_is_steps(&OnGpu(system(weight.unwrap()), gpu.clone()), &params, case);
    }
    let case = ScanCase { time, batch, on, tolerance: 1e-12, seed: n as u64 };
    check(gpu, |weight| ByFormula { unit: OnePhase, weight, share }, n, case);
    check(gpu, |weight| ByFormula { unit: TwoPhases, weight, share }, n, case);
}

/// All of it in shared memory, a sample each and several, more than a thread multiplies at once.
#[test]
fn a_block_alone_scans_as_it_steps() {
    let gpu = emulated(48 << 10, 1);
    assert_on(&gpu, told::<1, 1, true>, [13, 5, 3]);
    assert_on(&gpu, told::<1, 32, true>, [7, 5, 37]);
    assert_on(&gpu, told::<1, 4, false>, [13, 5, 6]);
}

/// Blocks that wait for each other; more samples than all teams have at once; more columns than a warp, and than all warps.
#[test]
fn teams_scan_as_they_step() {
    let gpu = emulated(48 << 10, 6);
    assert_on(&gpu, told::<3, 2, true>, [13, 5, 9]);
    assert_on(&gpu, told::<2, 4, false>, [70, 3, 13]);
    assert_on(&gpu, told::<5, 16, true>, [37, 3, 20]);
    assert_on(&emulated(1 << 20, 6), told::<1, 1, true>, [150, 2, 1]);
}

/// So little room that a step is read in pieces, by teams and by a block of its own.
#[test]
fn steps_are_staged_in_pieces() {
    let gpu = emulated(1100, 4);
    assert_on(&gpu, told::<2, 2, false>, [29, 4, 5]);
    assert_on(&gpu, told::<1, 1, false>, [29, 4, 2]);
    let problem = Problem { units: 29, samples: 5, products: &[(2, 1), (1, 1)], bytes: 8 };
    let layout = told::<2, 2, false>(problem, GpuLimits { processors: 4, bytes: 1100, products: 128 }).unwrap();
    assert!(layout.stage < 16 && !layout.alone, "{layout:?}");
}

const H100: GpuLimits = GpuLimits { processors: 132, bytes: 232_448, products: 128 };
const T4: GpuLimits = GpuLimits { processors: 40, bytes: 65_536, products: 64 };
const A100: GpuLimits = GpuLimits { processors: 108, bytes: 166_912, products: 64 };

/// Whatever is chosen has room, leaves nobody out, and lets no more blocks wait for each other than run together.
#[test]
fn shares_cover_the_work() {
    for limits in [H100, T4, GpuLimits { processors: 1, bytes: 48 << 10, products: 128 }] {
        for (units, samples) in [(1, 1), (13, 70), (100, 128), (256, 64), (512, 256), (1030, 3), (4096, 16)] {
            for products in [&[(1, 1)][..], &[(1, 4)], &[(4, 1)], &[(2, 1), (1, 1)]] {
                let problem = Problem { units, samples, products, bytes: 4 };
                if limits.processors == 1 && units > 1030 {
                    continue;
                }
                let layout = TeamLayout::of(problem, limits).unwrap();
                let (members, teams) = (layout.members, layout.teams(problem, limits));
                assert!(layout.bytes <= limits.bytes && layout.threads <= 256, "{layout:?}");
                assert!(members * layout.units >= units && (members - 1) * layout.units < units, "{layout:?}");
                assert!(members == 1 || teams * members <= limits.processors, "{layout:?}");
                assert!(teams >= 1 && (teams - 1) * layout.samples < samples, "{layout:?}");
            }
        }
    }
}

/// Each piece of a step is waited for: there are few, or they are long, whatever the GPU.
#[test]
fn steps_come_in_few_pieces() {
    for limits in [H100, A100, T4] {
        for units in [100usize, 256, 512, 1024, 2048] {
            for samples in [16, 128, 256] {
                for products in [&[(1, 1)][..], &[(1, 4)], &[(4, 1)], &[(1, 2), (1, 1)], &[(2, 1), (1, 1)]] {
                    let layout = TeamLayout::of(Problem { units, samples, products, bytes: 4 }, limits).unwrap();
                    let whole = products[0].0 * units.div_ceil(4);
                    let pieces = whole.div_ceil(layout.stage);
                    assert!(
                        pieces <= 4 || layout.stage > 256,
                        "{units} units, {samples} samples, {products:?} on {limits:?}: {layout:?}"
                    );
                }
            }
        }
    }
}

/// What the choice is about: small networks are not divided, large ones are, and their weight stays in shared memory if there is room.
#[test]
fn large_networks_are_shared_out() {
    let of = |units, samples, products| TeamLayout::of(Problem { units, samples, products, bytes: 4 }, H100).unwrap();
    let tutorial = of(100, 128, &[(1, 1)]);
    assert!(tutorial.alone && tutorial.samples == 1, "{tutorial:?}");
    let large = of(512, 256, &[(1, 1)]);
    assert!(large.members > 4 && large.resident && large.samples > 4, "{large:?}");
    let none = TeamLayout::of(
        Problem { units: 4096, samples: 1, products: &[(1, 4)], bytes: 4 },
        GpuLimits { processors: 1, bytes: 48 << 10, products: 128 },
    );
    let message = none.unwrap_err().to_string();
    assert!(message.contains("4096 recurrent units") && message.contains("49152 bytes"), "{message}");
}

/// Arrays of numbers are in registers only if all places in them are known to the compiler, and registers suffice.
#[test]
fn states_stay_in_registers() {
    let Ok(nvrtc) = Nvrtc::find() else { return };
    let neurons = CubaLif::new(512, &ExponConfig::default(), &LifConfig::default()).unwrap();
    let units = neurons.kernel(&Shared::new(1.0), Processor::Gpu).unwrap().on_gpu().unwrap().remove(0).0;
    let cells = [
        (RecurrentOnGpu::around(units.as_ref(), 512).unwrap(), 256),
        (RecurrentOnGpu::cell(LstmUnit, 512), 256),
        (RecurrentOnGpu::cell(LstmUnit, 100), 128),
        (RecurrentOnGpu::cell(GruUnit, 512), 256),
        (RecurrentOnGpu::cell(TwoPhases, 100), 128),
    ];
    for (cell, samples) in &cells {
        for forward in [true, false] {
            let products = cell.products(forward);
            let problem = Problem { units: cell.n, samples: *samples, products: &products, bytes: 4 };
            let layout = TeamLayout::of(problem, H100).unwrap();
            let needs = nvrtc.needs(&cell.text(&layout, Kind::Float, forward).unwrap(), "sm_90").unwrap();
            let [needs] = needs.as_slice() else { panic!("one kernel, not {needs:?}") };
            // A number or two may be put aside so that two blocks fit; an array would take more.
            let enough = needs.stack_bytes <= 32 && needs.registers * layout.threads <= 65_536;
            assert!(enough, "{cell:?} by {layout:?}: {needs:?}");
        }
    }
}
