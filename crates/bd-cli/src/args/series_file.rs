//! `bd data` of series: a subcommand for each system of the table.

use std::path::PathBuf;

use bd_train::data::{FLOWS, Flow};
use clap::error::ErrorKind;
use clap::{ArgMatches, Args, Command, FromArgMatches, Subcommand};

use super::EXIT_CODES;

/// Options of every series.
#[derive(Debug, Args)]
pub(crate) struct SeriesFile {
    /// Where to write it: .csv (a column for the time and one for each channel) or .npz (time [time], series [time, channel], channels)
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Points
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub(crate) steps: usize,
    /// A parameter, instead of its usual value; several times for several parameters
    #[arg(long, value_name = "NAME=X", allow_hyphen_values = true)]
    pub(crate) param: Vec<String>,
    /// Print nothing but errors
    #[arg(long)]
    pub(crate) quiet: bool,
}

/// Options of a system in continuous time.
#[derive(Debug, Args)]
pub(crate) struct FlowArgs {
    #[command(flatten)]
    pub(crate) file: SeriesFile,
    /// Time between two points
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub(crate) dt: Option<f64>,
    /// State at time 0, a number for each variable
    #[arg(long, value_name = "X,X", value_delimiter = ',', allow_negative_numbers = true)]
    pub(crate) start: Option<Vec<f64>>,
    /// Time at the beginning that is left out
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub(crate) transient: Option<f64>,
    /// Moves each value of the start by a random number from -0.1 to 0.1 [default: none is moved]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Solver of an ordinary differential equation: rk4 (a step from point to point), rk23 (as SciPy's, with its tolerances) or
    /// extrapolation (tolerance 1e-13) [default: rk4 for lorenz and rossler, else extrapolation]
    #[arg(long, value_name = "NAME")]
    pub(crate) method: Option<String>,
}

/// Options of NARMA.
#[derive(Debug, Args)]
pub(crate) struct Narma {
    #[command(flatten)]
    pub(crate) file: SeriesFile,
    /// Points at the beginning that are left out
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub(crate) transient: usize,
    /// Seed of the input
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
}

/// A system of the table, with the options that were given.
#[derive(Debug)]
pub(crate) struct OfFlow {
    pub(crate) flow: &'static Flow,
    pub(crate) args: FlowArgs,
}

impl FromArgMatches for OfFlow {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let missing = || clap::Error::raw(ErrorKind::MissingSubcommand, "a system is missing");
        let (name, matches) = matches.subcommand().ok_or_else(missing)?;
        let flow = Flow::named(name).map_err(|error| clap::Error::raw(ErrorKind::InvalidSubcommand, error))?;
        Ok(Self { flow, args: FlowArgs::from_arg_matches(matches)? })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Subcommand for OfFlow {
    fn augment_subcommands(command: Command) -> Command {
        FLOWS.iter().fold(command, |command, flow| command.subcommand(subcommand(flow)))
    }

    fn augment_subcommands_for_update(command: Command) -> Command {
        Self::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        Flow::named(name).is_ok()
    }
}

fn subcommand(flow: &'static Flow) -> Command {
    let params: Vec<String> = flow.params.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let usual = format!(
        "Usual: --param {}, --dt {}, --transient {}. Largest Lyapunov exponent {} per unit of time.",
        params.join(" "),
        flow.dt,
        flow.transient,
        flow.lyapunov_exponent
    );
    FlowArgs::augment_args(Command::new(flow.name))
        .about(format!("{} ({})", flow.equations, flow.source))
        .after_help(format!("{usual}\n\n{EXIT_CODES}"))
}
