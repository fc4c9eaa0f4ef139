//! Files of spikes that `bd train snn` does not take.

use tch::{Kind, Tensor};

use super::{Content, FILE, Odd};
use crate::snn_data::{events, of_part, spikes, waves};

type Arrays = Vec<(String, Tensor)>;

fn changed(array: &Tensor, at: i64, value: f64) -> Tensor {
    let changed = array.copy();
    let _ = changed.get(at).fill_(value);
    changed
}

pub(super) fn all() -> Vec<Odd> {
    let ((x, y), (x_test, y_test)) = (spikes("train", 12), spikes("test", 4));
    let all = || -> Arrays {
        let test = of_part("test", events(&x_test), y_test.copy());
        of_part("train", events(&x), y.copy()).into_iter().chain(test).collect()
    };
    let without = |name: &str| -> Arrays { all().into_iter().filter(|(known, _)| known != name).collect() };
    let with =
        |name: &str, array: Tensor| -> Arrays { without(name).into_iter().chain([(name.to_owned(), array)]).collect() };
    let in_steps = |x_test: Tensor| -> Arrays {
        let named = [("x_train", x.copy()), ("y_train", y.copy()), ("x_test", x_test), ("y_test", y_test.copy())];
        named.map(|(name, array)| (name.to_owned(), array)).into()
    };
    let [times, units, offsets] = events(&x);
    let [times_test, units_test, _] = events(&x_test);
    let count = times.size()[0];
    let odd = x_test.copy();
    let _ = odd.get(1).get(2).get(3).fill_(5);
    let second = offsets.int64_value(&[1]);
    let nothing = Tensor::from_slice::<i64>(&[]);
    let (numbers, labels) = waves("x", 8);
    let cases: Vec<(&str, Content, i32, String)> = vec![
        ("-", Content::Absent, 7, "it is standard input, a pipe or a device".into()),
        ("no_units.npz", without("units_train").into(), 7, "it lacks units_train; there are: times_train".into()),
        ("no_labels.npz", without("y_test").into(), 7, "it lacks y_test; there are".into()),
        (
            "both.npz",
            with("x_train", x.copy()).into(),
            7,
            "it has times_train and x_train; inputs are one of them".into(),
        ),
        (
            "padded.npz",
            with("len_train", y.copy()).into(),
            7,
            "it has len_train, the lengths of padded sequences, but spikes with times".into(),
        ),
        (
            "whole_times.npz",
            with("times_train", times.to_kind(Kind::Int64)).into(),
            7,
            "times_train is int64 of shape".into(),
        ),
        (
            "float_units.npz",
            with("units_train", units.to_kind(Kind::Double)).into(),
            7,
            "units_train is float64 of shape".into(),
        ),
        (
            "float_offsets.npz",
            with("offsets_train", offsets.to_kind(Kind::Double)).into(),
            7,
            "offsets_train is float64 of shape [13]".into(),
        ),
        (
            "no_sample.npz",
            with("offsets_train", nothing).into(),
            7,
            "offsets_train is int64 of shape [0]; offsets are whole numbers".into(),
        ),
        (
            "fewer_units.npz",
            with("units_train", units.narrow(0, 0, 5)).into(),
            7,
            format!("times_train has {count} spikes, but units_train has 5"),
        ),
        (
            "counts.npz",
            with("offsets_train", offsets.diff::<Tensor>(1, 0, None, None)).into(),
            7,
            "it begins with 0 and ends with the number of spikes".into(),
        ),
        (
            "falls.npz",
            with("offsets_train", changed(&offsets, 1, 1e6)).into(),
            7,
            "offsets_train falls from 1000000 to".into(),
        ),
        (
            "before.npz",
            with("times_train", changed(&times, second, -0.5)).into(),
            7,
            "times_train of sample 1 is -0.5 at its spike 0".into(),
        ),
        (
            "nan.npz",
            with("times_test", changed(&times_test, 3, f64::NAN)).into(),
            7,
            "times_test of sample 0 is NaN at its spike 3".into(),
        ),
        (
            "endless.npz",
            with("times_train", changed(&times, 0, f64::INFINITY)).into(),
            7,
            "times_train of sample 0 is inf at its spike 0".into(),
        ),
        (
            "in_ms.npz",
            with("times_train", changed(&times, 0, 1e5)).into(),
            2,
            "there are at most 1048576 steps. Times are in seconds".into(),
        ),
        (
            "unit.npz",
            with("units_train", changed(&units, 2, -1.0)).into(),
            7,
            "units_train of sample 0 is -1 at its spike 2".into(),
        ),
        (
            "channel.npz",
            with("units_test", changed(&units_test, 1, 8.0)).into(),
            7,
            "sample 0 has a spike of unit 8 (its spike 1); there are 8 channels".into(),
        ),
        (
            "fewer.npz",
            with("y_train", y.narrow(0, 0, 11)).into(),
            7,
            "offsets_train is for 12 samples, but y_train is [11]: there must be as many".into(),
        ),
        (
            "unknown.npz",
            with("y_test", &y_test + 1).into(),
            7,
            "y_test has the label 2, but y_train has only 0 to 1".into(),
        ),
        (
            "steps.npz",
            with("y_train", Tensor::stack(&[&y, &y], 1)).into(),
            7,
            "y_train has labels of steps, of 0 to 1, but y_test has labels of sequences".into(),
        ),
        (
            "five.npz",
            in_steps(odd).into(),
            7,
            "x_train holds zeros and ones only, which are spikes, but x_test is 5 at sample 1, step 2, channel 3"
                .into(),
        ),
        ("narrow.npz", in_steps(x_test.narrow(2, 0, 5)).into(), 7, "x_train has 8 channels, but x_test has 5".into()),
        (
            "numbers.npz",
            vec![("x".to_owned(), numbers), ("y".to_owned(), labels)].into(),
            2,
            "the inputs are numbers, not spikes (the first that is neither 0 nor 1 is ".into(),
        ),
    ];
    let train = vec!["train", "snn", "--data", FILE, "--hidden", "6", "--ensemble", "1", "--out", "run"];
    cases.into_iter().map(|(name, content, code, words)| Odd::new(name, content, train.clone(), code, words)).collect()
}
