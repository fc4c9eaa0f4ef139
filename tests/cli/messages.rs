//! A hundred and more wrong command lines, configurations and files, each with all that the real binary says to it: `messages.txt`.
//!
//! `BD_WRITE_MESSAGES=1 cargo test --test cli messages` writes what it says now; read the difference before it is committed.

use std::fmt::Write as _;
use std::fs;

use bd_core::npz::save_npz;
use tch::{Kind, Tensor};

use crate::common::{Desk, Ended, noise, small_network};

const MESSAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/messages.txt");

/// The files that the commands name.
fn prepare(desk: &Desk) {
    let line = |i: i32| format!("{}\n", (f64::from(i) * 0.3).sin());
    let series: String = (0..60).map(line).collect();
    let two: String = (0..60).map(|i| format!("{i},{}", line(i))).collect();
    let times: String = (0..60).map(|i| format!("{},{}", if i == 40 { 39 } else { i }, line(i))).collect();
    let network = small_network();
    for (name, text) in [
        ("typo.toml", "[model]\nhiden = [8]\n"),
        ("twice.toml", "seed = 1\nseed = 2\n"),
        ("broken.toml", "seed = = 1\n"),
        ("broken.json", "{\"seed\": "),
        ("other.json", "{\"job\": \"snn\"}"),
        ("plain.txt", "seed = 1"),
        ("plain/notes.txt", "no run"),
        ("folder/notes.txt", "no series"),
        ("empty.csv", ""),
        ("words.csv", "x\n1\ntwo\n3\n"),
        ("ragged.csv", "x,y\n1,2\n3\n"),
        ("nan.csv", "x\n1\nnan\n3\n"),
        ("short.csv", "x\n1\n2\n"),
        ("series.csv", &format!("x\n{series}")),
        ("two.csv", &format!("x,y\n{two}")),
        ("time.csv", &format!("t,x\n{times}")),
        ("matlab5.mat", &format!("{:<124}\0\u{1}IM", "MATLAB 5.0 MAT-file, made by hand")),
        ("net.toml", &network),
        ("no_equation.toml", "dt_ms = 1\n[population.E]\nn = 4\n"),
        ("unknown_target.toml", &network.replacen("to = \"E", "to = \"X", 1)),
        ("unit.toml", &network.replacen("*ms\"", "*mV\"", 1)),
        ("no_job.toml", "[grid]\noptim.lr = [1e-3, 1e-2]\n"),
        ("one_value.toml", "job = \"rnn\"\n[grid]\noptim.lr = 1e-3\n"),
        ("both.toml", "job = \"rnn\"\n[base]\noptim.lr = 1e-2\n[grid]\noptim.lr = [1e-3, 1e-2]\n"),
        ("grid.toml", "job = \"rnn\"\n[grid]\noptim.lr = [1e-3, 1e-2]\n"),
    ] {
        let path = desk.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    arrays(desk);
    wide_tables(desk);
    for (run, line) in [
        ("r", "train rnn --hidden 4 --batch 2 --updates 1 --set data.task.steps=20 --set data.test_samples=2"),
        ("n", "train ngrc --data series.csv"),
        ("damaged", "train ngrc --data series.csv"),
        ("changed", "train ngrc --data series.csv"),
    ] {
        let words = [&line.split(' ').collect::<Vec<_>>()[..], &["--threads", "1", "--quiet", "--out", run]].concat();
        let said = desk.bd(&words);
        assert_eq!(said.code, 0, "{}", said.stderr);
    }
    let mut weights = fs::read(desk.path("damaged/model.safetensors")).unwrap();
    *weights.last_mut().unwrap() ^= 1;
    fs::write(desk.path("damaged/model.safetensors"), weights).unwrap();
    let config = fs::read_to_string(desk.path("changed/config.json")).unwrap();
    fs::write(desk.path("changed/config.json"), config.replacen("\"seed\": 0", "\"seed\": 1", 1)).unwrap();
}

/// Tables of many columns: with nothing in them, and with words in the last row of all.
fn wide_tables(desk: &Desk) {
    fs::write(desk.path("commas.csv"), [&",".repeat(20_000)[..], "\n"].concat()).unwrap();
    let rows = (0..100).map(|row| vec![row.to_string(); 500].join(",")).chain([vec!["x"; 500].join(",")]);
    fs::write(desk.path("last_row.csv"), rows.collect::<Vec<_>>().join("\n")).unwrap();
}

/// Files of arrays: of samples, of a series, and some that cannot be read.
fn arrays(desk: &Desk) {
    let save = |name: &str, arrays: &[(&str, Tensor)]| {
        let arrays: Vec<_> = arrays.iter().map(|(name, array)| ((*name).to_owned(), array.shallow_clone())).collect();
        save_npz(&desk.path(name), &arrays).unwrap();
    };
    let (x, labels) = (noise("x", &[12, 5, 2]), Tensor::arange(12, (Kind::Int64, tch::Device::Cpu)).remainder(3));
    save("samples.npz", &[("x", x.shallow_clone()), ("y", labels.shallow_clone())]);
    save("no_labels.npz", &[("x", x.shallow_clone())]);
    save("labels.npz", &[("x", x.shallow_clone()), ("y", labels.narrow(0, 0, 11))]);
    let whole = fs::read(desk.path("samples.npz")).unwrap();
    fs::write(desk.path("cut.npz"), &whole[..whole.len() / 2]).unwrap();
    let header = "{'descr': '|b1', 'fortran_order': False, 'shape': (4,), }";
    let npy = [b"\x93NUMPY\x01\x00\x76\x00", format!("{header:<117}\n").as_bytes(), &[1, 0, 7, 1]].concat();
    fs::write(desk.path("bool.npy"), npy).unwrap();
    // Files of safetensors that its library reads: one with two tensors of a name, one with a shape beyond int64.
    let safetensors = |name: &str, header: &str, data: &[u8]| {
        fs::write(desk.path(name), [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat())
            .unwrap();
    };
    let one = r#""w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}"#;
    safetensors("two_of_one_name.safetensors", &format!("{{{one},{}}}", one.replace("[0,4]", "[4,8]")), &[0; 8]);
    let huge = r#"{"w":{"dtype":"F32","shape":[9223372036854775808,0],"data_offsets":[0,0]}}"#;
    safetensors("shape_2p63_0.safetensors", huge, &[]);
}

/// What the file is to have for a command, and whether that is no refusal: it succeeds, prints to standard output, or changes files.
fn entry(desk: &Desk, command: &str) -> (String, bool) {
    let before = desk.files();
    let words: Vec<&str> = command.split(' ').skip(1).collect();
    let Ended { code, stdout, stderr } = desk.bd(&words);
    let stderr = stderr.replace(desk.path("").to_str().unwrap(), "DESK/");
    let is_wrong = code == 0 || !stdout.is_empty() || stderr.contains("panicked") || desk.files() != before;
    (format!("$ {command}\n{stderr}= {code}\n"), is_wrong)
}

#[test]
fn every_word_of_messages() {
    let desk = Desk::new();
    prepare(&desk);
    let expected = fs::read_to_string(MESSAGES).unwrap();
    let mut found = String::new();
    let mut wrong = Vec::new();
    // What was said lies between a command and the code.
    let mut is_said = false;
    for line in expected.lines() {
        match line.strip_prefix("$ ") {
            Some(command) => {
                let (entry, is_wrong) = entry(&desk, command);
                found += &entry;
                wrong.extend(is_wrong.then_some(command));
                is_said = true;
            }
            None if is_said => is_said = !line.starts_with("= "),
            None => writeln!(found, "{line}").unwrap(),
        }
    }
    if std::env::var_os("BD_WRITE_MESSAGES").is_some() {
        fs::write(MESSAGES, &found).unwrap();
    }
    assert_eq!(wrong, [""; 0], "they are no refusals");
    let (expected, found): (Vec<_>, Vec<_>) = (expected.lines().collect(), found.lines().collect());
    let differs = expected.iter().zip(&found).find(|(expected, found)| expected != found);
    assert_eq!(differs, None, "in tests/cli/messages.txt");
    assert!(expected.len() == found.len() && found.iter().filter(|line| line.starts_with("$ ")).count() >= 100);
}
