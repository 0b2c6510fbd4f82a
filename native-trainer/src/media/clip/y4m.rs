//! YUV4MPEG2, the format in which video programs hand each other plain frames.
//!
//! It stores luma and chroma of BT.601 in studio range, or in full range where it says so, and knows nothing of RGB or
//! opacity. We write it in 4:4:4, for chroma at half the resolution would be a loss of ours and not of the field.

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::rc::Rc;

use anyhow::Result;
use y4m::{Colorspace, Decoder, Encoder, Error, Ratio, VendorExtensionString};

use super::{FrameFormat, Frames, Rate};
use crate::errors::{Fault, input_fault};
use tessera_core::limits;

/// The first bytes of every such file.
pub(super) const SIGNATURE: &[u8] = b"YUV4MPEG2 ";

/// Frames of a YUV4MPEG2 stream.
pub(super) struct Y4mFrames<R: Read> {
    decoder: Decoder<Counted<R>>,
    /// Bytes read so far: the decoder does not tell an end between two frames from one within a frame.
    bytes: Rc<Cell<u64>>,
    truncated: bool,
    name: String,
    format: FrameFormat,
    rate: Option<Rate>,
    full_range: bool,
    frames: u64,
}

impl<R: Read> Y4mFrames<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// [`Fault::Input`] for what is no such stream.
    pub(super) fn open(reader: R, name: &str) -> Result<Self> {
        let bytes = Rc::new(Cell::new(0));
        let decoder = Decoder::new(Counted { inner: reader, bytes: Rc::clone(&bytes) });
        let decoder = decoder.map_err(|e| refused(name, 0, &e))?;
        let side = |length: usize| u32::try_from(length).ok().filter(|&n| u64::from(n) <= limits::AXIS_SAMPLES);
        let (Some(width), Some(height)) = (side(decoder.get_width()), side(decoder.get_height())) else {
            return Err(refused(name, 0, &Error::OutOfMemory));
        };
        let grey = matches!(decoder.get_colorspace(), Colorspace::Cmono | Colorspace::Cmono12);
        let Ratio { num, den } = decoder.get_framerate();
        let full_range = decoder.get_raw_params().split(|&b| b == b' ').any(|p| p == b"XCOLORRANGE=FULL");
        Ok(Self {
            format: FrameFormat { width, height, channels: if grey { 1 } else { 3 } },
            rate: Rate::new(num as u64, den as u64),
            decoder,
            bytes,
            truncated: false,
            name: name.to_owned(),
            full_range,
            frames: 0,
        })
    }
}

fn refused(name: &str, frame: u64, error: &Error) -> anyhow::Error {
    match error {
        Error::OutOfMemory => Fault::Limit(format!("a frame of {name} needs more than 1 GiB")).into(),
        Error::UnknownColorspace => input_fault(format!(
            "{name} has a kind of YUV that is not supported: convert it, as in `ffmpeg -i IN -pix_fmt yuv444p OUT.y4m`"
        )),
        Error::EOF => input_fault(format!("{name} ends within its header")),
        other => input_fault(format!(
            "cannot read {name} as Y4M, frame {frame}: {other} (samples of more than 8 bits in frames of odd width are not supported: \
             convert them, as in `ffmpeg -i IN -pix_fmt yuv444p OUT.y4m`)"
        )),
    }
}

impl<R: Read> Frames for Y4mFrames<R> {
    fn format(&self) -> FrameFormat {
        self.format
    }

    fn rate(&self) -> Option<Rate> {
        self.rate
    }

    fn next_frame(&mut self) -> Result<Option<Vec<u8>>> {
        let space = self.decoder.get_colorspace();
        let before = self.bytes.get();
        let frame = match self.decoder.read_frame() {
            Ok(frame) => frame,
            Err(Error::EOF) => {
                self.truncated |= self.bytes.get() > before;
                return Ok(None);
            }
            Err(e) => return Err(refused(&self.name, self.frames, &e)),
        };
        self.frames += 1;
        let (width, height) = (self.format.width as usize, self.format.height as usize);
        let planes = [frame.get_y_plane(), frame.get_u_plane(), frame.get_v_plane()];
        let convert = Conversion { depth: space.get_bit_depth(), full_range: self.full_range };
        if self.format.channels == 1 {
            return Ok(Some((0..width * height).map(|i| code(convert.luma(planes[0], i))).collect()));
        }
        let (across, down) = subsampling(space);
        let chroma_size = (width.div_ceil(across), height.div_ceil(down));
        let mut out = Vec::with_capacity(width * height * 3);
        let mut rows = [vec![0.0_f32; width], vec![0.0_f32; width]];
        for y in 0..height {
            for (row, plane) in rows.iter_mut().zip(&planes[1..]) {
                convert.chroma_row(plane, chroma_size, (across, down), y, row);
            }
            for (x, (cb, cr)) in rows[0].iter().zip(&rows[1]).enumerate() {
                let luma = convert.luma(planes[0], y * width + x);
                out.extend([
                    code(luma + 1.402 * cr),
                    code(luma - 0.344_136_3 * cb - 0.714_136_3 * cr),
                    code(luma + 1.772 * cb),
                ]);
            }
        }
        Ok(Some(out))
    }

    fn notes(&self) -> Vec<String> {
        self.truncated.then(|| format!("it ends within frame {}, which is left out", self.frames)).into_iter().collect()
    }
}

/// A reader that counts.
struct Counted<R> {
    inner: R,
    bytes: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.bytes.set(self.bytes.get() + count as u64);
        Ok(count)
    }
}

/// How many samples of luma share one of chroma, across and down.
fn subsampling(space: Colorspace) -> (usize, usize) {
    use Colorspace::{C422, C422p10, C422p12, C444, C444p10, C444p12};
    match space {
        C444 | C444p10 | C444p12 => (1, 1),
        C422 | C422p10 | C422p12 => (2, 1),
        _ => (2, 2),
    }
}

/// Stored numbers to luma in 0..=1 and chroma in -0.5..=0.5.
#[derive(Debug, Clone, Copy)]
struct Conversion {
    depth: usize,
    full_range: bool,
}

impl Conversion {
    fn stored(self, plane: &[u8], index: usize) -> f32 {
        if self.depth == 8 {
            f32::from(plane[index])
        } else {
            let scale = f32::from(1_u16 << (self.depth - 8));
            f32::from(u16::from_le_bytes([plane[2 * index], plane[2 * index + 1]])) / scale
        }
    }

    fn luma(self, plane: &[u8], index: usize) -> f32 {
        let value = self.stored(plane, index);
        if self.full_range { value / 255.0 } else { (value - 16.0) / 219.0 }
    }

    /// A row of chroma at the resolution of luma: between samples, which lie at the centres of what they stand for,
    /// a straight line.
    fn chroma_row(
        self,
        plane: &[u8],
        (width, height): (usize, usize),
        (across, down): (usize, usize),
        y: usize,
        out: &mut [f32],
    ) {
        let span = if self.full_range { 255.0 } else { 224.0 };
        let neighbours = |place: usize, share: usize, length: usize| -> (usize, usize, f32) {
            #[expect(clippy::cast_precision_loss, reason = "places on an axis")]
            let position = ((place as f32 + 0.5) / share as f32 - 0.5).clamp(0.0, (length - 1) as f32);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the axis")]
            let first = position.floor() as usize;
            #[expect(clippy::cast_precision_loss, reason = "places on an axis")]
            let part = position - first as f32;
            (first, (first + 1).min(length - 1), part)
        };
        let (top, bottom, down_part) = neighbours(y, down, height);
        for (x, value) in out.iter_mut().enumerate() {
            let (left, right, part) = neighbours(x, across, width);
            let at = |row: usize, column: usize| self.stored(plane, row * width + column);
            let row = |row: usize| at(row, left) * (1.0 - part) + at(row, right) * part;
            *value = (row(top) * (1.0 - down_part) + row(bottom) * down_part - 128.0) / span;
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before the cast")]
fn code(unit: f32) -> u8 {
    (unit * 255.0).round().clamp(0.0, 255.0) as u8
}

/// Writes frames of grey or RGB.
pub(super) struct Y4mWriter<W: Write> {
    encoder: Encoder<W>,
    format: FrameFormat,
}

impl<W: Write> Y4mWriter<W> {
    /// Writes the header.
    ///
    /// # Errors
    /// I/O errors.
    pub(super) fn new(writer: W, format: FrameFormat, rate: Rate) -> Result<Self> {
        let (frames, seconds) = rate.fraction();
        let ratio = Ratio::new(frames as usize, seconds as usize);
        let space = if format.channels == 1 { Colorspace::Cmono } else { Colorspace::C444 };
        let range = VendorExtensionString::new(b"COLORRANGE=FULL".to_vec())?;
        let encoder = y4m::encode(format.width as usize, format.height as usize, ratio)
            .with_colorspace(space)
            .append_vendor_extension(range)
            .write_header(writer)?;
        Ok(Self { encoder, format })
    }

    /// Writes a frame.
    ///
    /// # Errors
    /// I/O errors.
    pub(super) fn write_frame(&mut self, frame: &[u8]) -> Result<()> {
        if self.format.channels == 1 {
            self.encoder.write_frame(&y4m::Frame::new([frame, &[], &[]], None))?;
            return Ok(());
        }
        let mut planes = [(); 3].map(|()| Vec::with_capacity(frame.len() / 3));
        for &[r, g, b] in frame.as_chunks::<3>().0 {
            let [r, g, b] = [r, g, b].map(|v| f32::from(v) / 255.0);
            let luma = 0.299 * r + 0.587 * g + 0.114 * b;
            planes[0].push(code(luma));
            planes[1].push(code((b - luma) / 1.772 + 128.0 / 255.0));
            planes[2].push(code((r - luma) / 1.402 + 128.0 / 255.0));
        }
        self.encoder.write_frame(&y4m::Frame::new([&planes[0], &planes[1], &planes[2]], None))?;
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "the figures of small tests fit")]
mod tests {
    use super::*;

    fn frames_of(bytes: &[u8]) -> Result<(FrameFormat, Vec<Vec<u8>>)> {
        let mut source = Y4mFrames::open(bytes, "a.y4m")?;
        let mut frames = Vec::new();
        while let Some(frame) = source.next_frame()? {
            frames.push(frame);
        }
        Ok((source.format(), frames))
    }

    #[test]
    fn what_is_written_is_read_within_a_code_value() {
        for channels in [1, 3] {
            let format = FrameFormat { width: 7, height: 5, channels };
            let rate = Rate::new(30_000, 1001).unwrap();
            let frame =
                |i: usize| -> Vec<u8> { (0..format.bytes()).map(|b| ((b * 37 + i * 91) % 256) as u8).collect() };
            let mut bytes = Vec::new();
            let mut writer = Y4mWriter::new(&mut bytes, format, rate).unwrap();
            (0..3).for_each(|i| writer.write_frame(&frame(i)).unwrap());
            assert_eq!(Y4mFrames::open(&bytes[..], "a").unwrap().rate(), Some(rate));
            let (found, frames) = frames_of(&bytes).unwrap();
            assert_eq!((found, frames.len()), (format, 3));
            for (i, found) in frames.iter().enumerate() {
                let worst = found.iter().zip(frame(i)).map(|(a, b)| a.abs_diff(b)).max().unwrap();
                assert!(worst <= 2, "{worst}");
            }
        }
    }

    #[test]
    fn studio_range_and_halved_chroma_are_read() {
        // White, black and red in BT.601 studio range, constant over the frame.
        for (space, chroma) in [("420jpeg", 6), ("422", 9), ("444", 15), ("420mpeg2", 6)] {
            for (luma, cb, cr, rgb) in [(235, 128, 128, [255; 3]), (16, 128, 128, [0; 3]), (81, 90, 240, [254, 0, 0])] {
                let mut bytes = format!("YUV4MPEG2 W5 H3 F25:1 C{space}\nFRAME\n").into_bytes();
                bytes.extend([vec![luma; 15], vec![cb; chroma], vec![cr; chroma]].concat());
                let (format, frames) = frames_of(&bytes).unwrap();
                assert_eq!(format, FrameFormat { width: 5, height: 3, channels: 3 });
                assert!(frames[0].as_chunks::<3>().0.iter().all(|p| p == &rgb), "{space}: {:?}", &frames[0][..3]);
            }
        }
        let mut bytes = b"YUV4MPEG2 W1 H1 F25:1 C444p10\nFRAME\n".to_vec();
        bytes.extend([940_u16, 512, 512].iter().flat_map(|v| v.to_le_bytes()));
        assert_eq!(frames_of(&bytes).unwrap().1, [[255; 3]]);
    }

    #[test]
    fn a_truncated_frame_is_left_out_and_said() {
        let bytes = b"YUV4MPEG2 W2 H1 F25:1 Cmono\nFRAME\n\x10\xebFRAME\n\x10";
        let mut source = Y4mFrames::open(&bytes[..], "a").unwrap();
        assert_eq!(source.next_frame().unwrap().unwrap(), [0, 255]);
        assert!(source.next_frame().unwrap().is_none());
        assert!(source.notes()[0].contains("within frame 1"));
    }

    #[test]
    fn what_is_no_y4m_is_refused() {
        for bytes in [
            &b"YUV4MPEG2 "[..],
            b"RIFF",
            b"YUV4MPEG2 W5 H0 F25:1\n",
            b"YUV4MPEG2 W5 H5 C999\n",
            b"YUV4MPEG2 W9999999 H9999999\n",
        ] {
            assert!(frames_of(bytes).is_err(), "{}", String::from_utf8_lossy(bytes));
        }
    }
}
