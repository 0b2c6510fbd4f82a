//! What was measured before is not measured again: one small file for every point.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::Point;
use crate::errors::usage_fault;
use crate::output::{Destination, read_input};

/// The folder with the encoded files of a run, in that of its results.
pub const FILES: &str = "files";

/// The folder of a run: encoded files, and a record of each beside them.
#[derive(Debug)]
pub struct Records {
    folder: PathBuf,
}

/// All that decides a point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// CRC-32C of the picture's file.
    pub picture_crc32c: u32,
    /// The program and what it was told.
    pub recipe: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    origin: Origin,
    /// CRC-32C of the encoded file.
    file_crc32c: u32,
    point: Point,
}

impl Records {
    /// In `folder`, which is made with its parents.
    ///
    /// # Errors
    /// [`crate::errors::Fault::Usage`] where it cannot be made.
    pub fn open(folder: &Path) -> Result<Self> {
        let folder = folder.join(FILES);
        let made = std::fs::create_dir_all(&folder).and_then(|()| folder.canonicalize());
        Ok(Self { folder: made.map_err(|error| usage_fault(format!("{}: {error}", folder.display())))? })
    }

    /// Where the encoded file of a point goes.
    pub fn file(&self, picture: &str, codec: &str, setting: &str, extension: &str) -> PathBuf {
        self.folder.join(format!("{picture}.{codec}.{setting}.{extension}"))
    }

    /// The point of a file that is there, whole, and came about in this way.
    pub fn find(&self, file: &Path, origin: &Origin) -> Option<Point> {
        let record: Record = serde_json::from_slice(&std::fs::read(record_of(file)).ok()?).ok()?;
        let bytes = read_input(file).ok()?;
        let same = record.origin == *origin
            && bytes.len() as u64 == record.point.bytes
            && crc32c::crc32c(&bytes) == record.file_crc32c;
        same.then_some(record.point)
    }

    /// Keeps a point whose file is written.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn keep(&self, file: &Path, origin: Origin, point: &Point) -> Result<()> {
        let file_crc32c = crc32c::crc32c(&read_input(file)?);
        let record = serde_json::to_vec_pretty(&Record { origin, file_crc32c, point: point.clone() })
            .context("a record cannot be written as JSON")?;
        Destination::new(&record_of(file), true, false)?.write(&record)
    }
}

fn record_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".json");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_found_again_as_long_as_nothing_changed() {
        let folder = tempfile::tempdir().unwrap();
        let records = Records::open(&folder.path().join("a/b")).unwrap();
        let file = records.file("kodim03", "jpeg", "50", "jpg");
        let origin = Origin { picture_crc32c: 7, recipe: "one".to_owned() };
        assert_eq!(records.find(&file, &origin), None);
        std::fs::write(&file, b"12345").unwrap();
        let point = Point {
            picture: "kodim03".to_owned(),
            codec: "jpeg".to_owned(),
            setting: "50".to_owned(),
            bpp: 0.1,
            psnr_db: 30.123_456_789,
            psnr_8bit_db: 30.0,
            bytes: 5,
            seconds: 0.25,
        };
        records.keep(&file, origin.clone(), &point).unwrap();
        assert_eq!(records.find(&file, &origin), Some(point.clone()));
        assert_eq!(records.find(&file, &Origin { picture_crc32c: 8, ..origin.clone() }), None);
        assert_eq!(records.find(&file, &Origin { recipe: "two".to_owned(), ..origin.clone() }), None);
        std::fs::write(&file, b"12346").unwrap();
        assert_eq!(records.find(&file, &origin), None, "another file");
        std::fs::write(record_of(&file), b"{").unwrap();
        assert_eq!(records.find(&file, &origin), None);
    }
}
