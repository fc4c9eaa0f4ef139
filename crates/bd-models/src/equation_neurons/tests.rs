use bd_core::Params;
use bd_core::testing::{OnGpu, ScanCase, assert_scan_is_steps, emulated};
use bd_equations::zoo;

use super::*;

const ON: (Kind, Device) = (Kind::Double, Device::Cpu);

fn neurons(params: &mut Params, n: i64, text: &str) -> EquationNeurons {
    EquationNeurons::new(&mut params.at("r"), n, &NeuronText::parse(text).unwrap()).unwrap()
}

/// What is wrong with a text.
fn refusal(text: &str) -> String {
    let text = NeuronText::parse(text).unwrap();
    EquationNeurons::new(&mut Params::new(0, ON).at("r"), 2, &text).unwrap_err().to_string()
}

#[test]
fn scan_is_steps_for_the_whole_zoo() {
    for (seed, name) in zoo::names().enumerate() {
        for (kind, tolerance) in [(Kind::Double, 1e-9), (Kind::Float, 2e-3)] {
            let mut params = Params::new(3, (kind, Device::Cpu));
            let neurons = EquationNeurons::new(&mut params.at("r"), 5, &zoo::text(name).unwrap()).unwrap();
            assert_scan_is_steps(&neurons, &params, ScanCase::random(seed as u64, (kind, Device::Cpu), tolerance));
        }
    }
}

const OWN: &str = r#"
    equations = """
    dv/dt = (drive*I - v) / tau : 1
    drive : 1 (trained)
    tau : second (trained, positive)
    v_th : 1 (per neuron)
    I : 1
    """
    threshold = "v > v_th"
    reset = "v = 0"
    refractory = "0.7*ms"
    surrogate = { name = "sigmoid", alpha = 4.0 }
    inputs = { I = 2 }
    initial = { v = "0.5*rand()", drive = "1 + 0.1*randn()", tau = "3*ms + 2*ms*rand()", v_th = "0.8 + 0.2*rand()" }
"#;

#[test]
fn each_neuron_has_numbers_of_its_own() {
    for (kind, tolerance) in [(Kind::Double, 1e-12), (Kind::Float, 1e-4)] {
        let mut params = Params::new(7, (kind, Device::Cpu));
        let neurons = neurons(&mut params, 6, OWN);
        let names: Vec<String> = params.named().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["r.drive", "r.log_tau", "r.v_th", "r.initial_v"]);
        let trained: Vec<String> = params.trainable().into_iter().map(|(name, _)| name).collect();
        assert_eq!(trained, ["r.drive", "r.log_tau"]);
        for seed in 0..4 {
            assert_scan_is_steps(&neurons, &params, ScanCase::random(seed, (kind, Device::Cpu), tolerance));
        }
        let state = neurons.init_state(3, (kind, Device::Cpu));
        let v = state.get("v").unwrap();
        assert!(v.std(false).double_value(&[]) > 0.01 && v.max().double_value(&[]) <= 0.5);
        assert_eq!(v.get(0), v.get(2));
    }
}

#[test]
fn what_is_wrong_is_said_with_its_line() {
    let text = OWN.replace("tau = \"3*ms + 2*ms*rand()\"", "tau = \"3*ms*(rand() - 1)\"");
    assert!(refusal(&text).ends_with("it must be above 0, for its logarithm is trained"), "{}", refusal(&text));
    let text = OWN.replace("drive*I - v", "drive*I - w");
    assert_eq!(refusal(&text), "neuron: equations, line 1, column 24: 'w' is not defined. Is 'watt' meant?");
}

/// As text, compiled as C++ (and by NVRTC where there is one) and run thread by thread, against steps by libtorch.
#[test]
fn the_zoo_on_an_emulated_gpu_is_its_steps() {
    let (gpu, on) = (emulated(48 << 10, 1), (Kind::Float, Device::Cpu));
    for (seed, name) in zoo::names().enumerate() {
        let mut params = Params::new(3, on);
        let neurons = EquationNeurons::new(&mut params.at("r"), 5, &zoo::text(name).unwrap()).unwrap();
        let case = ScanCase::random(seed as u64, on, 2e-3);
        assert_scan_is_steps(&OnGpu(neurons, gpu.clone()), &params, case);
    }
    let mut params = Params::new(3, ON);
    let own = neurons(&mut params, 5, OWN);
    assert_scan_is_steps(&OnGpu(own, gpu), &params, ScanCase::random(1, ON, 1e-11));
}
