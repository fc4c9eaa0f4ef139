//! Targets of a part: labels or numbers, of sequences or of steps, by their dtype, their shape and what is known.

use bd_core::Result;
use tch::{Kind, Tensor};

use super::read::{Like, Reader, named};
use super::reading::TargetsOf;
use super::targets::Targets;
use crate::data::whole;

impl Reader<'_> {
    /// `y` is 0 in padding. `time` is the number of steps, where inputs are in steps; spikes with times are put in as many as the targets
    /// have. Names that are too few for the labels are none.
    pub(super) fn targets(
        &self,
        name: &str,
        y: &Tensor,
        names: Option<Vec<String>>,
        time: Option<i64>,
        like: Option<Like<'_>>,
    ) -> Result<(Tensor, Targets, Option<Vec<String>>)> {
        // True and false are two classes.
        let are_labels = like.map_or_else(|| whole(y) || y.kind() == Kind::Bool, |like| like.targets.are_labels());
        let time = time.or_else(|| steps_of(y, are_labels));
        let (y, mut targets) =
            if are_labels { self.labels(name, y, time, like)? } else { self.numbers(name, y, time, like)? };
        let names = names.filter(|names| are_labels && names.len() as i64 >= targets.n_out());
        let (most, count) = (targets.n_out() - 1, y.numel() as i64);
        match (like, &names) {
            (None, Some(names)) => targets = targets.with_classes(names.len() as i64),
            // Counts or times that are whole numbers; a network would get an output for each.
            (None, None) if are_labels && most >= count => {
                return self.bad(format!(
                    "{name} has {count} labels and one of them is {most}: there would be more classes than labels. Number classes \
                     from 0, or save what is no class as floats"
                ));
            }
            _ => {}
        }
        match like {
            Some(like) if like.targets != targets => {
                self.bad(format!("{} {}, but {name} has {targets}", like.whose(), like.targets))
            }
            _ => Ok((y, targets, names)),
        }
    }

    /// What is said of targets `[sample, n]` that are taken for a number at each of `n` steps, and might be `n` numbers for each sequence.
    pub(super) fn numbers_of_steps(&self, suffix: &str, targets: Targets) -> Result<Option<String>> {
        if targets != (Targets::Series { n_out: 1 }) {
            return Ok(None); // labels may be text
        }
        let name = named("y", suffix);
        let y = self.arrays.get(&name)?.filter(|y| y.dim() == 2);
        Ok(y.map(|y| {
            let (size, steps) = (y.size(), y.size()[1]);
            format!(
                "{name} {size:?} is taken for a number at each of {steps} steps; if it is {steps} numbers for each sequence, set \
                 data.targets_of to sequences"
            )
        }))
    }

    fn labels(&self, name: &str, y: &Tensor, time: Option<i64>, like: Option<Like<'_>>) -> Result<(Tensor, Targets)> {
        let size = y.size();
        let (of_steps, y) = match size[..] {
            [_] => (false, y.shallow_clone()),
            [_, steps] if Some(steps) == time => (true, y.shallow_clone()),
            // A column of labels.
            [_, 1] => (false, y.squeeze_dim(1)),
            [_, _] if is_one_hot(y) => {
                return self.bad(format!(
                    "{name} is {size:?}, with a single 1 in each row: labels are numbers of classes, {name}.argmax(axis=1)"
                ));
            }
            _ => {
                let or_steps = time.map_or(String::new(), |time| format!(" or [sample, {time}]"));
                return self.bad(format!("{name} is {size:?}; labels are [sample]{or_steps}"));
            }
        };
        let y = self.whole_numbers(name, &y)?;
        let least = y.min().int64_value(&[]);
        if least < 0 {
            return self.bad(format!("{name} has the label {least}; labels count from 0"));
        }
        let most = y.max().int64_value(&[]);
        let classes = match like {
            Some(Like { targets, .. }) if targets.are_labels() && most >= targets.n_out() => {
                let (whose, last) = (like.map_or(String::new(), |like| like.whose()), targets.n_out() - 1);
                return self.bad(format!("{name} has the label {most}, but {whose} only 0 to {last}"));
            }
            Some(Like { targets, .. }) => targets.n_out(),
            None => most + 1,
        };
        Ok((y, if of_steps { Targets::LabelsOfSteps { classes } } else { Targets::Labels { classes } }))
    }

    /// In int64. Floats may stand for labels where that is what is wanted.
    fn whole_numbers(&self, name: &str, y: &Tensor) -> Result<Tensor> {
        let labels = y.to_kind(Kind::Int64);
        if y.is_floating_point() {
            let wrong = y.ne_tensor(&labels.to_kind(y.kind())).nonzero();
            if wrong.size()[0] > 0 {
                let place: Vec<i64> = Vec::try_from(wrong.get(0)).unwrap_or_default();
                let value = y.double_value(&place);
                return self.bad(format!("{name} is {value} at {place:?} (counted from 0); labels are whole numbers"));
            }
        }
        Ok(labels)
    }

    fn numbers(&self, name: &str, y: &Tensor, time: Option<i64>, like: Option<Like<'_>>) -> Result<(Tensor, Targets)> {
        let size = y.size();
        // Where there are as many outputs as steps, sizes leave two readings; what is known decides.
        let are_vectors = |n: i64| {
            self.targets_of == Some(TargetsOf::Sequences)
                || matches!(like, Some(Like { targets: Targets::Vectors { n_out }, .. }) if n_out == n)
        };
        let of_steps = |steps: i64| Some(steps) == time;
        let (y, targets, places) = match size[..] {
            [_] => (y.unsqueeze(1), Targets::Vectors { n_out: 1 }, &["sample"][..]),
            [_, steps] if of_steps(steps) && steps > 1 && !are_vectors(steps) => {
                (y.unsqueeze(2), Targets::Series { n_out: 1 }, &["sample", "step"][..])
            }
            [_, n_out] if n_out > 0 => (y.shallow_clone(), Targets::Vectors { n_out }, &["sample", "output"][..]),
            [_, steps, n_out] if of_steps(steps) && n_out > 0 => {
                (y.shallow_clone(), Targets::Series { n_out }, &["sample", "step", "output"][..])
            }
            _ => {
                let of_steps =
                    time.map_or(String::new(), |time| format!("[sample, {time}, output] for each step, or "));
                return self
                    .bad(format!("{name} is {size:?}; targets are {of_steps}[sample, output] for each sequence"));
            }
        };
        if let (Some(TargetsOf::Steps), Targets::Vectors { .. }, None) = (self.targets_of, targets, like) {
            let time = time.map_or("as many as steps".to_owned(), |time| time.to_string());
            return self.bad(format!(
                "{name} is {size:?}, but targets of steps are [sample, {time}] (data.targets_of is steps)"
            ));
        }
        Ok((self.finite(name, &y, None, places)?, targets))
    }
}

/// How many steps targets for each step are of, by their shape alone.
fn steps_of(y: &Tensor, are_labels: bool) -> Option<i64> {
    match y.size()[..] {
        [_, steps, _] if !are_labels => Some(steps),
        [_, steps] if are_labels && steps > 1 && !is_one_hot(y) => Some(steps),
        _ => None,
    }
}

/// Whether every row has a single 1, and zeros. A single column has no class but one.
pub(super) fn is_one_hot(y: &Tensor) -> bool {
    let of_bits = y.eq(0).logical_or(&y.eq(1)).all().int64_value(&[]) == 1;
    of_bits && y.size()[1] > 1 && y.sum_dim_intlist(1, false, Kind::Int64).eq(1).all().int64_value(&[]) == 1
}
