//! The pictures of a set, as all codecs see them.

use std::path::{Path, PathBuf};

use anyhow::Result;
use image::{DynamicImage, GrayImage, RgbImage};
use tessera_core::metrics::{psnr_db, to_unit};
use tessera_core::signal::{SampleFormat, to_code_value};

use crate::errors::{input_fault, usage_fault};
use crate::media::picture::{is_picture, read_picture};
use crate::output::read_input;
use crate::samples::Samples;

/// A picture of 8 bits in one or three channels: what every codec here knows.
#[derive(Debug)]
pub struct Picture {
    /// Its name without the extension.
    pub name: String,
    /// Its samples.
    pub samples: Samples,
    /// The same as code values.
    pub image: DynamicImage,
    /// CRC-32C of its file.
    pub checksum: u32,
}

impl Picture {
    /// Reads it.
    ///
    /// # Errors
    /// [`crate::errors::Fault::Input`] for what cannot be read, has opacity or other than 8 bits.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = read_input(path)?;
        let signal = read_picture(&bytes, path)?.signal;
        let (info, shown) = (&signal.info, path.display());
        let wrong =
            |what: &str| input_fault(format!("{shown} {what}: codecs are compared on 8-bit grey or RGB pictures"));
        if info.format != SampleFormat::U8 {
            return Err(wrong("does not have 8 bits per channel"));
        }
        let codes: Vec<u8> = signal.values.iter().filter_map(|&v| u8::try_from(to_code_value(v, 255)).ok()).collect();
        let (rows, columns) = (info.shape[0], info.shape[1]);
        let image = match info.channels {
            1 => GrayImage::from_raw(columns, rows, codes).map(DynamicImage::from),
            3 => RgbImage::from_raw(columns, rows, codes).map(DynamicImage::from),
            _ => None,
        };
        Ok(Self {
            name: stem(path),
            image: image.ok_or_else(|| wrong("has opacity"))?,
            checksum: crc32c::crc32c(&bytes),
            samples: signal.into(),
        })
    }

    /// Its pixels.
    pub fn pixels(&self) -> u64 {
        self.samples.info().samples()
    }

    /// PSNR in dB of decoded values in field units: clamped, and rounded to 8 bits besides.
    ///
    /// # Errors
    /// Where the sizes differ.
    pub fn psnr_db(&self, decoded: &[f32]) -> Result<(f64, f64)> {
        let (source, decoded) = (to_unit(&self.samples.all()?), to_unit(decoded));
        let rounded: Vec<f32> = decoded.iter().map(|v| (v * 255.0).round() / 255.0).collect();
        Ok((psnr_db(&decoded, &source)?, psnr_db(&rounded, &source)?))
    }

    /// PSNR in dB of a decoded picture of 8 bits.
    ///
    /// # Errors
    /// [`crate::errors::Fault::Input`] for another size.
    pub fn psnr_of_image_db(&self, decoded: &DynamicImage) -> Result<f64> {
        if (decoded.width(), decoded.height()) != (self.image.width(), self.image.height()) {
            return Err(input_fault(format!("{} came back in another size", self.name)));
        }
        let unit = |bytes: &[u8]| -> Vec<f32> { bytes.iter().map(|&v| f32::from(v) / 255.0).collect() };
        let (a, b) = match &self.image {
            DynamicImage::ImageLuma8(source) => (unit(source), unit(&decoded.to_luma8())),
            source => (unit(source.as_bytes()), unit(&decoded.to_rgb8())),
        };
        Ok(psnr_db(&b, &a)?)
    }
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// The pictures of a folder by their extensions, sorted by name. Its folders are not looked into.
///
/// # Errors
/// [`crate::errors::Fault::Input`] where the folder cannot be read or has no picture, [`crate::errors::Fault::Usage`] where
/// two pictures differ in their extension only, for files are named after them.
pub fn of_folder(folder: &Path) -> Result<Vec<PathBuf>> {
    let unreadable = |e: std::io::Error| input_fault(format!("cannot read the folder {}: {e}", folder.display()));
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.is_file() && is_picture(&[], &path) {
            paths.push(path);
        }
    }
    paths.sort();
    if paths.is_empty() {
        return Err(input_fault(format!("there is no picture in {}", folder.display())));
    }
    let mut names: Vec<String> = paths.iter().map(|path| stem(path)).collect();
    names.sort();
    if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(usage_fault(format!("{} has two pictures called {}", folder.display(), twice[0])));
    }
    Ok(paths)
}
