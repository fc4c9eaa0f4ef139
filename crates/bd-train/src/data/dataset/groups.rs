//! Groups of samples, such as subjects, which are for one purpose only.

use bd_core::{Result, kind_name};
use tch::Kind;

use super::classes::shown;
use super::read::{Reader, named};
use crate::data::whole;

/// The groups of the samples of a part, by their names.
pub(super) struct Groups {
    /// What they are called, without the suffix of the part.
    name: String,
    /// The array that they were read from.
    array: String,
    /// Of each sample.
    of: Vec<String>,
    /// All different ones, in order.
    distinct: Vec<String>,
}

impl Groups {
    /// The group of each sample, numbered from 0.
    pub(super) fn numbers(&self) -> Vec<i64> {
        self.of.iter().map(|group| self.distinct.partition_point(|known| known < group) as i64).collect()
    }

    /// The groups that are in another part, too.
    fn shared_with(&self, other: &Self) -> Vec<String> {
        self.distinct.iter().filter(|group| other.distinct.binary_search(group).is_ok()).cloned().collect()
    }
}

impl Reader<'_> {
    /// To which group each of `count` samples belongs, by an array of whole numbers or text.
    pub(super) fn groups(&self, name: &str, suffix: &str, count: usize) -> Result<Groups> {
        let array = named(name, suffix);
        let of = match self.arrays.text(&array).filter(|text| text.shape == [count as i64]) {
            Some(text) => text.items.clone(),
            None => {
                let groups = self.find(&array)?;
                if !(whole(groups) || groups.kind() == Kind::Bool) || groups.size() != [count as i64] {
                    let found = format!("{} of shape {:?}", kind_name(groups.kind()), groups.size());
                    return self
                        .bad(format!("{array} is {found}; groups are whole numbers or text of shape [{count}]"));
                }
                let numbers = Vec::<i64>::try_from(groups.to_kind(Kind::Int64))?;
                numbers.iter().map(i64::to_string).collect()
            }
        };
        let mut distinct = of.clone();
        distinct.sort_unstable();
        distinct.dedup();
        Ok(Groups { name: name.to_owned(), array, of, distinct })
    }

    /// Refuses a test part of `count` samples that shares a group with the training part. Where it does not say of which groups it is,
    /// that is a note.
    pub(super) fn apart(&self, train: &Groups, suffix: &str, count: usize) -> Result<Option<String>> {
        let array = named(&train.name, suffix);
        if !self.has(&array) {
            return Ok(Some(format!(
                "the test part has no array {array}: its samples may be of groups that are for training; save their groups as {array}"
            )));
        }
        let test = self.groups(&train.name, suffix, count)?;
        let shared = train.shared_with(&test);
        if shared.is_empty() {
            return Ok(None);
        }
        self.bad(format!(
            "{array} has groups that {} of the training part has too: {}; a group is for one purpose, so leave its samples out of one \
             part",
            train.array,
            shown(&shared)
        ))
    }
}
