//! The series that a job learns: from a file, or integrated.

use std::path::Path;

use bd_core::files::load_tensors;
use bd_core::{Error, Result, kind_name};
use bd_train::data::Flow;
use tch::{Kind, Tensor};

use crate::plan::{DataPlan, SystemPlan};

/// A series with the names of its channels.
#[derive(Debug)]
pub(crate) struct Series {
    /// Where it comes from, in words.
    pub(crate) source: String,
    /// Names of the channels.
    pub(crate) channels: Vec<String>,
    /// `[time, channel]`, float64, on the host, finite.
    pub(crate) values: Tensor,
    /// Time between two points.
    pub(crate) dt: f64,
    /// Whether `dt` is in a unit of time of the system, and not simply one a point.
    pub(crate) timed: bool,
}

impl Series {
    pub(crate) fn load(plan: &DataPlan) -> Result<Self> {
        match (&plan.file, &plan.system) {
            (Some(file), None) => from_file(file, &plan.columns, plan.dt),
            (None, Some(system)) => integrated(system, plan.dt),
            _ => Err(Error::Config("data.file or data.system must be set, and not both".into())),
        }
    }

    /// Time of a point: that of an integrated system begins one step after the start, that of a file with 0.
    pub(crate) fn time(&self, point: usize) -> f64 {
        (point + usize::from(self.timed)) as f64 * self.dt
    }

    pub(crate) fn points(&self) -> usize {
        self.values.size()[0] as usize
    }

    /// Points `range` as `[1, time, channel]`.
    pub(crate) fn stretch(&self, range: std::ops::Range<usize>) -> Tensor {
        self.values.narrow(0, range.start as i64, range.len() as i64).unsqueeze(0)
    }
}

fn integrated(system: &SystemPlan, dt: f64) -> Result<Series> {
    let flow = Flow::named(&system.name)?;
    let params: Vec<f64> =
        flow.params.iter().map(|(name, usual)| system.params.get(*name).copied().unwrap_or(*usual)).collect();
    let points = (system.duration / dt).round();
    if !(points.is_finite() && points >= 0.0) {
        return Err(Error::Config(format!("data.system.duration is {}; it must be a number above 0", system.duration)));
    }
    Ok(Series {
        source: system.name.clone(),
        channels: flow.channels.iter().map(|&name| name.to_owned()).collect(),
        values: flow.series(&params, &system.start, dt, points as usize)?,
        dt,
        timed: true,
    })
}

fn from_file(file: &Path, columns: &[String], dt: f64) -> Result<Series> {
    if file.extension().is_none_or(|extension| extension != "safetensors") {
        return Err(Error::bad_file(file, "a series is read from a file that ends in .safetensors"));
    }
    let tensors = load_tensors(file)?;
    let listing = || tensors.iter().map(|(name, t)| format!("{name} {:?}", t.size())).collect::<Vec<_>>().join(", ");
    let columns = match columns {
        [] if tensors.len() == 1 => vec![tensors[0].0.clone()],
        [] => return Err(Error::bad_file(file, format!("name tensors with --columns; there are: {}", listing()))),
        named => named.to_vec(),
    };
    let (mut channels, mut parts) = (Vec::new(), Vec::<Tensor>::new());
    for name in &columns {
        let Some((_, tensor)) = tensors.iter().find(|(known, _)| known == name) else {
            return Err(Error::bad_file(file, format!("no tensor is called '{name}'; there are: {}", listing())));
        };
        let part = column(file, name, tensor)?;
        let (points, width) = (part.size()[0], part.size()[1]);
        if let Some(first) = parts.first().filter(|first| first.size()[0] != points) {
            let reason = format!("{} has {} points, but {name} has {points}", columns[0], first.size()[0]);
            return Err(Error::bad_file(file, reason));
        }
        channels.extend((0..width).map(|i| if width == 1 { name.clone() } else { format!("{name}.{i}") }));
        parts.push(part);
    }
    if let Some(twice) = channels.iter().enumerate().find(|(i, name)| channels[..*i].contains(name)) {
        return Err(Error::bad_file(
            file,
            format!("two channels would be called '{}'; name each tensor once", twice.1),
        ));
    }
    Ok(Series {
        source: file.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        channels,
        values: Tensor::cat(&parts, 1),
        dt,
        timed: false,
    })
}

/// A tensor of the file as `[time, channel]` in float64, with every value finite.
fn column(file: &Path, name: &str, tensor: &Tensor) -> Result<Tensor> {
    let bad = |reason: String| Err(Error::bad_file(file, reason));
    if tensor.kind() == Kind::Bool {
        return bad(format!("{name} is {}; a series is numbers", kind_name(tensor.kind())));
    }
    let values = match tensor.size()[..] {
        [_] => tensor.unsqueeze(1),
        [_, width] if width > 0 => tensor.shallow_clone(),
        _ => return bad(format!("{name} is {:?}; a series is [time] or [time, channel]", tensor.size())),
    }
    .to_kind(Kind::Double);
    let wrong = values.isfinite().logical_not().nonzero();
    if wrong.size()[0] > 0 {
        let at = |i: i64| wrong.int64_value(&[0, i]);
        let value = values.double_value(&[at(0), at(1)]);
        return bad(format!("{name} is {value} at point {}, channel {} (counted from 0)", at(0), at(1)));
    }
    Ok(values)
}
