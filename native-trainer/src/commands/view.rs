//! `tessera view`: the page on loopback, with a file open in it.

use std::path::Path;

use anyhow::Result;
use serde_json::json;

use crate::arguments::ViewArguments;
use crate::errors::{input_fault, usage_fault};
use crate::report::Reporter;
use crate::serve::{Files, Listener, Site, encoded, page_folder};
use crate::signals;

pub(super) fn run(arguments: &ViewArguments, reporter: &Reporter) -> Result<()> {
    let page = page_folder(arguments.page.as_deref())?;
    let (files, names) = files(arguments.path.as_deref())?;
    let listener = Listener::open(arguments.port)?;
    let base = listener.base();
    // The page resolves `url` against its own address, so the name is encoded once for that path and its percent
    // signs once more for the query.
    let urls: Vec<String> =
        names.iter().map(|name| format!("{base}?url=file/{}", encoded(name).replace('%', "%25"))).collect();
    let stop = signals::watch()?;
    let open = if urls.is_empty() { vec![base.clone()] } else { urls };
    reporter.answer(&json!({ "url": open[0], "urls": open, "port": listener.port() }), || open.join("\n"))?;
    reporter.say("serving on this computer only; Ctrl-C ends it");
    listener.serve(&Site::new(page, files), stop);
    Ok(())
}

/// What is served under `/file/`, and the names of what can be opened at once.
fn files(path: Option<&Path>) -> Result<(Files, Vec<String>)> {
    let Some(path) = path else { return Ok((Files::None, Vec::new())) };
    let found = path.canonicalize().map_err(|e| input_fault(format!("cannot open {}: {e}", path.display())))?;
    if found.is_file() {
        let name = path.file_name().or_else(|| found.file_name()).and_then(|n| n.to_str()).map(str::to_owned);
        let name = name.ok_or_else(|| usage_fault(format!("the name of {} is not Unicode", path.display())))?;
        return Ok((Files::One { name: name.clone(), file: found }, vec![name]));
    }
    let mut names: Vec<String> = std::fs::read_dir(&found)?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| !name.starts_with('.') && Path::new(name).extension().is_some_and(|e| e == "inr"))
        .collect();
    names.sort();
    if names.is_empty() {
        return Err(input_fault(format!("there is no .inr file in {}", path.display())));
    }
    Ok((Files::Folder(found), names))
}
