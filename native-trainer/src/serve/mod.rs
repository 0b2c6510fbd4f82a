//! A site for one user on this computer: the built page, the files that were opened with it, and a field that is being
//! trained ([`Live`]).
//!
//! Requests are answered by a pure function from a request to a reply, so that every rule is tested without a socket:
//! loopback names only (a page elsewhere must not reach the server through a name that resolves to 127.0.0.1), no way
//! out of the two folders, ranges as the format's readers use them.

mod listen;
mod live;

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

pub use self::listen::{Listener, page_folder};
pub use self::live::{Live, Snapshot};

/// What is served.
#[derive(Debug, Clone)]
pub struct Site {
    page: PathBuf,
    files: Files,
    live: Option<Arc<Live>>,
}

/// What stands under `/file/`.
#[derive(Debug, Clone)]
pub enum Files {
    /// Nothing.
    None,
    /// One file.
    One {
        /// The name it is served under; a link's own, not its target's.
        name: String,
        /// Where it is.
        file: PathBuf,
    },
    /// A folder with all that is in it.
    Folder(PathBuf),
}

/// The parts of a request that matter.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// `GET` or `HEAD`, and `POST` where a field is being trained; anything else is refused.
    pub method: &'a str,
    /// Path and query.
    pub url: &'a str,
    /// The `Host` header.
    pub host: &'a str,
    /// The `Range` header.
    pub range: Option<&'a str>,
    /// Whether the header `X-Tessera` is there, which no other site's form or link can send.
    pub from_page: bool,
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Header names and values.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Site {
    /// A site of a page folder and files.
    pub fn new(page: PathBuf, files: Files) -> Self {
        Self { page, files, live: None }
    }

    /// The same with a field that is being trained under `/live/`.
    #[must_use]
    pub fn with_live(self, live: Arc<Live>) -> Self {
        Self { live: Some(live), ..self }
    }

    /// Answers a request.
    pub fn reply(&self, request: Request<'_>) -> Reply {
        let host = request.host.rsplit_once(':').map_or(request.host, |(name, _)| name);
        if !matches!(host, "127.0.0.1" | "localhost" | "[::1]") {
            return refusal(421, "this server answers on loopback names only");
        }
        if let (Some(live), Some(name)) = (&self.live, request.url.strip_prefix("/live/")) {
            return live.reply(name, request);
        }
        if !matches!(request.method, "GET" | "HEAD") {
            return refusal(405, "only GET and HEAD are served");
        }
        let Some(path) = decoded_path(request.url) else { return refusal(400, "the address is malformed") };
        match self.locate(&path) {
            Some(file) => serve_file(&file, request.range),
            None => refusal(404, "there is no such file"),
        }
    }

    fn locate(&self, path: &str) -> Option<PathBuf> {
        if let Some(name) = path.strip_prefix("/file/") {
            return match &self.files {
                Files::None => None,
                Files::One { name: served, file } => (served == name).then(|| file.clone()),
                Files::Folder(folder) => inside(folder, name),
            };
        }
        let name = path.trim_start_matches('/');
        inside(&self.page, if name.is_empty() { "index.html" } else { name })
    }
}

/// `folder`/`name` as a file that really lies in `folder`, links followed.
fn inside(folder: &Path, name: &str) -> Option<PathBuf> {
    let plain = Path::new(name).components().all(|c| match c {
        Component::Normal(part) => part.to_str().is_some_and(|p| !p.starts_with('.')),
        _ => false,
    });
    let file = folder.join(name).canonicalize().ok().filter(|f| plain && f.is_file())?;
    file.starts_with(folder.canonicalize().ok()?).then_some(file)
}

/// The path of a URL without its query, percent signs resolved; `None` for what no browser sends.
fn decoded_path(url: &str) -> Option<String> {
    let path = url.split(['?', '#']).next()?;
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(if byte == b'%' {
            let digit = |b: u8| char::from(b).to_digit(16);
            u8::try_from(digit(rest.next()?)? * 16 + digit(rest.next()?)?).ok()?
        } else {
            byte
        });
    }
    String::from_utf8(bytes).ok().filter(|p| p.starts_with('/') && !p.contains(['\0', '\\']))
}

/// Percent-encodes a file name for a URL's path.
pub fn encoded(name: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.~".contains(&b);
    name.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

fn refusal(status: u16, text: &str) -> Reply {
    let headers = vec![("Content-Type", "text/plain; charset=utf-8".to_owned())];
    Reply { status, headers, body: format!("{text}\n").into_bytes() }
}

fn serve_file(path: &Path, range: Option<&str>) -> Reply {
    let Ok((mut file, length)) = File::open(path).and_then(|f| f.metadata().map(|m| (f, m.len()))) else {
        return refusal(404, "the file cannot be read");
    };
    let mut headers = vec![
        ("Content-Type", media_type(path).to_owned()),
        ("Accept-Ranges", "bytes".to_owned()),
        ("Cache-Control", "no-cache".to_owned()),
        ("X-Content-Type-Options", "nosniff".to_owned()),
        ("Referrer-Policy", "no-referrer".to_owned()),
    ];
    let (status, part) = match range.map(|text| parse_range(text, length)) {
        None | Some(Range::Ignored) => (200, 0..length),
        Some(Range::Part(part)) => {
            headers.push(("Content-Range", format!("bytes {}-{}/{length}", part.start, part.end - 1)));
            (206, part)
        }
        Some(Range::Outside) => {
            let mut reply = refusal(416, "the range lies outside the file");
            reply.headers.push(("Content-Range", format!("bytes */{length}")));
            return reply;
        }
    };
    let mut body = Vec::new();
    let read =
        file.seek(SeekFrom::Start(part.start)).and_then(|_| file.take(part.end - part.start).read_to_end(&mut body));
    match read {
        Ok(_) => Reply { status, headers, body },
        Err(_) => refusal(500, "the file cannot be read"),
    }
}

enum Range {
    Part(std::ops::Range<u64>),
    Outside,
    /// Several ranges or another unit: a server may send everything instead.
    Ignored,
}

fn parse_range(text: &str, length: u64) -> Range {
    let Some((first, last)) = text.strip_prefix("bytes=").and_then(|t| t.split_once('-')) else {
        return Range::Ignored;
    };
    let part = match (first.trim().parse::<u64>(), last.trim().parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => first..last.saturating_add(1).min(length),
        (Ok(first), Err(_)) if last.trim().is_empty() => first..length,
        (Err(_), Ok(count)) if first.trim().is_empty() => length.saturating_sub(count)..length,
        _ => return Range::Ignored,
    };
    if part.start < part.end { Range::Part(part) } else { Range::Outside }
}

fn media_type(path: &Path) -> &'static str {
    match path.extension().and_then(|e| e.to_str()).unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" | "webmanifest" => "application/json",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "inr" => tessera_core::format::MEDIA_TYPE,
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> (tempfile::TempDir, Site) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in
            [("page/index.html", "page"), ("page/a/b.js", "script"), ("page/.env", "x"), ("secret", "s")]
        {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        std::fs::write(folder.path().join("my photo.inr"), "0123456789").unwrap();
        let site = Site::new(
            folder.path().join("page"),
            Files::One { name: "my photo.inr".into(), file: folder.path().join("my photo.inr") },
        );
        (folder, site)
    }

    fn get(site: &Site, url: &str, range: Option<&str>) -> (u16, String) {
        let reply = site.reply(Request { method: "GET", url, host: "127.0.0.1:4000", range, from_page: false });
        (reply.status, String::from_utf8(reply.body).unwrap())
    }

    #[test]
    fn the_page_and_the_file_are_served() {
        let (_folder, site) = site();
        assert_eq!(get(&site, "/?url=file/my%2520photo.inr", None), (200, "page".into()));
        assert_eq!(get(&site, "/a/b.js", None), (200, "script".into()));
        assert_eq!(get(&site, &format!("/file/{}", encoded("my photo.inr")), None), (200, "0123456789".into()));
    }

    #[test]
    fn ranges_are_those_of_the_standard() {
        let (_folder, site) = site();
        let url = "/file/my%20photo.inr";
        for (range, expected) in [
            ("bytes=0-3", (206, "0123")),
            ("bytes=8-99", (206, "89")),
            ("bytes=7-", (206, "789")),
            ("bytes=-2", (206, "89")),
            ("bytes=0-1,4-5", (200, "0123456789")),
            ("lines=1-2", (200, "0123456789")),
            ("bytes=5-2", (200, "0123456789")),
        ] {
            assert_eq!(get(&site, url, Some(range)), (expected.0, expected.1.into()), "{range}");
        }
        assert_eq!(get(&site, url, Some("bytes=10-")).0, 416);
    }

    #[test]
    fn nothing_outside_is_reachable() {
        let (_folder, site) = site();
        for url in [
            "/../secret",
            "/%2e%2e/secret",
            "/file/../secret",
            "/file/..%2fsecret",
            "/.env",
            "/a/../.env",
            "//etc/passwd",
            "/file//etc/passwd",
            "/file/",
            "/a",
            "/%00",
            "/%zz",
            "/..\\secret",
            "secret",
        ] {
            assert!(matches!(get(&site, url, None).0, 400 | 404), "{url}");
        }
        let elsewhere = Request { method: "GET", url: "/", host: "evil.example:80", range: None, from_page: true };
        assert_eq!(site.reply(elsewhere).status, 421);
        assert_eq!(site.reply(Request { method: "POST", host: "localhost:1", ..elsewhere }).status, 405);
    }
}
