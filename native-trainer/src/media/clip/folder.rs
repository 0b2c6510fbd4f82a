//! Folders of pictures: one frame a file, in the order of their names, numbers by value.

use std::cmp::Ordering;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use image::{DynamicImage, ImageDecoder, ImageReader};

use super::{FrameFormat, Frames, Rate};
use crate::errors::{input_fault, usage_fault};
use crate::output::folder_of;

/// The pictures of a folder.
#[derive(Debug)]
pub(super) struct FolderFrames {
    files: Vec<PathBuf>,
    next: usize,
    format: FrameFormat,
    notes: Vec<String>,
}

impl FolderFrames {
    /// Lists a folder and looks at the headers of its pictures.
    ///
    /// # Errors
    /// [`crate::errors::Fault::Input`] for a folder without pictures, and pictures of unequal sizes.
    pub(super) fn open(folder: &Path) -> Result<Self> {
        let unreadable = |e: std::io::Error| input_fault(format!("cannot read the folder {}: {e}", folder.display()));
        let mut files = Vec::new();
        for entry in fs::read_dir(folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            let hidden = path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
            let known =
                path.extension().and_then(image::ImageFormat::from_extension).is_some_and(|f| f.reading_enabled());
            if known && !hidden && path.is_file() {
                files.push(path);
            }
        }
        files.sort_by(|a, b| by_number(&a.to_string_lossy(), &b.to_string_lossy()));
        let Some(first) = files.first() else {
            return Err(input_fault(format!("there are no pictures in the folder {}", folder.display())));
        };
        let mut format = header(first)?.0;
        let (mut colour, mut alpha, mut deep) = (format.channels > 2, format.alpha(), false);
        for file in &files {
            let (own, bytes) = header(file)?;
            if (own.width, own.height) != (format.width, format.height) {
                return Err(input_fault(format!(
                    "{} is {}x{}, but {} is {}x{}: frames of a clip have one size",
                    file.display(),
                    own.width,
                    own.height,
                    first.display(),
                    format.width,
                    format.height
                )));
            }
            colour |= own.channels > 2;
            alpha |= own.alpha();
            deep |= bytes > 1;
        }
        format.channels = if colour { 3 } else { 1 } + u32::from(alpha);
        let notes = deep.then(|| "its pictures are reduced to 8 bits per channel".to_owned());
        Ok(Self { files, next: 0, format, notes: notes.into_iter().collect() })
    }
}

/// Size and channels of a picture, and bytes per channel.
fn header(path: &Path) -> Result<(FrameFormat, u8)> {
    let reader = ImageReader::open(path).and_then(ImageReader::with_guessed_format);
    let decoder = reader.map_err(|e| input_fault(format!("cannot read {}: {e}", path.display())))?.into_decoder();
    let decoder = decoder.map_err(|e| input_fault(format!("cannot read {} as a picture: {e}", path.display())))?;
    let ((width, height), colour) = (decoder.dimensions(), decoder.color_type());
    let format = FrameFormat { width, height, channels: u32::from(colour.channel_count()) };
    Ok((format, colour.bytes_per_pixel() / colour.channel_count()))
}

impl Frames for FolderFrames {
    fn format(&self) -> FrameFormat {
        self.format
    }

    fn rate(&self) -> Option<Rate> {
        None
    }

    fn next_frame(&mut self) -> Result<Option<Vec<u8>>> {
        let Some(path) = self.files.get(self.next) else { return Ok(None) };
        self.next += 1;
        let picture = ImageReader::open(path).and_then(ImageReader::with_guessed_format);
        let picture = picture.map_err(image::ImageError::IoError).and_then(ImageReader::decode);
        let picture = picture.map_err(|e| input_fault(format!("cannot read {} as a picture: {e}", path.display())))?;
        if (picture.width(), picture.height()) != (self.format.width, self.format.height) {
            return Err(input_fault(format!("{} has changed its size meanwhile", path.display())));
        }
        Ok(Some(samples(picture, self.format.channels)))
    }

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }
}

/// A picture's 8-bit samples in so many channels.
pub(super) fn samples(picture: DynamicImage, channels: u32) -> Vec<u8> {
    match channels {
        1 => picture.into_luma8().into_raw(),
        2 => picture.into_luma_alpha8().into_raw(),
        3 => picture.into_rgb8().into_raw(),
        _ => picture.into_rgba8().into_raw(),
    }
}

/// A frame as a picture; `None` where its length does not fit.
pub(super) fn picture(format: FrameFormat, samples: Vec<u8>) -> Option<DynamicImage> {
    let (width, height) = (format.width, format.height);
    match format.channels {
        1 => image::GrayImage::from_raw(width, height, samples).map(Into::into),
        2 => image::GrayAlphaImage::from_raw(width, height, samples).map(Into::into),
        3 => image::RgbImage::from_raw(width, height, samples).map(Into::into),
        _ => image::RgbaImage::from_raw(width, height, samples).map(Into::into),
    }
}

/// Names in the order of people: runs of digits by value, `frame9` before `frame10`.
fn by_number(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    loop {
        let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (m, n) = (digits(a), digits(b));
        if m == 0 || n == 0 {
            match (a.split_first(), b.split_first()) {
                (None, None) => return Ordering::Equal,
                (None, _) => return Ordering::Less,
                (_, None) => return Ordering::Greater,
                (Some((x, _)), Some((y, _))) if x != y => return x.cmp(y),
                (Some((_, rest)), Some((_, other))) => (a, b) = (rest, other),
            }
            continue;
        }
        let plain = |text: &[u8]| text.iter().position(|&byte| byte != b'0').unwrap_or(text.len());
        let (x, y) = (&a[plain(&a[..m])..m], &b[plain(&b[..n])..n]);
        // Of equal values the one with fewer zeros in front comes first.
        let order = x.len().cmp(&y.len()).then_with(|| x.cmp(y)).then(m.cmp(&n));
        if order != Ordering::Equal {
            return order;
        }
        (a, b) = (&a[m..], &b[n..]);
    }
}

/// Whether a file is called as those that [`FolderWriter`] writes.
pub(super) fn is_frame(name: &str) -> bool {
    let number = name.strip_prefix("frame-").and_then(|rest| rest.strip_suffix(".png"));
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Writes a folder of PNG files: a new one takes its name when it is complete, one that is there gets all files at once.
#[derive(Debug)]
pub(super) struct FolderWriter {
    folder: tempfile::TempDir,
    target: PathBuf,
    /// Of a folder that is there: its frames, which the new ones replace.
    old: Option<Vec<PathBuf>>,
    format: FrameFormat,
    digits: usize,
    written: u64,
}

impl FolderWriter {
    /// A folder for `frames` pictures that will be called `target`.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub(super) fn new(target: &Path, format: FrameFormat, frames: u64) -> Result<Self> {
        let cannot = || format!("cannot write {}", target.display());
        let old = target.is_dir().then(|| frames_in(target)).transpose().with_context(cannot)?;
        let mut builder = tempfile::Builder::new();
        builder.prefix(".tessera-").suffix(".tmp");
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
        // Within a folder that is there, which may be a link, another disk, or where the caller stands.
        let parent = if old.is_some() { target.to_owned() } else { folder_of(target) };
        let folder = builder.tempdir_in(parent).with_context(cannot)?;
        let digits = frames.saturating_sub(1).to_string().len().max(4);
        Ok(Self { folder, target: target.to_owned(), old, format, digits, written: 0 })
    }

    pub(super) fn write_frame(&mut self, frame: &[u8]) -> Result<()> {
        let path = self.folder.path().join(format!("frame-{:0digits$}.png", self.written, digits = self.digits));
        let picture = picture(self.format, frame.to_vec()).context("a frame has another size")?;
        picture.save(&path).with_context(|| format!("cannot write {}", path.display()))?;
        self.written += 1;
        Ok(())
    }

    /// Gives the folder its name, or its files to the folder that is there; gives their bytes.
    ///
    /// # Errors
    /// I/O errors, and [`crate::errors::Fault::Usage`] where a file has appeared that nobody said to replace.
    pub(super) fn finish(self) -> Result<u64> {
        let Self { folder, target, old, .. } = self;
        let cannot = || format!("cannot write {}", target.display());
        let new = frames_in(folder.path()).with_context(cannot)?;
        let bytes = new.iter().map(|path| Ok(fs::metadata(path)?.len())).sum::<std::io::Result<u64>>()?;
        let Some(old) = old else {
            fs::rename(folder.path(), &target).with_context(cannot)?;
            // Renamed: nothing is left to remove.
            let _ = folder.keep();
            return Ok(bytes);
        };
        let places: Vec<PathBuf> = new.iter().filter_map(|path| Some(target.join(path.file_name()?))).collect();
        if let Some(appeared) = places.iter().find(|place| place.exists() && !old.contains(place)) {
            return Err(usage_fault(format!("{} has appeared meanwhile; --force replaces it", appeared.display())));
        }
        for (path, place) in new.iter().zip(&places) {
            fs::rename(path, place).with_context(cannot)?;
        }
        for left in old.iter().filter(|path| !places.contains(path)) {
            fs::remove_file(left).with_context(cannot)?;
        }
        Ok(bytes)
    }
}

/// The files of a folder that are called as ours.
fn frames_in(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut frames = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if is_frame(&entry.file_name().to_string_lossy()) && entry.file_type()?.is_file() {
            frames.push(entry.path());
        }
    }
    Ok(frames)
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "the figures of small tests fit")]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_count_by_value() {
        let mut names = ["b", "f10.png", "f9.png", "f09.png", "a2b10", "a2b9", "a10b1", "f"];
        names.sort_by(|a, b| by_number(a, b));
        assert_eq!(names, ["a2b9", "a2b10", "a10b1", "b", "f", "f9.png", "f09.png", "f10.png"]);
    }

    #[test]
    fn a_folder_comes_back_as_it_was_written() {
        let place = tempfile::tempdir().unwrap();
        for channels in 1..=4 {
            let format = FrameFormat { width: 5, height: 3, channels };
            let target = place.path().join(format!("clip{channels}"));
            let mut writer = FolderWriter::new(&target, format, 12).unwrap();
            let frame = |i: u8| -> Vec<u8> { (0..format.bytes()).map(|b| (b as u8).wrapping_mul(13) ^ i).collect() };
            (0..12).for_each(|i| writer.write_frame(&frame(i)).unwrap());
            assert!(!target.exists());
            assert!(writer.finish().unwrap() > 0);
            let mut frames = FolderFrames::open(&target).unwrap();
            assert_eq!(frames.format(), format);
            for i in 0..12 {
                assert_eq!(frames.next_frame().unwrap().unwrap(), frame(i));
            }
            assert!(frames.next_frame().unwrap().is_none());
        }
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 4, "no temporary folder stays");
        let unfinished =
            FolderWriter::new(&place.path().join("x"), FrameFormat { width: 1, height: 1, channels: 1 }, 1);
        drop(unfinished.unwrap());
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 4);
    }

    #[test]
    fn folders_that_are_no_clip_are_refused() {
        let place = tempfile::tempdir().unwrap();
        assert!(FolderFrames::open(place.path()).unwrap_err().to_string().contains("no pictures"));
        image::GrayImage::new(4, 4).save(place.path().join("1.png")).unwrap();
        image::GrayImage::new(4, 5).save(place.path().join("2.png")).unwrap();
        assert!(FolderFrames::open(place.path()).unwrap_err().to_string().contains("4x5"));
        fs::write(place.path().join("2.png"), b"nonsense").unwrap();
        assert_eq!(crate::errors::exit_code(&FolderFrames::open(place.path()).unwrap_err()), 3);
    }
}
