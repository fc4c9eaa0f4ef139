//! `bd predict` and `bd eval`: a trained model over data of one's own, of whatever job.

mod network;

use anyhow::Result;
use bd_core::Error;

use crate::args;
use crate::finished::AnyPlan;
use crate::ngrc;

pub(crate) fn predict(args: &args::Predict) -> Result<()> {
    let plan = AnyPlan::of(&args.run)?;
    let given = |name: &'static str, is: bool| is.then_some(name);
    let (job, foreign, endings) = match &plan {
        AnyPlan::Ngrc(_) => (
            "ngrc",
            [given("--array", args.array.is_some()), given("--record", !args.record.is_empty())],
            &["npz", "csv"][..],
        ),
        AnyPlan::Rnn(_) | AnyPlan::Snn(_) => {
            let job = if matches!(plan, AnyPlan::Rnn(_)) { "rnn" } else { "snn" };
            (job, [args.columns.given(), given("--free-run", args.free_run > 0)], &["npz"][..])
        }
    };
    if let Some(option) = foreign.into_iter().flatten().next() {
        return Err(Error::Config(format!("{option} is not for a run of {job}, which this is")).into());
    }
    let ending =
        args.output.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    if !endings.contains(&ending.as_str()) {
        let endings = endings.iter().map(|ending| format!(".{ending}")).collect::<Vec<_>>().join(" or ");
        return Err(Error::Config(format!("--output {}: it must end in {endings}", args.output.display())).into());
    }
    if args.output.symlink_metadata().is_ok() {
        let there = std::io::Error::new(std::io::ErrorKind::AlreadyExists, "it exists; name a new file or remove it");
        return Err(Error::storage("create", &args.output)(there).into());
    }
    match plan {
        AnyPlan::Ngrc(plan) => ngrc::predict(args, &plan),
        AnyPlan::Rnn(plan) => network::predict(args, network::Run::of_rnn(&plan, args)?),
        AnyPlan::Snn(plan) => network::predict(args, network::Run::of_snn(&plan, args)?),
    }
}

pub(crate) fn eval(args: &args::Eval) -> Result<()> {
    match AnyPlan::of(&args.run)? {
        AnyPlan::Ngrc(_) if args.data.is_none() && args.columns.given().is_some() => {
            let option = args.columns.given().unwrap_or_default();
            Err(Error::Config(format!("{option} is about a file of --data, and there is none")).into())
        }
        AnyPlan::Ngrc(plan) => ngrc::eval(args, &plan),
        plan @ (AnyPlan::Rnn(_) | AnyPlan::Snn(_)) if args.columns.given().is_some() => {
            let option = args.columns.given().unwrap_or_default();
            let job = if matches!(plan, AnyPlan::Rnn(_)) { "rnn" } else { "snn" };
            Err(Error::Config(format!("{option} is for runs of ngrc, and this is one of {job}")).into())
        }
        AnyPlan::Rnn(plan) => crate::rnn::eval(args, &plan),
        AnyPlan::Snn(plan) => crate::snn::eval(args, *plan),
    }
}
