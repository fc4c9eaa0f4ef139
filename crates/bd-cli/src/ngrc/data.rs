//! The series that a job learns: from a file, or integrated.

use std::path::Path;

use bd_core::files::sha256_of;
use bd_core::{Error, Result};
use bd_train::data::{Flow, Series, SeriesConfig};

use crate::finished::CHANGED_FILE;
use crate::plan::{DataPlan, SystemPlan};

/// A series, and what is known of where it comes from.
#[derive(Debug)]
pub(crate) struct Data {
    pub(crate) series: Series,
    /// SHA-256 of the file that it is from, if it is.
    pub(crate) sha256: Option<String>,
    /// Where it comes from, in words.
    pub(crate) source: String,
    /// What the time axis of a plot says.
    pub(crate) time_label: String,
    /// Largest Lyapunov exponent, where the system is known, per unit of time.
    pub(crate) lyapunov_exponent: Option<f64>,
}

impl Data {
    pub(crate) fn load(plan: &DataPlan) -> Result<Self> {
        match (&plan.file, &plan.system, plan.dt) {
            (Some(file), None, _) => {
                let data = Self::file(file, &plan.series())?;
                if plan.sha256.is_some() && plan.sha256 != data.sha256 {
                    return Err(Error::bad_file(file, CHANGED_FILE));
                }
                Ok(data)
            }
            (None, Some(system), Some(dt)) => integrated(system, dt),
            (None, Some(_), None) => Err(Error::Config("data.dt must be set for a system".into())),
            _ => Err(Error::Config("data.file or data.system must be set, and not both".into())),
        }
    }

    pub(crate) fn file(file: &Path, config: &SeriesConfig) -> Result<Self> {
        let series = Series::read(file, config)?;
        let time_label = config.time.clone().unwrap_or_else(|| format!("time (dt = {})", series.dt));
        let source = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let sha256 = sha256_of(file).map_err(Error::storage("read", file))?;
        Ok(Self { series, sha256: Some(sha256), source, time_label, lyapunov_exponent: None })
    }
}

fn integrated(system: &SystemPlan, dt: f64) -> Result<Data> {
    let flow = Flow::named(&system.name)?;
    let params: Vec<f64> =
        flow.params.iter().map(|(name, usual)| system.params.get(*name).copied().unwrap_or(*usual)).collect();
    let points = (system.duration / dt).round();
    if !(points.is_finite() && points >= 0.0) {
        return Err(Error::Config(format!("data.system.duration is {}; it must be a number above 0", system.duration)));
    }
    let usual = flow.params.iter().map(|(_, value)| value).eq(&params);
    Ok(Data {
        series: Series {
            channels: flow.channels.iter().map(|&name| name.to_owned()).collect(),
            values: flow.series(&params, &system.start, dt, points as usize)?,
            start: dt, // the first point is one step after the start
            dt,
            times: None,
        },
        sha256: None,
        source: system.name.clone(),
        time_label: "time".into(),
        lyapunov_exponent: usual.then_some(flow.lyapunov_exponent),
    })
}
