//! NVAR's features, their names and their order against BrainPy 2.2.4.0 (tests/data/nvar_f64, see its README.md).

use std::path::{Path, PathBuf};

use bd_core::files::load_tensors;
use bd_core::testing::assert_close;
use bd_core::{Inputs, Shared, System, Tap, scan_by_step};
use bd_models::{Nvar, NvarConfig, NvarState};
use serde_json::Value;
use tch::Tensor;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data").join(name)
}

/// BrainPy's `order` is a number, a list or null.
fn config(settings: &Value) -> NvarConfig {
    let number = |value: &Value| value.as_u64().unwrap() as usize;
    NvarConfig {
        delay: number(&settings["delay"]),
        stride: settings.get("stride").map_or(1, number),
        order: match &settings["order"] {
            Value::Array(orders) => orders.iter().map(number).collect(),
            Value::Null => vec![],
            order => vec![number(order)],
        },
        constant: settings.get("constant").is_some_and(|constant| constant.as_bool().unwrap()),
    }
}

fn chunked(nvar: &Nvar, xs: &Tensor, mut s: NvarState, chunk: i64) -> Tensor {
    let mut parts = Vec::new();
    for part in xs.split(chunk, 0) {
        let (ys, next) = nvar.scan(&Shared::default(), &Inputs::of_steps(&part), s, &mut Tap::none());
        s = next;
        parts.push(ys);
    }
    Tensor::cat(&parts, 0)
}

#[test]
fn features_of_every_setting_by_step_and_by_scan_whole_and_chunked() {
    let tensors = load_tensors(&data("nvar_f64.safetensors")).unwrap();
    let tensor = |name: &str| &tensors.iter().find(|(known, _)| known == name).unwrap().1;
    let json: Value = serde_json::from_slice(&std::fs::read(data("nvar_f64.json")).unwrap()).unwrap();
    let cases = json["cases"].as_object().unwrap();
    assert_eq!(cases.len(), 7);

    let xs = tensor("x").transpose(0, 1).contiguous();
    let channels: Vec<String> = (0..xs.size()[2]).map(|c| format!("x{c}")).collect();
    for (tag, case) in cases {
        let nvar = Nvar::new(channels.len(), &config(&case["settings"])).unwrap();
        let names: Vec<_> = case["names"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        assert_eq!(nvar.feature_names(&channels), names, "{tag}");
        assert_eq!(nvar.n_out(), case["num_out"].as_i64().unwrap(), "{tag}");
        assert_eq!(nvar.memory() as i64 + 1, case["num_delay_buffer"].as_i64().unwrap(), "{tag}");

        let expected = tensor(&format!("feat_{tag}")).transpose(0, 1);
        let start = || nvar.init_state(xs.size()[1], (xs.kind(), xs.device()));
        let (stepped, _) = scan_by_step(&nvar, &Shared::default(), &xs, start(), &mut Tap::none());
        assert_close(&format!("{tag} by step"), &stepped, &expected, 1e-14);
        let (scanned, _) = nvar.scan(&Shared::default(), &Inputs::of_steps(&xs), start(), &mut Tap::none());
        assert_close(&format!("{tag} by scan"), &scanned, &expected, 1e-14);
        for chunk in [1, 7] {
            assert_close(
                &format!("{tag} in chunks of {chunk}"),
                &chunked(&nvar, &xs, start(), chunk),
                &expected,
                1e-14,
            );
        }
    }
}
