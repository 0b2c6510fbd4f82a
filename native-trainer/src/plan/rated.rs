//! A file of a wanted size: which network fits it, and how large it is to be.

use anyhow::Result;
use tessera_core::signal::{SignalInfo, SignalKind};

use super::{defaults, light};
use crate::arguments::EncodeOptions;
use crate::arguments::values::{Count, Extents, RecipeName};
use crate::errors::usage_fault;

/// Bits that a weight takes once it is trained for its size. Networks with 4.9 were 1.2 dB ahead of larger ones with 3.4
/// (`docs/benchmarks.md`).
const BITS_PER_WEIGHT: f64 = 5.6;
/// What header, index, steps and tables of a small file take, in bytes.
const OVERHEAD: f64 = 450.0;
/// Weights of a local network, if partitions may be as large as they like: of 1,400, 2,800 and 5,300 each was 0.7 to 1.3 dB ahead of the one before.
const WEIGHTS_PER_NETWORK: f64 = 4_000.0;
/// By how much partitions may be longer than those of other files, along every axis: a crop keeps whole ones.
const LONGEST: f64 = 8.0;
/// Sine layers of pictures between the first and the last: as good as three in partitions of 128x128, 1.3 dB ahead in those of
/// 256x256 (`docs/benchmarks.md`).
const HIDDEN_LAYERS: u32 = 4;
/// Deeper networks do not bear the rate of the others.
const LEARNING_RATE: f64 = 4e-3;
/// Steps in all, of which a part is trained before weights are rounded.
const STEPS: u64 = 1_200;
/// PSNR in dB of `--quality 0`, and what each of its hundred points adds.
const QUALITY: (f64, f64) = (22.0, 0.2);

/// What decides the size of a file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rate {
    /// At most so many bytes, and little less.
    Bytes(u64),
    /// The bytes that it takes for about this PSNR in dB.
    Quality(f64),
}

/// The rate that options ask for.
///
/// # Errors
/// [`crate::errors::Fault::Usage`] for more than one, or for what contradicts them.
pub fn rate(options: &EncodeOptions, info: &SignalInfo) -> Result<Option<Rate>> {
    let EncodeOptions { bpp, target_size, quality, psnr, weights, .. } = options;
    let rates = [
        bpp.map(|bits| Rate::Bytes(bytes_of_rate(bits, info.samples()))),
        target_size.map(|Count(bytes)| Rate::Bytes(bytes)),
        quality.map(|quality| Rate::Quality(QUALITY.0 + QUALITY.1 * quality)),
    ];
    let mut asked = rates.into_iter().flatten();
    let (first, second) = (asked.next(), asked.next());
    if second.is_some() {
        return Err(usage_fault("--bpp, --target-size and --quality each decide the size: choose one"));
    }
    if bpp.is_some_and(|bits| !(1e-6..1e6).contains(&bits)) {
        return Err(usage_fault("--bpp must be a positive number of bits"));
    }
    if quality.is_some_and(|quality| !(0.0..=100.0).contains(&quality)) {
        return Err(usage_fault("--quality must lie between 0 and 100"));
    }
    if first.is_some() && (psnr.is_some() || weights.is_some()) {
        return Err(usage_fault(
            "--bpp, --target-size and --quality do not go with --psnr, which ends training and does not change the size, \
             nor with --weights, as they choose how weights are stored",
        ));
    }
    Ok(first)
}

/// Bytes of a file at so many bits for each of `samples` samples.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "sizes of files"
)]
pub fn bytes_of_rate(bits_per_sample: f64, samples: u64) -> u64 {
    (bits_per_sample * samples as f64 / 8.0).max(1.0) as u64
}

/// The network and its training for a file of `bytes` bytes, under what was chosen.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "sizes of networks and partitions"
)]
pub fn rated(info: &SignalInfo, chosen: &EncodeOptions, bytes: u64) -> EncodeOptions {
    let kind = info.kind;
    let weights = 8.0 / BITS_PER_WEIGHT * (bytes as f64 - OVERHEAD).max(0.3 * bytes as f64);
    let size = defaults::partition_size(info);
    let usual: f64 = size.iter().map(|&n| f64::from(n)).product();
    let wanted = info.samples() as f64 * WEIGHTS_PER_NETWORK / weights.max(1.0);
    let longer = (wanted / usual).powf(1.0 / size.len().max(1) as f64).clamp(1.0, LONGEST);
    let size = size.iter().map(|&n| (f64::from(n) * longer).round() as u32).collect();
    // Shapes and sounds need the global network, which costs them nothing as it comes from the seed.
    let light = light(kind, chosen.model);
    let held = chosen.recipe.is_none_or(|recipe| recipe == RecipeName::Held);
    let model = if kind == SignalKind::Sound { chosen.model } else { light.model };
    EncodeOptions {
        model,
        parameters: Some(Count(weights.ceil() as u64)),
        partition_size: chosen.partitions.is_none().then_some(Extents(size)),
        hidden_layers: if kind == SignalKind::Picture { Some(HIDDEN_LAYERS) } else { light.hidden_layers },
        global_width: light.global_width,
        steps: Some(Count(STEPS)),
        learning_rate: (kind == SignalKind::Picture && held).then_some(LEARNING_RATE),
        ..EncodeOptions::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config, plan};
    use tessera_core::signal::SampleFormat;

    fn kodak() -> SignalInfo {
        SignalInfo::picture(512, 768, 3, SampleFormat::U8).unwrap()
    }

    #[test]
    fn networks_grow_with_the_file_and_their_partitions_shrink() {
        let network = |bpp: f64| {
            let options = EncodeOptions { bpp: Some(bpp), ..EncodeOptions::default() };
            plan::network(&config::completed(options, &kodak()).unwrap(), &kodak()).unwrap()
        };
        let (small, large) = (network(0.1), network(1.0));
        assert!(small.grid.partitions() > 1, "a crop must have something to drop");
        assert!(small.grid.partitions() < large.grid.partitions());
        for (network, bits) in [(&small, 0.1 * 393_216.0), (&large, 393_216.0)] {
            let rate = bits / network.parameters() as f64;
            assert!((4.5..9.0).contains(&rate), "{rate} bits a weight");
        }
    }

    #[test]
    fn rates_do_not_contradict_each_other() {
        let asked = |options: &EncodeOptions| rate(options, &kodak());
        let bpp = EncodeOptions { bpp: Some(0.5), ..EncodeOptions::default() };
        assert_eq!(asked(&bpp).unwrap(), Some(Rate::Bytes(24_576)));
        assert_eq!(asked(&EncodeOptions::default()).unwrap(), None);
        let quality = EncodeOptions { quality: Some(50.0), ..EncodeOptions::default() };
        assert_eq!(asked(&quality).unwrap(), Some(Rate::Quality(32.0)));
        for contradiction in [
            EncodeOptions { quality: Some(50.0), ..bpp.clone() },
            EncodeOptions { psnr: Some(30.0), ..bpp.clone() },
            EncodeOptions { bpp: Some(f64::NAN), ..bpp.clone() },
            EncodeOptions { quality: Some(101.0), ..EncodeOptions::default() },
        ] {
            assert!(asked(&contradiction).is_err(), "{contradiction:?}");
        }
    }
}
