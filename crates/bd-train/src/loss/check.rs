//! What targets have to be. What is wrong is named with its place.

use bd_core::{Error, Result, kind_name};
use tch::{Device, Kind, Tensor};

use super::UNCOUNTED;

/// Refuses what are not labels of `classes` classes: the first wrong one is named.
pub fn check_labels(labels: &Tensor, classes: i64) -> Result<()> {
    check_label_kind(labels, labels.dim() == 1, "[batch]")?;
    check_range(labels, classes, None)
}

fn check_label_kind(labels: &Tensor, shape_is_good: bool, expected: &str) -> Result<()> {
    if labels.kind() == Kind::Int64 && shape_is_good {
        return Ok(());
    }
    let found = format!("{} of shape {:?}", kind_name(labels.kind()), labels.size());
    Err(Error::Config(format!("labels are int64 of shape {expected}, got {found}")))
}

/// Labels `[batch]`, or where every step counts also `[batch, time]`.
pub(super) fn check_class_targets(
    [batch, time, classes]: [i64; 3],
    targets: &Tensor,
    lengths: Option<&Tensor>,
    every: bool,
) -> Result<()> {
    let size = targets.size();
    if every {
        let expected = format!("[{batch}, {time}], one for each step, or [{batch}]");
        check_label_kind(targets, size == [batch, time] || size == [batch], &expected)?;
        return check_range(targets, classes, lengths.filter(|_| size.len() == 2));
    }
    check_label_kind(targets, size.len() == 1, "[batch]")?;
    shape(targets, &[batch])?;
    check_range(targets, classes, None)
}

/// On the host: for a few labels that takes less time than an operation of libtorch.
fn check_range(labels: &Tensor, classes: i64, lengths: Option<&Tensor>) -> Result<()> {
    let host = |t: &Tensor| Vec::<i64>::try_from(t.to_device(Device::Cpu).flatten(0, -1));
    let (values, lengths) = (host(labels)?, lengths.map(host).transpose()?);
    let of_steps = labels.dim() == 2;
    let steps = labels.size().get(1).map_or(1, |time| *time as usize);
    let wrong = values.iter().enumerate().find(|(i, label)| {
        let is_padding = lengths.as_ref().is_some_and(|lengths| (i % steps) as i64 >= lengths[i / steps]);
        let counts = !(is_padding || of_steps && **label == UNCOUNTED);
        counts && !(0..classes).contains(*label)
    });
    let Some((i, label)) = wrong else { return Ok(()) };
    let step = if labels.dim() == 2 { format!(" in step {}", i % steps) } else { String::new() };
    Err(Error::Config(format!(
        "the label of sample {}{step} is {label}, but the model has {classes} outputs: labels go from 0 to {}",
        i / steps,
        classes - 1
    )))
}

/// Of another shape they would be spread over the outputs without a word, of another dtype promoted.
pub(super) fn check_like_outputs(outputs: [i64; 3], kind: Kind, targets: &Tensor) -> Result<()> {
    if targets.kind() != kind {
        let expected = format!("{}, as the outputs are", kind_name(kind));
        return Err(Error::DtypeOrDevice { what: "targets".into(), expected, found: kind_name(targets.kind()) });
    }
    shape(targets, &outputs)
}

/// Probabilities, but for padding.
pub(super) fn check_probabilities(targets: &Tensor, lengths: Option<&Tensor>) -> Result<()> {
    let inside = targets.ge(0.0).logical_and(&targets.le(1.0));
    let outside = inside.logical_not();
    let outside = match lengths {
        Some(lengths) => super::over_time::Valid::new(lengths, targets.size()[1]).fill(&outside, 0.0),
        None => outside,
    };
    if outside.any().int64_value(&[]) == 0 {
        return Ok(());
    }
    let at = Vec::<i64>::try_from(outside.nonzero().get(0))?;
    let value = targets.double_value(&at);
    Err(Error::Config(format!(
        "the target of sample {}, step {}, output {} is {value}; targets of binary_cross_entropy are from 0 to 1",
        at[0], at[1], at[2]
    )))
}

fn shape(targets: &Tensor, expected: &[i64]) -> Result<()> {
    let found = targets.size();
    if found == expected {
        return Ok(());
    }
    Err(Error::Shape { what: "targets".into(), expected: format!("{expected:?}"), found })
}
