//! `tessera encode`: one input, or many one after the other. Every run uses all cores, so two at a time would only
//! share them and their caches.

mod many;
mod one;
mod watch;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::Result;

use self::one::Job;
use crate::arguments::EncodeArguments;
use crate::errors::usage_fault;
use crate::output::{is_stream, shown};
use crate::report::Reporter;

pub(super) fn run(arguments: &EncodeArguments, reporter: &Reporter) -> Result<()> {
    let jobs = jobs(arguments)?;
    if let [job] = jobs.as_slice() {
        let encoded = one::encode(job, arguments, reporter)?;
        reporter.summary(&encoded.report, || one::summary(&encoded.report, &encoded.quality))?;
        if let Some(watch) = encoded.watch {
            watch.stay(reporter);
        }
        return encoded.verdict;
    }
    many::run(&jobs, arguments, reporter)
}

/// What goes where. A folder as output takes a file per input, named after it.
fn jobs(arguments: &EncodeArguments) -> Result<Vec<Job>> {
    let EncodeArguments { inputs, output, checkpoint, log_dir, .. } = arguments;
    // A name that ends in a slash says that it is meant as a folder, which may not be there yet.
    let folder = output.is_dir() || output.as_os_str().to_string_lossy().ends_with(['/', std::path::MAIN_SEPARATOR]);
    if arguments.resume && checkpoint.is_none() && inputs.len() == 1 {
        return Err(usage_fault("--resume goes on from the file of --checkpoint: name it"));
    }
    if let ([input], false) = (inputs.as_slice(), folder) {
        return Ok(vec![Job {
            input: input.clone(),
            output: output.clone(),
            unfinished: None,
            checkpoint: checkpoint.clone(),
            log_dir: log_dir.clone(),
        }]);
    }
    if !folder {
        return Err(usage_fault(format!(
            "-o {}: {} inputs need a folder for their files; end its name with a slash",
            output.display(),
            inputs.len()
        )));
    }
    let mut taken: HashMap<PathBuf, &Path> = HashMap::new();
    let mut jobs = Vec::with_capacity(inputs.len());
    for input in inputs {
        let stem = input.file_stem().filter(|_| !is_stream(input));
        let Some(stem) = stem else {
            return Err(usage_fault(format!("{} gives no name for a file in {}", shown(input), output.display())));
        };
        let named = |folder: &Path, extension: &str| {
            let mut name = stem.to_owned();
            name.push(extension);
            folder.join(name)
        };
        let file = named(output, ".inr");
        if stem.to_string_lossy().ends_with(".interrupted") {
            return Err(usage_fault(format!(
                "{} would become {}, which is the name of an interrupted training: encode it alone, or rename it",
                input.display(),
                file.display()
            )));
        }
        if let Some(other) = taken.insert(file.clone(), input) {
            return Err(usage_fault(format!(
                "{} and {} would both become {}: encode them into different folders",
                other.display(),
                input.display(),
                file.display()
            )));
        }
        jobs.push(Job {
            input: input.clone(),
            output: file,
            unfinished: Some(named(output, ".interrupted.inr")),
            checkpoint: checkpoint.as_deref().map(|folder| named(folder, ".ckpt")),
            log_dir: log_dir.as_deref().map(|folder| folder.join(stem)),
        });
    }
    if arguments.watch && jobs.len() > 1 {
        return Err(usage_fault("--watch shows one training: name one input"));
    }
    make_folder(output)?;
    if let Some(folder) = checkpoint {
        make_folder(folder)?;
    }
    Ok(jobs)
}

fn make_folder(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|error| usage_fault(format!("{}: {error}", folder.display())))
}
