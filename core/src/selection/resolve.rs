//! Selector to partitions or samples of a given signal.

use std::ops::Range;

use super::{Numbers, Selector, Snap, Term};
use crate::error::Error;
use crate::grid::{Grid, SampleBox};
use crate::signal::{SignalInfo, SignalKind};

/// One term on a given canvas.
enum Region {
    /// A box of samples, within the canvas and not empty.
    Samples(SampleBox),
    /// Boxes of partitions: per axis a range of indices.
    Boxes(Vec<Vec<Range<u32>>>),
    /// Linear partition numbers and single partitions.
    Partitions(Numbers),
}

impl Selector {
    /// The partitions that are meant, ascending, whether or not they are present in a file.
    ///
    /// # Errors
    /// [`Error::Parameter`] where a term makes no sense for this signal, lies outside its canvas or grid, or where
    /// nothing is selected (a box smaller than a partition with [`Snap::Inner`]).
    pub fn partitions(&self, signal: &SignalInfo, grid: &Grid, snap: Snap) -> Result<Vec<u32>, Error> {
        // Every term is looked at before the first one makes work.
        let regions: Vec<Region> = self.regions(signal, grid)?;
        let mut selected = vec![false; usize::try_from(grid.partitions()).unwrap_or(0)];
        let mut mark = |first: u32, count: u32| {
            selected.iter_mut().skip(first as usize).take(count as usize).for_each(|s| *s = true);
        };
        for region in regions {
            match region {
                Region::Samples(bounds) => mark_box(grid, &snapped(grid, &bounds, snap), &mut mark),
                Region::Boxes(boxes) => boxes.iter().for_each(|indices| mark_box(grid, indices, &mut mark)),
                Region::Partitions(numbers) => {
                    numbers.0.iter().for_each(|&(a, b)| mark(a, b.saturating_sub(a).saturating_add(1)));
                }
            }
        }
        let partitions: Vec<u32> = (0..grid.partitions()).zip(selected).filter(|(_, s)| *s).map(|(p, _)| p).collect();
        if partitions.is_empty() {
            return Err(Error::parameter(format!(
                "no partition lies wholly inside {self}: snap outwards to select those that it touches"
            )));
        }
        Ok(partitions)
    }

    /// The box of samples that is meant: exact for boxes and times, the bounding box for partitions and for unions.
    ///
    /// # Errors
    /// [`Error::Parameter`] where a term makes no sense for this signal or lies outside its canvas or grid.
    pub fn bounds(&self, signal: &SignalInfo, grid: &Grid) -> Result<SampleBox, Error> {
        let mut bounds: Option<SampleBox> = None;
        for region in self.regions(signal, grid)? {
            let boxes: Vec<SampleBox> = match region {
                Region::Samples(samples) => vec![samples],
                Region::Boxes(boxes) => boxes.iter().map(|indices| sample_box(grid, indices)).collect(),
                Region::Partitions(numbers) => {
                    numbers.0.iter().map(|&(a, b)| sample_box(grid, &index_box(grid, a, b))).collect()
                }
            };
            for own in boxes {
                bounds = Some(match bounds {
                    None => own,
                    Some(b) => b.iter().zip(&own).map(|(a, o)| a.start.min(o.start)..a.end.max(o.end)).collect(),
                });
            }
        }
        bounds.ok_or_else(|| Error::parameter("the selector is empty"))
    }

    fn regions(&self, signal: &SignalInfo, grid: &Grid) -> Result<Vec<Region>, Error> {
        if signal.shape != grid.shape() {
            return Err(Error::parameter(format!(
                "the grid covers {:?} samples, the signal has {:?}",
                grid.shape(),
                signal.shape
            )));
        }
        self.terms.iter().map(|term| term.region(signal, grid)).collect()
    }
}

impl Term {
    fn region(&self, signal: &SignalInfo, grid: &Grid) -> Result<Region, Error> {
        match self {
            Self::All => Ok(Region::Samples(grid.canvas())),
            Self::Samples { width, height, column, row } => self.plane(signal, grid, |_, _| {
                [(*row, row.saturating_add(*height)), (*column, column.saturating_add(*width))]
            }),
            Self::Percent { x, y, width, height } => self.plane(signal, grid, |rows, columns| {
                let part = |start: f64, length: f64, n: u32| {
                    let scale = f64::from(n) / 100.0;
                    samples_between(start * scale, (start + length) * scale)
                };
                [part(*y, *height, rows), part(*x, *width, columns)]
            }),
            Self::Time { start, end } => {
                if !matches!(signal.kind, SignalKind::Sound | SignalKind::Video) || signal.rate.0 == 0 {
                    return Err(Error::parameter(format!(
                        "{self} names seconds, but {} has none",
                        signal.kind.with_article()
                    )));
                }
                let rate = f64::from(signal.rate.0) / f64::from(signal.rate.1);
                let (start, end) = (start.unwrap_or(0.0) * rate, end.map_or(f64::INFINITY, |end| end * rate));
                let mut bounds = grid.canvas();
                if let Some(axis) = bounds.first_mut() {
                    let (start, end) = samples_between(start, end);
                    *axis = start..end.min(axis.end);
                }
                self.inside(bounds, signal)
            }
            Self::Common(terms) => {
                let mut bounds = grid.canvas();
                for term in terms {
                    if let Region::Samples(own) = term.region(signal, grid)? {
                        for (range, own) in bounds.iter_mut().zip(own) {
                            *range = range.start.max(own.start)..range.end.min(own.end);
                        }
                    }
                }
                if bounds.iter().any(Range::is_empty) {
                    return Err(Error::parameter(format!("the parts of {self} have nothing in common")));
                }
                Ok(Region::Samples(bounds))
            }
            Self::Ranges(ranges) => {
                let mut bounds = grid.canvas();
                if ranges.len() != bounds.len() {
                    return Err(Error::parameter(format!(
                        "{self} has {} ranges, but {} has {} axes",
                        ranges.len(),
                        signal.kind.with_article(),
                        bounds.len()
                    )));
                }
                for (axis, (start, end)) in bounds.iter_mut().zip(ranges) {
                    *axis = start.unwrap_or(0)..end.unwrap_or(axis.end).min(axis.end);
                }
                self.inside(bounds, signal)
            }
            Self::Partitions { numbers, indices } => {
                let mut ranges = numbers.0.clone();
                for index in indices {
                    let number = grid.ravel(index).ok_or_else(|| {
                        Error::parameter(format!("there is no partition {index:?} in a grid of {:?}", grid.factors()))
                    })?;
                    ranges.push((number, number));
                }
                if let Some((_, last)) = ranges.iter().find(|(_, last)| *last >= grid.partitions()) {
                    return Err(Error::parameter(format!(
                        "there is no partition {last}: the grid has {} (0 to {})",
                        grid.partitions(),
                        grid.partitions().saturating_sub(1)
                    )));
                }
                Ok(Region::Partitions(Numbers::new(ranges)))
            }
            Self::Slab { axis, numbers } => {
                let place = *axis as usize;
                let Some(&factor) = grid.factors().get(place) else {
                    return Err(Error::parameter(format!(
                        "there is no axis {axis}: {} has {} (0 first)",
                        signal.kind.with_article(),
                        grid.axes()
                    )));
                };
                if let Some((_, last)) = numbers.0.iter().find(|(_, last)| *last >= factor) {
                    return Err(Error::parameter(format!(
                        "there is no slab {last} along axis {axis}: it has {factor} (0 to {})",
                        factor.saturating_sub(1)
                    )));
                }
                let slab = |&(first, last): &(u32, u32)| {
                    let ranges = grid.factors().iter().enumerate();
                    ranges.map(|(a, &c)| if a == place { first..last.saturating_add(1) } else { 0..c }).collect()
                };
                Ok(Region::Boxes(numbers.0.iter().map(slab).collect()))
            }
        }
    }

    /// A box over rows and columns, the last two axes of pictures and videos. `ranges` gets the number of rows and
    /// columns and returns start and end of both.
    fn plane(
        &self,
        signal: &SignalInfo,
        grid: &Grid,
        ranges: impl FnOnce(u32, u32) -> [(u32, u32); 2],
    ) -> Result<Region, Error> {
        let mut bounds = grid.canvas();
        let (SignalKind::Picture | SignalKind::Video, [.., rows, columns]) = (signal.kind, bounds.as_mut_slice())
        else {
            return Err(Error::parameter(format!(
                "{self} names columns and rows, but {} has none: use t=, box=, parts= or slab=",
                signal.kind.with_article()
            )));
        };
        let wanted = ranges(rows.end, columns.end);
        for (axis, (start, end)) in [rows, columns].into_iter().zip(wanted) {
            *axis = start..end.min(axis.end);
        }
        self.inside(bounds, signal)
    }

    fn inside(&self, bounds: SampleBox, signal: &SignalInfo) -> Result<Region, Error> {
        if bounds.iter().any(Range::is_empty) {
            let shape: Vec<String> = signal.shape.iter().map(u32::to_string).collect();
            return Err(Error::parameter(format!(
                "{self} lies outside of {} with {} samples (in array order: rows before columns, time first)",
                signal.kind.with_article(),
                shape.join(" x ")
            )));
        }
        Ok(Region::Samples(bounds))
    }
}

/// The samples that an interval touches, in sample-edge units. An end within a millionth of an edge means that edge:
/// 1.2 seconds at 44100 per second are 52920 samples, not 52920.000000000004.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "casts from floats saturate")]
fn samples_between(start: f64, end: f64) -> (u32, u32) {
    const SLACK: f64 = 1e-6;
    ((start + SLACK).floor() as u32, (end - SLACK).ceil() as u32)
}

/// Partitions along each axis that `bounds` touches or, inwards, contains.
fn snapped(grid: &Grid, bounds: &SampleBox, snap: Snap) -> Vec<Range<u32>> {
    let axis = |(axis, range): (usize, &Range<u32>)| {
        let mut first = grid.axis_owner(axis, range.start);
        let mut end = grid.axis_owner(axis, range.end.saturating_sub(1)).saturating_add(1);
        if snap == Snap::Inner {
            if grid.axis_range(axis, first).start < range.start {
                first = first.saturating_add(1);
            }
            if grid.axis_range(axis, end.saturating_sub(1)).end > range.end {
                end = end.saturating_sub(1);
            }
        }
        first..end
    };
    bounds.iter().enumerate().map(axis).collect()
}

/// Calls `mark` with every run of partitions (first, count) of a box of indices.
fn mark_box(grid: &Grid, indices: &[Range<u32>], mark: &mut impl FnMut(u32, u32)) {
    if indices.iter().any(Range::is_empty) {
        return;
    }
    let Some((last, outer)) = indices.split_last() else { return };
    let Some((&last_factor, factors)) = grid.factors().split_last() else { return };
    let mut rows = vec![0_u32];
    for (range, &factor) in outer.iter().zip(factors) {
        let step = |&base: &u32| range.clone().map(move |i| base.saturating_mul(factor).saturating_add(i));
        rows = rows.iter().flat_map(step).collect();
    }
    for row in rows {
        mark(row.saturating_mul(last_factor).saturating_add(last.start), last.end.saturating_sub(last.start));
    }
}

/// The smallest box of indices around the linear partitions `first..=last`.
fn index_box(grid: &Grid, first: u32, last: u32) -> Vec<Range<u32>> {
    let mut differ = false;
    let pairs = grid.unravel(first).into_iter().zip(grid.unravel(last)).zip(grid.factors());
    pairs
        .map(|((a, b), &factor)| {
            // Behind the first axis that differs, the run passes an end of every row.
            let range = if differ { 0..factor } else { a..b.saturating_add(1) };
            differ |= a != b;
            range
        })
        .collect()
}

/// The samples of a box of indices.
fn sample_box(grid: &Grid, indices: &[Range<u32>]) -> SampleBox {
    let axis = |(axis, range): (usize, &Range<u32>)| {
        grid.axis_range(axis, range.start).start..grid.axis_range(axis, range.end.saturating_sub(1)).end
    };
    indices.iter().enumerate().map(axis).collect()
}
