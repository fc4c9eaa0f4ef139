//! Linear maps whose product is libtorch's, forced at sizes that tests can have.

use bd_core::kernel::{Fused, Library, Processor, ScanOf, Tuning, is_librarys, scan_bytes, scan_tuned};
use bd_core::testing::{ScanCase, assert_close, assert_scan_is_steps};
use bd_core::{Chain, Inputs, Params, Rng, Shared, System, Tap, threads};
use tch::{Device, Kind, Tensor};

use super::{Linear, LinearConfig};
use crate::init::Init;
use crate::{Lif, LifConfig, LifTrained};

/// A system that is scanned with the product of the library.
#[derive(Debug)]
struct ByLibrary<S> {
    system: S,
    /// Bytes of a piece of the time, and those that may be stored.
    piece_bytes: usize,
    stored_bytes: usize,
}

impl<S: System> System for ByLibrary<S> {
    type State = S::State;

    fn n_in(&self) -> i64 {
        self.system.n_in()
    }

    fn n_out(&self) -> i64 {
        self.system.n_out()
    }

    fn init_state(&self, batch: i64, on: (Kind, Device)) -> S::State {
        self.system.init_state(batch, on)
    }

    fn step(&self, sha: &Shared, x: &Tensor, s: &S::State) -> (Tensor, S::State) {
        self.system.step(sha, x, s)
    }

    fn scan(&self, sha: &Shared, inputs: &Inputs, s: S::State, tap: &mut Tap) -> (Tensor, S::State) {
        let [batch, ..] = inputs.shape();
        let usual = Tuning::of(batch as usize, inputs.on().0);
        let (piece_bytes, stored_bytes) = (self.piece_bytes, self.stored_bytes);
        let chunks = Tuning { bytes: 0, min_steps: 3, ..usual };
        let tuning = Tuning { library: Library::Always, piece_bytes, stored_bytes, ..chunks };
        scan_tuned(&self.system, sha, inputs, s, tap, tuning).unwrap_or_else(|_| panic!("there is a kernel"))
    }

    fn kernel(&self, sha: &Shared, processor: Processor) -> Option<Fused> {
        self.system.kernel(sha, processor)
    }
}

const N: i64 = 5;

fn linear(params: &mut Params, n_in: i64, n: i64, bias: bool) -> Linear {
    let config = LinearConfig { bias, init: Init::KaimingNormal { scale: 1.0 }, ..LinearConfig::default() };
    Linear::new(&mut params.at("in"), n_in, n, &config).unwrap()
}

/// With `v = 0.9 v + I` in steps of 1 ms.
fn lif() -> LifConfig {
    LifConfig { tau_ms: 9.5, resistance: 10.0, ..LifConfig::default() }
}

/// Pieces of one step, of some and of all, with currents that are stored or made again; neurons that have parameters of their own; nothing
/// behind the map.
#[test]
fn scan_is_steps() {
    let ways = [(0, 0), (0, usize::MAX), (2000, 0), (2000, usize::MAX), (1 << 20, 0), (1 << 20, usize::MAX)];
    for (kind, tolerance) in [(Kind::Double, 1e-12), (Kind::Float, 2e-4)] {
        for (seed, (piece_bytes, stored_bytes)) in ways.into_iter().enumerate() {
            let on = (kind, Device::Cpu);
            let case = ScanCase::random(seed as u64, on, tolerance);
            let bias = seed % 2 == 0;

            let mut params = Params::new(2, on);
            let (first, neurons) = (linear(&mut params, 3, N, bias), Lif::new(N, &lif()).unwrap());
            let system = Chain::new(("in", first), ("r", neurons)).unwrap();
            assert_scan_is_steps(&ByLibrary { system, piece_bytes, stored_bytes }, &params, case);

            let mut params = Params::new(2, on);
            let first = linear(&mut params, 3, N, bias);
            let trained = LifTrained { tau: true, threshold: true, ..LifTrained::default() };
            let neurons = Lif::trained(&mut params.at("r"), N, &LifConfig { trained, ..lif() }).unwrap();
            let last = Linear::new(&mut params.at("out"), N, 2, &LinearConfig::default()).unwrap();
            let hidden = Chain::new(("in", first), ("r", neurons)).unwrap();
            let system = Chain::new(("hidden", hidden), ("out", last)).unwrap();
            assert_scan_is_steps(&ByLibrary { system, piece_bytes, stored_bytes }, &params, case);

            let mut params = Params::new(2, on);
            let system = linear(&mut params, 3, N, bias);
            assert_scan_is_steps(&ByLibrary { system, piece_bytes, stored_bytes }, &params, case);
        }
    }
}

/// Outputs and the gradients of input, weight and bias of neurons behind a map, whose product has several blocks in each direction.
fn everything(xs: &Tensor, tuning: Tuning) -> Vec<Tensor> {
    let on = (xs.kind(), Device::Cpu);
    let mut params = Params::new(2, on);
    let (n_in, n) = (xs.size()[2], 2100);
    let first = linear(&mut params, n_in, n, true);
    let net = Chain::new(("in", first), ("r", Lif::new(n, &lif()).unwrap())).unwrap();
    let xs = xs.detach().set_requires_grad(true);
    threads::set_libtorch(1);
    let start = net.init_state(xs.size()[1], on);
    let (ys, _) = scan_tuned(&net, &Shared::new(1.0), &Inputs::of_steps(&xs), start, &mut Tap::none(), tuning).unwrap();
    let weights = Rng::new(1, "weights").tensor(&ys.size(), on, Rng::normal);
    let trained: Vec<Tensor> = params.trainable().into_iter().map(|(_, tensor)| tensor).collect();
    let of: Vec<&Tensor> = std::iter::once(&xs).chain(&trained).collect();
    let gradients = Tensor::run_backward(&[(&ys * weights).sum(on.0)], &of, false, false);
    assert!(ys.sum(Kind::Double).double_value(&[]) > 0.0, "neurons spike");
    std::iter::once(ys.detach()).chain(gradients).collect()
}

fn drawn(kind: Kind, share: f64) -> Tensor {
    let draw = |rng: &mut Rng| if rng.uniform() < share { rng.normal() } else { 0.0 };
    Rng::new(1, "xs").tensor(&[40, 16, 300], (kind, Device::Cpu), draw)
}

/// And not those of the kernels' product, but for the last bits.
#[test]
fn threads_change_no_byte() {
    for kind in [Kind::Float, Kind::Double] {
        let xs = drawn(kind, 1.0);
        let usual = Tuning { piece_bytes: 1 << 21, ..Tuning::of(16, kind) };
        let found = [1, 2, 3].map(|threads| everything(&xs, Tuning { threads, ..usual }));
        let by_kernels = everything(&xs, Tuning { library: Library::Never, ..usual });
        for (i, expected) in found[0].iter().enumerate() {
            assert!(found.iter().all(|found| found[i].equal(expected)), "threads change result {i} in {kind:?}");
            if kind == Kind::Double {
                assert_close(&format!("result {i}"), &by_kernels[i], expected, 1e-12);
            }
        }
    }
}

/// The rule looks at the shape, and at whether numbers are almost all zeros; a forced choice does not.
#[test]
fn the_library_has_wide_products_of_numbers() {
    assert!(is_librarys([640, 300, 2100]));
    assert!(!is_librarys([512_000, 100, 10]), "the tutorial's network is the kernels'");
    let by = |xs: &Tensor, library| everything(xs, Tuning { library, ..Tuning::of(16, Kind::Double) });
    for (share, same) in [(1.0, Library::Always), (0.02, Library::Never)] {
        let xs = drawn(Kind::Double, share);
        let (found, expected) = (by(&xs, Library::ByShape), by(&xs, same));
        assert!(found.iter().zip(&expected).all(|(a, b)| a.equal(b)), "numbers of which {share} are not zero");
    }
}

/// What is edited between a scan and its adjoint would make gradients of something else.
#[test]
fn an_edited_weight_is_found_out() {
    let on = (Kind::Double, Device::Cpu);
    let mut params = Params::new(2, on);
    let system = linear(&mut params, 3, N, false);
    let net = ByLibrary { system, piece_bytes: 0, stored_bytes: 0 };
    let xs = Rng::new(1, "xs").tensor(&[4, 2, 3], on, Rng::normal);
    let ys = net.scan(&Shared::new(1.0), &Inputs::of_steps(&xs), (), &mut Tap::none()).0;
    let mut weight = params.trainable().remove(0).1;
    tch::no_grad(|| {
        let _ = weight.g_mul_scalar_(2.0);
    });
    let error = Tensor::f_run_backward(&[ys.sum(on.0)], &[&weight], false, false).unwrap_err().to_string();
    assert!(error.contains("modified by an inplace operation") || error.contains("edited"), "{error}");
}

/// What is stored of a wide network are its currents, as long as they are no more than 64 MiB, or than the kernels' copies of its weight.
#[test]
fn memory_is_that_of_currents() {
    let mut params = Params::new(2, (Kind::Float, Device::Cpu));
    let net = Chain::new(("in", linear(&mut params, 512, 512, false)), ("r", Lif::new(512, &lif()).unwrap())).unwrap();
    let bytes = |steps: usize| {
        let (samples, kind) = (16, Kind::Float);
        let scan = ScanOf { steps, samples, kind, spikes: None, record: true, wants_input_gradient: true };
        scan_bytes(&net, &Shared::new(1.0), &scan).unwrap()
    };
    let series = 4 * 16 * 512;
    assert_eq!(bytes(2000).stored_bytes, 2000 * series);
    assert_eq!(bytes(3000).stored_bytes, 0);
}
