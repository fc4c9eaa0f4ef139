//! `bd report`, `bd plot` and `bd runs`.

use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum};

use super::nir::Said;

#[derive(Debug, Args)]
pub(crate) struct Report {
    /// Folder of a run of bd train or bd simulate, finished or not, or of a sweep; several are compared
    #[arg(value_name = "RUN", required = true)]
    pub(crate) runs: Vec<PathBuf>,
    /// File to write; an earlier report is replaced, nothing else [default: report.html in RUN, of several runs in the present folder]
    #[arg(long, value_name = "FILE.html")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) said: Said,
}

#[derive(Debug, Args)]
pub(crate) struct Plot {
    /// Folder of a run of bd train or bd simulate
    #[arg(value_name = "RUN")]
    pub(crate) run: PathBuf,
    /// pdf (words stay words, in a font that is in the file) or svg
    #[arg(long, value_enum, default_value_t = PictureFormat::Pdf)]
    pub(crate) format: PictureFormat,
    /// Width on paper, of which the height follows. At 183, two columns of many journals, words are 5.6 to 8 points high, at half of that half as high
    #[arg(long, value_name = "MM", default_value_t = 183.0)]
    pub(crate) width_mm: f64,
    /// Figures by the names of their files in RUN/plots, such as training,horizon-1 [default: all]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// Other words in the place of some: of a title, an axis or a legend, as in --rename x 'potential (mV)'; '' takes them away. Nothing
    /// else moves. Can be given several times
    #[arg(long, value_names = ["WORDS", "OTHERS"], num_args = 2, action = ArgAction::Append)]
    pub(crate) rename: Vec<String>,
    /// Folder to write into; figures of the same names are replaced [default: figures in RUN]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) said: Said,
}

/// How a picture is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PictureFormat {
    Pdf,
    Svg,
}

impl PictureFormat {
    /// Of a file.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Pdf => "pdf",
            Self::Svg => "svg",
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Runs {
    /// Folder whose runs are listed, such as that of a sweep
    #[arg(value_name = "FOLDER", default_value = "runs")]
    pub(crate) folder: PathBuf,
    /// when (the newest first), name, job, state, metric, seconds, or a setting or result such as optim.lr or test_loss
    #[arg(long, value_name = "KEY", default_value = "when")]
    pub(crate) sort: String,
    /// Only runs of which this is so, such as job=rnn, state=finished, optim.lr=0.01; several: all of them
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) filter: Vec<String>,
    /// Print one JSON object on standard output and nothing else there
    #[arg(long)]
    pub(crate) json: bool,
}
