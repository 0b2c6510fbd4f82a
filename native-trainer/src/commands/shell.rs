//! `tessera completions` and `tessera man`, from the same definitions as `--help`.

use anyhow::{Context as _, Result};
use clap::CommandFactory as _;

use crate::arguments::{Arguments, CompletionsArguments, ManArguments};
use crate::errors::usage_fault;
use crate::report::{Reporter, print};

pub(super) fn completions(arguments: &CompletionsArguments) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "tessera", &mut script);
    print(String::from_utf8(script)?.trim_end())
}

pub(super) fn manual(arguments: &ManArguments, reporter: &Reporter) -> Result<()> {
    let Some(folder) = &arguments.folder else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Arguments::command()).render(&mut page)?;
        return print(String::from_utf8(page)?.trim_end());
    };
    if !folder.is_dir() {
        return Err(usage_fault(format!("there is no folder {}", folder.display())));
    }
    clap_mangen::generate_to(Arguments::command(), folder)
        .with_context(|| format!("cannot write manual pages into {}", folder.display()))?;
    reporter.say(format_args!("wrote tessera.1 and one page for each command into {}", folder.display()));
    Ok(())
}
