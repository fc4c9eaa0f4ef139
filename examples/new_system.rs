//! Prints a test NRMSE below 1e-4: a reservoir written here in about twenty lines learns Lorenz, is saved, and loads.
//!
//! `x` drives 300 leaky tanh units: `v' = (1 - a) v + a tanh(v W + x U)`. A `System` that is followed by a `Linear` can
//! be fitted by `Ridge`, recorded, reset and carried on like every model of bd.

use bd_core::files::{load_tensors, save_tensors};
use bd_core::{Chain, Params, Rng, Shared, System, Tap, state};
use bd_models::{Linear, LinearConfig};
use bd_train::data::Flow;
use bd_train::metrics::forecast_error;
use bd_train::{Ridge, predict};
use tch::{Device, Kind, Tensor};

state! {
    struct Rates { v: Tensor }
}

#[derive(Debug)]
struct Reservoir {
    w: Tensor,
    u: Tensor,
    leak: f64,
}

impl System for Reservoir {
    type State = Rates;

    fn n_in(&self) -> i64 {
        self.u.size()[0]
    }

    fn n_out(&self) -> i64 {
        self.w.size()[0]
    }

    fn init_state(&self, batch: i64, on: (Kind, Device)) -> Rates {
        Rates { v: Tensor::zeros([batch, self.n_out()], on) }
    }

    fn step(&self, _: &Shared, x: &Tensor, s: &Rates) -> (Tensor, Rates) {
        let v = &s.v * (1.0 - self.leak) + (s.v.matmul(&self.w) + x.matmul(&self.u)).tanh() * self.leak;
        (v.shallow_clone(), Rates { v })
    }
}

const ON: (Kind, Device) = (Kind::Double, Device::Cpu);

fn model(seed: u64) -> bd_core::Result<(Params, Chain<Reservoir, Linear>)> {
    const UNITS: i64 = 300;
    let mut params = Params::new(seed, ON);
    // Spectral radius 0.8. Fixed weights belong to the model: they are saved and loaded with the trained ones.
    let gain = 0.8 / (UNITS as f64).sqrt();
    let w = params.at("r").fixed("w", |rng| rng.tensor(&[UNITS, UNITS], ON, Rng::normal) * gain)?;
    let u = params.at("r").fixed("u", |rng| rng.tensor(&[3, UNITS], ON, Rng::normal) * 0.05)?;
    let readout = Linear::new(&mut params.at("o"), UNITS, 3, &LinearConfig::default())?;
    Ok((params, Chain::new(("r", Reservoir { w, u, leak: 0.5 }), ("o", readout))?))
}

fn main() -> bd_core::Result<()> {
    let lorenz = Flow::named("lorenz")?;
    let usual = lorenz.usual_params();
    let series = lorenz.series(&usual, &lorenz.start(&usual), 0.01, 8000)?.unsqueeze(0);
    let stretch = |from: i64, to: i64| series.narrow(1, from, to - from);
    let sha = Shared::new(0.01);

    let (params, trained) = model(1)?;
    let (_, state) = predict(&trained, &sha, &stretch(0, 1000), trained.init_state(1, ON), &mut Tap::none())?;
    Ridge::default().fit(&trained, &sha, &stretch(1000, 6000), &stretch(1001, 6001), state)?;
    let file = std::env::temp_dir().join(format!("new_system-{}.safetensors", std::process::id()));
    save_tensors(&file, &params.named())?;

    let (params, loaded) = model(2)?; // other random weights, until they are loaded
    params.load(&load_tensors(&file)?)?;
    std::fs::remove_file(&file).map_err(bd_core::Error::storage("remove", &file))?;
    let mut tap = Tap::new(["r.v"]);
    let (y, _) = predict(&loaded, &sha, &stretch(5000, 7999), loaded.init_state(1, ON), &mut tap)?;
    let error = forecast_error(&y.narrow(1, 1000, 1999), &stretch(6001, 8000))?;
    println!("test NRMSE {:.2e}, recorded {:?}", error.nrmse, tap.finish()?["r.v"].size());
    Ok(())
}
