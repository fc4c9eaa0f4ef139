//! Named arrays as a [`Subset`] with its [`Targets`]: what is wrong is named with its array and its place.

use bd_core::text::plural;
use bd_core::{Arrays, Error, Inputs, Result, kind_name};
use tch::{Device, Kind, Tensor};

use super::classes::Labelled;
use super::padded::Padded;
use super::reading::TargetsOf;
use super::spikes::{first_not_spike, spikes_of};
use super::subset::{Binning, Subset, SubsetInputs, padding};
use super::targets::Targets;
use crate::data::{Binned, Events, whole};

/// Which inputs a model takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accept {
    /// Numbers only: zeros and ones are numbers, too.
    Numbers,
    /// Numbers, among which zeros and ones are numbers too; and events, which are counted in steps.
    NumbersAndCounts,
    /// Spikes, as arrays of zeros and ones or as events, and numbers.
    SpikesAndNumbers,
    /// Numbers that become spikes, among which zeros and ones are numbers too; and events, so that they can be refused in words.
    NumbersToEncode,
}

/// The arrays of a file.
pub(super) struct Reader<'a> {
    pub(super) arrays: &'a Arrays,
    pub(super) accept: Accept,
    pub(super) targets_of: Option<TargetsOf>,
}

/// A part that was read.
pub(super) struct Part {
    pub(super) subset: Subset,
    pub(super) targets: Targets,
    /// The names of the classes, if they have some.
    pub(super) names: Option<Vec<String>>,
}

/// What is known before a part is read, and goes before what its values look like.
#[derive(Clone, Copy)]
pub(super) struct Like<'a> {
    /// Of the training part, or of a run.
    pub(super) targets: Targets,
    /// The training part, unless a run has learned from it.
    pub(super) train: Option<TrainingPart<'a>>,
    /// The names of the classes, if they have some.
    pub(super) names: Option<&'a [String]>,
}

/// A training part with where it comes from.
#[derive(Clone, Copy)]
pub(super) struct TrainingPart<'a> {
    pub(super) part: &'a Subset,
    /// Of its arrays: `train`, or none.
    pub(super) suffix: &'a str,
    /// Whether the test part is in the same file.
    pub(super) same_file: bool,
}

impl Like<'_> {
    /// Who has these targets.
    pub(super) fn whose(&self) -> String {
        self.train.map_or("the run has learned".into(), |train| format!("{} has", named("y", train.suffix)))
    }
}

/// `x` and `train` are `x_train`; without a suffix `x`.
pub(super) fn named(what: &str, suffix: &str) -> String {
    if suffix.is_empty() { what.to_owned() } else { format!("{what}_{suffix}") }
}

impl Reader<'_> {
    pub(super) fn bad<T>(&self, reason: String) -> Result<T> {
        Err(Error::bad_file(self.arrays.path(), reason))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.arrays.has(name)
    }

    pub(super) fn find(&self, name: &str) -> Result<&Tensor> {
        self.check_names(&[name], "")?;
        Ok(self.arrays.get(name)?.expect("it was found"))
    }

    /// Refuses a file that lacks one of these arrays, and says what to do instead.
    fn check_names(&self, names: &[impl AsRef<str>], way_out: &str) -> Result<()> {
        let missing: Vec<_> = names.iter().map(AsRef::as_ref).filter(|name| !self.has(name)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let advice = self.arrays.advice().filter(|_| missing.iter().any(|name| name.starts_with(['x', 'y'])));
        let advice = advice.map(|advice| format!("; {advice}")).unwrap_or_default();
        let other_names = if !self.has("x") && !self.has("x_train") && missing.iter().any(|name| name.starts_with('x'))
        {
            "; where x and y are called otherwise, --x and --y (data.arrays.x, .y) name them"
        } else {
            ""
        };
        let (missing, all) = (missing.join(", "), self.arrays.describe());
        self.bad(format!("it lacks {missing}{advice}; there are: {all}{other_names}{way_out}"))
    }

    /// Whether the inputs are events.
    pub(super) fn has_events(&self, suffix: &str) -> Result<bool> {
        let (times, x) = (named("times", suffix), named("x", suffix));
        match (self.has(&times), self.has(&x), self.accept) {
            (true, true, _) => self.bad(format!("it has {times} and {x}; inputs are one of them")),
            (true, false, Accept::Numbers) => self
                .bad(format!("it has spikes with times ({times}) and no {x}, but the model takes numbers, not spikes")),
            (events, ..) => Ok(events),
        }
    }

    /// The suffix of the arrays of a training part: `train`, or none where there are only examples without one.
    pub(super) fn training_suffix(&self) -> &'static str {
        let has = |suffix: &str| self.has(&named("x", suffix)) || self.has(&named("times", suffix));
        if !has("train") && has("") { "" } else { "train" }
    }

    /// Refuses a file that lacks an array of the parts with these suffixes.
    pub(super) fn check_parts(&self, suffixes: &[&str], way_out: &str) -> Result<()> {
        let has_events = self.has_events(suffixes[0])?;
        let inputs: &[&str] = if has_events { &["times", "units", "offsets"] } else { &["x"] };
        let of = |part: &&str| inputs.iter().chain(&["y"]).map(|what| named(what, part)).collect::<Vec<_>>();
        self.check_names(&suffixes.iter().flat_map(of).collect::<Vec<_>>(), way_out)
    }

    /// The suffix of the arrays of a test part: `test`, or none where there are only examples without one.
    pub(super) fn test_suffix(&self) -> &'static str {
        if self.has("x_test") || self.has("times_test") { "test" } else { "" }
    }

    /// Inputs, targets and perhaps lengths. A test part must be like the training part.
    pub(super) fn part(&self, suffix: &str, name: &'static str, like: Option<Like<'_>>) -> Result<Part> {
        let y_name = named("y", suffix);
        let (x, lengths, shown, count, time) = if self.has_events(suffix)? {
            let events = self.events(suffix)?;
            let count = events.count() as i64;
            let shown = format!("{} is for {}", named("offsets", suffix), plural(count as usize, "sample"));
            (SubsetInputs::Events(events), None, shown, count, None)
        } else {
            let (x, lengths) = self.inputs(suffix, like.and_then(|like| like.train))?;
            let name = named("x", suffix);
            let size = self.with_channels(self.find(&name)?).size();
            (SubsetInputs::Steps(x), lengths, format!("{name} is {size:?}"), size[0], Some(size[1]))
        };
        let padded = lengths.as_ref().zip(time).map(|(lengths, time)| Padded { lengths, time });
        let Labelled { y, names } = self.labelled(suffix, like, padded)?;
        if y.size().first() != Some(&count) {
            let is_time_first = time.is_some() && y.size().first() == time.as_ref();
            let hint = match is_time_first {
                true => format!("; where time is first, save {}.swapaxes(0, 1)", named("x", suffix)),
                false => String::new(),
            };
            return self.bad(format!("{shown}, but {y_name} is {:?}: there must be as many of both{hint}", y.size()));
        }
        let (y, targets, names) = self.targets(&y_name, &y, names, time, like)?;
        Ok(Part { subset: Subset { lengths, ..Subset::new(name, x, y) }, targets, names })
    }

    fn events(&self, suffix: &str) -> Result<Events> {
        let names = ["times", "units", "offsets"].map(|what| named(what, suffix));
        let len = named("len", suffix);
        if self.has(&len) {
            return self
                .bad(format!("it has {len}, the lengths of padded sequences, but spikes with times have no padding"));
        }
        let [times, units, offsets] = [self.find(&names[0])?, self.find(&names[1])?, self.find(&names[2])?];
        let events =
            Events::new(times.shallow_clone(), units.shallow_clone(), offsets, names.each_ref().map(String::as_str));
        events.or_else(|error| self.bad(error.to_string()))
    }

    /// `x_<suffix>` and perhaps `len_<suffix>`.
    fn inputs(&self, suffix: &str, train: Option<TrainingPart<'_>>) -> Result<(Inputs, Option<Tensor>)> {
        let (x_name, len_name) = (named("x", suffix), named("len", suffix));
        let x = &self.with_channels(self.find(&x_name)?);
        let size = x.size();
        let [count, time, channels] = size[..] else {
            let hint =
                if size.len() == 2 { format!("; of one channel that is {x_name}[:, :, None]") } else { String::new() };
            return self.bad(format!("{x_name} is {size:?}; it must be [sample, time, channel]{hint}"));
        };
        if size.contains(&0) {
            return self.bad(format!("{x_name} is {size:?}, with nothing in it"));
        }
        if let Some(TrainingPart { part, suffix, .. }) = train.filter(|train| train.part.channels() != channels) {
            let (known, found) = (named("x", suffix), part.channels());
            return self.bad(format!("{known} has {found} channels, but {x_name} has {channels}"));
        }
        let lengths = match self.arrays.get(&len_name)? {
            Some(lengths) => Some(self.lengths(&len_name, lengths, count, time)?),
            None => None,
        };
        let unlike = |train: &TrainingPart<'_>| train.same_file && train.part.lengths.is_some() != lengths.is_some();
        if let Some(train) = train.filter(unlike) {
            let of_train = named("len", train.suffix);
            let (there, missing) = if lengths.is_some() { (len_name, of_train) } else { (of_train, len_name) };
            return self
                .bad(format!("it has {there} and lacks {missing}: sequences of both parts are padded, or of none"));
        }
        let numbers = |lengths: Option<&Tensor>| {
            let numbers = self.finite(&x_name, x, lengths, &["sample", "step", "channel"])?;
            Ok::<_, Error>(Inputs::Dense(numbers.transpose(0, 1)))
        };
        let of_numbers =
            self.accept != Accept::SpikesAndNumbers || train.is_some_and(|train| train.part.numbers().is_some());
        let inputs = match first_not_spike(x, lengths.as_ref()) {
            _ if of_numbers => numbers(lengths.as_ref())?,
            None => Inputs::Spikes(spikes_of(x, lengths.as_ref())?),
            Some(other) if train.is_some() => {
                let train = named("x", train.map_or("train", |train| train.suffix));
                return self
                    .bad(format!("{train} holds zeros and ones only, which are spikes, but {x_name} is {other}"));
            }
            Some(_) => numbers(lengths.as_ref())?,
        };
        Ok((inputs, lengths))
    }

    /// Sequences of one channel, which MATLAB saves as `[sample, time]`, as `[sample, time, 1]`.
    fn with_channels(&self, x: &Tensor) -> Tensor {
        if self.arrays.drops_trailing_ones() && x.dim() == 2 { x.unsqueeze(2) } else { x.shallow_clone() }
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

    /// In float64, with every value finite, and 0 in padding, whatever stands there. `names` are those of the dimensions.
    pub(super) fn finite(
        &self,
        name: &str,
        array: &Tensor,
        lengths: Option<&Tensor>,
        names: &[&str],
    ) -> Result<Tensor> {
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
        let padding_hint = match (lengths, &place[..], name.strip_prefix('x')) {
            (None, [sample, step, _], Some(suffix)) if value.is_nan() => {
                let rest = numbers.get(*sample).narrow(0, *step, numbers.size()[1] - step);
                (rest.isnan().all().int64_value(&[]) == 1)
                    .then(|| format!("; if that is padding, save lengths as len{suffix}"))
            }
            _ => None,
        };
        let padding_hint = padding_hint.unwrap_or_default();
        let place = place.iter().zip(names).map(|(at, name)| format!("{name} {at}")).collect::<Vec<_>>().join(", ");
        self.bad(format!("{name} is {value:?} at {place} (counted from 0){padding_hint}"))
    }
}

/// The events among the arrays of a file in steps, if there are any: those of the test part, or those without a suffix.
pub fn binned_events(arrays: &Arrays, binning: Binning) -> Result<Option<Binned>> {
    let Binning { dt_ms, steps, channels, .. } = binning;
    of_events(arrays, |events| events.bin(dt_ms, [steps, channels], (Kind::Float, Device::Cpu)))
}

/// The same events counted in steps, `[sample, step, channel]`, and how many come after the last step.
pub fn counted_events(arrays: &Arrays, binning: Binning) -> Result<Option<(Tensor, usize)>> {
    let Binning { dt_ms, steps, channels, .. } = binning;
    of_events(arrays, |events| events.count_in_steps(dt_ms, [steps, channels]))
}

fn of_events<T>(arrays: &Arrays, put: impl FnOnce(&Events) -> Result<T>) -> Result<Option<T>> {
    let reader = Reader { arrays, accept: Accept::SpikesAndNumbers, targets_of: None };
    let Some(suffix) = ["", "test"].into_iter().find(|suffix| reader.has(&named("times", suffix))) else {
        return Ok(None);
    };
    put(&reader.events(suffix)?).map(Some).or_else(|error| reader.bad(error.to_string()))
}

/// Sequences of a file, without targets.
#[derive(Debug)]
pub struct Sequences {
    /// `[sample, time, channel]`; floats in float64.
    pub x: Tensor,
    /// Int64 `[sample]`: steps that are no padding, where sequences are padded.
    pub lengths: Option<Tensor>,
    /// The dtype that the file has.
    pub kind: Kind,
}

/// Sequences `[sample, time, channel]` among the arrays of a file, without targets, for a model of `channels` channels: the array of a
/// name, the only one, or `x` or `x_test`; of `[time, channel]` a batch of one is made. Beside an array `x` or `x_test` stand the lengths
/// of sequences that are padded, if they are, as `len` or `len_test`: whole numbers `[sample]`, and what stands in padding is 0 then.
pub fn sequences(arrays: &Arrays, name: Option<&str>, channels: i64) -> Result<Sequences> {
    let reader = Reader { arrays, accept: Accept::SpikesAndNumbers, targets_of: None };
    let mut names = arrays.names();
    let name = match (name, names.next(), names.next()) {
        (Some(name), ..) => name,
        (None, Some(only), None) => only,
        _ if arrays.has("x") || !arrays.has("x_test") => "x",
        _ => "x_test",
    };
    let Some(x) = arrays.get(name)? else {
        let there = arrays.describe();
        return reader.bad(format!("no array is called '{name}'; there are: {there}; name the one that is meant"));
    };
    let x = if x.dim() == 2 && channels == 1 { reader.with_channels(x) } else { x.shallow_clone() };
    let x = if x.dim() == 2 { x.unsqueeze(0) } else { x.shallow_clone() };
    let size = x.size();
    if size.len() != 3 || size[2] != channels || size.contains(&0) {
        return reader
            .bad(format!("{name} is {size:?}; the network takes [batch, time, {channels}] or [time, {channels}]"));
    }
    let len = name.strip_prefix('x').map(|suffix| format!("len{suffix}"));
    let lengths = match len.as_deref().map(|len| arrays.get(len)).transpose()?.flatten() {
        Some(lengths) => Some(reader.lengths(len.as_deref().unwrap_or("len"), lengths, size[0], size[1])?),
        None => None,
    };
    let kind = x.kind();
    // Whole numbers and bools are finite, and spikes often, of which there may be many.
    let x = match x.is_floating_point() {
        true => reader.finite(name, &x, lengths.as_ref(), &["sample", "step", "channel"])?,
        false => x,
    };
    Ok(Sequences { x, lengths, kind })
}
