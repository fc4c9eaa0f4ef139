//! Columns of arrays.

use std::path::Path;

use bd_core::{Arrays, Error, Result, catch_torch, kind_name};
use tch::{Kind, Tensor};

use super::{Column, MAX_NUMBERS, numbered};

pub(super) fn read(path: &Path) -> Result<Vec<Column>> {
    let arrays = Arrays::read(path)?;
    let numbers: usize = arrays.all().filter_map(|(_, array)| array.ok()).map(Tensor::numel).sum();
    if numbers > MAX_NUMBERS {
        return Err(Error::bad_file(path, format!("it has {numbers} numbers; at most {MAX_NUMBERS} are read")));
    }
    let unreadable = |name: &str, reason: &str| {
        vec![Column {
            name: name.to_owned(),
            array: Some(name.to_owned()),
            numbers: Err(reason.to_owned()),
            dates: None,
        }]
    };
    catch_torch(|| {
        let all = arrays.all().flat_map(|(name, array)| match array {
            Ok(array) => columns(name, array),
            Err(reason) => unreadable(name, &reason),
        });
        Ok(all.collect())
    })
}

fn columns(name: &str, array: &Tensor) -> Vec<Column> {
    let table = match array.size()[..] {
        _ if array.kind() == Kind::Bool => Err(format!("it is {}, and a series is numbers", kind_name(array.kind()))),
        [0] | [0, _] => Err(format!("it is {:?}, with no point in it", array.size())),
        [_] => Ok(array.unsqueeze(1)),
        [_, width] if width > 0 => Ok(array.shallow_clone()),
        _ => Err(format!("it is {:?}; a series is [time] or [time, channel]", array.size())),
    };
    let column = |column: String, numbers| Column { name: column, array: Some(name.to_owned()), numbers, dates: None };
    match table {
        Err(reason) => vec![column(name.to_owned(), Err(reason))],
        Ok(table) => {
            let table = table.to_kind(Kind::Double);
            let names = numbered(name, table.size()[1] as usize);
            names.into_iter().enumerate().map(|(i, name)| column(name, finite(&table.select(1, i as i64)))).collect()
        }
    }
}

/// The numbers of a column, if all are finite.
fn finite(column: &Tensor) -> Result<Vec<f64>, String> {
    let numbers = Vec::<f64>::try_from(column.contiguous()).expect("a column in float64");
    match numbers.iter().position(|number| !number.is_finite()) {
        Some(point) => Err(format!("point {point} (counted from 0) is {}", numbers[point])),
        None => Ok(numbers),
    }
}
