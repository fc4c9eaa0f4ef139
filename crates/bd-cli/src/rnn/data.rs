//! Examples from an `.npz` file: sequences with labels, with series, or with one vector each as targets.

use std::fmt;
use std::path::Path;

use bd_core::files::sha256_of;
use bd_core::npz::load_npz;
use bd_core::{Error, Result, Rng, catch_torch, kind_name};
use bd_models::RateNetConfig;
use bd_train::{Loss, OverTime};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use crate::finished::CHANGED_FILE;

/// What is wanted of sequences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Targets {
    /// A label for each sequence.
    Labels { classes: i64 },
    /// A label for each step.
    LabelsOfSteps { classes: i64 },
    /// Numbers for each step.
    Series { n_out: i64 },
    /// Numbers for each sequence.
    Vectors { n_out: i64 },
}

impl Targets {
    pub(crate) fn n_out(self) -> i64 {
        match self {
            Self::Labels { classes: n } | Self::LabelsOfSteps { classes: n } => n,
            Self::Series { n_out: n } | Self::Vectors { n_out: n } => n,
        }
    }

    pub(crate) fn are_labels(self) -> bool {
        matches!(self, Self::Labels { .. } | Self::LabelsOfSteps { .. })
    }
}

impl fmt::Display for Targets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Labels { classes } => write!(f, "labels of sequences, of 0 to {}", classes - 1),
            Self::LabelsOfSteps { classes } => write!(f, "labels of steps, of 0 to {}", classes - 1),
            Self::Series { n_out } => write!(f, "targets for each step, of {n_out} outputs"),
            Self::Vectors { n_out } => write!(f, "targets for each sequence, of {n_out} outputs"),
        }
    }
}

/// One part of the file, on the host: inputs `[sample, time, channel]` in float64, targets in int64 or float64.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) x: Tensor,
    pub(crate) y: Tensor,
    pub(crate) lengths: Option<Tensor>,
}

impl Part {
    pub(crate) fn count(&self) -> i64 {
        self.x.size()[0]
    }

    /// Of `[sample, time, n]` the steps that are no padding, `[step, n]`.
    pub(super) fn valid_steps(&self, of: &Tensor) -> Tensor {
        let steps = of.flatten(0, 1);
        match &self.lengths {
            Some(lengths) => {
                let valid = padding(lengths, self.x.size()[1]).logical_not().flatten(0, 1);
                steps.index_select(0, &valid.nonzero().squeeze_dim(1))
            }
            None => steps,
        }
    }

    fn select(&self, samples: &[i64]) -> Self {
        let index = Tensor::from_slice(samples);
        let pick = |t: &Tensor| t.index_select(0, &index);
        Self { x: pick(&self.x), y: pick(&self.y), lengths: self.lengths.as_ref().map(pick) }
    }
}

/// Examples for training and for testing.
#[derive(Debug)]
pub(crate) struct Labelled {
    pub(crate) train: Part,
    pub(crate) test: Part,
    pub(crate) targets: Targets,
    pub(crate) sha256: String,
}

impl Labelled {
    /// Reads `x_train`, `y_train`, `x_test`, `y_test`, and `len_train`, `len_test` where sequences are padded.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        if path.extension().is_none_or(|extension| !extension.eq_ignore_ascii_case("npz")) {
            return Err(Error::bad_file(path, "examples are read from a file that ends in .npz"));
        }
        let arrays = load_npz(path)?;
        let missing: Vec<_> = ["x_train", "y_train", "x_test", "y_test"]
            .into_iter()
            .filter(|name| !arrays.iter().any(|(known, _)| known == name))
            .collect();
        if !missing.is_empty() {
            return Err(Error::bad_file(
                path,
                format!("it lacks {}; there are: {}", missing.join(", "), listing(&arrays)),
            ));
        }
        let reader = Reader { path, arrays: &arrays };
        let (train, targets) = catch_torch(|| reader.part("train", None))?;
        let (test, _) = catch_torch(|| reader.part("test", Some((&train, targets))))?;
        let sha256 = sha256_of(path).map_err(Error::storage("read", path))?;
        Ok(Self { train, test, targets, sha256 })
    }

    /// The test part of a file, or its only examples `x` and `y`, for a network with these channels and targets.
    pub(crate) fn read_test(path: &Path, n_in: i64, targets: Targets) -> Result<Part> {
        let arrays = load_npz(path)?;
        let suffix = if arrays.iter().any(|(name, _)| name == "x_test") { "test" } else { "" };
        let (part, found) = catch_torch(|| Reader { path, arrays: &arrays }.part(suffix, None))?;
        let bad = |reason: String| Err(Error::bad_file(path, reason));
        if part.x.size()[2] != n_in {
            return bad(format!("its inputs are {:?}; the network takes [sample, time, {n_in}]", part.x.size()));
        }
        let fits = match (found, targets) {
            (Targets::Labels { classes }, Targets::Labels { classes: known })
            | (Targets::LabelsOfSteps { classes }, Targets::LabelsOfSteps { classes: known }) => classes <= known,
            (found, known) => found == known,
        };
        if !fits {
            return bad(format!("it has {found}; the run has learned {targets}"));
        }
        Ok(part)
    }

    pub(crate) fn n_in(&self) -> i64 {
        self.train.x.size()[2]
    }

    pub(crate) fn n_out(&self) -> i64 {
        self.targets.n_out()
    }

    /// The usual loss of such targets.
    pub(crate) fn loss(&self) -> Loss {
        match self.targets {
            Targets::Labels { .. } => Loss::CrossEntropy { over: OverTime::Mean },
            Targets::LabelsOfSteps { .. } => Loss::CrossEntropy { over: OverTime::Every },
            Targets::Series { .. } | Targets::Vectors { .. } => Loss::Mse,
        }
    }

    /// Refuses a file that is not the one that a run has read.
    pub(crate) fn check_sha256(&self, path: &Path, known: Option<&str>) -> Result<()> {
        if known.is_none_or(|known| known == self.sha256) {
            return Ok(());
        }
        Err(Error::bad_file(path, CHANGED_FILE))
    }

    /// Refuses a network of other sizes than the examples need.
    pub(super) fn check_model(&self, model: &RateNetConfig) -> Result<()> {
        let (n_in, n_out) = (self.n_in(), self.n_out());
        if (model.n_in, model.n_out) == (n_in, n_out) {
            return Ok(());
        }
        Err(Error::Config(format!(
            "the file has {n_in} channels and needs {n_out} outputs, but model.n_in is {} and model.n_out {}",
            model.n_in, model.n_out
        )))
    }

    /// Splits a fraction off the training part, of each class the same, drawn by `seed`: what is left, and the fraction.
    pub(crate) fn hold_out(&self, fraction: f64, seed: u64) -> Result<(Part, Option<Part>)> {
        let count = self.train.count() as usize;
        let all: Vec<i64> = (0..count as i64).collect();
        if fraction == 0.0 {
            return Ok((self.train.select(&all), None));
        }
        let class = |sample: &i64| match self.targets {
            Targets::Labels { .. } => self.train.y.int64_value(&[*sample]),
            _ => 0,
        };
        let mut rng = Rng::new(seed, "validation");
        let mut drawn: Vec<(i64, f64, i64)> =
            all.iter().map(|sample| (class(sample), rng.uniform(), *sample)).collect();
        drawn.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let (mut kept, mut held) = (Vec::new(), Vec::new());
        for class in drawn.chunk_by(|a, b| a.0 == b.0) {
            let many = (class.len() as f64 * fraction).round() as usize;
            held.extend(class[..many].iter().map(|(_, _, sample)| *sample));
            kept.extend(class[many..].iter().map(|(_, _, sample)| *sample));
        }
        if held.is_empty() || kept.is_empty() {
            return Err(Error::Config(format!(
                "data.validation {fraction} of {count} training samples leaves {} for training and {} for validation; both need one",
                kept.len(),
                held.len()
            )));
        }
        kept.sort_unstable();
        held.sort_unstable();
        Ok((self.train.select(&kept), Some(self.train.select(&held))))
    }
}

/// What is padding of sequences of these lengths, `[sample, time]`.
fn padding(lengths: &Tensor, time: i64) -> Tensor {
    Tensor::arange(time, (Kind::Int64, Device::Cpu)).unsqueeze(0).ge_tensor(&lengths.unsqueeze(1))
}

fn listing(arrays: &[(String, Tensor)]) -> String {
    arrays.iter().map(|(name, t)| format!("{name} {:?}", t.size())).collect::<Vec<_>>().join(", ")
}

struct Reader<'a> {
    path: &'a Path,
    arrays: &'a [(String, Tensor)],
}

impl Reader<'_> {
    fn bad<T>(&self, reason: String) -> Result<T> {
        Err(Error::bad_file(self.path, reason))
    }

    fn find(&self, name: &str) -> Result<&Tensor> {
        match self.arrays.iter().find(|(known, _)| known == name) {
            Some((_, array)) => Ok(array),
            None => self.bad(format!("it lacks {name}; there are: {}", listing(self.arrays))),
        }
    }

    /// `x_<suffix>`, `y_<suffix>` and perhaps `len_<suffix>`. A test part must be like the training part.
    fn part(&self, suffix: &str, like: Option<(&Part, Targets)>) -> Result<(Part, Targets)> {
        let named = |what: &str| if suffix.is_empty() { what.to_owned() } else { format!("{what}_{suffix}") };
        let (x_name, y_name, len_name) = (named("x"), named("y"), named("len"));
        let (x, y) = (self.find(&x_name)?, self.find(&y_name)?);
        let size = x.size();
        let [count, time, channels] = size[..] else {
            return self.bad(format!("{x_name} is {size:?}; it must be [sample, time, channel]"));
        };
        if size.contains(&0) {
            return self.bad(format!("{x_name} is {size:?}, with nothing in it"));
        }
        if y.size().first() != Some(&count) {
            return self
                .bad(format!("{x_name} is {size:?}, but {y_name} is {:?}: there must be as many of both", y.size()));
        }
        if let Some((train, _)) = like.filter(|(train, _)| train.x.size()[2] != channels) {
            let train = train.x.size()[2];
            return self.bad(format!("x_train has {train} channels, but {x_name} has {channels}"));
        }
        let lengths = match self.arrays.iter().find(|(known, _)| *known == len_name) {
            Some((_, lengths)) => Some(self.lengths(&len_name, lengths, count, time)?),
            None => None,
        };
        if let Some((train, _)) = like.filter(|(train, _)| train.lengths.is_some() != lengths.is_some()) {
            let (there, missing) =
                if train.lengths.is_some() { ("len_train", "len_test") } else { ("len_test", "len_train") };
            return self
                .bad(format!("it has {there} and lacks {missing}: sequences of both parts are padded, or of none"));
        }
        let x = self.finite(&x_name, x, lengths.as_ref(), &["sample", "step", "channel"])?;
        let (y, targets) = self.targets(&y_name, y, time, lengths.as_ref(), like.map(|(_, targets)| targets))?;
        Ok((Part { x, y, lengths }, targets))
    }

    fn lengths(&self, name: &str, lengths: &Tensor, count: i64, time: i64) -> Result<Tensor> {
        if !whole(lengths) || lengths.size() != [count] {
            let found = format!("{} of shape {:?}", kind_name(lengths.kind()), lengths.size());
            return self.bad(format!("{name} is {found}; it must be whole numbers of shape [{count}]"));
        }
        let lengths = lengths.to_kind(Kind::Int64);
        let wrong = lengths.lt(1).logical_or(&lengths.gt(time)).nonzero();
        if wrong.size()[0] > 0 {
            let sample = wrong.int64_value(&[0, 0]);
            let length = lengths.int64_value(&[sample]);
            return self.bad(format!("{name} of sample {sample} is {length}; lengths are from 1 to {time}"));
        }
        Ok(lengths)
    }

    fn targets(
        &self,
        name: &str,
        y: &Tensor,
        time: i64,
        lengths: Option<&Tensor>,
        like: Option<Targets>,
    ) -> Result<(Tensor, Targets)> {
        let size = y.size();
        if whole(y) {
            let of_steps = match size[..] {
                [_] => false,
                [_, steps] if steps == time => true,
                _ => return self.bad(format!("{name} is {size:?}; labels are [sample] or [sample, {time}]")),
            };
            let mut y = y.to_kind(Kind::Int64);
            // Labels of padding may be any, -1 or -100 often.
            if let Some(lengths) = lengths.filter(|_| of_steps) {
                y = y.masked_fill(&padding(lengths, time), 0);
            }
            let (least, count) = (y.min().int64_value(&[]), y.numel() as i64);
            if least < 0 {
                return self.bad(format!("{name} has the label {least}; labels count from 0"));
            }
            let most = y.max().int64_value(&[]);
            let classes = match like {
                Some(Targets::Labels { classes } | Targets::LabelsOfSteps { classes }) if most >= classes => {
                    return self.bad(format!("{name} has the label {most}, but y_train has only 0 to {}", classes - 1));
                }
                Some(known) => known.n_out(),
                // Counts or times that are whole numbers; a network would get an output for each.
                None if most >= count => {
                    return self.bad(format!(
                        "{name} has {count} labels and one of them is {most}: there would be more classes than labels. Number classes \
                         from 0, or save what is no class as floats"
                    ));
                }
                None => most + 1,
            };
            let targets = if of_steps { Targets::LabelsOfSteps { classes } } else { Targets::Labels { classes } };
            return self.like(name, y, targets, like);
        }
        let places = match size[..] {
            [_, steps] if steps != time => &["sample", "output"][..],
            _ => &["sample", "step", "output"],
        };
        let y = self.finite(name, y, lengths.filter(|_| places.len() == 3), places)?;
        let (y, targets) = match size[..] {
            [_] => (y.unsqueeze(1), Targets::Vectors { n_out: 1 }),
            [_, steps] if steps == time && time > 1 => (y.unsqueeze(2), Targets::Series { n_out: 1 }),
            [_, n_out] if n_out > 0 => (y, Targets::Vectors { n_out }),
            [_, steps, n_out] if steps == time && n_out > 0 => (y, Targets::Series { n_out }),
            _ => {
                return self.bad(format!(
                    "{name} is {size:?}; targets are [sample, {time}, output] for each step, or [sample, output] for each sequence"
                ));
            }
        };
        self.like(name, y, targets, like)
    }

    fn like(&self, name: &str, y: Tensor, targets: Targets, like: Option<Targets>) -> Result<(Tensor, Targets)> {
        match like {
            Some(known) if known != targets => self.bad(format!("y_train has {known}, but {name} has {targets}")),
            _ => Ok((y, targets)),
        }
    }

    /// In float64, with every value finite, and 0 in padding, whatever stands there. `names` are those of the dimensions.
    fn finite(&self, name: &str, array: &Tensor, lengths: Option<&Tensor>, names: &[&str]) -> Result<Tensor> {
        if array.kind() == Kind::Bool {
            return self.bad(format!("{name} is bool; it must be numbers"));
        }
        let mut numbers = array.to_kind(Kind::Double);
        if let Some(lengths) = lengths {
            let mut padding = padding(lengths, numbers.size()[1]);
            if numbers.dim() == 3 {
                padding = padding.unsqueeze(2);
            }
            numbers = numbers.masked_fill(&padding, 0.0);
        }
        // What float32 cannot hold is no measurement either.
        let wrong = numbers.abs().le(1e30).logical_not().nonzero();
        if wrong.size()[0] == 0 {
            return Ok(numbers);
        }
        let place: Vec<i64> = Vec::try_from(wrong.get(0)).unwrap_or_default();
        let value = numbers.double_value(&place);
        let place = place.iter().zip(names).map(|(at, name)| format!("{name} {at}")).collect::<Vec<_>>().join(", ");
        self.bad(format!("{name} is {value} at {place} (counted from 0)"))
    }
}

fn whole(array: &Tensor) -> bool {
    matches!(array.kind(), Kind::Int64 | Kind::Int | Kind::Int16 | Kind::Int8 | Kind::Uint8)
}
