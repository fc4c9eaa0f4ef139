//! Models that cannot be made.

use bd_core::{Chain, DynSystem, Error, Params};
use bd_models::init::Init;
use bd_models::{
    Lif, LifConfig, Linear, LinearConfig, Ngrc, NgrcConfig, Nvar, NvarConfig, Recurrent, Rnn, RnnConfig, Surrogate,
};

use super::*;

fn linear(n_in: i64, n_out: i64) -> Result<Linear> {
    Linear::new(&mut Params::new(0, ON).at("o"), n_in, n_out, &LinearConfig::default())
}

fn layer(n_in: i64, n_out: i64) -> DynSystem {
    DynSystem::new(linear(n_in, n_out).unwrap())
}

#[test]
fn names_and_sizes_of_chains_and_stacks() {
    let chain = |a: &str, b: &str, n: i64| Chain::new((a, linear(3, 4).unwrap()), (b, linear(n, 2).unwrap()));
    refused("a has 4 outputs, but b takes 5 inputs", || chain("a", "b", 5));
    refused("cannot be called 'a' and 'a'", || chain("a", "a", 4));
    refused("have no dot", || chain("a.b", "c", 4));
    refused("are not empty", || chain("", "c", 4));
    refused("a stack needs at least one layer", || Stack::new(Vec::<(&str, DynSystem)>::new()));
    refused("a has 4 outputs, but b takes 5 inputs", || Stack::new([("a", layer(3, 4)), ("b", layer(5, 2))]));
    refused("layer 1 of a stack cannot be called 'a'", || Stack::new([("a", layer(3, 4)), ("a", layer(4, 2))]));
    refused("layer 0 of a stack cannot be called 'a.b'", || Stack::new([("a.b", layer(3, 4))]));
    refused("layer 0 of a stack cannot be called ''", || Stack::new([("", layer(3, 4))]));
    let recurrent = |n_out| Recurrent::new(&mut Params::new(0, ON).at("r"), linear(3, n_out)?, Init::default());
    refused("as many inputs as outputs", || recurrent(4));
}

/// Each can be matched by its name.
#[test]
fn settings() {
    #[track_caller]
    fn setting<T>(expected: &str, misuse: impl FnOnce() -> Result<T>) {
        let Error::Setting { name, .. } = refused("it must be", misuse) else { panic!("{expected} is no setting") };
        assert_eq!(name, expected);
    }
    let lif = |config: LifConfig| Lif::new(3, &config);
    setting("linear.n_in", || linear(0, 1));
    setting("linear.n_out", || linear(1, -1));
    setting("lif.n", || Lif::new(0, &LifConfig::default()));
    setting("lif.tau_ms", || lif(LifConfig { tau_ms: f64::NAN, ..LifConfig::default() }));
    setting("lif.v_th", || lif(LifConfig { v_th: -1.0, ..LifConfig::default() }));
    setting("lif.resistance", || lif(LifConfig { resistance: f64::INFINITY, ..LifConfig::default() }));
    setting("lif.refractory_ms", || lif(LifConfig { refractory_ms: -1.0, ..LifConfig::default() }));
    let surrogate = Surrogate::Sigmoid { alpha: 0.0 };
    setting("alpha of the surrogate sigmoid", || lif(LifConfig { surrogate, ..LifConfig::default() }));
    let rnn = |n_in, n, config: RnnConfig| Rnn::new(&mut Params::new(0, ON).at("r"), n_in, n, &config);
    setting("rnn.n", || rnn(1, 0, RnnConfig::default()));
    setting("rnn.n_in", || rnn(0, 1, RnnConfig::default()));
    setting("rnn.tau_ms", || rnn(1, 1, RnnConfig { tau_ms: Some(-1.0), ..RnnConfig::default() }));
    let init = Init::KaimingNormal { scale: f64::NAN };
    setting("the scale of an initial weight", || {
        Linear::new(&mut Params::new(0, ON).at("o"), 1, 1, &LinearConfig { init, ..LinearConfig::default() })
    });
    setting("hidden", || SnnConfig { hidden: vec![], ..SnnConfig::default() }.build(&mut Params::new(0, ON)));
    setting("hidden", || RateNetConfig { hidden: vec![], ..RateNetConfig::default() }.build(&mut Params::new(0, ON)));
}

#[test]
fn lags_and_products() {
    let nvar = |delay, stride, order: &[usize]| {
        Nvar::new(3, &NvarConfig { delay, stride, order: order.to_vec(), ..NvarConfig::default() })
    };
    refused("nvar.delay is 0; it must be at least 1", || nvar(0, 1, &[2]));
    refused("order 2 is there twice", || nvar(2, 1, &[2, 2]));
    refused("cannot look back", || nvar(3, usize::MAX, &[2]));
    refused("features, allowed are", || nvar(300, 1, &[5]));
    refused("unknown surrogate 'atan'; there are", || Ok(Surrogate::named("atan")?));
    let horizons = || Ngrc::new(&mut Params::new(0, ON), 3, 0, &NgrcConfig::default());
    refused("linear.n_out is 0", horizons);
}
