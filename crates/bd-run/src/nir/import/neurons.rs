//! The numbers of a node of neurons in the terms of bd.

use bd_core::portable;

use crate::nir::graph::Plain;

type Found<T> = Result<T, String>;

/// How time constants are to be understood.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Rule {
    /// As those of the equations, solved over steps of `dt_ms`.
    Solution { dt_ms: f64 },
    /// For Euler's rule with steps of `step_s` seconds, each of which becomes one of `dt_ms`.
    Euler { step_s: f64, dt_ms: f64 },
}

/// Neurons of which each has numbers of its own.
///
/// ```text
/// u = v + (1 - e^(-dt/tau)) (v_leak + resistance I - v)        I = e^(-dt/tau_syn) I + arriving W x
/// ```
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Neurons {
    pub(super) tau_ms: Vec<f64>,
    pub(super) resistance: Vec<f64>,
    pub(super) v_leak: Vec<f64>,
    pub(super) synapse: Option<Synapse>,
    /// None: they do not spike.
    pub(super) spikes: Option<Spiking>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Synapse {
    pub(super) tau_ms: f64,
    /// What an input is multiplied by.
    pub(super) arriving: Vec<f64>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Spiking {
    pub(super) v_th: Vec<f64>,
    pub(super) v_reset: Vec<f64>,
}

/// A synapse or membrane that forgets within a step has `e^(-dt/tau)` = 0 in float64.
const FORGETS_IN_STEPS: f64 = 1e-3;
/// One that forgets nothing: what it loses in a step vanishes beside what it holds.
const KEEPS_FOR_STEPS: f64 = 1e18;

impl Rule {
    pub(super) fn dt_ms(self) -> f64 {
        match self {
            Self::Solution { dt_ms } | Self::Euler { dt_ms, .. } => dt_ms,
        }
    }

    /// The time constant of what forgets within a step.
    pub(super) fn forgetting_ms(self) -> f64 {
        FORGETS_IN_STEPS * self.dt_ms()
    }

    fn tau_ms(self, node: &str, field: &str, tau_s: f64) -> Found<f64> {
        if !(tau_s > 0.0 && tau_s.is_finite()) {
            return Err(format!("node '{node}': {field} is {tau_s}; a time constant is above 0 s"));
        }
        match self {
            Self::Solution { .. } => Ok(tau_s * 1000.0),
            Self::Euler { step_s, dt_ms } => {
                let share = step_s / tau_s;
                // float32 of a time constant of one step.
                if (share - 1.0).abs() < 1e-6 {
                    return Ok(self.forgetting_ms());
                }
                if share > 1.0 {
                    return Err(format!(
                        "node '{node}': {field} is {tau_s} s, shorter than the step of {step_s} s, with which Euler's rule overshoots; a \
                         time constant is at least a step (Norse writes them too short by its own step: give nir.write what it means)"
                    ));
                }
                Ok(-dt_ms / portable::ln(1.0 - share))
            }
        }
    }

    /// The part of the way that is made in a step.
    fn gain(self, tau_ms: f64) -> f64 {
        -portable::expm1(-self.dt_ms() / tau_ms)
    }

    fn step_s(self) -> f64 {
        match self {
            Self::Solution { dt_ms } => dt_ms / 1000.0,
            Self::Euler { step_s, .. } => step_s,
        }
    }
}

/// A field of a node, as many numbers as there are neurons.
fn field(name: &str, node: &Plain, field: &str, n: usize, otherwise: Option<f64>) -> Found<Vec<f64>> {
    let numbers = match (node.fields.get(field), otherwise) {
        (Some(array), _) => array.to_f64(),
        (None, Some(number)) => vec![number],
        (None, None) => return Err(format!("node '{name}' of type {} has no {field}", node.kind)),
    };
    if let Some(number) = numbers.iter().find(|number| !number.is_finite()) {
        return Err(format!("node '{name}': {field} holds {number}, which is no number to compute with"));
    }
    match numbers.len() {
        1 => Ok(vec![numbers[0]; n]),
        count if count == n => Ok(numbers),
        count => {
            Err(format!("node '{name}': {field} has {count} numbers, and the weights before it lead to {n} neurons"))
        }
    }
}

/// The neurons of a node behind weights to `n` of them.
pub(super) fn neurons(name: &str, node: &Plain, n: usize, rule: Rule) -> Found<Neurons> {
    let of = |of: &str, otherwise: Option<f64>| field(name, node, of, n, otherwise);
    let tau = |of: &str| -> Found<Vec<f64>> {
        self::field(name, node, of, n, None)?.into_iter().map(|tau| rule.tau_ms(name, of, tau)).collect()
    };
    let spikes = match &node.kind[..] {
        "LI" | "CubaLI" => None,
        _ => Some(Spiking { v_th: of("v_threshold", None)?, v_reset: of("v_reset", Some(0.0))? }),
    };
    if node.kind == "IF" {
        // v += step r I, as the beginning of a very long relaxation towards R I.
        let tau_ms = rule.dt_ms() * KEEPS_FOR_STEPS;
        let resistance = of("r", None)?.into_iter().map(|r| rule.step_s() * r / rule.gain(tau_ms)).collect();
        return Ok(Neurons { tau_ms: vec![tau_ms; n], resistance, v_leak: vec![0.0; n], synapse: None, spikes });
    }
    let synapse = match &node.kind[..] {
        "CubaLIF" | "CubaLI" => Some(synapse(name, &tau("tau_syn")?, of("w_in", Some(1.0))?, rule)?),
        _ => None,
    };
    let tau_ms = tau(if synapse.is_some() { "tau_mem" } else { "tau" })?;
    // One that forgets at once is none.
    let (synapse, resistance) = match synapse {
        Some(Synapse { tau_ms, arriving }) if tau_ms <= rule.forgetting_ms() => {
            (None, of("r", None)?.iter().zip(arriving).map(|(r, arriving)| r * arriving).collect())
        }
        synapse => (synapse, of("r", None)?),
    };
    Ok(Neurons { tau_ms, resistance, v_leak: of("v_leak", Some(0.0))?, synapse, spikes })
}

fn synapse(name: &str, tau_ms: &[f64], w_in: Vec<f64>, rule: Rule) -> Found<Synapse> {
    let Some(&first) = tau_ms.first() else { return Err(format!("node '{name}' has no neurons")) };
    if let Some(other) = tau_ms.iter().find(|tau_ms| !near(**tau_ms, first)) {
        return Err(format!(
            "node '{name}': tau_syn differs between its neurons ({first} ms and {other} ms); all synapses of a network of bd have one time \
             constant"
        ));
    }
    Ok(Synapse { tau_ms: first, arriving: w_in.into_iter().map(|w_in| rule.gain(first) * w_in).collect() })
}

/// Whether two numbers of float32 mean the same.
pub(super) fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-6 * a.abs().max(b.abs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nir::graph::Array;

    fn node(kind: &str, fields: &[(&'static str, f64)]) -> Plain {
        Plain::new(kind, fields.iter().map(|(name, number)| (*name, Array::scalar(*number))))
    }

    /// Steps of both rules on one neuron: v of Euler's rule, u of bd.
    #[test]
    fn steps_of_eulers_rule_are_those_of_the_solution() {
        let (step_s, dt_ms) = (1e-4, 0.5);
        let fields =
            [("tau_mem", 7e-4), ("tau_syn", 4e-4), ("w_in", 3.0), ("r", 5.0), ("v_leak", 0.2), ("v_threshold", 1e9)];
        let rule = Rule::Euler { step_s, dt_ms };
        let found = neurons("a", &node("CubaLIF", &fields), 2, rule).unwrap();
        let synapse = found.synapse.clone().unwrap();
        let (keep, gain) = (1.0 - rule.gain(synapse.tau_ms), rule.gain(found.tau_ms[1]));
        let [mut i, mut v, mut g, mut u] = [0.0; 4];
        for step in 0..50 {
            let x = f64::from(step % 3);
            i += step_s / 4e-4 * (3.0 * x - i);
            v += step_s / 7e-4 * (0.2 - v + 5.0 * i);
            g = keep * g + synapse.arriving[1] * x;
            u += gain * (found.v_leak[1] - u + found.resistance[1] * g);
            assert!((u - v).abs() < 1e-12 * v.abs().max(1.0), "step {step}: {u} and {v}");
        }
    }

    #[test]
    fn an_integrator_forgets_nothing() {
        let rule = Rule::Solution { dt_ms: 2.0 };
        let found = neurons("a", &node("IF", &[("r", 3.0), ("v_threshold", 1.0)]), 1, rule).unwrap();
        let gain = rule.gain(found.tau_ms[0]);
        let mut v = 0.0;
        for _ in 0..1000 {
            v += gain * (found.resistance[0] * 0.5 - v);
        }
        // 1000 steps of 2 ms with 3 * 0.5 per second.
        assert!((v - 3.0).abs() < 1e-12, "{v}");
    }

    #[test]
    fn numbers_that_cannot_be_are_refused_by_name() {
        let rule = Rule::Euler { step_s: 1e-3, dt_ms: 1.0 };
        let lif = |tau: f64| node("LIF", &[("tau", tau), ("r", 1.0), ("v_leak", 0.0), ("v_threshold", 1.0)]);
        for (tau, words) in
            [(0.0, "tau is 0; a time constant is above 0 s"), (1e-4, "shorter than the step"), (f64::NAN, "holds NaN")]
        {
            let error = neurons("a", &lif(tau), 3, rule).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
        // One step: nothing is kept.
        assert_eq!(neurons("a", &lif(1e-3), 1, rule).unwrap().tau_ms, [rule.forgetting_ms()]);
        let error = neurons("a", &node("LIF", &[("tau", 1.0)]), 3, rule).unwrap_err();
        assert_eq!(error, "node 'a' of type LIF has no v_threshold");
    }
}
