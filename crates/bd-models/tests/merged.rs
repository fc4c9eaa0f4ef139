//! A neuron of a user's own behind a synapse of ours: one loop for both.

use std::sync::Arc;

use bd_core::kernel::{AnyKernel, Num, Processor, Unit, UnitKernel, Units};
use bd_core::testing::{ScanCase, assert_scan_is_steps};
use bd_core::{DynSystem, Params, Shared, Stack, System};
use bd_models::expon::behind_synapses;
use bd_models::{Surrogate, Synapse, SynapseConfig};
use tch::{Device, Kind};

/// `v <- 0.9 v + 0.1 x`, a spike where `v >= 0.1 + a`, of which `a` keeps a trace.
#[derive(Debug, Clone, Copy)]
struct Adaptive<const MERGED: bool>;

impl<const MERGED: bool> Unit<2> for Adaptive<MERGED> {
    const NAME: &'static str = "adaptive";
    const STATES: [&'static str; 2] = ["v", "a"];
    const SPIKES: bool = true;
    type Constants = ();
    type Surrogate = Surrogate;

    fn constants(&self, _dt: f64) {}

    fn surrogate(&self) -> Surrogate {
        Surrogate::Sigmoid { alpha: 4.0 }
    }

    fn behind(kernel: &UnitKernel<Self, 2>, before: &dyn AnyKernel) -> Option<Arc<dyn AnyKernel>> {
        if MERGED { behind_synapses::<_, 2, 3, 4>(kernel, before) } else { None }
    }

    #[inline(always)]
    fn step<N: Num>(&self, _: &(), x: N, [v, a]: [N; 2], spike: impl FnOnce(N) -> N) -> (N, [N; 2]) {
        let u = v.scale(0.9) + x.scale(0.1);
        let spike = spike((u.clone() - a.clone()).shift(-0.1));
        (spike.clone(), [u * (-spike.clone().detach()).shift(1.0), a.scale(0.95) + spike.scale(0.05)])
    }
}

/// A synapse, and `neurons` behind it.
fn layer(params: &mut Params, delayed: bool, neurons: DynSystem) -> Stack {
    let config = SynapseConfig { delayed, ..SynapseConfig::default() };
    let synapse = Synapse::new(&mut params.at("s"), 6, 4, &config).unwrap();
    Stack::new([("s", DynSystem::new(synapse)), ("r", neurons)]).unwrap()
}

#[test]
fn weights_are_one_loop_and_all_the_rest_is_another() {
    let on = (Kind::Double, Device::Cpu);
    for delayed in [false, true] {
        let loops = |neurons: DynSystem| {
            let mut params = Params::new(0, on);
            layer(&mut params, delayed, neurons).kernel(&Shared::new(0.5), Processor::Cpu).unwrap().loops().unwrap()
        };
        assert_eq!(loops(DynSystem::new(Units::new(4, &Adaptive::<true>).unwrap())), 2, "delayed {delayed}");
        assert_eq!(loops(DynSystem::new(Units::new(4, &Adaptive::<false>).unwrap())), 3, "delayed {delayed}");
    }
}

#[test]
fn merged_neurons_scan_as_they_step() {
    let on = (Kind::Double, Device::Cpu);
    for (seed, delayed) in (0..3).flat_map(|seed| [(seed, false), (seed, true)]) {
        let mut params = Params::new(seed, on);
        let neurons = DynSystem::new(Units::new(4, &Adaptive::<true>).unwrap());
        let stack = layer(&mut params, delayed, neurons);
        assert_scan_is_steps(&stack, &params, ScanCase::random(seed, on, 1e-12));
    }
}
