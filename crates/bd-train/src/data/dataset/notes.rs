//! What looks odd about the targets of a training part, in sentences.

use bd_core::Result;
use tch::{Kind, Tensor};

use super::classes::shown;
use super::read_targets::is_one_hot;
use super::subset::Subset;
use super::targets::Targets;

/// More different numbers than this are no classes.
const MOST_CLASSES: usize = 20;
/// Classes are seen so often at least, on average.
const TIMES_SEEN: usize = 3;

/// What whoever has made the file may not have meant.
pub(super) fn notes(train: &Subset, targets: Targets, names: Option<&[String]>) -> Result<Vec<String>> {
    let note = match targets {
        Targets::Labels { classes } | Targets::LabelsOfSteps { classes } => missing_classes(train, classes, names)?,
        Targets::Series { .. } | Targets::Vectors { .. } => whole_numbers(train)?,
    };
    Ok(note.into_iter().collect())
}

fn missing_classes(train: &Subset, classes: i64, names: Option<&[String]>) -> Result<Option<String>> {
    let counts = Vec::<i64>::try_from(train.valid_labels().f_bincount::<Tensor>(None, classes)?)?;
    let missing = counts.iter().enumerate().filter(|(_, n)| **n == 0);
    if let Some(names) = names {
        let missing: Vec<String> = missing.map(|(label, _)| names[label].clone()).collect();
        return Ok((!missing.is_empty()).then(|| {
            format!(
                "the training part has no sample of {}; the network has an output for each all the same",
                shown(&missing)
            )
        }));
    }
    let missing: Vec<String> = missing.map(|(label, _)| label.to_string()).collect();
    Ok((!missing.is_empty()).then(|| {
        let (shown, more) = (missing[..missing.len().min(8)].join(", "), if missing.len() > 8 { ", ..." } else { "" });
        format!(
            "the training part has no label {shown}{more}, and the network an output for each from 0 to {}; number classes from 0 \
             without gaps",
            classes - 1
        )
    }))
}

fn whole_numbers(train: &Subset) -> Result<Option<String>> {
    if train.targets.dim() == 2 && is_one_hot(&train.targets) {
        return Ok(Some(
            "each target has a single 1 among zeros, and is learned as numbers; to learn classes, save their numbers \
             (y.argmax(axis=1))"
                .to_owned(),
        ));
    }
    let numbers = match train.targets.dim() {
        3 => train.valid_steps(&train.targets),
        _ => train.targets.shallow_clone(),
    };
    let count = numbers.numel();
    if numbers.ne_tensor(&numbers.round()).any().int64_value(&[]) == 1 {
        return Ok(None);
    }
    let (distinct, _, _) = numbers.flatten(0, -1).f_unique_consecutive(false, false, None)?;
    let (distinct, _, _) = distinct.to_kind(Kind::Double).f_internal_unique2(true, false, false)?;
    let distinct = distinct.numel();
    let few = distinct > 1 && distinct <= MOST_CLASSES && count >= TIMES_SEEN * distinct;
    Ok(few.then(|| {
        format!(
            "targets are whole numbers, {distinct} different ones, saved as floats, and are learned as numbers; to learn classes, save \
             them as integers (y.astype('int64'))"
        )
    }))
}

#[cfg(test)]
mod tests {
    use bd_core::Inputs;

    use super::super::SubsetInputs;
    use super::*;

    fn part(targets: Tensor) -> Subset {
        let x = Tensor::zeros([targets.size()[0], 3, 1], (Kind::Double, tch::Device::Cpu));
        Subset::new("training", SubsetInputs::Steps(Inputs::batch_first(&x).unwrap()), targets)
    }

    #[test]
    fn classes_without_a_sample_are_named() {
        let found = |labels: &[i64], classes| {
            notes(&part(Tensor::from_slice(labels)), Targets::Labels { classes }, None).unwrap()
        };
        assert!(found(&[0, 1, 2, 0], 3).is_empty());
        assert!(found(&[1, 2, 1, 2], 3)[0].contains("has no label 0, and the network an output for each from 0 to 2"));
        assert!(found(&[0, 10, 20, 0], 21)[0].contains("no label 1, 2, 3, 4, 5, 6, 7, 8, ..., and"));
        // Padding has no label.
        let steps = Tensor::from_slice(&[1i64, 0, 0, 1, 1, 0]).reshape([2, 3]);
        let padded = Subset { lengths: Some(Tensor::from_slice(&[1i64, 2])), ..part(steps) };
        assert!(notes(&padded, Targets::LabelsOfSteps { classes: 2 }, None).unwrap()[0].contains("has no label 0"));
    }

    #[test]
    fn classes_saved_as_floats_are_told() {
        let found = |numbers: &[f64]| {
            let y = Tensor::from_slice(numbers).unsqueeze(1);
            notes(&part(y), Targets::Vectors { n_out: 1 }, None).unwrap()
        };
        assert!(found(&[0.0, 1.0, 2.0, 1.0, 0.0, 2.0, 1.0, 1.0, 0.0])[0].contains("3 different ones, saved as floats"));
        let one_hot = Tensor::eye(3, (Kind::Double, tch::Device::Cpu)).repeat([4, 1]);
        let told = notes(&part(one_hot), Targets::Vectors { n_out: 3 }, None).unwrap();
        assert!(told[0].contains("save their numbers (y.argmax(axis=1))"), "{told:?}");
        for other in [&[0.0, 1.0, 2.0, 1.5, 0.0, 2.0, 1.0, 1.0, 0.0][..], &[0.0, 1.0, 2.0, 3.0], &[2.0, 2.0, 2.0]] {
            assert!(found(other).is_empty(), "{other:?}");
        }
    }
}
