//! Names of classes: labels that are text, and names beside labels that are numbers.

use bd_core::{Result, Text};
use tch::{Kind, Tensor};

use super::padded::Padded;
use super::read::{Like, Reader, named};
use super::targets::Targets;

/// Arrays that may name the classes of a file.
const NAMES: [&str; 2] = ["classes", "class_names"];

/// The targets of a file as numbers.
pub(super) struct Labelled {
    /// As they are, or of text the numbers of the classes.
    pub(super) y: Tensor,
    /// The names of the classes by their numbers, where they have some.
    pub(super) names: Option<Vec<String>>,
}

impl Reader<'_> {
    /// The targets of a part, with the names of their classes. What is known already goes before what the file has: labels get the numbers
    /// of a training part or a run by their names. What stands in padding, such as -1, 255 or NaN, is 0, whatever it was.
    pub(super) fn labelled(
        &self,
        suffix: &str,
        like: Option<Like<'_>>,
        padded: Option<Padded<'_>>,
    ) -> Result<Labelled> {
        let name = named("y", suffix);
        let own = self.class_names();
        let known = like.and_then(|like| like.names);
        let Some(text) = self.arrays.text(&name) else {
            let y = self.find(&name)?;
            // Where there are as many outputs as steps, what is known says that none is in padding.
            let are_vectors = matches!(like, Some(Like { targets: Targets::Vectors { .. }, .. }));
            let padding = padded.filter(|_| !are_vectors).and_then(|padded| padded.of(&y.size()));
            let y = padding.as_ref().map_or_else(|| y.shallow_clone(), |padding| y.masked_fill(padding, 0));
            return self.renumbered(&name, y, padding.as_ref(), own, like);
        };
        let count = text.items.len();
        let is_valid = padded.map_or_else(|| vec![true; count], |padded| padded.valid(&text.shape));
        let valid: Vec<Option<&str>> =
            text.items.iter().zip(is_valid).map(|(item, is_valid)| is_valid.then_some(item.as_str())).collect();
        let names = match (known, like) {
            (Some(known), _) => known.to_vec(),
            (None, Some(like)) => {
                return self.bad(format!("{name} is text, but {} {}, without names", like.whose(), like.targets));
            }
            (None, None) => names_of(own, valid.iter().flatten()),
        };
        let number = |item: &Option<&str>| item.map_or(Some(0), |item| names.iter().position(|name| name == item));
        let numbers: Vec<Option<usize>> = valid.iter().map(number).collect();
        if let Some(at) = numbers.iter().position(Option::is_none) {
            let (whose, all) = (like.map_or(String::new(), |like| like.whose()), shown(&names));
            return self.bad(format!("{name} has the class {:?}, but {whose} only {all}", text.items[at]));
        }
        let numbers: Vec<i64> = numbers.into_iter().flatten().map(|number| number as i64).collect();
        Ok(Labelled { y: Tensor::from_slice(&numbers).f_reshape(&text.shape)?, names: Some(names) })
    }

    /// Labels that are numbers. Where the file numbers its classes otherwise than what is known, they are those of their names.
    fn renumbered(
        &self,
        name: &str,
        y: Tensor,
        padding: Option<&Tensor>,
        own: Option<Vec<String>>,
        like: Option<Like<'_>>,
    ) -> Result<Labelled> {
        let Some((like, known)) = like.and_then(|like| Some((like, like.names?))) else {
            return Ok(Labelled { y, names: own.filter(|_| like.is_none()) });
        };
        let names = Some(known.to_vec());
        let Some(own) = own.filter(|own| own != known && y.numel() > 0) else { return Ok(Labelled { y, names }) };
        let most = y.max().double_value(&[]);
        if most >= own.len() as f64 {
            return self.bad(format!(
                "{name} has the label {most}, but its names of classes are only {}, and {} {}; name every class, or save labels by the \
                 numbers of these and leave out the names",
                shown(&own),
                like.whose(),
                shown(known)
            ));
        }
        let mut renumbered = y.to_kind(if y.is_floating_point() { Kind::Double } else { Kind::Int64 });
        for (number, class) in own.iter().enumerate() {
            let mut is_it = y.eq(number as i64);
            if let Some(padding) = padding {
                is_it = is_it.logical_and(&padding.logical_not());
            }
            match known.iter().position(|known| known == class) {
                Some(new) => renumbered = renumbered.masked_fill(&is_it, new as i64),
                None if is_it.any().int64_value(&[]) == 1 => {
                    return self.bad(format!(
                        "{name} has the class {class:?}, but {} only {}",
                        like.whose(),
                        shown(known)
                    ));
                }
                None => {}
            }
        }
        Ok(Labelled { y: renumbered, names })
    }

    /// The names that the file has for its classes.
    pub(super) fn class_names(&self) -> Option<Vec<String>> {
        let text = NAMES.iter().find_map(|name| self.arrays.text(name))?;
        let Text { shape, items } = text;
        let mut distinct = items.clone();
        distinct.sort_unstable();
        distinct.dedup();
        (shape.len() == 1 && distinct.len() == items.len()).then(|| items.clone())
    }
}

/// The names of all classes: those of the file, if they name every label, or else the labels in the order of their letters.
fn names_of<'a>(own: Option<Vec<String>>, labels: impl Iterator<Item = &'a &'a str>) -> Vec<String> {
    let mut found: Vec<String> = labels.map(|label| (*label).to_owned()).collect();
    found.sort_unstable();
    found.dedup();
    own.filter(|own| found.iter().all(|label| own.contains(label))).unwrap_or(found)
}

/// Some of the names, for messages.
pub(super) fn shown(names: &[String]) -> String {
    const MOST: usize = 8;
    let more = if names.len() > MOST { format!(", ... ({} in all)", names.len()) } else { String::new() };
    names[..names.len().min(MOST)].join(", ") + &more
}
