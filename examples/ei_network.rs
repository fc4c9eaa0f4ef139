//! Prints rates between 3 and 15 Hz, each with a CV between 0.3 and 1.2: a balanced network of 400 neurons, simulated for a second; then that
//! with weaker inhibition it spikes at least twice as often.
//!
//! The network is that of Vogels and Abbott (J. Neurosci. 25, 2005) with currents, ten times smaller; see docs/networks.md.

use bd_equations::Value;
use bd_networks::{Activity, NetworkText, Options, Result, Simulation};

const NETWORK: &str = r#"
dt_ms = 0.1

[population.E]
n = 320
equations = """
dv/dt = (ge + gi - (v - E_L)) / tau : volt (unless refractory)
dge/dt = -ge / tau_e : volt
dgi/dt = -gi / tau_i : volt
"""
threshold = "v > -50*mV"
reset = "v = -60*mV"
refractory = "5*ms"
surrogate_scale = "10*mV"
constants = { E_L = "-49*mV", tau = "20*ms", tau_e = "5*ms", tau_i = "10*ms" }
initial = { v = "-60*mV + 10*mV*rand()" }

[population.I]
n = 80
like = "E"

[[projection]]
from = "E"
to = ["E.ge", "I.ge"]
connect = { rule = "fixed_probability", p = 0.1 }
weight = "3*mV"
delay = "1.5*ms"

[[projection]]
from = "I"
to = ["E.gi", "I.gi"]
connect = { rule = "fixed_probability", p = 0.1 }
weight = "-20*mV"
delay = "1.5*ms"
"#;

/// What each population does in the second after the first 200 ms.
fn simulate(text: &NetworkText) -> Result<Vec<(String, Activity)>> {
    let network = text.build()?;
    let none = "nothing is read from files".to_owned();
    let options = Options { seed: 1, threads: 2, ..Options::default() };
    let mut simulation = Simulation::<f64>::new(&network, options, &|_| Err(none.clone()), &|_| Err(none.clone()))?;
    let (from, to) = (2_000, 12_000); // steps of 0.1 ms
    simulation.advance(to);
    let found = simulation.recording().spikes.into_iter().map(|population| {
        let n = network.populations.iter().find(|known| known.name == population.population).map_or(0, |known| known.n);
        let activity = Activity::of(population.spikes.into_iter(), n, from, to, network.dt_ms);
        (population.population, activity)
    });
    Ok(found.collect())
}

fn main() -> Result<()> {
    let mut text = NetworkText::parse(NETWORK)?;
    let balanced = simulate(&text)?;
    for (name, activity) in &balanced {
        println!("{name}: {:.1} Hz, CV {:.2}", activity.rate_hz, activity.cv.unwrap_or(f64::NAN));
    }
    text.projection[1].weight = Value::Text("-5*mV".into());
    let weaker = simulate(&text)?;
    println!(
        "with a quarter of the inhibition E spikes {:.1} times as often",
        weaker[0].1.rate_hz / balanced[0].1.rate_hz
    );
    Ok(())
}
