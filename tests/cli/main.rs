//! The real binary, run in folders of its own: results, run folders, refusals, examples.

mod check;
mod common;
mod counts;
mod devices;
mod examples;
mod gpu_check;
mod info;
mod interrupted;
mod odd;
mod online;
mod own_series;
mod parts;
mod recordings;
mod refusals;
mod series_choice;
mod simulate;
mod snn_data;
mod sweep;
mod systems;
mod train_auto;
mod train_network;
mod train_ngrc;
mod train_rnn;
mod train_snn;
mod trials;
mod zoo;
