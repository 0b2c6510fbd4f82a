//! Voxel grids: NPY files, and raw numbers whose shape and type the user names.
//!
//! The header of NPY is read here by hand: the crates for it bring a parser generator for all of Python's literals, of
//! which a file of numbers uses one dictionary of three entries.

use std::fmt;
use std::str::FromStr;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use tessera_core::limits;

use crate::errors::{Fault, input_fault};

/// The first bytes of an NPY file.
pub(super) const NPY_MAGIC: &[u8] = b"\x93NUMPY";

/// The type of a voxel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VoxelType {
    /// A byte that is 0 or not; NPY's `bool` as well.
    U8,
    /// Signed 8 bits.
    I8,
    /// 16 bits.
    U16,
    /// Signed 16 bits.
    I16,
    /// 32 bits.
    U32,
    /// Signed 32 bits.
    I32,
    /// 32-bit floats.
    F32,
    /// 64-bit floats.
    F64,
}

/// Shape and type of a raw file, `64x64x64:u8`; the last axis counts fastest, numbers are little-endian.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawVoxels {
    /// Voxels along each axis.
    pub shape: [u32; 3],
    /// Their type.
    pub kind: VoxelType,
}

/// A grid of voxels.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Voxels {
    /// Along each axis.
    pub shape: [usize; 3],
    /// Row-major.
    pub values: Vec<f32>,
    /// Whether the source has floats, which are then compared with one half instead of zero.
    pub floats: bool,
}

const TYPES: [(VoxelType, &str, usize); 8] = [
    (VoxelType::U8, "u8", 1),
    (VoxelType::I8, "i8", 1),
    (VoxelType::U16, "u16", 2),
    (VoxelType::I16, "i16", 2),
    (VoxelType::U32, "u32", 4),
    (VoxelType::I32, "i32", 4),
    (VoxelType::F32, "f32", 4),
    (VoxelType::F64, "f64", 8),
];

impl VoxelType {
    fn bytes(self) -> usize {
        TYPES.iter().find(|(kind, ..)| *kind == self).map_or(1, |entry| entry.2)
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "compared with a threshold only")]
    fn value(self, bytes: &[u8], big: bool) -> f32 {
        macro_rules! number {
            ($type:ty) => {{
                let bytes = bytes.try_into().unwrap_or_default();
                if big { <$type>::from_be_bytes(bytes) } else { <$type>::from_le_bytes(bytes) }
            }};
        }
        match self {
            Self::U8 => f32::from(number!(u8)),
            Self::I8 => f32::from(number!(i8)),
            Self::U16 => f32::from(number!(u16)),
            Self::I16 => f32::from(number!(i16)),
            Self::U32 => number!(u32) as f32,
            Self::I32 => number!(i32) as f32,
            Self::F32 => number!(f32),
            Self::F64 => number!(f64) as f32,
        }
    }

    fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F64)
    }
}

impl fmt::Display for RawVoxels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c] = self.shape;
        let name = TYPES.iter().find(|(kind, ..)| *kind == self.kind).map_or("u8", |entry| entry.1);
        write!(f, "{a}x{b}x{c}:{name}")
    }
}

impl FromStr for RawVoxels {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            let names: Vec<&str> = TYPES.iter().map(|entry| entry.1).collect();
            format!("`{text}` is not a shape and a type like 64x64x64:u8 (types: {})", names.join(", "))
        };
        let (shape, kind) = text.split_once(':').unwrap_or((text, "u8"));
        let numbers: Vec<u32> = shape.split('x').map(str::parse).collect::<Result<_, _>>().map_err(|_| wrong())?;
        let shape: [u32; 3] = numbers.try_into().map_err(|_| wrong())?;
        let kind = TYPES.iter().find(|entry| entry.1 == kind).map(|entry| entry.0).ok_or_else(wrong)?;
        if shape.contains(&0) { Err(wrong()) } else { Ok(Self { shape, kind }) }
    }
}

impl TryFrom<String> for RawVoxels {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl Serialize for RawVoxels {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RawVoxels {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Raw numbers of a shape and a type.
///
/// # Errors
/// [`Fault::Input`] where the bytes are not as many, [`Fault::Limit`] beyond the format.
pub(super) fn read_raw(bytes: &[u8], raw: &RawVoxels, name: &str) -> Result<Voxels> {
    let shape = raw.shape.map(u64::from);
    numbers(bytes, shape, raw.kind, [false, false], name)
}

/// An NPY file of three axes.
///
/// # Errors
/// [`Fault::Input`] for what is none, or has other axes or another type, [`Fault::Limit`] beyond the format.
pub(super) fn read_npy(bytes: &[u8], name: &str) -> Result<Voxels> {
    let broken = |reason: &str| input_fault(format!("cannot read {name} as an NPY grid: {reason}"));
    let cut = || broken("it ends within its header");
    let wide = *bytes.get(6).ok_or_else(cut)? > 1;
    let (length, start) = if wide {
        (bytes.get(8..12).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes).ok_or_else(cut)?, 12)
    } else {
        (bytes.get(8..10).and_then(|b| b.try_into().ok()).map(u16::from_le_bytes).map(u32::from).ok_or_else(cut)?, 10)
    };
    let end = start + length as usize;
    let header =
        std::str::from_utf8(bytes.get(start..end).ok_or_else(cut)?).map_err(|_| broken("its header is no text"))?;
    let entry = |key: &str| {
        let after = header.split_once(&format!("'{key}'")).or_else(|| header.split_once(&format!("\"{key}\"")));
        after.and_then(|(_, rest)| rest.trim_start().strip_prefix(':')).map(str::trim_start)
    };
    let quoted = |text: &str| text.get(1..).and_then(|t| t.split(['\'', '"']).next()).map(str::to_owned);
    let kind = entry("descr").and_then(quoted).ok_or_else(|| broken("its header names no type"))?;
    let fortran = entry("fortran_order").is_some_and(|text| text.starts_with("True"));
    let shape = entry("shape").and_then(|t| t.strip_prefix('(')).and_then(|t| t.split(')').next());
    let numbers_of = |t: &str| t.split(',').map(str::trim).filter(|n| !n.is_empty()).map(|n| n.parse().ok()).collect();
    let shape: Option<Vec<u64>> = shape.and_then(numbers_of);
    let shape = shape.ok_or_else(|| broken("its header names no shape"))?;
    let shape: [u64; 3] =
        shape.try_into().map_err(|s: Vec<u64>| broken(&format!("it has {} axes, a shape has three", s.len())))?;
    let (order, letters) = kind.split_at(kind.len().min(1));
    let kind = match letters {
        "b1" | "u1" => VoxelType::U8,
        "i1" => VoxelType::I8,
        "u2" => VoxelType::U16,
        "i2" => VoxelType::I16,
        "u4" => VoxelType::U32,
        "i4" => VoxelType::I32,
        "f4" => VoxelType::F32,
        "f8" => VoxelType::F64,
        _ => {
            return Err(broken(&format!(
                "voxels of type {kind} are not read: bool, (u)int8 to 32, float32 and 64 are"
            )));
        }
    };
    numbers(&bytes[end..], shape, kind, [order == ">", fortran], name)
}

/// `big` numbers, the first axis counting fastest where `fortran`.
fn numbers(bytes: &[u8], shape: [u64; 3], kind: VoxelType, [big, fortran]: [bool; 2], name: &str) -> Result<Voxels> {
    let voxels = shape.iter().fold(1_u64, |n, &axis| n.saturating_mul(axis));
    if voxels > limits::DECODE_SAMPLES {
        return Err(Fault::Limit(format!("{name} has {voxels} voxels, the limit is {}", limits::DECODE_SAMPLES)).into());
    }
    let expected = voxels.saturating_mul(kind.bytes() as u64);
    if voxels == 0 || bytes.len() as u64 != expected {
        let [a, b, c] = shape;
        return Err(input_fault(format!(
            "cannot read {name} as a grid of voxels: {a}x{b}x{c} of them take {expected} bytes, there are {}",
            bytes.len()
        )));
    }
    // Both are at most the length of a file in memory.
    let shape = shape.map(|n| usize::try_from(n).unwrap_or(usize::MAX));
    let mut values: Vec<f32> = bytes.chunks_exact(kind.bytes()).map(|b| kind.value(b, big)).collect();
    if fortran {
        let [a, b, c] = shape;
        values = (0..a * b * c).map(|i| values[i / (b * c) + a * (i / c % b) + a * b * (i % c)]).collect();
    }
    if let Some(i) = values.iter().position(|v| !v.is_finite()) {
        return Err(input_fault(format!("voxel {i} of {name} is {}, only finite numbers can be encoded", values[i])));
    }
    Ok(Voxels { shape, values, floats: kind.is_float() })
}

/// An NPY file of bytes (`|u1`) or 32-bit floats (`<f4`).
pub fn npy(shape: &[usize], floats: bool, data: &[u8]) -> Vec<u8> {
    let lengths: String = shape.iter().map(|n| format!("{n}, ")).collect();
    let kind = if floats { "<f4" } else { "|u1" };
    let mut header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({}), }}", lengths.trim_end());
    // The data begins at a multiple of 64.
    let padded = (10 + header.len() + 1).next_multiple_of(64) - 10;
    header.extend(std::iter::repeat_n(' ', padded - header.len() - 1));
    header.push('\n');
    let mut bytes = NPY_MAGIC.to_vec();
    bytes.extend([1, 0]);
    bytes.extend(u16::try_from(header.len()).unwrap_or(u16::MAX).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn npy_goes_there_and_back() {
        let floats: Vec<u8> = (0..24_u8).flat_map(|v| f32::from(v).to_le_bytes()).collect();
        let file = npy(&[2, 3, 4], true, &floats);
        let voxels = read_npy(&file, "a.npy").unwrap();
        assert_eq!((voxels.shape, voxels.floats), ([2, 3, 4], true));
        assert_eq!(voxels.values, (0..24_u8).map(f32::from).collect::<Vec<_>>());
        let bytes = npy(&[1, 2, 2], false, &[0, 1, 255, 3]);
        assert_eq!(bytes.len() % 64, 4);
        assert_eq!(read_npy(&bytes, "a.npy").unwrap().values, [0.0, 1.0, 255.0, 3.0]);
        for end in 0..file.len() {
            assert!(read_npy(&file[..end], "cut").is_err());
        }
    }

    #[test]
    fn orders_and_types_of_npy_are_understood() {
        let file = |header: &str, data: &[u8]| {
            let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
            bytes.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
            bytes.extend(header.as_bytes());
            bytes.extend(data);
            bytes
        };
        let fortran = file(
            "{'descr': '>i2', 'fortran_order': True, 'shape': (1, 2, 3), }",
            &[0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 255, 255],
        );
        assert_eq!(read_npy(&fortran, "a").unwrap().values, [1.0, 3.0, 5.0, 2.0, 4.0, -1.0]);
        for header in [
            "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }",
            "{'descr': '<c8', 'fortran_order': False, 'shape': (1, 1, 1), }",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999, 99999999, 99999999), }",
            "{'descr': '', 'shape': (0, 1, 1), }",
            "{}",
        ] {
            assert!(read_npy(&file(header, &[0; 8]), "a").is_err(), "{header}");
        }
        let nan = npy(&[1, 1, 1], true, &f32::NAN.to_le_bytes());
        assert!(read_npy(&nan, "a").unwrap_err().to_string().contains("NaN"));
    }

    #[test]
    fn raw_grids_are_named_by_shape_and_type() {
        let raw: RawVoxels = "1x2x2:u16".parse().unwrap();
        assert_eq!(raw.to_string(), "1x2x2:u16");
        assert_eq!(read_raw(&[1, 0, 0, 1, 0, 0, 2, 0], &raw, "a").unwrap().values, [1.0, 256.0, 0.0, 2.0]);
        assert!(read_raw(&[0; 7], &raw, "a").is_err());
        assert_eq!("4x4x4".parse::<RawVoxels>().unwrap().kind, VoxelType::U8);
        assert!("4x4".parse::<RawVoxels>().is_err() && "4x4x0".parse::<RawVoxels>().is_err());
        assert!("4x4x4:u9".parse::<RawVoxels>().is_err());
    }
}
