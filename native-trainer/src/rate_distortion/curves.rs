//! Curves of other codecs from CSV files, and the points of a run as CSV.
//!
//! Two forms are known by their columns: mean points (`codec,bpp,psnr_rgb_db`, others are passed over) and points of single
//! pictures (`image` or `picture`, `bpp`, `psnr_rgb_db` or `psnr_db`, `lambda` or `setting`, perhaps `codec`), which is
//! also what a run writes, so that runs can be compared with each other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Result;
use serde::Deserialize;
use tessera_core::metrics::RatePoint;

use super::Point;
use crate::errors::{Fault, input_fault};
use crate::output::read_input;

/// Rows of a file at most.
const MOST_ROWS: usize = 1 << 20;

/// The points of a codec.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// The codec.
    pub codec: String,
    /// The file it comes from, or that it was measured now.
    pub source: String,
    /// Its points.
    pub points: Points,
}

/// Points of a curve.
#[derive(Debug, Clone, PartialEq)]
pub enum Points {
    /// Means over pictures that are not named.
    Means(Vec<RatePoint>),
    /// By picture and setting.
    Pictures(PicturePoints),
}

/// By picture and setting.
pub type PicturePoints = BTreeMap<String, BTreeMap<String, RatePoint>>;

#[derive(Debug, Deserialize)]
struct Row {
    codec: Option<String>,
    #[serde(alias = "image")]
    picture: Option<String>,
    #[serde(alias = "lambda")]
    setting: Option<String>,
    bpp: f64,
    #[serde(alias = "psnr_rgb_db")]
    psnr_db: f64,
}

/// The curves of a CSV file.
///
/// # Errors
/// [`crate::errors::Fault::Input`] for a file that cannot be read or has neither form, [`Fault::Limit`] for a very long one.
pub fn read_curves(path: &Path) -> Result<Vec<Curve>> {
    let bytes = read_input(path)?;
    let (shown, source) = (path.display(), path.file_name().unwrap_or_default().to_string_lossy().into_owned());
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let mut curves: BTreeMap<String, Points> = BTreeMap::new();
    for (number, row) in csv::Reader::from_reader(bytes.as_slice()).deserialize().enumerate() {
        let row: Row = row.map_err(|error| {
            input_fault(format!(
                "{shown} has no curves: {error} (columns are codec,bpp,psnr_rgb_db or image,bpp,psnr_rgb_db)"
            ))
        })?;
        if number >= MOST_ROWS {
            return Err(Fault::Limit(format!("{shown} has more than {MOST_ROWS} rows")).into());
        }
        let point = RatePoint { bits_per_sample: row.bpp, psnr_db: row.psnr_db };
        let codec = row.codec.unwrap_or_else(|| stem.clone());
        match row.picture {
            None => {
                let points = curves.entry(codec).or_insert_with(|| Points::Means(Vec::new()));
                if let Points::Means(points) = points {
                    points.push(point);
                }
            }
            Some(picture) => {
                let points = curves.entry(codec).or_insert_with(|| Points::Pictures(BTreeMap::new()));
                if let Points::Pictures(pictures) = points {
                    let settings = pictures.entry(picture).or_default();
                    let setting = row.setting.unwrap_or_else(|| format!("{:04}", settings.len()));
                    settings.insert(setting, point);
                }
            }
        }
    }
    if curves.is_empty() {
        return Err(input_fault(format!("{shown} has no rows")));
    }
    Ok(curves.into_iter().map(|(codec, points)| Curve { codec, source: source.clone(), points }).collect())
}

/// The curves of what was measured, in the order in which codecs come.
pub fn of_points(points: &[Point]) -> Vec<Curve> {
    let mut curves: Vec<(String, PicturePoints)> = Vec::new();
    for point in points {
        let place = curves.iter().position(|(codec, _)| *codec == point.codec).unwrap_or_else(|| {
            curves.push((point.codec.clone(), BTreeMap::new()));
            curves.len() - 1
        });
        curves[place].1.entry(point.picture.clone()).or_default().insert(point.setting.clone(), point.rate());
    }
    let of = |(codec, pictures)| Curve { codec, source: "this run".to_owned(), points: Points::Pictures(pictures) };
    curves.into_iter().map(of).collect()
}

impl Curve {
    /// The pictures that have a point for every setting; `None` where pictures are not named.
    pub fn complete_pictures(&self) -> Option<BTreeSet<&str>> {
        let Points::Pictures(pictures) = &self.points else { return None };
        let settings: BTreeSet<&String> = pictures.values().flat_map(BTreeMap::keys).collect();
        let complete = |of: &BTreeMap<String, RatePoint>| settings.iter().all(|&setting| of.contains_key(setting));
        Some(pictures.iter().filter(|(_, of)| complete(of)).map(|(name, _)| name.as_str()).collect())
    }

    /// Means over `pictures` of rate and PSNR at every setting, by rate; the points themselves where pictures are not named.
    pub fn mean(&self, pictures: &BTreeSet<&str>) -> Vec<RatePoint> {
        let mut means = match &self.points {
            Points::Means(points) => points.clone(),
            Points::Pictures(all) => {
                let mut sums: BTreeMap<&str, (RatePoint, u32)> = BTreeMap::new();
                for (setting, point) in
                    all.iter().filter(|(name, _)| pictures.contains(name.as_str())).flat_map(|p| p.1)
                {
                    let zero = RatePoint { bits_per_sample: 0.0, psnr_db: 0.0 };
                    let (sum, count) = sums.entry(setting).or_insert((zero, 0));
                    sum.bits_per_sample += point.bits_per_sample;
                    sum.psnr_db += point.psnr_db;
                    *count += 1;
                }
                let mean = |(sum, count): (RatePoint, u32)| RatePoint {
                    bits_per_sample: sum.bits_per_sample / f64::from(count),
                    psnr_db: sum.psnr_db / f64::from(count),
                };
                sums.into_values().map(mean).collect()
            }
        };
        means.sort_by(|a, b| a.bits_per_sample.total_cmp(&b.bits_per_sample));
        means
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> Result<Vec<Curve>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("some.csv");
        std::fs::write(&path, text).unwrap();
        read_curves(&path)
    }

    #[test]
    fn both_forms_are_read() {
        let means = written("codec,bpp,psnr_rgb_db,source\na,0.5,30,\"x, y\"\nb,0.5,31,x\na,0.2,28.5,x\n").unwrap();
        assert_eq!(means.iter().map(|curve| curve.codec.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        let mean = means[0].mean(&BTreeSet::new());
        assert_eq!((mean[0].bits_per_sample, mean[1].psnr_db, means[0].complete_pictures()), (0.2, 30.0, None));
        let text = "image,lambda,bpp,psnr_rgb_db\nk1,1,0.1,20\nk1,2,0.2,22\nk2,1,0.3,30\nk2,2,0.4,31\nk3,1,9,9\n";
        let pictures = written(text).unwrap();
        assert_eq!((pictures.len(), pictures[0].codec.as_str()), (1, "some"));
        let complete = pictures[0].complete_pictures().unwrap();
        assert_eq!(complete, BTreeSet::from(["k1", "k2"]));
        let mean = pictures[0].mean(&complete);
        assert_eq!(mean.iter().map(|p| p.psnr_db).collect::<Vec<_>>(), [25.0, 26.5]);
        assert!((mean[1].bits_per_sample - 0.3).abs() < 1e-12);
        // What a run writes is one of the two.
        let run = written("picture,codec,setting,bpp,psnr_db,psnr_8bit_db\nk1,jpeg,5,0.1,20,19\n").unwrap();
        assert_eq!((run[0].codec.as_str(), run[0].complete_pictures().unwrap().len()), ("jpeg", 1));
    }

    #[test]
    fn what_is_no_table_of_curves_is_refused() {
        for wrong in
            ["codec,bpp\na,1\n", "codec,bpp,psnr_rgb_db\na,x,30\n", "codec,bpp,psnr_rgb_db\n", "\u{0}\u{1}\n1\n"]
        {
            assert!(written(wrong).is_err(), "{wrong:?}");
        }
    }
}
