//! `tessera view`: the page on loopback, with a file open in it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Result, anyhow};
use serde_json::json;
use tiny_http::{Header, Response, Server};

use crate::arguments::ViewArguments;
use crate::errors::{input_fault, usage_fault};
use crate::report::Reporter;
use crate::serve::{Files, Request, Site, encoded};
use crate::signals;

/// A browser opens up to six connections; more threads would only wait.
const THREADS: usize = 6;

pub(super) fn run(arguments: &ViewArguments, reporter: &Reporter) -> Result<()> {
    let page = page_folder(arguments.page.as_deref())?;
    let (files, names) = files(arguments.path.as_deref())?;
    let site = Arc::new(Site::new(page, files));
    let server = Server::http(("127.0.0.1", arguments.port))
        .map_err(|e| anyhow!("cannot listen on 127.0.0.1 port {}: {e}", arguments.port))?;
    let address = server.server_addr().to_ip().ok_or_else(|| anyhow!("the server has no IP address"))?;
    let base = format!("http://{address}/");
    // The page resolves `url` against its own address, so the name is encoded once for that path and its percent
    // signs once more for the query.
    let urls: Vec<String> =
        names.iter().map(|name| format!("{base}?url=file/{}", encoded(name).replace('%', "%25"))).collect();
    let stop = signals::watch()?;
    let open = if urls.is_empty() { vec![base.clone()] } else { urls };
    reporter.answer(&json!({ "url": open[0], "urls": open, "port": address.port() }), || open.join("\n"))?;
    reporter.say("serving on this computer only; Ctrl-C ends it");
    let server = Arc::new(server);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| answer_requests(&server, &site, stop));
        }
    });
    Ok(())
}

fn answer_requests(server: &Server, site: &Site, stop: &AtomicBool) {
    while !stop.load(Ordering::SeqCst) {
        let Ok(Some(request)) = server.recv_timeout(Duration::from_millis(200)) else { continue };
        let header = |name: &'static str| {
            request.headers().iter().find(|h| h.field.equiv(name)).map(|h| h.value.as_str().to_owned())
        };
        let (host, range) = (header("Host").unwrap_or_default(), header("Range"));
        let method = request.method().to_string();
        let reply = site.reply(Request { method: &method, url: request.url(), host: &host, range: range.as_deref() });
        tracing::debug!("{} {} {} {}", reply.status, method, request.url(), reply.body.len());
        let headers = reply.headers.iter().filter_map(|(name, value)| Header::from_bytes(*name, value.as_bytes()).ok());
        let response = Response::from_data(reply.body)
            .with_status_code(reply.status)
            // Chunked answers have no length, and the page shows progress.
            .with_chunked_threshold(usize::MAX);
        // A browser that went away is no fault.
        let _ = request.respond(headers.fold(response, Response::with_header));
    }
}

/// The built page: the folder that was given, one beside the program, or the checkout's.
fn page_folder(given: Option<&Path>) -> Result<PathBuf> {
    if let Some(folder) = given {
        return if folder.join("index.html").is_file() {
            Ok(folder.to_owned())
        } else {
            Err(input_fault(format!(
                "there is no index.html in {}; `cargo xtask web` builds the page",
                folder.display()
            )))
        };
    }
    let program = std::env::current_exe().and_then(|p| p.canonicalize()).unwrap_or_default();
    let beside = program.ancestors().skip(1).take(5);
    beside
        .flat_map(|folder| [folder.join("page"), folder.join("share/tessera/page"), folder.join("www/dist")])
        .find(|folder| folder.join("index.html").is_file())
        .ok_or_else(|| {
            input_fault("the page is not built: run `cargo xtask web` in the checkout, or name its folder with --page")
        })
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
