//! Figures of trainings, forecasts and spiking networks, drawn from plain numbers.
//!
//! A [`Figure`] is a value: panels of lines or cells. [`Figure::to_svg`] and [`Figure::to_png`] give the bytes of
//! the same drawing; where they go is the caller's business. The modules make figures of results: [`training`], [`samples`],
//! [`confusion`], [`prediction`], [`psychometric`], [`forecast`], [`dynamics`], [`spikes`], [`populations`]. Titles are the caller's; what a figure leaves out to stay readable it says itself.
//!
//! [`braille`] draws a curve for a terminal; a [`Drawing`] is a figure within a page of HTML.
//!
//! Numbers come as slices of `f64`, so the crate builds without libtorch. No data stops a figure: values that are infinite or not a
//! number are gaps, and a panel without any value is an empty frame.
//!
//! ```
//! use bd_plot::{Figure, Line, Panel};
//!
//! let points = (0..100).map(|i| f64::from(i) * 0.1).map(|t| (t, t.sin())).collect();
//! let panel = Panel { y_label: "sin t".into(), lines: vec![Line { points, ..Line::default() }], ..Panel::default() };
//! let figure = Figure { title: "a wave".into(), x_label: "t".into(), panels: vec![panel], ..Figure::default() };
//! assert!(figure.to_svg()?.contains("a wave"));
//! assert_eq!(&figure.to_png()?[1..4], b"PNG");
//! # Ok::<(), bd_plot::Error>(())
//! ```

mod axis;
mod braille;
mod cells;
mod clip;
pub mod confusion;
mod dash;
mod draw;
mod drawing;
pub mod dynamics;
mod error;
mod figure;
pub mod forecast;
mod key;
mod legend;
mod pen;
pub mod populations;
pub mod prediction;
pub mod psychometric;
pub mod samples;
pub mod spikes;
mod squares;
mod stroke;
mod thin;
mod ticks;
pub mod training;
mod words;

pub use self::braille::braille;
pub use self::cells::Cell;
pub use self::drawing::Drawing;
pub use self::error::{Error, Result};
pub use self::figure::{Figure, Line, Mark, Panel, Scale};
pub use self::thin::{thin, thin_to};
pub use self::words::{missing_sign, shorten};
