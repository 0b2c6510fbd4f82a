//! Partition factors and widths from a size and a parameter budget (reference/local-global.md 3.1).

use super::{FieldSpec, Model};
use crate::error::Error;

/// What the caller wants; the rest is searched.
#[derive(Debug, Clone, PartialEq)]
pub struct AutomaticRequest {
    /// Which model.
    pub model: Model,
    /// Samples along each axis.
    pub shape: Vec<u32>,
    /// Channels per sample.
    pub channels: u32,
    /// Wanted samples per partition, one number per axis, the first for the longest axis.
    pub partition_size: Vec<u32>,
    /// Partition factors, where the caller has chosen them.
    pub factors: Option<Vec<u32>>,
    /// Partitions that get a network, where not all do.
    pub networks: Option<u64>,
    /// Target for all weights together.
    pub parameters: u64,
    /// Target share of the global network in the weights, 0 to 1.
    pub global_share: f64,
    /// Upper bound for the global width: the decoding cost grows with its square.
    pub largest_global_width: u32,
    /// Hidden layers.
    pub hidden_layers: u32,
}

/// Widest network that the published search considers.
const LARGEST_WIDTH: u32 = 1000;

/// Finds factors and widths: factors from the partition size, then the global width from its share, then the local
/// width from what is left, then the global width corrected towards 99 % of the target. No resizing: partitions come
/// out close to the wanted size.
///
/// # Errors
/// [`Error::Parameter`] for a share outside 0..=1 or a size of zero.
pub fn automatic(request: &AutomaticRequest) -> Result<(Vec<u32>, FieldSpec), Error> {
    if !(0.0..=1.0).contains(&request.global_share) {
        return Err(Error::parameter(format!("the global share must lie in 0..=1, not {}", request.global_share)));
    }
    let factors = match (&request.factors, request.model) {
        (_, Model::Siren) => vec![1; request.shape.len()],
        (Some(factors), _) => factors.clone(),
        (None, _) => automatic_factors(&request.shape, &request.partition_size)?,
    };
    let partitions = request.networks.unwrap_or_else(|| factors.iter().map(|&c| u64::from(c)).product());
    let share = if request.model == Model::LocalGlobal { request.global_share } else { 0.0 };
    #[expect(clippy::cast_possible_truncation, reason = "an axis count is at most 4")]
    let inputs = request.shape.len() as u32;
    let spec = |local, global| FieldSpec {
        model: request.model,
        hidden_layers: request.hidden_layers,
        global_width: if request.model == Model::LocalGlobal { global } else { 0 },
        ..FieldSpec::siren(inputs, request.channels, local)
    };
    let target = request.parameters as f64;
    let global_of = |g: u32| spec(1, g).global_parameters() as f64;
    let cap = request.largest_global_width.clamp(1, LARGEST_WIDTH);
    let mut global = smallest(cap, |g| global_of(g) >= share * target);
    let global_weights = if share > 0.0 { global_of(global) } else { 0.0 };
    let local_of = |w: u32| (partitions * spec(w, 1).local_parameters()) as f64;
    let local = smallest(LARGEST_WIDTH, |w| local_of(w) >= 0.95 * (target - global_weights));
    if share > 0.0 {
        // As published: the test looks at the width before the step, so it may leave the 25 % band by one.
        let total = |g: u32| global_of(g) + local_of(local);
        let near = |g: u32| (global_of(g) / target - share).abs() < 0.25 * share;
        while global > 1 && total(global) > 0.99 * target && near(global) {
            global -= 1;
        }
        while global < cap && total(global) < 0.99 * target && near(global) {
            global += 1;
        }
    }
    Ok((factors, spec(local, global)))
}

/// `ceil(n / size)` per axis; the first entry of `size` goes with the longest axis, whatever the orientation.
fn automatic_factors(shape: &[u32], size: &[u32]) -> Result<Vec<u32>, Error> {
    if size.len() != shape.len() || size.contains(&0) {
        return Err(Error::parameter(format!(
            "the partition size needs {} positive numbers, {size:?} was given",
            shape.len()
        )));
    }
    let mut by_length: Vec<usize> = (0..shape.len()).collect();
    by_length.sort_by_key(|&axis| std::cmp::Reverse(shape[axis]));
    let mut factors = vec![1; shape.len()];
    for (&axis, &s) in by_length.iter().zip(size) {
        factors[axis] = shape[axis].div_ceil(s);
    }
    Ok(factors)
}

fn smallest(limit: u32, enough: impl Fn(u32) -> bool) -> u32 {
    let (mut low, mut high) = (1, limit);
    while low < high {
        let middle = low.midpoint(high);
        if enough(middle) { high = middle } else { low = middle + 1 }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(model: Model, factors: Vec<u32>) -> AutomaticRequest {
        AutomaticRequest {
            model,
            shape: vec![512, 512],
            channels: 3,
            partition_size: vec![32, 32],
            factors: Some(factors),
            networks: None,
            parameters: 200_000,
            global_share: 0.1,
            largest_global_width: LARGEST_WIDTH,
            hidden_layers: 3,
        }
    }

    /// Reference values of reference/local-global.md 3.1 and section 4.
    #[test]
    fn reference_widths() {
        for (factors, local, global, total, alone, alone_total) in [
            (vec![11, 11], 21, 69, 199_923, 22, 200_013),
            (vec![11, 13], 19, 77, 199_843, 20, 197_769),
            (vec![11, 16], 17, 77, 199_912, 18, 200_112),
            (vec![12, 16], 16, 86, 200_032, 17, 196_416),
            (vec![15, 16], 14, 91, 198_953, 15, 195_120),
            (vec![16, 16], 14, 69, 199_425, 15, 208_128),
        ] {
            let (f, spec) = automatic(&request(Model::LocalGlobal, factors.clone())).unwrap();
            let partitions = f.iter().map(|&c| u64::from(c)).product();
            assert_eq!((spec.local_width, spec.global_width), (local, global), "{factors:?}");
            assert_eq!(spec.parameters(partitions), total);
            let (_, spec) = automatic(&request(Model::PerPartition, factors)).unwrap();
            assert_eq!((spec.local_width, spec.parameters(partitions)), (alone, alone_total));
        }
        let (_, spec) = automatic(&request(Model::LocalGlobal, vec![12, 14])).unwrap();
        assert_eq!([168, 52, 20].map(|kept| spec.parameters(kept)), [199_106, 80_438, 47_702]);
    }

    #[test]
    fn the_longer_side_takes_the_first_size() {
        assert_eq!(automatic_factors(&[100, 300], &[50, 20]).unwrap(), vec![5, 6]);
        assert_eq!(automatic_factors(&[300, 100], &[50, 20]).unwrap(), vec![6, 5]);
        assert_eq!(automatic_factors(&[1, 1], &[32, 32]).unwrap(), vec![1, 1]);
        assert!(automatic_factors(&[1, 1], &[0, 32]).is_err());
    }
}
