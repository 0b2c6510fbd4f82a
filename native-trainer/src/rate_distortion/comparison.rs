//! BD-rates of every codec of a run against every other and against curves from files.

use std::collections::BTreeSet;

use serde::Serialize;
use tessera_core::metrics::{BdRate, bd_rate};

use super::curves::Curve;

/// The rate of one codec against another at the same PSNR.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The codec of this run.
    pub codec: String,
    /// What it is compared with.
    pub against: String,
    /// Where that comes from: a file, or this run.
    pub source: String,
    /// Mean difference of the rate in percent, below 0 where the codec needs less; none where curves do not meet. Of the same
    /// pictures the mean of each one's, as curves of means would compare rates of some pictures with those of others: one codec is
    /// told a rate, and another a quality, which takes many bits of some pictures and few of others.
    pub bd_rate_percent: Option<f64>,
    /// The PSNR in dB from which and to which both curves reach, for any of the pictures.
    pub from_db: Option<f64>,
    /// See `from_db`.
    pub to_db: Option<f64>,
    /// Pictures of this run that are compared.
    pub pictures: usize,
    /// Whether the other codec is known by the same pictures. Means in a file are over its own set.
    pub same_pictures: bool,
    /// What else is to know.
    pub note: String,
}

/// Compares curves: of means, or where both name their pictures of each that both have at every setting.
pub fn compare(measured: &[Curve], references: &[Curve]) -> Vec<Comparison> {
    let mut comparisons = Vec::new();
    for curve in measured {
        let others = measured.iter().filter(|other| other.codec != curve.codec);
        comparisons.extend(references.iter().chain(others).map(|against| one(curve, against)));
    }
    comparisons
}

fn one(curve: &Curve, against: &Curve) -> Comparison {
    let own = curve.complete_pictures().unwrap_or_default();
    let others = against.complete_pictures();
    let common: BTreeSet<&str> =
        others.as_ref().map_or_else(|| own.clone(), |others| own.intersection(others).copied().collect());
    let same_pictures = others.is_some();
    let over = |pictures: &BTreeSet<&str>| bd_rate(&curve.mean(pictures), &against.mean(pictures));
    let rates: Vec<_> = if same_pictures {
        common.iter().map(|picture| over(&BTreeSet::from([*picture]))).collect()
    } else {
        vec![over(&common)]
    };
    let note = match rates.iter().find_map(|rate| rate.as_ref().err()) {
        _ if common.is_empty() => "no picture in common that has all settings".to_owned(),
        Some(error) => error.to_string(),
        None if same_pictures => String::new(),
        None => format!("curves of {} are means over its own pictures, not over those of this run", against.source),
    };
    let found: Vec<BdRate> = rates.into_iter().filter_map(Result::ok).collect();
    Comparison {
        codec: curve.codec.clone(),
        against: against.codec.clone(),
        source: against.source.clone(),
        bd_rate_percent: mean(found.iter().map(|rate| rate.percent)),
        from_db: found.iter().map(|rate| rate.psnr_db.0).reduce(f64::min),
        to_db: found.iter().map(|rate| rate.psnr_db.1).reduce(f64::max),
        pictures: if same_pictures { found.len() } else { common.len() },
        same_pictures,
        note,
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    (count > 0.0).then(|| sum / count)
}

#[cfg(test)]
mod tests {
    use super::super::Point;
    use super::super::curves::{Points, of_points};
    use super::*;
    use tessera_core::metrics::RatePoint;

    fn points(picture: &str, codec: &str, factor: f64, settings: &[f64]) -> Vec<Point> {
        let point = |&bpp: &f64| Point {
            picture: picture.to_owned(),
            codec: codec.to_owned(),
            setting: bpp.to_string(),
            bpp: bpp * factor,
            psnr_db: 30.0 + 10.0 * bpp.log10(),
            psnr_8bit_db: 0.0,
            bytes: 1,
            seconds: 0.0,
        };
        settings.iter().map(point).collect()
    }

    #[test]
    fn pictures_are_compared_with_themselves() {
        let rates = [0.1, 0.3, 1.0];
        let mut all = points("a", "tessera", 1.0, &rates);
        all.extend(points("b", "tessera", 1.0, &rates[..2]));
        all.extend(points("c", "tessera", 3.0, &rates));
        all.extend(points("a", "jpeg", 2.0, &rates));
        all.extend(points("b", "jpeg", 9.0, &rates));
        let means = Curve {
            codec: "old".to_owned(),
            source: "old.csv".to_owned(),
            points: Points::Means(points("", "", 4.0, &rates).iter().map(Point::rate).collect()),
        };
        let found = compare(&of_points(&all), &[means]);
        let named =
            |codec: &str, against: &str| found.iter().find(|c| c.codec == codec && c.against == against).unwrap();
        // Only picture a is complete in both: half the rate.
        let jpeg = named("tessera", "jpeg");
        assert!((jpeg.bd_rate_percent.unwrap() + 50.0).abs() < 1e-9 && jpeg.pictures == 1 && jpeg.same_pictures);
        assert!((named("jpeg", "tessera").bd_rate_percent.unwrap() - 100.0).abs() < 1e-9);
        let mut two = all.clone();
        two.extend(points("d", "tessera", 1.0, &rates));
        two.extend(points("d", "jpeg", 4.0, &rates));
        let found = compare(&of_points(&two), &[]);
        let jpeg = found.iter().find(|c| c.codec == "tessera").unwrap();
        assert!((jpeg.bd_rate_percent.unwrap() + 62.5).abs() < 1e-9 && jpeg.pictures == 2);
        // Against means, all complete pictures count: rates of 1 and 3 on average, to 4.
        let old = named("tessera", "old");
        assert!((old.bd_rate_percent.unwrap() + 50.0).abs() < 1e-9 && old.pictures == 2 && !old.same_pictures);
        assert!(old.note.contains("old.csv"));
    }

    #[test]
    fn curves_that_do_not_meet_are_said() {
        let far = Curve {
            codec: "far".to_owned(),
            source: "far.csv".to_owned(),
            points: Points::Means(vec![
                RatePoint { bits_per_sample: 1.0, psnr_db: 60.0 },
                RatePoint { bits_per_sample: 2.0, psnr_db: 70.0 },
            ]),
        };
        let found = compare(&of_points(&points("a", "jpeg", 1.0, &[0.1, 1.0])), &[far]);
        assert_eq!((found.len(), found[0].bd_rate_percent), (1, None));
        assert!(found[0].note.contains("in common"), "{}", found[0].note);
    }
}
