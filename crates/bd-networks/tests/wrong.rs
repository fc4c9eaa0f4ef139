//! Wrong networks, and the whole sentence that each gets.

use bd_networks::Network;

/// A right file, in which the table below changes one thing.
const RIGHT: &str = r#"dt_ms = 0.1
[population.E]
n = 20
equations = """
dv/dt = (ge - v) / tau : volt (unless refractory)
dge/dt = -ge / tau_e : volt
"""
threshold = "v > 10*mV"
reset = "v = 0*mV"
refractory = "5*ms"
surrogate_scale = "10*mV"
constants = { tau = "20*ms", tau_e = "5*ms" }
[population.I]
n = 5
like = "E"
drive = { v = "0.1*mV*randn()" }
[population.in]
n = 3
kind = "poisson"
rate = "100*Hz"
[[projection]]
from = "E"
to = ["E.ge", "I.ge"]
connect = { rule = "fixed_probability", p = 0.2 }
weight = "1*mV"
delay = "1.5*ms"
[[projection]]
from = "in"
to = "E.ge"
connect = { rule = "all_to_all" }
weight = "2*mV"
[[background]]
to = "I.ge"
rate = "1*kHz"
weight = "0.1*mV"
[record]
spikes = ["E", "I"]
traces = { "E.v" = [0, 19] }
"#;

/// What is replaced, by what, and the error.
const TABLE: &[(&str, &str, &str)] = &[
    ("dt_ms = 0.1\n", "dt_ms = 0\n", "?"),
    ("dt_ms = 0.1\n", "dt_ms = -0.1\n", "?"),
    ("dt_ms = 0.1\n", "dt = 0.1\n", "?"),
    ("dt_ms = 0.1\n", "dt_ms = \"0.1*ms\"\n", "?"),
    ("dt_ms = 0.1\n", "dt_ms = 0.1\nduration = 5\n", "?"),
    ("[population.E]", "[population.E", "?"),
    ("[population.E]", "[populaton.E]", "?"),
    ("n = 20", "n = 0", "?"),
    ("n = 20", "n = -3", "?"),
    ("n = 20", "n = 2.5", "?"),
    ("n = 20\n", "\n", "?"),
    ("n = 20", "n = 20\nsize = 3", "?"),
    ("like = \"E\"", "like = \"e\"", "?"),
    ("like = \"E\"", "like = \"I\"", "?"),
    ("like = \"E\"", "like = 1", "?"),
    ("like = \"E\"", "neuron = \"adx\"", "?"),
    ("like = \"E\"", "n_x = \"E\"", "?"),
    ("dge/dt = -ge / tau_e : volt", "dge/dt = -ge : volt", "?"),
    ("-ge / tau_e", "-ge / tau_f", "?"),
    ("\"v > 10*mV\"", "\"v > 10*ms\"", "?"),
    ("\"v > 10*mV\"", "\"v > 10*mVolt\"", "?"),
    ("drive = { v =", "drive = { w =", "?"),
    ("drive = { v = \"0.1*mV*randn()\" }", "drive = { v = \"0.1*pA\" }", "?"),
    ("kind = \"poisson\"", "kind = \"poison\"", "?"),
    ("rate = \"100*Hz\"", "rate = \"100*kHz\"", "?"),
    ("rate = \"100*Hz\"", "rate = \"100*mV\"", "?"),
    ("rate = \"100*Hz\"\n", "", "?"),
    ("rate = \"100*Hz\"", "rate = \"100*Hz\"\nthreshold = \"v > 1\"", "?"),
    ("kind = \"poisson\"\nrate = \"100*Hz\"", "kind = \"input\"\nrate = \"100*Hz\"", "?"),
    ("from = \"in\"", "from = \"inn\"", "?"),
    ("from = \"in\"\n", "", "?"),
    ("to = \"E.ge\"", "to = \"E\"", "?"),
    ("to = \"E.ge\"", "to = \"F.ge\"", "?"),
    ("to = \"E.ge\"", "to = \"E.gee\"", "?"),
    ("to = \"E.ge\"", "to = \"in.ge\"", "?"),
    ("to = \"E.ge\"", "to = 3", "?"),
    ("connect = { rule = \"all_to_all\" }", "connect = \"all_to_all\"", "?"),
    ("connect = { rule = \"all_to_all\" }", "connect = { rule = \"all_to_al\" }", "?"),
    ("connect = { rule = \"all_to_all\" }", "connect = { p = 0.2 }", "?"),
    ("connect = { rule = \"all_to_all\" }", "connect = { rule = \"all_to_all\", p = 0.2 }", "?"),
    ("connect = { rule = \"all_to_all\" }\n", "", "?"),
    ("connect = { rule = \"all_to_all\" }", "connect = { rule = \"one_to_one\" }", "?"),
    ("connect = { rule = \"all_to_all\" }", "connect = { rule = \"fixed_in_degree\" }", "?"),
    ("connect = { rule = \"all_to_all\" }", "connect = { rule = \"fixed_in_degree\", n = -1 }", "?"),
    ("connect = { rule = \"all_to_all\" }", "connect = { rule = \"fixed_total\", n = 10000000000 }", "?"),
    ("connect = { rule = \"all_to_all\" }", "connect = { rule = \"from_file\" }", "?"),
    ("p = 0.2", "p = 1.2", "?"),
    ("p = 0.2", "p = \"0.2\"", "?"),
    ("weight = \"2*mV\"", "weight = \"2*pA\"", "?"),
    ("weight = \"2*mV\"", "weight = 2", "?"),
    ("weight = \"2*mV\"", "weight = \"2*mv\"", "?"),
    ("weight = \"2*mV\"", "weigth = \"2*mV\"", "?"),
    ("weight = \"2*mV\"\n", "", "?"),
    ("weight = \"2*mV\"", "weight = \"2*mV\" + 1", "?"),
    ("delay = \"1.5*ms\"", "delay = 1.5", "?"),
    ("delay = \"1.5*ms\"", "delay = \"1.5\"", "?"),
    ("delay = \"1.5*ms\"", "delay = \"-1*ms\"", "?"),
    ("delay = \"1.5*ms\"", "delay = \"1.5*mV\"", "?"),
    ("delay = \"1.5*ms\"", "delay = \"60*second\"", "?"),
    ("[[projection]]\nfrom = \"in\"", "[[projection]]\nname = \"E>E.ge\"\nfrom = \"in\"", "?"),
    ("[[projection]]\nfrom = \"in\"", "[projection]\nfrom = \"in\"", "?"),
    ("rate = \"1*kHz\"", "rate = \"2000*kHz\"", "?"),
    ("weight = \"0.1*mV\"", "weight = \"0.1*mV*rand()\"", "?"),
    ("spikes = [\"E\", \"I\"]", "spikes = [\"E\", \"J\"]", "?"),
    ("spikes = [\"E\", \"I\"]", "spikes = \"E\"", "?"),
    ("\"E.v\" = [0, 19]", "\"E.v\" = [0, 20]", "?"),
    ("\"E.v\" = [0, 19]", "\"E.w\" = [0, 19]", "?"),
    ("\"E.v\" = [0, 19]", "\"in.v\" = [0]", "?"),
    ("\"E.v\" = [0, 19]", "E.v = [0]", "?"),
];

#[test]
fn wrong_networks_say_what_is_wrong_and_where() {
    Network::parse(RIGHT).unwrap();
    let mut differences = Vec::new();
    for (right, wrong, message) in TABLE {
        assert!(RIGHT.contains(right), "{right}");
        let found = match Network::parse(&RIGHT.replacen(right, wrong, 1)) {
            Ok(_) => "nothing".into(),
            Err(error) => error.to_string(),
        };
        if found != *message {
            differences.push(format!("{wrong}\n  found    {found}\n  expected {message}"));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
