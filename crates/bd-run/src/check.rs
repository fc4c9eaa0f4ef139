//! [`examine_all`]: whether every model, and ridge regression, compute on this machine what they should.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use bd_core::contract::Named;
use bd_core::contract::report::{Comparison, Row, examine, in_float64};
use bd_core::{Params, Result, Rng, Shared, System, threads};
use bd_models::{Ngrc, NgrcConfig, NvarConfig, catalogue};
use bd_train::Ridge;
use tch::{Device, Kind};

/// The rows of all models and of ridge regression in the order of the table, each shown as soon as those before it are. Models are small and
/// their steps are many small operations: as many run at once as there are threads.
pub fn examine_all(seed: u64, device: Device, show: impl Fn(&Row) -> Result<()>) -> Result<Vec<Row>> {
    let models = catalogue::all();
    let (next, (send, receive)) = (AtomicUsize::new(0), mpsc::channel());
    let work = |rows: mpsc::Sender<(usize, Row)>| {
        threads::set_libtorch(1); // each thread has a number of its own
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            let row = match models.get(i) {
                Some(model) => examine(model, seed, device),
                None if i == models.len() => examine_ridge(seed, device),
                None => return,
            };
            if rows.send((i, row)).is_err() {
                return; // a row could not be shown, and its receiver is gone
            }
        }
    };
    let work = &work;
    std::thread::scope(|scope| {
        let receive = receive;
        for _ in 0..threads::kernel_threads() {
            let send = send.clone();
            scope.spawn(move || work(send));
        }
        drop(send);
        let (mut rows, mut early) = (Vec::new(), BTreeMap::new());
        for (i, row) in receive {
            early.insert(i, row);
            while let Some(row) = early.remove(&rows.len()) {
                show(&row)?;
                rows.push(row);
            }
        }
        Ok(rows)
    })
}

/// Ridge regression's solution in float32 and on the device, against that on the CPU in float64.
fn examine_ridge(seed: u64, device: Device) -> Row {
    let comparisons = Comparison::on(device, false)
        .filter(|comparison| !matches!(comparison, Comparison::StepsF32 | Comparison::StepsF64));
    let mut row = Row::filled("ridge regression", comparisons, true, |row| {
        let exact = solution(seed, (Kind::Double, Device::Cpu))?;
        let single = solution(seed, (Kind::Float, device))?;
        row.take(Comparison::Float64, &in_float64(&single), &exact, "");
        if device != Device::Cpu {
            let on_cpu = solution(seed, (Kind::Float, Device::Cpu))?;
            row.take(Comparison::CpuF32, &in_float64(&single), &in_float64(&on_cpu), "");
            let double = solution(seed, (Kind::Double, device))?;
            row.take(Comparison::CpuF64, &in_float64(&double), &exact, "");
        }
        Ok(())
    });
    row.spikes = None;
    row
}

/// Weights of a readout fitted to random numbers. The penalty makes the problem one that float32 can hold.
fn solution(seed: u64, on: (Kind, Device)) -> Result<Named> {
    let mut params = Params::new(seed, on);
    let nvar = NvarConfig { delay: 3, stride: 2, order: vec![2], constant: false };
    let ngrc = Ngrc::new(&mut params, 2, 2, &NgrcConfig { nvar, ..NgrcConfig::default() })?;
    let mut rng = Rng::new(seed, "ridge");
    let mut normal = |channels: i64| rng.tensor(&[3, 50, channels], on, Rng::normal);
    let (x, y) = (normal(ngrc.n_in()), normal(ngrc.n_out()));
    let ridge = Ridge { alpha: 0.1, ..Ridge::default() };
    ridge.fit(&ngrc, &Shared::default(), &x, &y, ngrc.init_state(3, on))?;
    Ok(params.named().into_iter().map(|(name, t)| (name, t.detach())).collect())
}
