use bd_core::*;
use bd_models::*;
use std::time::Instant;
use tch::*;
fn main() {
    let on = (Kind::Float, Device::Cpu);
    let threads: i32 = std::env::args().nth(1).unwrap().parse().unwrap();
    let density: f64 = std::env::args().nth(2).unwrap().parse().unwrap();
    bd_core::device::set_threads(threads as usize);
    let mut params = Params::new(0, on);
    let plain = LinearConfig { bias: false, ..LinearConfig::default() };
    let expon = |n| DynSystem::new(Expon::new(n, &ExponConfig::default()).unwrap());
    let net = Stack::new([
        ("w1", DynSystem::new(Linear::new(&mut params.at("w1"), 100, 10, &plain).unwrap())),
        ("i2r", expon(10)),
        ("r", DynSystem::new(Lif::new(10, &LifConfig::default()).unwrap())),
        ("delay", DynSystem::new(Delay::new(10).unwrap())),
        ("w2", DynSystem::new(Linear::new(&mut params.at("w2"), 10, 2, &plain).unwrap())),
        ("r2o", expon(2)),
        ("o", DynSystem::new(LeakyIntegrator::new(2, &LeakyIntegratorConfig::default()).unwrap())),
    ])
    .unwrap();
    let mut rng = Rng::new(0, "x");
    let xs = rng.tensor(&[2000, 256, 100], on, |r| if r.uniform() < density { 1.0 } else { 0.0 });
    let ws: Vec<Tensor> = params.named().into_iter().map(|(_, t)| t).collect();
    let mut f = vec![];
    let mut b = vec![];
    for _ in 0..9 {
        let t = Instant::now();
        let (ys, _) = net.scan(&Shared::new(0.1), &xs, net.init_state(256, on), &mut Tap::none());
        f.push(t.elapsed().as_secs_f64() * 1e3);
        let t = Instant::now();
        let _g = Tensor::run_backward(&[ys.sum(Kind::Float)], &ws, false, false);
        b.push(t.elapsed().as_secs_f64() * 1e3);
    }
    f.sort_by(f64::total_cmp);
    b.sort_by(f64::total_cmp);
    println!(
        "threads {threads} density {density}: forward {:.1} ms, backward {:.1} ms (min {:.1} {:.1})",
        f[4], b[4], f[0], b[0]
    );
}
