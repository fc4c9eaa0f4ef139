//! Files of sequences that `bd train rnn` does not take.

use bd_core::files::tensors_to_bytes;
use tch::{Device, Kind, Tensor};

use super::{Content, FILE, Odd};
use crate::common::noise;
use crate::train_rnn::told_apart_by_mean;

type Arrays = Vec<(String, Tensor)>;

/// `x_train` `[8, 12, 2]` and `x_test` `[4, 12, 2]` with labels 0 and 1.
struct Whole(Arrays);

impl Whole {
    fn new() -> Self {
        let ((x, y), (x_test, y_test)) = (told_apart_by_mean("train", 8), told_apart_by_mean("test", 4));
        Self(
            [("x_train", x), ("y_train", y), ("x_test", x_test), ("y_test", y_test)]
                .map(|(n, t)| (n.to_owned(), t))
                .into(),
        )
    }

    fn get(&self, name: &str) -> Tensor {
        self.0.iter().find(|(known, _)| known == name).unwrap().1.copy()
    }

    fn without(&self, names: &[&str]) -> Arrays {
        let others = self.0.iter().filter(|(name, _)| !names.contains(&name.as_str()));
        others.map(|(name, array)| (name.clone(), array.copy())).collect()
    }

    fn with(&self, name: &str, array: Tensor) -> Arrays {
        let mut all = self.without(&[name]);
        all.push((name.to_owned(), array));
        all
    }

    /// With one number of an array another one.
    fn changed(&self, name: &str, place: &[i64], value: f64) -> Arrays {
        let array = self.get(name);
        let at = place.iter().fold(array.shallow_clone(), |part, index| part.get(*index));
        let _ = at.shallow_clone().fill_(value);
        self.with(name, array)
    }
}

pub(super) fn all() -> Vec<Odd> {
    let all = Whole::new();
    let (x, y, y_test) = (all.get("x_train"), all.get("y_train"), all.get("y_test"));
    let numbers = noise("y", &[8, 3]);
    let endless = numbers.copy();
    let _ = endless.get(5).get(1).fill_(f64::INFINITY);
    let whole = |length: i64, count: i64| Tensor::full([count], length, (Kind::Int64, Device::Cpu));
    let padded = x.copy();
    let _ = padded.get(2).narrow(0, 7, 5).fill_(f64::NAN);
    let none = |size: [i64; 3]| Tensor::zeros(size, (Kind::Float, Device::Cpu));
    let unlike = { [("len_train", whole(12, 8))].map(|(n, t)| (n.to_owned(), t)) };
    let safe = tensors_to_bytes(&all.without(&["y_test"])).unwrap();
    let spikes_with_times =
        [("times", noise("t", &[3]).abs()), ("units", whole(0, 3)), ("offsets", whole(0, 2)), ("y", whole(0, 1))];
    let cases: Vec<(&str, Content, &str)> = vec![
        ("absent.npz", Content::Absent, "cannot be read: No such file"),
        ("folder.npz", Content::Folder, "it is a folder, and not a file"),
        ("-", Content::Absent, "it is standard input, a pipe or a device"),
        ("text.csv", "1,2\n".into(), "a file of arrays ends in .npz, .npy, .safetensors, .h5, .hdf5, .nwb or .mat"),
        ("half.safetensors", safe.into(), "it lacks y_test; there are: "),
        (
            "lacks.npz",
            all.without(&["y_train", "x_test"]).into(),
            "it lacks y_train, x_test; there are: x_train [8, 12, 2], y_test [4]",
        ),
        (
            "names.npz",
            vec![("X".to_owned(), x.copy()), ("labels".to_owned(), y.copy())].into(),
            "it lacks x_train, y_train, x_test, y_test; there are: X [8, 12, 2], labels [8]",
        ),
        ("events.npz", Vec::from(spikes_with_times.map(|(n, t)| (n.to_owned(), t))).into(), "it has spikes with times"),
        // Inputs.
        (
            "flat.npz",
            all.with("x_train", x.select(2, 0)).into(),
            "x_train is [8, 12]; it must be [sample, time, channel]; of one channel that is x_train[:, :, None]",
        ),
        ("nothing.npz", all.with("x_train", none([8, 0, 2])).into(), "x_train is [8, 0, 2], with nothing in it"),
        (
            "time_first.npz",
            all.with("x_train", noise("x", &[12, 8, 2])).into(),
            "where time is first, save x_train.swapaxes(0, 1)",
        ),
        (
            "hole.npz",
            all.changed("x_train", &[2, 7, 1], f64::NAN).into(),
            "x_train is NaN at sample 2, step 7, channel 1 (counted from 0)",
        ),
        (
            "padded.npz",
            all.with("x_train", padded).into(),
            "channel 0 (counted from 0); if that is padding, save lengths as len_train",
        ),
        (
            "endless.npz",
            all.changed("x_test", &[1, 0, 0], f64::NEG_INFINITY).into(),
            "x_test is -inf at sample 1, step 0, channel 0",
        ),
        ("huge.npz", all.changed("x_train", &[0, 3, 0], 1e31).into(), "x_train is 1e31 at sample 0, step 3, channel 0"),
        (
            "narrow.npz",
            all.with("x_test", all.get("x_test").narrow(2, 0, 1)).into(),
            "x_train has 2 channels, but x_test has 1",
        ),
        // Targets.
        ("row.npz", all.with("y_train", y.unsqueeze(0)).into(), "but y_train is [1, 8]: there must be as many of both"),
        (
            "one_hot.npz",
            all.with("y_train", y.one_hot(2)).into(),
            "labels are numbers of classes, y_train.argmax(axis=1)",
        ),
        ("unknown.npz", all.with("y_test", &y_test + 1).into(), "y_test has the label 2, but y_train has only 0 to 1"),
        ("low.npz", all.with("y_train", &y - 1).into(), "y_train has the label -1; labels count from 0"),
        (
            "counts.npz",
            all.with("y_train", &y * 1000).into(),
            "y_train has 8 labels and one of them is 1000: there would be more classes than labels",
        ),
        (
            "halves.npz",
            all.with("y_test", y_test.to_kind(Kind::Double) + 0.5).into(),
            "at [0] (counted from 0); labels are whole numbers",
        ),
        (
            "steps.npz",
            all.with("y_train", numbers.reshape([8, 3, 1])).into(),
            "y_train is [8, 3, 1]; targets are [sample, 12, output]",
        ),
        ("target.npz", all.with("y_train", endless).into(), "y_train is inf at sample 5, output 1 (counted from 0)"),
        // Lengths.
        (
            "zero.npz",
            all.with("len_train", whole(12, 8).masked_fill(&y.eq(1), 0)).into(),
            "len_train of sample 1 is 0; lengths are from 1 to 12",
        ),
        (
            "long.npz",
            all.with("len_train", whole(13, 8)).into(),
            "len_train of sample 0 is 13; lengths are from 1 to 12",
        ),
        (
            "floats.npz",
            all.with("len_train", whole(12, 8).to_kind(Kind::Double)).into(),
            "len_train is float64 of shape [8]; it must be whole numbers of shape [8]",
        ),
        ("masks.npz", all.with("len_train", x.select(2, 0).isfinite()).into(), "len_train is bool of shape [8, 12]"),
        (
            "other.npz",
            all.with("len_test", whole(13, 8)).into(),
            "len_test is int64 of shape [8]; it must be whole numbers of shape [4]",
        ),
        (
            "one.npz",
            all.without(&[]).into_iter().chain(unlike).collect::<Arrays>().into(),
            "it has len_train and lacks len_test",
        ),
    ];
    let train = vec!["train", "rnn", "--data", FILE, "--hidden", "6", "--ensemble", "1", "--out", "run"];
    cases.into_iter().map(|(name, content, words)| Odd::new(name, content, train.clone(), 7, words)).collect()
}
