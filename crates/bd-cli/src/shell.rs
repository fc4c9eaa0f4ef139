//! `bd completions`, `bd schema` and `bd man`: what a shell, an editor and `man` know of the command line and its files.

use std::fs;
use std::path::Path;

use anyhow::Result;
use bd_core::Error;
use bd_core::files::write_atomic;
use clap::{Command, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::Man;

use crate::args::Cli;
use crate::console;

/// Prints the script of a shell.
pub(crate) fn completions(shell: Shell) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "bd", &mut script);
    Ok(console::result(String::from_utf8_lossy(&script).trim_end())?)
}

/// Prints the JSON Schema of a kind of file.
pub(crate) fn schema(of: &str) -> Result<()> {
    let schema = bd_run::config::schema(of)?;
    Ok(console::result(&serde_json::to_string_pretty(&schema)?)?)
}

/// Writes `bd.1` and a page for each command into a folder, which is made if need be.
pub(crate) fn man(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(Error::storage("create", folder))?;
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let mut count = 0;
    write_page(&command, folder, &mut count)?;
    console::message(&format!(
        "man       {count} pages in {}; man -l {}/bd.1 shows the first",
        folder.display(),
        folder.display()
    ));
    Ok(())
}

/// The page of a command, and those of the commands in it.
fn write_page(command: &Command, folder: &Path, count: &mut usize) -> Result<()> {
    let page = Man::new(command.clone());
    let (file, mut text) = (folder.join(page.get_filename()), Vec::new());
    page.render(&mut text).map_err(Error::storage("write", &file))?;
    write_atomic(&file, &text)?;
    *count += 1;
    command.get_subcommands().try_for_each(|within| write_page(within, folder, count))
}
