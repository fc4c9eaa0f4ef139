//! What `Bptt::bytes` says an update takes, against what it takes. A process of its own, so that nothing else moves the figure; for
//! the same reason one size after the other, each as large as makes noise small.

use bd_core::testing::resident_kib;
use bd_core::{Inputs, Params, Rng, Shared, Spikes, Stack};
use bd_models::{RateNetConfig, SnnConfig};
use bd_train::data::Examples;
use bd_train::{BatchOf, Bptt, Loss, OptimConfig, OverTime, UpdateBytes};
use tch::{Device, Kind, Tensor};

const ON: (Kind, Device) = (Kind::Float, Device::Cpu);

/// Forgets the most memory that the process has had, and says what it has.
fn begin() -> i64 {
    // What was freed and is kept for later would be taken again unseen.
    // SAFETY: it gives free pages back, and nothing else.
    unsafe { libc::malloc_trim(0) };
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    resident_kib()
}

/// The most memory that the process has had since, in KiB.
fn peak_kib() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Predicted and measured MiB of the first update, the optimiser included.
fn compare(name: &str, (params, net): (Params, Stack), examples: &Examples, loss: Loss, cut: Option<usize>) -> bool {
    let before = begin();
    let mut bptt = Bptt::new(&net, &params, loss, &OptimConfig::default(), Shared::new(0.1)).unwrap();
    if let Some(steps) = cut {
        bptt = bptt.truncate(steps).unwrap();
    }
    let bytes: UpdateBytes = bptt.bytes(&BatchOf::examples(examples, usize::MAX)).unwrap();
    let asked = begin() - before;
    let update = bptt.update(examples).unwrap();
    assert!(update.gradient_norm.is_finite());
    let mib = |kib: i64| kib as f64 / 1024.0;
    let (predicted, measured) = (bytes.total() as f64 / (1 << 20) as f64, mib(peak_kib() - before));
    println!(
        "{name}: predicted {predicted:.0} MiB, measured {measured:.0} MiB, asking took {:.0}; {bytes:?}",
        mib(asked)
    );
    assert!(measured > 100.0, "{name}: {measured} MiB are not above noise");
    // What the allocator keeps varies by some hundredths.
    (0.9 * measured..1.5 * measured).contains(&predicted)
}

fn spiking(n_in: i64, hidden: i64, n_out: i64, recurrent: bool) -> (Params, Stack) {
    let mut params = Params::new(0, ON);
    let config = SnnConfig { n_in, hidden: vec![hidden], n_out, recurrent, ..SnnConfig::default() };
    let net = config.build(&mut params).unwrap();
    (params, net)
}

fn rates(hidden: i64, n_out: i64) -> (Params, Stack) {
    let mut params = Params::new(0, ON);
    let net = RateNetConfig { n_in: 1, hidden: vec![hidden], n_out, ..RateNetConfig::default() }.build(&mut params);
    (params, net.unwrap())
}

fn spikes([time, batch, n]: [usize; 3]) -> Examples {
    let spikes = Spikes::draw([time, batch, n], ON, 0.005, &mut Rng::new(0, "x")).unwrap();
    Examples::new(Inputs::Spikes(spikes), Tensor::zeros([batch as i64], (Kind::Int64, Device::Cpu))).unwrap()
}

fn numbers([batch, time, n_out]: [i64; 3]) -> Examples {
    let x = Rng::new(0, "x").tensor(&[batch, time, 1], ON, Rng::normal);
    Examples::new(Inputs::batch_first(&x).unwrap(), x.expand([batch, time, n_out], false).contiguous()).unwrap()
}

fn currents([batch, time, n]: [i64; 3]) -> Examples {
    let x = Rng::new(0, "x").tensor(&[batch, time, n], ON, Rng::normal);
    Examples::new(Inputs::batch_first(&x).unwrap(), Tensor::zeros([batch], (Kind::Int64, Device::Cpu))).unwrap()
}

#[test]
fn updates_take_what_was_predicted() {
    const LABELS: Loss = Loss::CrossEntropy { over: OverTime::Max };
    // The first operations of a process take memory that stays.
    let small = spikes([50, 4, 10]);
    let (params, net) = spiking(10, 10, 2, false);
    Bptt::new(&net, &params, LABELS, &OptimConfig::default(), Shared::new(0.1)).unwrap().update(&small).unwrap();

    let small = currents([8, 16, 512]);
    let (params, net) = spiking(512, 300, 2, false);
    Bptt::new(&net, &params, LABELS, &OptimConfig::default(), Shared::new(0.1)).unwrap().update(&small).unwrap();

    let padded = numbers([256, 8000, 10]).inputs().clone();
    let labels = Tensor::zeros([256], (Kind::Int64, Device::Cpu));
    let padded =
        Examples::new(padded, labels).unwrap().with_lengths(&Tensor::full([256], 7000, (Kind::Int64, Device::Cpu)));

    // Outputs of more than 32 MB: what is smaller and was freed the C library may keep.
    let fit = [
        compare("wide feed-forward of numbers", spiking(512, 1000, 20, false), &currents([64, 200, 512]), LABELS, None),
        compare("the same, calculated again", spiking(512, 1000, 20, false), &currents([256, 400, 512]), LABELS, None),
        compare("wide feed-forward", spiking(300, 3000, 20, false), &spikes([400, 128, 300]), LABELS, None),
        compare("wide recurrent", spiking(300, 1500, 20, true), &spikes([400, 256, 300]), LABELS, None),
        compare("recurrent, stored", spiking(300, 500, 20, true), &spikes([400, 256, 300]), LABELS, None),
        compare("2,000 steps, 10 neurons", spiking(100, 10, 2, false), &spikes([2000, 6000, 100]), LABELS, None),
        compare("rates", rates(100, 10), &numbers([256, 8000, 10]), Loss::Mse, None),
        compare("rates with padding", rates(100, 10), &padded.unwrap(), LABELS, None),
        compare("rates in pieces", rates(100, 10), &numbers([512, 8000, 10]), Loss::Mse, Some(2000)),
        compare("many weights", rates(4000, 1), &numbers([64, 20, 1]), Loss::Mse, None),
    ];
    assert_eq!(fit, [true; 10], "predicted is nine tenths of what was measured to 1.5 times as much: see above");
}
