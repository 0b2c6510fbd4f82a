//! The socket: requests in, replies out, on loopback only.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Result, anyhow};
use tiny_http::{Header, Response, Server};

use super::{Request, Site};
use crate::errors::input_fault;

/// A browser opens up to six connections; more threads would only wait.
const THREADS: usize = 6;

/// A server on a port of 127.0.0.1.
pub struct Listener {
    server: Server,
    port: u16,
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listener").field("port", &self.port).finish_non_exhaustive()
    }
}

impl Listener {
    /// Listens on `port`; on a free one for 0.
    ///
    /// # Errors
    /// Where the port is taken or not allowed.
    pub fn open(port: u16) -> Result<Self> {
        let server =
            Server::http(("127.0.0.1", port)).map_err(|e| anyhow!("cannot listen on 127.0.0.1 port {port}: {e}"))?;
        let port = server.server_addr().to_ip().ok_or_else(|| anyhow!("the server has no IP address"))?.port();
        Ok(Self { server, port })
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The page's address, with a slash at its end.
    pub fn base(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// Answers requests until `stop` is set.
    pub fn serve(&self, site: &Site, stop: &AtomicBool) {
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| self.answer(site, stop));
            }
        });
    }

    fn answer(&self, site: &Site, stop: &AtomicBool) {
        while !stop.load(Ordering::SeqCst) {
            let Ok(Some(request)) = self.server.recv_timeout(Duration::from_millis(200)) else { continue };
            let header = |name: &'static str| {
                request.headers().iter().find(|h| h.field.equiv(name)).map(|h| h.value.as_str().to_owned())
            };
            let (host, range) = (header("Host").unwrap_or_default(), header("Range"));
            let method = request.method().to_string();
            let reply = site.reply(Request {
                method: &method,
                url: request.url(),
                host: &host,
                range: range.as_deref(),
                from_page: header("X-Tessera").is_some(),
            });
            tracing::debug!("{} {} {} {}", reply.status, method, request.url(), reply.body.len());
            let headers =
                reply.headers.iter().filter_map(|(name, value)| Header::from_bytes(*name, value.as_bytes()).ok());
            let response = Response::from_data(reply.body)
                .with_status_code(reply.status)
                // Chunked answers have no length, and the page shows progress.
                .with_chunked_threshold(usize::MAX);
            // A browser that went away is no fault.
            let _ = request.respond(headers.fold(response, Response::with_header));
        }
    }
}

/// The built page: the folder that was given, one beside the program, or the checkout's.
///
/// # Errors
/// [`crate::errors::Fault::Input`] where there is none.
pub fn page_folder(given: Option<&Path>) -> Result<PathBuf> {
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
