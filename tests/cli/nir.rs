//! `bd export nir` and `bd import nir`: files of our own, of the Python package `nir`, and what cannot be written or read.

use std::fs;

use tch::{Kind, Tensor};

use crate::common::{Desk, array, data, json_of, noise, refused_by, same_bytes, save};

/// A small job on random spikes.
fn trained(desk: &Desk, run: &str, options: &[&str]) {
    let small =
        "train snn --hidden 6 --samples 8 --steps 40 --epochs 2 --set model.n_in=5 --set data.rate_hz=200 --set dt=0.5";
    let args: Vec<&str> = small.split(' ').chain(options.iter().copied()).chain(["--out", run]).collect();
    let ended = desk.bd(&args);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
}

/// Runs a line of words.
fn done(desk: &Desk, line: &str) -> String {
    let ended = desk.bd(&line.split(' ').collect::<Vec<_>>());
    assert_eq!(ended.code, 0, "{line}: {}", ended.stderr);
    ended.stderr
}

fn spikes(desk: &Desk) {
    let x = noise("spikes", &[4, 30, 5]).gt(0.3).to_kind(Kind::Float);
    save(desk, "x.npz", &[("x", &x)]);
}

fn largest(tensor: &Tensor) -> f64 {
    tensor.to_kind(Kind::Double).abs().max().double_value(&[])
}

/// Every kind of network, in both flavours: the run that is made of the file has the weights and the predictions of the first, byte for byte.
#[test]
fn a_network_that_is_written_and_read_is_the_same() {
    let desk = Desk::new();
    spikes(&desk);
    let trained_numbers = ["--set", "model.lif.trained.tau=true", "--set", "model.lif.trained.threshold=true"];
    let jobs: [(&str, Vec<&str>); 4] = [
        ("a", vec!["--set", "model.synapse.tau_ms=0.005", "--set", "model.lif.resistance=3"]),
        ("b", [&["--recurrent", "--hidden", "6,4", "--set", "model.synapse.bias=0.3"], &trained_numbers[..]].concat()),
        ("c", vec!["--dtype", "f64", "--set", "model.lif.v_th=1.3", "--recurrent"]),
        ("d", [&["--set", "model.synapse.delayed=false"], &trained_numbers[..]].concat()),
    ];
    for (run, options) in jobs {
        trained(&desk, run, &options);
        done(&desk, &format!("predict {run} --input x.npz --output {run}.npz"));
        for flavour in ["exact", "physical"] {
            let again = format!("{run}-{flavour}");
            done(&desk, &format!("export nir {run} --nir {flavour} --out {again}.nir"));
            let found = desk.bd_json(&["import", "nir", &format!("{again}.nir"), "--out", &again]);
            assert_eq!(found["as_written"], true, "{again}: {found}");
            assert!(same_bytes(&desk, "model.safetensors", run, &again), "{again}");
            done(&desk, &format!("predict {again} --input x.npz --output {again}.npz"));
            let predictions = |run: &str| fs::read(desk.path(&format!("{run}.npz"))).unwrap();
            assert!(predictions(run) == predictions(&again), "{again}");
        }
    }
}

/// A network with an encoding, and one of two members: what is before and behind it comes along.
#[test]
fn a_network_keeps_what_its_data_need() {
    let desk = Desk::new();
    let movements = data("movements.npz");
    let ended = desk.bd(&[
        "train",
        "snn",
        "--data",
        &movements,
        "--encode",
        "current",
        "--hidden",
        "5",
        "--ensemble",
        "2",
        "--epochs",
        "2",
        "--out",
        "run",
    ]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    refused_by(
        &desk,
        &["export", "nir", "run", "--out", "a.nir"],
        2,
        "run: it has 2 networks whose outputs are averaged",
    );
    refused_by(
        &desk,
        &["export", "nir", "run", "--member", "3", "--out", "a.nir"],
        2,
        "--member is 3; it has 2 networks",
    );
    let said = done(&desk, "export nir run --member 2 --out a.nir");
    assert!(said.contains("the inputs of the file are what the encoding 'current' makes of data"), "{said}");
    done(&desk, "import nir a.nir --out again");
    let config = json_of(&desk, "again/config.json");
    assert_eq!((&config["data"]["file"], &config["ensemble"]), (&"movements.npz".into(), &1.into()));
    done(&desk, &format!("predict again --input {movements} --output one.npz"));
    done(&desk, &format!("predict run --input {movements} --output both.npz"));
    assert_eq!(array(&desk, "one.npz", "output").size(), array(&desk, "both.npz", "output").size());
    // The configuration has no folder of this machine.
    assert!(!config.to_string().contains(env!("CARGO_MANIFEST_DIR")));
}

/// Up to a layer: the output is its spikes, which come at once and not after the delay between layers.
#[test]
fn a_file_may_end_with_spikes() {
    let desk = Desk::new();
    spikes(&desk);
    trained(&desk, "run", &["--hidden", "6,4"]);
    let said = done(&desk, "export nir run --until r2 --out a.nir");
    assert!(said.contains("its outputs come 1 step earlier"), "{said}");
    let said = done(&desk, "import nir a.nir --out again");
    assert!(said.contains("the file ends with the spikes of 'n4_r2'") && said.contains("which are float32"), "{said}");
    done(&desk, "predict run --input x.npz --record r2.spike --output run.npz");
    done(&desk, "predict again --input x.npz --record r2.spike --output again.npz");
    let (late, early) = (array(&desk, "run.npz", "r2.spike"), array(&desk, "again.npz", "r2.spike"));
    assert!(late.sum(Kind::Double).double_value(&[]) > 10.0);
    assert_eq!(late.narrow(1, 1, 29), early.narrow(1, 0, 29));
    refused_by(
        &desk,
        &["export", "nir", "run", "--until", "r", "--out", "b.nir"],
        2,
        "no layer of neurons is called 'r'; there are: r1, r2",
    );
    refused_by(&desk, &["export", "nir", "run", "--out", "a.nir"], 5, "a.nir: it exists; name a new file");
}

/// Files of `nir` 1.0.8 against steps by numpy (`scripts/fixtures/nir`): the same spikes, and outputs but for float32.
#[test]
fn files_of_the_package_nir_are_read() {
    let desk = Desk::new();
    for name in ["lif", "nested", "flat", "if"] {
        let (file, steps) = (data(&format!("nir/{name}.nir")), data(&format!("nir/{name}.npz")));
        done(&desk, &format!("import nir {file} --dt 0.1 --euler --out {name}"));
        done(&desk, &format!("predict {name} --input {steps} --array x --record r.spike --output {name}.npz"));
        fs::copy(&steps, desk.path("steps.npz")).unwrap();
        let expected = |array_name| array(&desk, "steps.npz", array_name);
        let (spikes, output) =
            (array(&desk, &format!("{name}.npz"), "r.spike"), array(&desk, &format!("{name}.npz"), "output"));
        assert_eq!(spikes.to_kind(Kind::Float), expected("spikes"), "{name}");
        let difference = largest(&(output.to_kind(Kind::Double) - expected("output")));
        assert!(difference < 1e-6 * largest(&expected("output")).max(1.0), "{name}: {difference}");
        fs::remove_file(desk.path("steps.npz")).unwrap();
    }
    // With the time constants of the equations the steps are others.
    done(&desk, &format!("import nir {} --dt 0.1 --out other", data("nir/lif.nir")));
    assert_eq!(json_of(&desk, "other/config.json")["model"]["lif"]["tau_ms"].as_f64().unwrap() as f32, 0.6);
}

#[test]
fn what_nir_has_no_words_for_is_refused() {
    let desk = Desk::new();
    let value = |setting: &str| ["--set".to_owned(), setting.to_owned()];
    let jobs = [
        (&["--reset", "subtract"].map(str::to_owned)[..], "model.lif.reset is subtract"),
        (&["--reset", "none"].map(str::to_owned), "model.lif.reset is none"),
        (&value("model.lif.refractory_ms=2"), "model.lif.refractory_ms is 2; neurons of NIR have no refractory period"),
        (&value("model.lif.v_rest=0.1"), "model.lif.v_rest is 0.1; 'exact' is written where it is 0"),
        (&value("model.lif.v_reset=-0.5"), "model.lif.v_reset is -0.5; 'exact' is written where it is 0"),
        (&value("model.lif.trained.reset=true"), "model.lif.v_reset is trained; 'exact' is written where it is 0"),
        (&value("model.lif.resistance=-1"), "model.lif.resistance is -1"),
        (&value("model.neuron=adex"), "model.neuron is adex; NIR has equations of its own"),
    ];
    for (at, (options, words)) in jobs.into_iter().enumerate() {
        let run = format!("run{at}");
        trained(&desk, &run, &options.iter().map(String::as_str).collect::<Vec<_>>());
        refused_by(&desk, &["export", "nir", &run, "--out", "a.nir"], 2, &format!("{run}: {words}"));
    }
    // The second flavour has words for the potentials.
    for run in ["run3", "run4", "run5"] {
        done(&desk, &format!("export nir {run} --nir physical --out {run}.nir"));
        let found = desk.bd_json(&["import", "nir", &format!("{run}.nir"), "--out", &format!("{run}-again")]);
        assert_eq!(found["as_written"], true);
    }
    done(&desk, "import nir run4.nir --dt 0.25 --out finer");
    assert_eq!(json_of(&desk, "finer/config.json")["dt"], 0.25);
    refused_by(
        &desk,
        &["export", "nir", "run4", "--nir", "real", "--out", "a.nir"],
        2,
        "nir is real; it must be exact or physical",
    );
    refused_by(&desk, &["export", "nir", "run4", "--out", "a.h5"], 2, "a.h5: it must end in .nir");
    refused_by(&desk, &["export", "nir", "none", "--out", "a.nir"], 7, "none/config.json");
    let ended = desk.bd(&["train", "rnn", "--updates", "1", "--batch", "2", "--out", "rates"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    refused_by(
        &desk,
        &["export", "nir", "rates", "--out", "a.nir"],
        2,
        "rates: it is a run of rnn; NIR is written of spiking networks",
    );
}

#[test]
fn files_that_are_no_network_of_bd_are_refused() {
    let desk = Desk::new();
    trained(&desk, "run", &[]);
    done(&desk, "export nir run --out a.nir");
    fs::write(desk.path("text.nir"), "no graph").unwrap();
    let import = |file: &str, more: &[&str], code: i32, words: &str| {
        refused_by(&desk, &[&["import", "nir", file, "--out", "again"], more].concat(), code, words);
    };
    import("none.nir", &[], 7, "none.nir");
    import("text.nir", &[], 7, "it is no HDF5 file");
    import(&data("hdf5/plain.h5"), &["--dt", "1"], 7, "there is no group 'node' in it");
    import(&data("nir/lif.nir"), &[], 2, "nothing in it says how long a step is: name it with --dt in ms");
    import(&data("nir/lif.nir"), &["--dt", "-1"], 2, "dt is -1; it must be a number above 0");
    import(&data("nir/lif.nir"), &["--dt", "1", "--euler"], 7, "shorter than the step of 0.001 s");
    import(&data("nir/delay.nir"), &["--dt", "1"], 7, "node 'late' is of type Delay, which bd has nothing for");
    import("a.nir", &["--dt", "0.25"], 2, "it has the steps of a run of bd with dt 0.5 ms, and --dt is 0.25");
    import("a.nir", &["--out", "run"], 2, "cannot be used multiple times");
    refused_by(&desk, &["import", "nir", "a.nir", "--out", "run"], 5, "run: it exists");
}
