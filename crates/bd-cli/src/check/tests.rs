//! The table says what was found.

use bd_core::contract::report::{Comparison, Row};
use bd_core::{Error, Result};
use tch::{Device, Tensor};

use super::table;

/// A row in which `weight` is `found` where 1 is expected.
fn row(found: f64) -> Row {
    Row::filled("mine", Comparison::on(Device::Cpu, true), true, |row| {
        let named = |value: f64| vec![("weight".to_owned(), Tensor::from_slice(&[value]))];
        row.take(Comparison::StepsF64, &named(found), &named(1.0), "");
        Ok(())
    })
}

#[test]
fn a_line_has_a_cell_for_each_comparison() {
    let line = |row: &Row| table::line(row, Device::Cpu);
    assert!(line(&row(1.0)).contains("0.0e0 ok") && !line(&row(1.0)).contains("FAIL"));
    assert!(line(&row(1.5)).contains("5.0e-1 FAIL"), "{}", line(&row(1.5)));
    assert!(line(&row(f64::NAN)).contains("NaN FAIL"));
    let failed = |_: &mut Row| -> Result<()> { Err(Error::Config("no".into())) };
    let failed = Row::filled("mine", Comparison::on(Device::Cpu, true), true, failed);
    assert_eq!(line(&failed).matches("error FAIL").count(), 4);
    assert_eq!(table::head(Device::Cpu).lines().count(), 3);
}
