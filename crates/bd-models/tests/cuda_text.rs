//! The CUDA C of every neuron and every surrogate, compiled by NVRTC: no GPU is needed, and nothing is run.

use std::io::Write;

use bd_core::Params;
use bd_core::nvrtc::Nvrtc;
use bd_models::{
    Delay, Expon, ExponConfig, LeakyIntegrator, LeakyIntegratorConfig, Lif, LifConfig, LifTrained, OneStep, Reset,
    Surrogate,
};
use tch::{Device, Kind};

/// Calls every function of a text and keeps every number that they give, or the compiler would leave them out.
const KERNEL: &str = r#"
extern "C" __global__ void everything(const real *in, real *out) {
    real y, next[N], over, gx, gs[N];
    step(in[0], in + 2, &y, next, &over);
    adjoint(in[0], in + 2, over, surrogate_gradient(over), in[1], in + 2 + N, &gx, gs);
    out[0] = y;
    out[1] = over;
    out[2] = gx;
    for (int j = 0; j < N; j++) {
        out[3 + j] = next[j];
        out[3 + N + j] = gs[j];
    }
}
"#;

/// A name, the number of states and the text of everything that has a text.
fn texts() -> Vec<(String, usize, String)> {
    let dt = 0.1;
    let mut texts = vec![
        ("expon".into(), 1, Expon::new(1, &ExponConfig::default()).unwrap().cuda(dt).unwrap()),
        (
            "leaky integrator".into(),
            1,
            LeakyIntegrator::new(1, &LeakyIntegratorConfig::default()).unwrap().cuda(dt).unwrap(),
        ),
        ("delay".into(), 1, Delay::new(1, &OneStep).unwrap().cuda(dt).unwrap()),
    ];
    let mut lif = |config: LifConfig| {
        let n_states = if config.refractory_ms > 0.0 { 3 } else { 2 } + if config.trained.any() { 3 } else { 0 };
        let mut params = Params::new(0, (Kind::Float, Device::Cpu));
        let neurons = Lif::trained(&mut params.at("r"), 1, &config).unwrap();
        texts.push((format!("{config:?}"), n_states, neurons.cuda(dt).unwrap()));
    };
    for reset in [Reset::Value, Reset::Subtract, Reset::None] {
        for detach_reset in [true, false] {
            for refractory_ms in [0.0, 2.0] {
                // As in mV: negative constants are written too.
                let (v_rest, v_th, v_reset) = (-65.5, -50.25, -70.125);
                let config =
                    LifConfig { v_rest, v_th, v_reset, reset, detach_reset, refractory_ms, ..LifConfig::default() };
                lif(config);
                lif(LifConfig { trained: LifTrained { tau: true, threshold: true, reset: false }, ..config });
            }
        }
    }
    // Its width, `1 / alpha`, is infinite.
    let flat = Surrogate::PiecewiseQuadratic { alpha: 1e-320 };
    for surrogate in Surrogate::all().into_iter().chain([flat]) {
        lif(LifConfig { surrogate, ..LifConfig::default() });
    }
    texts
}

fn program(real: &str, n_states: usize, text: &str) -> String {
    format!("#define real {real}\n#define N {n_states}\n{text}{KERNEL}")
}

#[test]
fn every_text_compiles() {
    let nvrtc = match Nvrtc::find() {
        Ok(nvrtc) => nvrtc,
        Err(reason) => {
            // Straight to the stream: what `eprintln` writes in a test that passes is not shown.
            let line = format!("\nSKIPPED, no CUDA C was compiled. {reason}\n");
            return std::io::stderr().write_all(line.as_bytes()).unwrap();
        }
    };
    let texts = texts();
    assert_eq!(texts.len(), 3 + 2 * 12 + 18 + 1);
    for (name, n_states, text) in &texts {
        for real in ["float", "double"] {
            for arch in ["sm_80", "sm_90"] {
                let compiled = nvrtc.compile(&program(real, *n_states, text), arch);
                let cubin = compiled.unwrap_or_else(|error| panic!("{name} in {real} for {arch}: {error}\n{text}"));
                assert!(cubin.starts_with(b"\x7fELF"), "{name} in {real} for {arch} is no binary");
            }
        }
    }
}

/// Where there is no NVRTC, the test above has said so.
#[test]
fn a_broken_text_is_refused_in_the_words_of_the_compiler() {
    let Ok(nvrtc) = Nvrtc::find() else { return };
    let text = Expon::new(1, &ExponConfig::default()).unwrap().cuda(0.1).unwrap();
    let refused = |text: &str, arch| nvrtc.compile(&program("float", 1, text), arch).unwrap_err().to_string();
    let error = refused(&text.replace("real gy,", ""), "sm_90");
    assert!(error.starts_with("NVRTC: text.cu("), "{error}");
    assert!(error.contains(r#"identifier "gy" is undefined"#), "{error}");
    let error = refused(&text, "sm_1");
    assert!(error.contains("invalid value for --gpu-architecture"), "{error}");
    assert_eq!(refused(&text, "compute_90"), "NVRTC: there is no binary for compute_90");
    assert_eq!(refused("\0", "sm_90"), "NVRTC: the text holds a zero byte");
}
