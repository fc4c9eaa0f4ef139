//! Tables of text: read as a series.

use std::fmt::Write;
use std::path::Path;

use bd_train::data::{Series, SeriesConfig};
use tch::Kind;

use crate::{Draw, damaged};

/// How a time is written.
#[derive(Clone, Copy, PartialEq)]
enum Time {
    None,
    Numbers,
    Dates,
}

/// What stands above the numbers.
#[derive(Clone, Copy, PartialEq)]
enum Head {
    None,
    Names,
    NamesAndUnits,
    Remark,
}

pub(crate) fn case(folder: &Path, draw: &mut Draw) {
    let (points, channels) = (draw.from(2, 12), draw.from(1, 4));
    let separator = draw.one(&[",", ";", "\t", " ", "   ", ", "]);
    // A single column of decimal commas is two columns for all that can be seen.
    let has_decimal_commas = draw.chance(0.3) && separator == ";" && channels > 1;
    let line_end = draw.one(&["\n", "\r\n", "\r"]);
    let head = draw.one(&[Head::None, Head::Names, Head::NamesAndUnits, Head::Remark]);
    let time = if head == Head::None { Time::None } else { draw.one(&[Time::None, Time::Numbers, Time::Dates]) };
    let mut names: Vec<String> = (0..channels).map(|channel| format!("v{channel}")).collect();
    if time != Time::None {
        names.insert(0, "t".into());
    }
    let mut text = String::new();
    let line = |fields: Vec<String>, text: &mut String| {
        let _ = write!(text, "{}{line_end}", fields.join(separator));
    };
    match head {
        Head::None => {}
        Head::Remark if separator.contains(',') || separator == "\t" || separator == ";" => {
            text += "# ";
            line(names.clone(), &mut text);
        }
        _ => line(names.clone(), &mut text),
    }
    if head == Head::NamesAndUnits {
        line(names.iter().map(|_| "mV".to_owned()).collect(), &mut text);
    }
    // No whole numbers, so that none is taken for a name of a column.
    let mut written = Vec::new();
    for point in 0..points {
        let mut fields: Vec<String> = Vec::new();
        match time {
            Time::None => {}
            Time::Numbers => fields.push(format!("{}.5", 3 * point)),
            Time::Dates => fields.push(format!("2020-02-{:02}T00:00:00", 1 + point)),
        }
        for _ in 0..channels {
            let number = draw.below(4000) as f64 - 2000.0 + 0.25;
            written.push(number);
            let shown = if draw.chance(0.2) { format!("{number:e}") } else { number.to_string() };
            fields.push(if draw.chance(0.1) { format!("\"{shown}\"") } else { shown });
        }
        if has_decimal_commas {
            fields.iter_mut().for_each(|field| *field = field.replace('.', ","));
        }
        line(fields, &mut text);
    }
    let config = SeriesConfig { time: (time != Time::None).then(|| "t".into()), ..SeriesConfig::default() };
    let path = folder.join(if separator == "\t" { "a.tsv" } else { "a.csv" });
    if draw.chance(0.3) {
        std::fs::write(&path, damaged(text.into_bytes(), draw)).unwrap();
        if let Ok(series) = Series::read(&path, &config) {
            assert!(series.values.isfinite().all().int64_value(&[]) == 1 && series.dt > 0.0);
        }
        return;
    }
    std::fs::write(&path, &text).unwrap();
    let series = Series::read(&path, &config).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!((series.points(), series.channels.len()), (points, channels), "{text}");
    assert_eq!(Vec::<f64>::try_from(series.values.to_kind(Kind::Double).flatten(0, -1)).unwrap(), written, "{text}");
    let dt = match time {
        Time::None => 1.0,
        Time::Numbers => 3.0,
        Time::Dates => 86_400.0,
    };
    assert_eq!(series.dt, dt, "{text}");
    if head != Head::None {
        assert_eq!(series.channels, names[names.len() - channels..], "{text}");
    }
}
