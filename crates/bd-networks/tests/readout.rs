//! Which population a trained network reads.

use bd_networks::Network;

const NETWORK: &str = r#"
dt_ms = 0.1
[population.E]
n = 4
neuron = "lif"
[population.in]
n = 2
kind = "input"
"#;

fn read(more: &str) -> Result<String, String> {
    let network = Network::parse(&format!("{NETWORK}{more}")).map_err(|error| error.to_string())?;
    network.read_population().map(|population| population.name.clone()).map_err(|error| error.to_string())
}

#[test]
fn the_only_population_of_neurons_is_read_or_the_one_that_is_named() {
    let second = "[population.I]\nn = 3\nlike = \"E\"\n";
    assert_eq!(read(""), Ok("E".into()));
    assert_eq!(read(&format!("{second}[readout]\nfrom = \"I\"")), Ok("I".into()));
    let error = read(second).unwrap_err();
    assert!(error.contains("name the population that is read: [readout], from = \"E\""), "{error}");
}

#[test]
fn what_cannot_be_read_is_said_with_its_place() {
    for (from, words) in [("in", "'in' has no neurons; a readout reads neurons"), ("F", "there is no population 'F'.")]
    {
        let error = read(&format!("[readout]\nfrom = \"{from}\"")).unwrap_err();
        assert!(error.contains(words) && error.contains("line 10"), "{error}");
    }
}
