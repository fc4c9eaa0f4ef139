//! Every model of this crate in its variants, as [`Subject`]s that can be examined; `bd check` does so.

use bd_core::contract::report::Subject;
use bd_core::{Error, Forecaster, Params, Result, Rng};
use bd_networks::Network;
use tch::Tensor;

use crate::{
    Activation, Cell, ContinuousReservoir, ContinuousReservoirConfig, CubaLif, Delay, Entries, Esn, EsnConfig, Expon,
    ExponConfig, Gru, GruConfig, Init, LeakyIntegrator, LeakyIntegratorConfig, Lif, LifConfig, LifTrained, Linear,
    LinearConfig, Lstm, LstmConfig, Mixing, Ngrc, NgrcConfig, Nvar, NvarConfig, OneStep, PopulationNetwork,
    RateNetConfig, Recurrent, RecurrentMatrix, Reservoir, ReservoirConfig, ReservoirKind, Reset, Rnn, RnnConfig,
    SnnConfig, Standardise, Surrogate, Synapse, SynapseConfig, Target,
};
/// All of them, under different names.
pub fn all() -> Vec<Subject> {
    let mut all = maps();
    all.extend(rates());
    all.extend(synapses());
    all.extend(neurons());
    all.extend(trained_neurons());
    all.extend(spiking_networks());
    all.extend(populations());
    all
}

/// What has no units of its own.
fn maps() -> Vec<Subject> {
    let linear = |bias: bool| {
        move |params: &mut Params, n: i64| {
            Linear::new(&mut params.at("o"), 3, n, &LinearConfig { bias, ..LinearConfig::default() })
        }
    };
    // Outputs enough for a product that reads only the rows of what is not zero.
    let wide = |params: &mut Params, n: i64| Linear::new(&mut params.at("o"), n, 40, &LinearConfig::default());
    let nvar =
        |order: &'static [usize], constant: bool| NvarConfig { delay: 3, stride: 2, order: order.to_vec(), constant };
    let ngrc = move |target: Target, scale: bool| {
        move |params: &mut Params, _: i64| {
            let ngrc = Ngrc::new(params, 2, 3, &NgrcConfig { nvar: nvar(&[2], true), target, scale })?;
            ngrc.fit_scale(&data(params, 2))?;
            Ok::<_, Error>(ngrc)
        }
    };
    vec![
        Subject::smooth("linear", linear(true)),
        Subject::smooth("linear, no bias", linear(false)),
        Subject::smooth("linear, wide", wide),
        Subject::smooth("standardise", |params, n| {
            let scale = Standardise::new(&mut params.at("scale"), n)?;
            scale.fit(&data(params, n))?;
            Ok(scale)
        }),
        Subject::smooth("nvar", move |_, _| Nvar::new(2, &nvar(&[2], false))),
        Subject::smooth("nvar, orders 2 and 3", move |_, _| Nvar::new(2, &nvar(&[2, 3], true))),
        Subject::smooth("ngrc", ngrc(Target::Value, false)),
        Subject::smooth("ngrc, increment, scaled", ngrc(Target::Increment, true)),
    ]
}

/// Numbers to scale by, with a mean and a deviation.
fn data(params: &Params, n: i64) -> Tensor {
    Rng::new(0, "data").tensor(&[20, n], params.on(), |rng| 1.0 + 2.0 * rng.normal())
}

fn rates() -> Vec<Subject> {
    let mut all = Vec::new();
    for activation in Activation::all() {
        for tau_ms in [None, Some(0.5)] {
            let config = RnnConfig { activation, tau_ms, train_initial_state: true, ..RnnConfig::default() };
            let name = format!("rnn, {}{}", name_of(&activation), if tau_ms.is_some() { ", leaky" } else { "" });
            all.push(Subject::smooth(name, move |params, n| Rnn::new(&mut params.at("r"), 2, n, &config)));
        }
    }
    // Of a few units with one that inhibits; a mask beside it.
    let dale = RnnConfig { excitatory: Some(0.5), density: 0.7, autapses: false, ..RnnConfig::default() };
    all.push(Subject::smooth("rnn, Dale's law", move |params, n| Rnn::new(&mut params.at("r"), 2, n.max(2), &dale)));
    let gru = GruConfig { train_initial_state: true, ..GruConfig::default() };
    let lstm = LstmConfig { train_initial_state: true, ..LstmConfig::default() };
    all.push(Subject::smooth("gru", move |params, n| Gru::new(&mut params.at("r"), 2, n, &gru)));
    all.push(Subject::smooth("lstm", move |params, n| Lstm::new(&mut params.at("r"), 2, n, &lstm)));
    // Of a few units a tenth of the entries may have no eigenvalue.
    let dense = RecurrentMatrix::Random { entries: Entries::Normal, density: 0.7 };
    all.extend(reservoirs(RecurrentMatrix::Random { entries: Entries::Normal, density: 1.0 }));
    all.push(Subject::smooth("reservoir, continuous", |params, n| {
        let config = ContinuousReservoirConfig { units: n, density: 0.8, tau_ms: 2.0, ..Default::default() };
        ContinuousReservoir::new(&mut params.at("r"), 2, &config)
    }));
    for target in [Target::Value, Target::Increment] {
        let name = if target == Target::Value { "esn" } else { "esn, increment, scaled" };
        all.push(Subject::smooth(name, move |params, n| {
            let reservoir = ReservoirConfig { units: n, leak: 0.7, matrix: dense, ..ReservoirConfig::default() };
            let scale = target == Target::Increment;
            let esn = Esn::new(params, 2, 2, &EsnConfig { reservoir, target, scale, ..EsnConfig::default() })?;
            esn.fit_scale(&data(params, 2))?;
            Ok::<_, Error>(esn)
        }));
    }
    for cell in Cell::all() {
        all.push(Subject::smooth(format!("two layers of {}", cell.name()), move |params, n| {
            RateNetConfig { n_in: 2, hidden: vec![n, 4], n_out: 3, cell, ..RateNetConfig::default() }.build(params)
        }));
    }
    all
}

/// Every kind with every matrix, and layers of them.
fn reservoirs(dense: RecurrentMatrix) -> Vec<Subject> {
    let matrices = [dense, RecurrentMatrix::Orthogonal, RecurrentMatrix::Ring];
    let [leaky, es2n, eusn] = ReservoirKind::all();
    let ring = ReservoirKind::Es2n { mixing: Mixing::Ring };
    let mut all = Vec::new();
    for (kind, layers) in [(leaky, 1), (es2n, 1), (ring, 1), (eusn, 1), (leaky, 2), (es2n, 2)] {
        for (matrix, activation) in matrices.into_iter().zip(Activation::all()) {
            let mut words = vec!["reservoir".to_owned(), matrix.name().into(), name_of(&activation)];
            words.extend((kind != leaky).then(|| kind.name().into()));
            words.extend((kind == ring).then(|| "mixing ring".into()));
            words.extend((layers > 1).then(|| format!("{layers} layers")));
            let usual = ReservoirConfig {
                layers,
                kind,
                leak: 0.4,
                bias_scaling: 0.2,
                matrix,
                activation,
                ..Default::default()
            };
            all.push(Subject::smooth(words.join(", "), move |params, units| {
                Reservoir::new(&mut params.at("r"), 2, &ReservoirConfig { units, ..usual })
            }));
        }
    }
    all
}

fn synapses() -> Vec<Subject> {
    let synapse = |delayed: bool| {
        move |params: &mut Params, n: i64| {
            Synapse::new(&mut params.at("s"), 3, n, &SynapseConfig { tau_ms: 2.0, delayed, ..SynapseConfig::default() })
        }
    };
    vec![
        Subject::smooth("expon", |_, n| Expon::new(n, &ExponConfig { tau_ms: 2.0 })),
        Subject::smooth("leaky integrator", |_, n| LeakyIntegrator::new(n, &LeakyIntegratorConfig { tau_ms: 2.0 })),
        Subject::smooth("delay", |_, n| Delay::new(n, &OneStep)),
        Subject::smooth("synapse", synapse(false)),
        Subject::smooth("synapse, delayed", synapse(true)),
    ]
}

/// Neurons that random numbers make spike, with a surrogate that is not zero far from the threshold.
fn lif() -> LifConfig {
    let surrogate = Surrogate::Sigmoid { alpha: 4.0 };
    LifConfig { surrogate, resistance: 30.0, v_reset: -0.2, v_rest: 0.1, ..LifConfig::default() }
}

/// Every reset, with and without a refractory period.
fn resets() -> impl Iterator<Item = (LifConfig, String)> {
    [Reset::Value, Reset::Subtract, Reset::None].into_iter().flat_map(|reset| {
        [(0.0, ""), (0.4, ", refractory")].map(|(refractory_ms, word)| {
            (LifConfig { reset, refractory_ms, ..lif() }, format!("reset {}{word}", name_of(&reset)))
        })
    })
}

fn neurons() -> Vec<Subject> {
    let mut all = Vec::new();
    for (config, name) in resets() {
        for (detach_reset, word) in [(true, ""), (false, ", in the gradient")] {
            let config = LifConfig { detach_reset, ..config };
            all.push(Subject::spiking(format!("lif, {name}{word}"), move |_, n| Lif::new(n, &config)));
        }
    }
    for surrogate in Surrogate::all() {
        let config = LifConfig { surrogate, ..lif() };
        all.push(Subject::spiking(format!("lif, {}", surrogate.name()), move |_, n| Lif::new(n, &config)));
    }
    all
}

fn trained_neurons() -> Vec<Subject> {
    let ways = [
        ("tau", LifTrained { tau: true, ..LifTrained::default() }),
        ("threshold", LifTrained { threshold: true, ..LifTrained::default() }),
        ("reset", LifTrained { reset: true, ..LifTrained::default() }),
        ("everything", LifTrained { tau: true, threshold: true, reset: true }),
    ];
    let mut all = Vec::new();
    for (config, name) in resets() {
        for (what, trained) in ways {
            let trained = LifTrained { reset: trained.reset && config.reset != Reset::None, ..trained };
            let config = LifConfig { trained, detach_reset: config.refractory_ms > 0.0, ..config };
            if trained.any() {
                let name = format!("lif, trained {what}, {name}");
                all.push(Subject::spiking(name, move |params, n| Lif::trained(&mut params.at("r"), n, &config)));
            }
        }
    }
    all
}

fn spiking_networks() -> Vec<Subject> {
    let expon = ExponConfig { tau_ms: 2.0 };
    let lif = LifConfig { resistance: 3.0, ..lif() };
    let refractory = LifConfig { refractory_ms: 0.3, detach_reset: false, ..lif };
    let trained = LifConfig { trained: LifTrained { tau: true, threshold: true, reset: true }, ..lif };
    let recurrent_init = Init::KaimingNormal { scale: 20.0 };
    let cuba =
        move |lif: LifConfig| move |params: &mut Params, n: i64| CubaLif::trained(&mut params.at("r"), n, &expon, &lif);
    let again = move |lif: LifConfig| {
        // No synapse adds up what comes in.
        let lif = LifConfig { resistance: 30.0, ..lif };
        move |params: &mut Params, n: i64| {
            let inner = Lif::trained(&mut params.at("r"), n, &lif)?;
            Recurrent::new(&mut params.at("r"), inner, Init::XavierNormal)
        }
    };
    let net = |hidden: &'static [i64], lif: LifConfig, recurrent: bool| {
        move |params: &mut Params, n: i64| {
            let hidden = std::iter::once(n).chain(hidden.iter().copied()).collect();
            SnnConfig { n_in: 6, hidden, lif, recurrent, recurrent_init, ..SnnConfig::default() }.build(params)
        }
    };
    vec![
        Subject::spiking("cuba lif", cuba(lif)),
        Subject::spiking("cuba lif, refractory", cuba(refractory)),
        Subject::spiking("cuba lif, trained", cuba(trained)),
        Subject::spiking("recurrent lif", again(lif)),
        Subject::spiking("recurrent lif, refractory", again(refractory)),
        Subject::spiking("recurrent lif, trained", again(trained)),
        Subject::smooth("recurrent rnn", |params, n| {
            let config = RnnConfig { activation: Activation::Tanh, ..RnnConfig::default() };
            let inner = Rnn::new(&mut params.at("inner"), n, n, &config)?;
            Recurrent::new(&mut params.at("r"), inner, Init::XavierNormal)
        }),
        Subject::spiking("snn of the tutorial", |params, _| SnnConfig::default().build(params)),
        Subject::spiking("snn, one layer", net(&[], lif, false)),
        Subject::spiking("snn, two layers", net(&[4], lif, false)),
        Subject::spiking("snn, trained", net(&[4], trained, false)),
        Subject::spiking("snn, recurrent", net(&[7], lif, true)),
        Subject::spiking("snn, recurrent, trained", net(&[7], trained, true)),
    ]
}

/// Two populations with conductances, whose weights and time constants are trained.
const POPULATIONS: &str = r#"
    dt_ms = 0.1
    [population.E]
    n = SIZE
    equations = """
    dv/dt = (g_e*(4 - v) + g_i*(-1 - v) - v) / tau : 1
    dg_e/dt = -g_e/(0.5*ms) : 1
    dg_i/dt = -g_i/(1*ms) : 1
    tau : second (trained, positive)
    """
    threshold = "v > 1"
    reset = "v = 0"
    refractory = "REFRACTORY"
    surrogate = { name = "sigmoid", alpha = 4.0 }
    initial = { v = "rand()", tau = "0.5*ms" }
    [population.I]
    n = 4
    like = "E"
    drive = { g_e = 0.1 }
    [population.in]
    n = 3
    kind = "input"
    [[projection]]
    from = "in"
    to = ["E.g_e", "I.g_e"]
    connect = { rule = "all_to_all" }
    weight = "0.4 + 0.1*randn()"
    delay = INPUT
    trained = true
    keeps_sign = true
    [[projection]]
    from = "E"
    to = ["E.g_e", "I.g_e"]
    connect = { rule = "fixed_in_degree", n = 2 }
    weight = "0.5 + 0.1*randn()"
    delay = EXCITATION
    trained = true
    keeps_sign = true
    [[projection]]
    from = "I"
    to = ["E.g_i", "I.g_i"]
    connect = { rule = "all_to_all" }
    weight = "0.3 + 0.1*randn()"
    delay = INHIBITION
    trained = true
"#;

/// A delay that is learned.
const LEARNED: &str = r#"{ learned = "0.3*ms*rand()", most = "0.3*ms", spread = "0.1*ms" }"#;

/// Spikes at random.
const NOISE: &str = r#"
    [population.unseen]
    n = 5
    kind = "poisson"
    rate = "600*Hz"
    [[projection]]
    from = "unseen"
    to = "E.g_e"
    connect = { rule = "all_to_all" }
    weight = "0.2 + 0.1*randn()"
    delay = "0.1*ms"
    trained = true
    [[background]]
    to = ["E.g_i", "I.g_e"]
    rate = "2*kHz"
    weight = 0.1
"#;

/// Spikes that arrive in the step in which they are sent.
const INSTANT: &str = r#"
    [[projection]]
    name = "at once"
    from = "in"
    to = "E.g_e"
    connect = { rule = "all_to_all" }
    weight = "0.2 + 0.1*randn()"
    instant = true
    trained = true
    [[projection]]
    name = "on"
    from = "E"
    to = "I.g_e"
    connect = { rule = "all_to_all" }
    weight = "0.3 + 0.1*randn()"
    instant = true
    trained = true
"#;

/// What is to be replaced for synapses that tire.
const TIRING: [(&str, &str); 4] = [
    ("tau : second", "dx/dt = (1 - x)/(3*ms) : 1\nr : 1\ntau : second"),
    ("reset = \"v = 0\"", "reset = \"\"\"\nv = 0\nr = 0.4*x\nx -= r\n\"\"\""),
    ("initial = {", "initial = { x = 1,"),
    ("from = \"E\"\n", "from = \"E\"\ntimes = \"r\"\n"),
];

fn populations() -> Vec<Subject> {
    let network = |[refractory, input, excitation, inhibition]: [&'static str; 4]| {
        let quoted = |delay: &str| if delay.starts_with('{') { delay.to_owned() } else { format!("\"{delay}\"") };
        let [input, excitation, inhibition] = [input, excitation, inhibition].map(quoted);
        move |params: &mut Params, n: i64| {
            let text = POPULATIONS.replace("SIZE", &n.to_string()).replace("REFRACTORY", refractory);
            let text =
                text.replace("INPUT", &input).replace("EXCITATION", &excitation).replace("INHIBITION", &inhibition);
            network_of(&text, params)
        }
    };
    let with = |replaced: &'static [(&str, &str)], more: &'static str| {
        move |params: &mut Params, n: i64| {
            let text = POPULATIONS.replace("SIZE", &n.to_string()).replace("REFRACTORY", "0*ms") + more;
            let delays = ["INPUT", "EXCITATION", "INHIBITION"];
            let text = delays.iter().fold(text, |text, delay| text.replace(delay, "\"0.1*ms\""));
            network_of(&replaced.iter().fold(text, |text, (from, to)| text.replace(from, to)), params)
        }
    };
    vec![
        Subject::spiking("populations", network(["0*ms", "0*ms", "0*ms", "0*ms"])),
        Subject::spiking("populations, delays", network(["0*ms", "0.1*ms", "0.2*ms", "0.3*ms"])),
        Subject::spiking(
            "populations, delay of each synapse, refractory",
            network(["0.2*ms", "0.2*ms*rand()", "0.1*ms + 0.2*ms*rand()", "0.1*ms"]),
        ),
        Subject::spiking("populations, learned delays", network(["0*ms", LEARNED, LEARNED, "0.1*ms"])),
        Subject::spiking("populations, synapses that tire", with(&TIRING, "")),
        Subject::spiking("populations, noise", with(&[], NOISE)),
        Subject::spiking("populations, instant", with(&[], INSTANT)),
    ]
}

fn network_of(text: &str, params: &mut Params) -> Result<PopulationNetwork> {
    let network = Network::parse(text).map_err(|error| Error::Config(error.to_string()))?;
    let no_files = |_: &str| Err("there is none".into());
    PopulationNetwork::new(&mut params.at("net"), &network, "E", 0, &no_files)
}

/// As in files.
fn name_of(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        other => unreachable!("a name is a text: {other:?}"),
    }
}

#[cfg(test)]
mod tests;
