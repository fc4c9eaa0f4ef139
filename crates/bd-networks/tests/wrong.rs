//! Wrong networks, and the whole sentence that each gets.

use bd_networks::Network;

/// A right file, in which the table below changes one thing.
const RIGHT: &str = include_str!("wrong/right.toml");

/// What is replaced, by what, and the error.
const TABLE: &[(&str, &str, &str)] = &[
    (
        "like = \"E\"",
        "like = \"E\"\nconstants = { tauu_e = \"1*ms\" }",
        "population.I.constants.tauu_e, line 16, column 15: no constant of this name is used. Is 'tau_e' meant?",
    ),
    (
        "to = \"E.ge\"",
        "to = []",
        "projection.2.to, line 29, column 1: the list is empty; name what receives, such as \"E.v\"",
    ),
    (
        "weight = \"2*mV\"",
        "weight = \"2*mV\"\nkeeps_sign = true",
        "projection.2.keeps_sign, line 32, column 1: signs are kept of weights that are trained; add 'trained = true', or leave it out",
    ),
    (
        "tau_e = \"5*ms\"",
        "tau_e = \"0*ms\"",
        "population.E.equations, line 6, column 10: '-ge / tau_e' divides by zero: tau_e is 0",
    ),
    (
        "weight = \"2*mV\"",
        "weight = \"2 mV\"",
        "projection.2.weight, line 31, column 13: 'mV' stands behind a number; what is multiplied has a '*' between, as in 10*mV",
    ),
    ("dt_ms = 0.1\n", "dt_ms = 0\n", "dt_ms, line 1, column 1: a step of 0 ms cannot be; it must be above 0"),
    ("dt_ms = 0.1\n", "dt_ms = -0.1\n", "dt_ms, line 1, column 1: a step of -0.1 ms cannot be; it must be above 0"),
    ("dt_ms = 0.1\n", "dt = 0.1\n", "file, line 1, column 1: there is no key 'dt' here. Is 'dt_ms' meant?"),
    (
        "dt_ms = 0.1\n",
        "dt_ms = \"0.1*ms\"\n",
        "file, line 1, column 9: the text \"0.1*ms\" stands where a number is expected",
    ),
    (
        "dt_ms = 0.1\n",
        "dt_ms = 0.1\nduration = 5\n",
        "file, line 2, column 1: there is no key 'duration' here. Is 'population' meant?",
    ),
    ("[population.E]", "[population.E", "file, line 2, column 14: unclosed table, expected `]`"),
    (
        "[population.E]",
        "[populaton.E]",
        "file, line 2, column 2: there is no key 'populaton' here. Is 'population' meant?",
    ),
    ("n = 20", "n = -3", "population.E.n, line 3, column 1: -3 stands where a whole number from 0 on is expected"),
    ("n = 20", "n = 2.5", "population.E.n, line 3, column 1: 2.5 stands where a whole number from 0 on is expected"),
    ("n = 20\n", "\n", "population.E, line 2, column 13: 'n' is missing here"),
    (
        "n = 20",
        "n = 20\nsize = 3",
        "population.E.size, line 4, column 1: there is no key 'size' here. Is 'file' meant?",
    ),
    ("like = \"E\"", "like = \"e\"", "population.I.like, line 15, column 1: there is no population 'e'. Is 'E' meant?"),
    (
        "like = \"E\"",
        "like = \"I\"",
        "population.I.like, line 15, column 1: populations are like each other in a circle: I",
    ),
    ("like = \"E\"", "like = 1", "population.I.like, line 15, column 1: it must be a name in quotes"),
    (
        "like = \"E\"",
        "neuron = \"adx\"",
        "population.I.neuron, line 15, column 1: 'adx' is no neuron of the zoo. Is 'adex' meant? There are if, lif, lif_ref, coba, expif, qif, adqif, adex, adex_2005, izhikevich, gif, alif, theta, hh, traub_miles, wang_buzsaki, morris_lecar, fitzhugh_nagumo, van_der_pol, stuart_landau, threshold_linear, wilson_cowan, qif_mean_field, jansen_rit",
    ),
    (
        "like = \"E\"",
        "n_x = \"E\"",
        "population.I, line 13, column 13: it has no neurons; give 'neuron', one of the zoo, or 'equations', or 'kind', which is 'poisson' or 'input'",
    ),
    (
        "dge/dt = -ge / tau_e : volt",
        "dge/dt = -ge : volt",
        "population.E.equations, line 6, column 10: dge/dt must be of unit volt/second, and its formula is of unit volt",
    ),
    (
        "-ge / tau_e",
        "-ge / tau_f",
        "population.E.equations, line 6, column 16: 'tau_f' is not defined. Is 'tau_e' meant?",
    ),
    (
        "\"v > 10*mV\"",
        "\"v > 10*ms\"",
        "population.E.threshold, line 8, column 14: 'v > 10*ms' compares volt with second",
    ),
    (
        "\"v > 10*mV\"",
        "\"v > 10*mVolt\"",
        "population.E.threshold, line 8, column 21: 'mVolt' is not defined. Is 'volt' meant?",
    ),
    (
        "drive = { v =",
        "drive = { w =",
        "population.I.drive.w, line 16, column 11: 'I' has neither an input nor a variable 'w'.",
    ),
    (
        "drive = { v = \"0.1*mV*randn()\" }",
        "drive = { v = \"0.1*pA\" }",
        "population.I.drive.v, line 16, column 11: what arrives there is of unit volt, and '0.1*pA' of unit ampere",
    ),
    (
        "kind = \"poisson\"",
        "kind = \"poison\"",
        "population.in.kind, line 19, column 1: there is no kind 'poison'. Is 'poisson' meant?",
    ),
    (
        "rate = \"100*Hz\"",
        "rate = \"100*kHz\"",
        "population.in.rate, line 20, column 1: 10 spikes in a step of 0.1 ms cannot be; at most 1",
    ),
    (
        "rate = \"100*Hz\"",
        "rate = \"100*mV\"",
        "population.in.rate, line 20, column 1: '100*mV' must be a rate from 0 on, such as \"15*Hz\"",
    ),
    (
        "rate = \"100*Hz\"\n",
        "",
        "population.in, line 17, column 13: a population of kind 'poisson' needs a 'rate', such as \"15*Hz\"",
    ),
    (
        "rate = \"100*Hz\"",
        "rate = \"100*Hz\"\nthreshold = \"v > 1\"",
        "population.in.threshold, line 21, column 1: 'threshold' is of neurons, and 'poisson' has none",
    ),
    (
        "kind = \"poisson\"\nrate = \"100*Hz\"",
        "kind = \"input\"\nrate = \"100*Hz\"",
        "population.in.rate, line 20, column 1: it is for populations of kind 'poisson'",
    ),
    (
        "from = \"in\"",
        "from = \"inn\"",
        "projection.2.from, line 28, column 1: there is no population 'inn'. Is 'in' meant?",
    ),
    ("from = \"in\"\n", "", "file, line 27, column 1: 'from' is missing here"),
    (
        "to = \"E.ge\"",
        "to = \"E\"",
        "projection.2.to, line 29, column 1: 'E' must be a population and a name of its equations, such as 'E.v'",
    ),
    ("to = \"E.ge\"", "to = \"F.ge\"", "projection.2.to, line 29, column 1: there is no population 'F'."),
    (
        "to = \"E.ge\"",
        "to = \"E.gee\"",
        "projection.2.to, line 29, column 1: 'E' has neither an input nor a variable 'gee'. Is 'ge' meant?",
    ),
    (
        "to = \"E.ge\"",
        "to = \"in.ge\"",
        "projection.2.to, line 29, column 1: 'in' has no neurons that could receive anything",
    ),
    ("to = \"E.ge\"", "to = 3", "file, line 29, column 6: a text in quotes, or a list of such texts, is expected here"),
    (
        "connect = { rule = \"all_to_all\" }",
        "connect = \"all_to_all\"",
        "file, line 30, column 11: the text \"all_to_all\" stands where a table with a rule, such as { rule = \"fixed_probability\", p = 0.1 } is expected",
    ),
    (
        "connect = { rule = \"all_to_all\" }",
        "connect = { rule = \"all_to_al\" }",
        "file, line 30, column 20: there is no 'all_to_al' here. Is 'all_to_all' meant?",
    ),
    (
        "connect = { rule = \"all_to_all\" }",
        "connect = { p = 0.2 }",
        "file, line 30, column 11: 'rule' is missing here",
    ),
    (
        "connect = { rule = \"all_to_all\" }",
        "connect = { rule = \"all_to_all\", p = 0.2 }",
        "file, line 30, column 11: there is no key 'p' here. There are autapses",
    ),
    ("connect = { rule = \"all_to_all\" }\n", "", "file, line 27, column 1: 'connect' is missing here"),
    (
        "connect = { rule = \"all_to_all\" }",
        "connect = { rule = \"one_to_one\" }",
        "projection.2.connect.rule, line 30, column 13: one_to_one needs populations of one size, and these have 3 and 20 neurons",
    ),
    (
        "connect = { rule = \"all_to_all\" }",
        "connect = { rule = \"fixed_in_degree\" }",
        "file, line 30, column 11: 'n' is missing here",
    ),
    (
        "connect = { rule = \"all_to_all\" }",
        "connect = { rule = \"fixed_in_degree\", n = -1 }",
        "file, line 30, column 11: -1 stands where a whole number from 0 on is expected",
    ),
    (
        "connect = { rule = \"all_to_all\" }",
        "connect = { rule = \"fixed_total\", n = 10000000000 }",
        "projection.2.connect.rule, line 30, column 13: about 1.00e10 synapses are too many; at most 4e9 are allowed",
    ),
    (
        "connect = { rule = \"all_to_all\" }",
        "connect = { rule = \"from_file\" }",
        "file, line 30, column 11: 'file' is missing here",
    ),
    (
        "p = 0.2",
        "p = 1.2",
        "projection.1.connect.p, line 24, column 41: a probability of 1.2 cannot be; it is from 0 to 1",
    ),
    ("p = 0.2", "p = \"0.2\"", "file, line 24, column 11: the text \"0.2\" stands where a number is expected"),
    (
        "weight = \"2*mV\"",
        "weight = \"2*pA\"",
        "projection.2.weight, line 31, column 1: what arrives there is of unit volt, and '2*pA' of unit ampere",
    ),
    (
        "weight = \"2*mV\"",
        "weight = 2",
        "projection.2.weight, line 31, column 1: what arrives there is of unit volt, and '2' of unit 1",
    ),
    (
        "weight = \"2*mV\"",
        "weight = \"2*mv\"",
        "projection.2.weight, line 31, column 13: 'mv' is not defined. Is 'mV' meant?",
    ),
    (
        "weight = \"2*mV\"",
        "weigth = \"2*mV\"",
        "file, line 31, column 1: there is no key 'weigth' here. Is 'weight' meant?",
    ),
    ("weight = \"2*mV\"\n", "", "file, line 27, column 1: 'weight' is missing here"),
    (
        "weight = \"2*mV\"",
        "weight = \"2*mV\" + 1",
        "file, line 31, column 17: unexpected key or value, expected newline, `#`",
    ),
    (
        "delay = \"1.5*ms\"",
        "delay = 1.5",
        "projection.1.delay, line 26, column 1: a delay is a time, such as \"1.5*ms\", and this is of unit 1",
    ),
    (
        "delay = \"1.5*ms\"",
        "delay = \"1.5\"",
        "projection.1.delay, line 26, column 1: a delay is a time, such as \"1.5*ms\", and this is of unit 1",
    ),
    (
        "delay = \"1.5*ms\"",
        "delay = \"-1*ms\"",
        "projection.1.delay, line 26, column 1: a delay of -1 ms cannot be; it is from 0 to 6000 ms",
    ),
    (
        "delay = \"1.5*ms\"",
        "delay = \"1.5*mV\"",
        "projection.1.delay, line 26, column 1: a delay is a time, such as \"1.5*ms\", and this is of unit volt",
    ),
    (
        "delay = \"1.5*ms\"",
        "delay = \"60*second\"",
        "projection.1.delay, line 26, column 1: a delay of 60000 ms cannot be; it is from 0 to 6000 ms",
    ),
    (
        "delay = \"1.5*ms\"",
        "delay = { learned = \"5*ms\", most = \"-1*ms\" }",
        "projection.1.delay.most, line 26, column 29: a longest delay of -1 ms cannot be; it is from 0.1 ms, a step, to 6000 ms",
    ),
    (
        "delay = \"1.5*ms\"",
        "delay = { learned = \"5*ms\", most = \"5*mV\" }",
        "projection.1.delay.most, line 26, column 29: a delay is a time, such as \"1.5*ms\", and this is of unit volt",
    ),
    (
        "delay = \"1.5*ms\"",
        "delay = { learned = \"5*ms\", most = \"5*ms*rand()\" }",
        "projection.1.delay.most, line 26, column 29: it is the same for all synapses; only 'learned' may have rand() or randn()",
    ),
    (
        "delay = \"1.5*ms\"",
        "delay = { learned = \"30*ms\", most = \"25*ms\" }",
        "projection.1.delay.learned, line 26, column 11: a delay of 30 ms cannot be; it is from 0 to 25 ms",
    ),
    (
        "delay = \"1.5*ms\"",
        "delay = { learned = \"-1*ms\", most = \"25*ms\" }",
        "projection.1.delay.learned, line 26, column 11: a delay of -1 ms cannot be; it is from 0 to 25 ms",
    ),
    (
        "delay = \"1.5*ms\"",
        "delay = { learned = \"5*ms\", most = \"25*ms\", spread = \"26*ms\" }",
        "projection.1.delay.spread, line 26, column 45: a spread of 26 ms cannot be; it is from 0 to 'most', 25 ms",
    ),
    (
        "delay = \"1.5*ms\"",
        "delay = { learned = \"5*ms\", most = \"25*ms\", rate = 1e-40 }",
        "projection.1.delay.rate, line 26, column 45: 0.0000000000000000000000000000000000000001 cannot be; it is from 0.001 to 1000",
    ),
    (
        "delay = \"1.5*ms\"",
        "delay = { learned = \"5*ms\", most = \"25*ms\", halves_in = 0 }",
        "projection.1.delay.halves_in, line 26, column 45: 0 cannot be; it is above 0",
    ),
    (
        "delay = \"1.5*ms\"",
        "delay = { learned = \"5*ms\", most = \"25*ms\", rate = -1 }",
        "projection.1.delay.rate, line 26, column 45: -1 cannot be; it is from 0.001 to 1000",
    ),
    (
        "delay = \"1.5*ms\"",
        "delay = \"1.5*ms\"\ninstant = true",
        "projection.1.instant, line 27, column 1: what is instant arrives in the step in which it is sent, without a delay; leave one of both out",
    ),
    (
        "delay = \"1.5*ms\"",
        "instant = true",
        "projection.1.instant, line 26, column 1: 'E>E.ge' is part of a cycle of projections that are instant; leave 'instant' out of one of them",
    ),
    // Of a chain and a cycle, the cycle.
    (
        "[[background]]",
        "[[projection]]\nfrom = \"E\"\nto = \"I.ge\"\nname = \"a\"\nconnect = { rule = \"all_to_all\" }\nweight = \"1*mV\"\ninstant = true\n\
         [population.X]\nlike = \"E\"\n[[projection]]\nfrom = \"X\"\nto = \"E.ge\"\nconnect = { rule = \"all_to_all\" }\nweight = \"1*mV\"\ninstant = true\n\
         [[projection]]\nfrom = \"E\"\nto = \"X.ge\"\nconnect = { rule = \"all_to_all\" }\nweight = \"1*mV\"\ninstant = true\n[[background]]",
        "projection.5.instant, line 52, column 1: 'E>X.ge' is part of a cycle of projections that are instant; leave 'instant' out of one of them",
    ),
    ("delay = \"1.5*ms\"", "instant = 1", "file, line 26, column 11: 1 stands where true or false is expected"),
    ("delay = \"1.5*ms\"", "delay = { learned = \"5*ms\" }", "file, line 26, column 9: 'most' is missing here"),
    (
        "delay = \"1.5*ms\"",
        "delay = { learned = \"5*ms\", mots = \"25*ms\" }",
        "file, line 26, column 29: there is no key 'mots' here. Is 'most' meant?",
    ),
    (
        "delay = \"1.5*ms\"",
        "delay = true",
        "file, line 26, column 9: true stands where a time such as \"5*ms\", or a table such as { learned = \"5*ms\", most = \"10*ms\" } is expected",
    ),
    (
        "[[projection]]\nfrom = \"in\"",
        "[[projection]]\nname = \"E>E.ge\"\nfrom = \"in\"",
        "projection.2, line 27, column 1: there is another projection 'E>E.ge'; give one a 'name'",
    ),
    ("[[projection]]\nfrom = \"in\"", "[projection]\nfrom = \"in\"", "file, line 27, column 2: duplicate key"),
    (
        "rate = \"1*kHz\"",
        "rate = \"2000*kHz\"",
        "background.1.rate, line 34, column 1: 200 spikes in a step cannot be; at most 100. Drive it by a mean instead",
    ),
    (
        "weight = \"0.1*mV\"",
        "weight = \"0.1*mV*rand()\"",
        "background.1.weight, line 35, column 1: weights of a background are not random",
    ),
    (
        "spikes = [\"E\", \"I\"]",
        "spikes = [\"E\", \"J\"]",
        "record.spikes, line 37, column 1: there is no population 'J'.",
    ),
    (
        "spikes = [\"E\", \"I\"]",
        "spikes = \"E\"",
        "file, line 37, column 10: the text \"E\" stands where a list in square brackets is expected",
    ),
    (
        "\"E.v\" = [0, 19]",
        "\"E.v\" = [0, 20]",
        "record.traces, line 38, column 1: there is no neuron 20 in 'E'; they are numbered 0 to 19",
    ),
    ("\"E.v\" = [0, 19]", "\"E.w\" = [0, 19]", "record.traces, line 38, column 1: 'E' has no state 'w'."),
    ("\"E.v\" = [0, 19]", "\"in.v\" = [0]", "record.traces, line 38, column 1: 'in' has no state 'v'."),
    (
        "\"E.v\" = [0, 19]",
        "E.v = [0]",
        "file, line 38, column 12: a table stands where a list in square brackets is expected",
    ),
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
