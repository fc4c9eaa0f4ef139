//! Columns of arrays.

use std::path::Path;

use bd_core::{Arrays, Error, Result, catch_torch, kind_name};
use tch::{Kind, Tensor};

use super::{Column, Columns, MAX_NUMBERS, numbered};

/// Those that `names` name are read, all if there are none; of others there are columns that say so. Of a file that has series with times
/// of their own the only one is meant, if there are no names.
pub(super) fn read(path: &Path, names: &[&str]) -> Result<Columns> {
    let arrays = Arrays::read(path)?;
    let timed: Vec<&str> = arrays.names().filter(|name| names.is_empty() && arrays.has_clock(name)).collect();
    let all = match timed[..] {
        [] => of(&arrays, &arrays.names().collect::<Vec<_>>(), names, MAX_NUMBERS)?,
        _ => of(&arrays, &timed, names, MAX_NUMBERS)?,
    };
    let guess = match timed[..] {
        [only] => Some(format!("{only} is taken, its only series with times")),
        _ => None,
    };
    Ok(Columns { all, guess })
}

/// The columns of the arrays that are `shown`; `most` numbers are read.
fn of(arrays: &Arrays, shown: &[&str], names: &[&str], most: usize) -> Result<Vec<Column>> {
    // Of several one has to be named, and nothing large is read to say so.
    let is_read = |name: &str| is_named(name, names) && (!names.is_empty() || shown.len() == 1 || !arrays.read_later());
    let numbers_of = |name: &&&str| match arrays.text(name) {
        None => arrays.shape(name).map_or(0, |shape| shape.iter().product::<i64>() as usize),
        Some(_) => 0,
    };
    let numbers: usize = shown.iter().filter(|name| is_read(name)).map(|name| numbers_of(&name)).sum();
    if numbers > most {
        let way_out = match names.is_empty() && shown.len() > 1 {
            true => "; name the columns that are channels with `columns`, and other arrays are passed over",
            false => "",
        };
        return Err(Error::bad_file(
            arrays.path(),
            format!("it has {numbers} numbers; at most {most} are read{way_out}"),
        ));
    }
    catch_torch(|| {
        let columns = shown.iter().map(|name| match is_read(name) {
            true => read_columns(arrays, name),
            false => Ok(unread(arrays, name)),
        });
        Ok(columns.collect::<Result<Vec<_>>>()?.concat())
    })
}

/// Whether `u` is called `u`, or one of its columns `u.3`.
fn is_named(array: &str, names: &[&str]) -> bool {
    let names_it = |name: &&str| name.strip_prefix(array).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    names.is_empty() || names.iter().any(names_it)
}

fn column(array: &str, name: String, numbers: Result<Vec<f64>, String>) -> Column {
    Column { name, array: Some(array.to_owned()), numbers, dates: None, clock: None }
}

/// How many columns an array of these dimensions has.
fn width(shape: &[i64]) -> Result<usize, String> {
    match shape[..] {
        [0] | [0, _] => Err(format!("it is {shape:?}, with no point in it")),
        [_] => Ok(1),
        [_, width] if width > 0 => Ok(width as usize),
        _ => Err(format!("it is {shape:?}; a series is [time] or [time, channel]")),
    }
}

fn unread(arrays: &Arrays, array: &str) -> Vec<Column> {
    let shape = arrays.shape(array).filter(|_| arrays.text(array).is_none());
    match shape.map_or_else(|| Ok(1), |shape| width(&shape)) {
        Err(reason) => vec![column(array, array.to_owned(), Err(reason))],
        Ok(width) => {
            let names = numbered(array, width).into_iter();
            names.map(|name| column(array, name, Err("it is none of those that are read".into()))).collect()
        }
    }
}

/// Those of an array, with their numbers.
fn read_columns(arrays: &Arrays, array: &str) -> Result<Vec<Column>> {
    let refused = |reason: String| Ok(vec![column(array, array.to_owned(), Err(reason))]);
    let of = match arrays.get(array) {
        Ok(Some(of)) => of,
        Ok(None) => return Ok(Vec::new()),
        Err(Error::BadFile { reason, .. }) => return refused(reason),
        Err(error) => return Err(error),
    };
    let table = match (of.kind(), width(&of.size())) {
        (Kind::Bool, _) => return refused(format!("it is {}, and a series is numbers", kind_name(of.kind()))),
        (_, Err(reason)) => return refused(reason),
        (_, Ok(width)) => of.reshape([of.size()[0], width as i64]).to_kind(Kind::Double),
    };
    let clock = arrays.clock(array).transpose()?;
    let names = numbered(array, table.size()[1] as usize).into_iter().enumerate();
    let columns = names.map(|(at, name)| column(array, name, finite(&table.select(1, at as i64))));
    Ok(columns.map(|column| Column { clock: clock.clone(), ..column }).collect())
}

/// The numbers of a column, if all are finite.
fn finite(column: &Tensor) -> Result<Vec<f64>, String> {
    let numbers = Vec::<f64>::try_from(column.contiguous()).expect("a column in float64");
    match numbers.iter().position(|number| !number.is_finite()) {
        Some(point) => Err(format!("point {point} (counted from 0) is {}", numbers[point])),
        None => Ok(numbers),
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    /// A trace of 3 points beside a film of 24 numbers, and a table of 2 columns: what is not named is not counted.
    #[test]
    fn arrays_that_are_not_named_are_not_read() {
        let on = (Kind::Uint8, Device::Cpu);
        let all = [
            ("v", Tensor::from_slice(&[1.5, 2.5, 3.5])),
            ("film", Tensor::zeros([3, 2, 4], on)),
            ("u", Tensor::arange(8, on).reshape([4, 2])),
        ];
        let arrays = Arrays::new(Path::new("a.npz"), all.map(|(name, array)| (name.to_owned(), array)).into());
        let shown: Vec<&str> = arrays.names().collect();
        let found = of(&arrays, &shown, &["v"], 3).unwrap();
        assert_eq!(found.iter().map(|column| column.name.as_str()).collect::<Vec<_>>(), ["v", "film", "u.0", "u.1"]);
        assert_eq!(found[0].numbers, Ok(vec![1.5, 2.5, 3.5]));
        assert_eq!(found[2].numbers, Err("it is none of those that are read".into()));
        assert_eq!(of(&arrays, &shown, &["u.1", "v"], 11).unwrap()[3].numbers, Ok(vec![1.0, 3.0, 5.0, 7.0]));
        for (names, most, words) in [
            (&["u.1"][..], 7, "a.npz: it has 8 numbers; at most 7 are read"),
            (
                &[],
                34,
                "a.npz: it has 35 numbers; at most 34 are read; name the columns that are channels with `columns`",
            ),
        ] {
            let error = of(&arrays, &shown, names, most).unwrap_err().to_string();
            assert!(error.starts_with(words), "{error}");
        }
        assert_eq!(of(&arrays, &shown, &[], 35).unwrap().len(), 4);
    }
}
