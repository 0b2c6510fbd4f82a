//! Tessera on a computer: media in and out, training, and the command line over `tessera-core`.
//!
//! The engine decides what a field is and how its bytes lie; this crate has the files, the threads, the clock and the
//! terminal. It is a library as well as a binary, so that tests and other programs call the same code as the commands.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`arguments`] | what the user typed, one file per command |
//! | [`commands`] | what is done about it, one file per command |
//! | [`compression`] | how the weights of a trained field are quantised |
//! | [`rate_distortion`] | a set of pictures through several codecs, compared |
//! | [`config`] | configuration file, environment, flags and presets merged |
//! | [`plan`] | from options and a signal to a network and a training run |
//! | [`training`] | the training engine: a plan in, events and a field out |
//! | [`import`] | PyTorch checkpoints of the published code |
//! | [`media`] | files of every kind to signals and back |
//! | [`samples`] | the samples of a signal, in memory or in a temporary file |
//! | [`decoding`] | a view of a field, band by band on all cores |
//! | [`quality`] | how near a decoded signal is to its source |
//! | [`output`] | atomic files, no surprises by overwriting |
//! | [`report`] | JSON and human text |
//! | [`serve`] | the page and files on loopback |
//! | [`progress`] | training events on a terminal or as JSON lines |
//! | [`signals`] | Ctrl-C and termination |
//! | [`errors`] | exit codes |

pub mod arguments;
pub mod commands;
pub mod compression;
pub mod config;
pub mod decoding;
pub mod errors;
pub mod import;
pub mod media;
pub mod output;
pub mod plan;
pub mod progress;
pub mod quality;
pub mod rate_distortion;
pub mod report;
pub mod samples;
pub mod serve;
pub mod signals;
pub mod training;
pub mod training_log;
mod vectorised;
