//! What all chunks of a quantised field share: steps and frequencies, at the head of the global chunk.

use half::bf16;

use super::contexts::Contexts;
use super::laplace::{Around, Laplace, SCALES};
use super::quantised::{CLASSES_OF_PARTITIONS, Coder, check_start};
use super::range::{Decoder, Encoder};
use super::symbols::{self, Frequencies};
use crate::error::{Error, Unsupported};
use crate::field::{FieldSpec, StartRule, tensors};

const START_RULES: [StartRule; 3] = [StartRule::Zero, StartRule::Drawn, StartRule::Centred];
const CODERS: [Coder; 4] = [Coder::Pooled, Coder::Static, Coder::Adaptive, Coder::Contexts];

/// Steps of one network's tensors, and the frequencies of each; `None` for a tensor that stays at its start weights.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tensors {
    pub(super) steps: Vec<f32>,
    pub(super) frequencies: Vec<Option<Model>>,
}

/// How likely the numbers of a tensor are.
#[expect(clippy::large_enum_variant, reason = "there are a few in a file")]
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Model {
    Frequencies(Frequencies),
    /// A scale of the Laplace distribution around 0.
    Laplace(Laplace, usize),
}

impl Model {
    pub(super) fn write(&mut self, number: i32, into: &mut Encoder) -> Result<(), Error> {
        match self {
            Self::Frequencies(frequencies) => frequencies.write(number, into),
            Self::Laplace(laplace, scale) => laplace.write(number, Around::zero(*scale), into),
        }
    }

    pub(super) fn read(&mut self, from: &mut Decoder<'_>) -> Result<i32, Error> {
        match self {
            Self::Frequencies(frequencies) => Ok(frequencies.read(from)),
            Self::Laplace(laplace, scale) => {
                laplace.read(Around::zero(*scale), from).ok_or_else(|| Error::parameter("a number is too large"))
            }
        }
    }
}

/// The codebook as it is read and used.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Codebook {
    pub(super) start: StartRule,
    pub(super) coder: Coder,
    pub(super) shared: Tensors,
    /// One for each class of partitions.
    pub(super) local: Vec<Tensors>,
    /// Of latents, which have no `local`.
    pub(super) contexts: Option<Contexts>,
}

/// How often each class of magnitudes occurs in every tensor: of the shared weights, then of each class of partitions.
pub(super) type Counts = Vec<[u64; symbols::CLASSES]>;

/// Writes a codebook: `shared` and `classes` are steps per tensor, each exact as a bfloat16, `counts` go with them.
pub(super) fn to_bytes(
    start: StartRule,
    coder: Coder,
    shared: &[f32],
    classes: &[Vec<f32>],
    counts: &[Counts],
) -> Vec<u8> {
    let id = |place: Option<usize>| place.and_then(|p| u8::try_from(p).ok()).unwrap_or(u8::MAX);
    let mut bytes = vec![
        id(START_RULES.iter().position(|&rule| rule == start)),
        id(CODERS.iter().position(|&known| known == coder)),
        id(Some(classes.len())),
    ];
    let networks = || std::iter::once(shared).chain(classes.iter().map(Vec::as_slice));
    for step in networks().flatten() {
        bytes.extend(bf16::from_f32(*step).to_le_bytes());
    }
    let coded =
        networks().zip(counts).flat_map(|(steps, counts)| steps.iter().zip(counts)).filter(|(step, _)| **step > 0.0);
    let mut push = |counts: &[u64; symbols::CLASSES]| {
        let table = symbols::table(counts);
        bytes.push(u8::try_from(table.len()).unwrap_or(u8::MAX));
        bytes.extend(table);
    };
    match coder {
        Coder::Adaptive | Coder::Contexts => {}
        Coder::Static => coded.for_each(|(_, counts)| push(counts)),
        Coder::Pooled => {
            let mut all = [0_u64; symbols::CLASSES];
            for (_, counts) in coded {
                all.iter_mut().zip(counts).for_each(|(sum, count)| *sum = sum.saturating_add(*count));
            }
            push(&all);
        }
    }
    bytes
}

/// Adds what latents are coded by to a codebook: a scale for each shared tensor, then the contexts, behind their length.
pub(super) fn add_contexts(
    bytes: &mut Vec<u8>,
    contexts: &Contexts,
    steps: &[f32],
    shared: &[i32],
    ranges: &[std::ops::Range<usize>],
) -> Result<(), Error> {
    let laplace = Laplace::default();
    for (range, _) in ranges.iter().zip(steps).filter(|(_, step)| **step > 0.0) {
        let numbers = shared.get(range.clone()).unwrap_or_default();
        let cost = |scale: usize| {
            let bits = numbers.iter().map(|&number| u64::from(laplace.cost(number, Around::zero(scale))));
            bits.fold(0, u64::saturating_add)
        };
        let best = (0..SCALES).min_by_key(|&scale| cost(scale));
        bytes.push(best.and_then(|scale| u8::try_from(scale).ok()).unwrap_or(0));
    }
    let coded = contexts.to_bytes()?;
    let length = u16::try_from(coded.len()).map_err(|_| Error::parameter("the contexts of latents are too long"))?;
    bytes.extend(length.to_le_bytes());
    bytes.extend(coded);
    Ok(())
}

impl Codebook {
    /// Reads a codebook; the rest of the global chunk's payload follows it.
    ///
    /// # Errors
    /// [`Error::Parameter`] for what no writer writes, [`Error::Unsupported`] for rules of later versions.
    pub(super) fn parse<'a>(payload: &'a [u8], spec: &FieldSpec) -> Result<(Self, &'a [u8]), Error> {
        let mut rest = payload;
        let start = known(&START_RULES, byte(&mut rest)?, "start rule")?;
        check_start(spec, start)?;
        let coder = known(&CODERS, byte(&mut rest)?, "coder")?;
        let classes = byte(&mut rest)?;
        if classes == 0 || usize::from(classes) > CLASSES_OF_PARTITIONS {
            return Err(Error::parameter(format!("{classes} classes of partitions, not 1 to {CLASSES_OF_PARTITIONS}")));
        }
        let (of_shared, of_local) = (tensors(&spec.shared_layers()).len(), tensors(&spec.local_layers()).len());
        let mut steps = |count: usize| (0..count).map(|_| step(&mut rest)).collect::<Result<Vec<f32>, Error>>();
        let shared = steps(of_shared)?;
        let local = (0..classes).map(|_| steps(of_local)).collect::<Result<Vec<_>, Error>>()?;
        if coder == Coder::Contexts {
            return Self::of_latents(spec, start, shared, local, rest);
        }
        let pooled = if coder == Coder::Pooled { Some(table(&mut rest)?) } else { None };
        let mut tensors = |steps: Vec<f32>| {
            let frequencies = steps
                .iter()
                .map(|&step| {
                    Ok(match coder {
                        _ if step <= 0.0 => None,
                        Coder::Pooled => pooled.clone().map(Model::Frequencies),
                        Coder::Static => Some(Model::Frequencies(table(&mut rest)?)),
                        Coder::Adaptive | Coder::Contexts => Some(Model::Frequencies(Frequencies::adaptive())),
                    })
                })
                .collect::<Result<_, Error>>()?;
            Ok::<_, Error>(Tensors { steps, frequencies })
        };
        let shared = tensors(shared)?;
        let local = local.into_iter().map(tensors).collect::<Result<_, Error>>()?;
        Ok((Self { start, coder, shared, local, contexts: None }, rest))
    }

    /// What follows the steps of latents.
    fn of_latents<'a>(
        spec: &FieldSpec,
        start: StartRule,
        shared: Vec<f32>,
        local: Vec<Vec<f32>>,
        mut rest: &'a [u8],
    ) -> Result<(Self, &'a [u8]), Error> {
        let (Some(pyramid), [steps]) = (spec.pyramid(), local.as_slice()) else {
            return Err(Error::parameter("contexts are for latents, and those of one class"));
        };
        let mut frequencies = Vec::new();
        for &step in &shared {
            let scale = if step > 0.0 { Some(usize::from(byte(&mut rest)?)) } else { None };
            if scale.is_some_and(|scale| scale >= SCALES) {
                return Err(Error::parameter("there is no such scale of shared weights"));
            }
            frequencies.push(scale.map(|scale| Model::Laplace(Laplace::default(), scale)));
        }
        let (length, others) = rest.split_first_chunk::<2>().ok_or_else(cut_short)?;
        let length = usize::from(u16::from_le_bytes(*length));
        let (coded, rest) = others.split_at_checked(length).ok_or_else(cut_short)?;
        let used: Vec<bool> = steps.iter().map(|&step| step > 0.0).collect();
        let contexts = Contexts::parse(pyramid.levels(spec.inputs), &used, coded)?;
        let local = vec![Tensors { steps: steps.clone(), frequencies: Vec::new() }];
        let shared = Tensors { steps: shared, frequencies };
        Ok((Self { start, coder: Coder::Contexts, shared, local, contexts: Some(contexts) }, rest))
    }
}

fn known<T: Copy>(table: &[T], id: u8, what: &str) -> Result<T, Error> {
    table.get(usize::from(id)).copied().ok_or_else(|| {
        Unsupported { feature: format!("{what} {id} of quantised weights"), advice: "get a newer Tessera".to_owned() }
            .into()
    })
}

fn cut_short() -> Error {
    Error::parameter("it ends within its steps and tables")
}

fn byte(rest: &mut &[u8]) -> Result<u8, Error> {
    let (&first, others) = rest.split_first().ok_or_else(cut_short)?;
    *rest = others;
    Ok(first)
}

fn step(rest: &mut &[u8]) -> Result<f32, Error> {
    let (bytes, others) = rest.split_first_chunk::<2>().ok_or_else(cut_short)?;
    *rest = others;
    let step = bf16::from_le_bytes(*bytes);
    if step.is_sign_negative() || !step.is_finite() {
        return Err(Error::parameter(format!("a step is {step}: steps are finite, and positive or 0")));
    }
    Ok(step.to_f32())
}

fn table(rest: &mut &[u8]) -> Result<Frequencies, Error> {
    let length = usize::from(byte(rest)?);
    let (table, others) = rest.split_at_checked(length).ok_or_else(cut_short)?;
    *rest = others;
    Frequencies::from_table(table)
}
