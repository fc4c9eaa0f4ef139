//! Columns of arrays.

use std::path::Path;

use bd_core::{Arrays, Error, Result, catch_torch, kind_name};
use tch::{Kind, Tensor};

use super::{Column, MAX_NUMBERS, numbered};

/// Those that `names` name are read, all if there are none; of others there are columns that say so.
pub(super) fn read(path: &Path, names: &[&str]) -> Result<Vec<Column>> {
    of(&Arrays::read(path)?, names, MAX_NUMBERS)
}

/// `most` numbers are read.
fn of(arrays: &Arrays, names: &[&str], most: usize) -> Result<Vec<Column>> {
    let wanted: Vec<&Tensor> =
        arrays.all().filter(|(name, _)| is_named(name, names)).filter_map(|(_, array)| array.ok()).collect();
    let numbers: usize = wanted.iter().map(|array| array.numel()).sum();
    if numbers > most {
        let way_out = match names.is_empty() && wanted.len() > 1 {
            true => "; name the columns that are channels with `columns`, and other arrays are passed over",
            false => "",
        };
        return Err(Error::bad_file(
            arrays.path(),
            format!("it has {numbers} numbers; at most {most} are read{way_out}"),
        ));
    }
    catch_torch(|| {
        let all = arrays.all().flat_map(|(name, array)| match array {
            Ok(array) => columns(name, array, is_named(name, names)),
            Err(reason) => vec![column(name, name.to_owned(), Err(reason))],
        });
        Ok(all.collect())
    })
}

/// Whether `u` is called `u`, or one of its columns `u.3`.
fn is_named(array: &str, names: &[&str]) -> bool {
    let names_it = |name: &&str| name.strip_prefix(array).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    names.is_empty() || names.iter().any(names_it)
}

fn column(array: &str, name: String, numbers: Result<Vec<f64>, String>) -> Column {
    Column { name, array: Some(array.to_owned()), numbers, dates: None }
}

/// Those of an array, with their numbers if it `is_read`.
fn columns(array: &str, of: &Tensor, is_read: bool) -> Vec<Column> {
    let table = match of.size()[..] {
        _ if of.kind() == Kind::Bool => Err(format!("it is {}, and a series is numbers", kind_name(of.kind()))),
        [0] | [0, _] => Err(format!("it is {:?}, with no point in it", of.size())),
        [_] => Ok(of.unsqueeze(1)),
        [_, width] if width > 0 => Ok(of.shallow_clone()),
        _ => Err(format!("it is {:?}; a series is [time] or [time, channel]", of.size())),
    };
    let table = match table {
        Ok(table) => table,
        Err(reason) => return vec![column(array, array.to_owned(), Err(reason))],
    };
    let names = numbered(array, table.size()[1] as usize).into_iter();
    if !is_read {
        return names.map(|name| column(array, name, Err("it is none of those that are read".into()))).collect();
    }
    let table = table.to_kind(Kind::Double);
    names.enumerate().map(|(at, name)| column(array, name, finite(&table.select(1, at as i64)))).collect()
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
        let found = of(&arrays, &["v"], 3).unwrap();
        assert_eq!(found.iter().map(|column| column.name.as_str()).collect::<Vec<_>>(), ["v", "film", "u.0", "u.1"]);
        assert_eq!(found[0].numbers, Ok(vec![1.5, 2.5, 3.5]));
        assert_eq!(found[2].numbers, Err("it is none of those that are read".into()));
        assert_eq!(of(&arrays, &["u.1", "v"], 11).unwrap()[3].numbers, Ok(vec![1.0, 3.0, 5.0, 7.0]));
        for (names, most, words) in [
            (&["u.1"][..], 7, "a.npz: it has 8 numbers; at most 7 are read"),
            (
                &[],
                34,
                "a.npz: it has 35 numbers; at most 34 are read; name the columns that are channels with `columns`",
            ),
        ] {
            let error = of(&arrays, names, most).unwrap_err().to_string();
            assert!(error.starts_with(words), "{error}");
        }
        assert_eq!(of(&arrays, &[], 35).unwrap().len(), 4);
    }
}
