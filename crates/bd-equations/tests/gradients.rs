//! What a step of input does to a neuron, and its derivatives over many steps.

use bd_equations::{Model, NeuronText, zoo};

/// By steps in numpy whose derivatives are those of a complex step of 1e-30, with the same inputs, 1 s each.
#[test]
fn largest_products_are_those_of_complex_steps() {
    for (name, product) in [("adex", 184.16676962991912), ("adex_2005", 1002711101600.431), ("hh", 51.882402182188464)]
    {
        let found = zoo::model(name).unwrap().with_whole_gradient().largest_product(0.1).unwrap();
        assert!((found / product - 1.0).abs() < 1e-8, "{name}: {found} and not {product}");
    }
    // With its upstroke outside the gradient.
    assert_eq!(zoo::model("adex").unwrap().largest_product(0.1).unwrap(), 1.0);
}

/// Only the neuron that is for simulation is beyond what float32 holds.
#[test]
fn the_zoo_can_be_trained_in_float32() {
    for name in zoo::names() {
        let found = zoo::model(name).unwrap().largest_product(0.1).unwrap();
        assert_eq!(found > Model::LARGEST_IN_FLOAT32, name == "adex_2005", "{name}: {found}");
        assert!(found >= 1.0, "{name}: {found}");
    }
}

/// `v' = v / tau` from 1: every step multiplies by `e^(dt/tau)`, for 1 s. In a run that overflows, what comes before counts.
#[test]
fn a_product_is_that_of_its_steps() {
    let product = |tau: &str| {
        let text = format!(
            "equations = \"\"\"\ndv/dt = v/tau + 0*I/ms : 1\nI : 1\n\"\"\"\noutput = \"v\"\nconstants = {{ tau = \"{tau}\" }}\n\
             inputs = {{ I = 1 }}\ninitial = {{ v = 1 }}"
        );
        NeuronText::parse(&text).unwrap().build().unwrap().largest_product(1.0).unwrap()
    };
    assert!((product("100*ms") / 10f64.exp() - 1.0).abs() < 1e-12);
    assert!((product("-100*ms") - 1.0).abs() < 1e-12);
    assert!(product("1*ms") > 1e300);
}

#[test]
fn reverse_mode_agrees_with_difference_quotients() {
    for name in zoo::names() {
        let found = zoo::model(name).unwrap().difference_from_quotients(0.1).unwrap();
        assert!(found > 0.0 && found < 1e-8, "{name}: {found:e}");
    }
}

/// `tau v' = -(v - E_L) + R I` reaches the threshold 15 mV above `E_L` after `tau ln(x / (x - 1))` for an input of `x` rheobases, here
/// 1.5: 10.99 ms, step 109 after the onset.
#[test]
fn a_response_begins_where_it_spikes_twice() {
    let response = zoo::model("lif").unwrap().response(0.1).unwrap();
    assert_eq!((response.level, response.onset, response.trajectory.states.len()), (1.5, 200, 2000));
    let spikes = &response.trajectory.spikes;
    assert_eq!((spikes[0], spikes[1]), (200 + 109, 200 + 219));
    assert_eq!(response.trajectory.states[199], [-70.0, 0.0]);
    // Without a threshold the input is 1.
    let response = zoo::model("wilson_cowan").unwrap().response(0.1).unwrap();
    assert_eq!((response.level, response.trajectory.spikes.len()), (1.0, 0));
}
