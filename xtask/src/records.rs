//! Results of long runs, each in a file of its own: what is there is not run again, so that hours can be interrupted.

use crate::workspace::Workspace;
use anyhow::{Context, Result};
use serde::de::DeserializeOwned;
use std::path::Path;

/// The report in `record`; `run` makes it where it is not there yet.
pub(crate) fn recorded<T: DeserializeOwned>(
    workspace: &Workspace,
    record: &Path,
    run: impl FnOnce() -> Result<String>,
) -> Result<T> {
    let named = || workspace.short(record);
    if !record.exists() {
        println!("making {}", named());
        let report = run()?;
        // Under another name first: a record is whole or not there.
        let part = record.with_extension("part");
        std::fs::write(&part, report)
            .and_then(|()| std::fs::rename(&part, record))
            .with_context(|| format!("cannot write {}", named()))?;
    }
    let text = std::fs::read_to_string(record).with_context(|| format!("cannot read {}", named()))?;
    serde_json::from_str(&text).with_context(|| format!("cannot understand {}", named()))
}
