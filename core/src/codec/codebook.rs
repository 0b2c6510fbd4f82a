//! What all chunks of a quantised field share: steps and frequencies, at the head of the global chunk.

use half::bf16;

use super::quantised::{CLASSES_OF_PARTITIONS, Coder, check_start};
use super::symbols::{self, Frequencies};
use crate::error::{Error, Unsupported};
use crate::field::{FieldSpec, StartRule, tensors};

const START_RULES: [StartRule; 3] = [StartRule::Zero, StartRule::Drawn, StartRule::Centred];
const CODERS: [Coder; 3] = [Coder::Pooled, Coder::Static, Coder::Adaptive];

/// Steps of one network's tensors, and the frequencies of each; `None` for a tensor that stays at its start weights.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tensors {
    pub(super) steps: Vec<f32>,
    pub(super) frequencies: Vec<Option<Frequencies>>,
}

/// The codebook as it is read and used.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Codebook {
    pub(super) start: StartRule,
    pub(super) coder: Coder,
    pub(super) shared: Tensors,
    /// One for each class of partitions.
    pub(super) local: Vec<Tensors>,
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
        Coder::Adaptive => {}
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
        let pooled = if coder == Coder::Pooled { Some(table(&mut rest)?) } else { None };
        let mut tensors = |steps: Vec<f32>| {
            let frequencies = steps
                .iter()
                .map(|&step| {
                    Ok(match coder {
                        _ if step <= 0.0 => None,
                        Coder::Pooled => pooled.clone(),
                        Coder::Static => Some(table(&mut rest)?),
                        Coder::Adaptive => Some(Frequencies::adaptive()),
                    })
                })
                .collect::<Result<_, Error>>()?;
            Ok::<_, Error>(Tensors { steps, frequencies })
        };
        let shared = tensors(shared)?;
        let local = local.into_iter().map(tensors).collect::<Result<_, Error>>()?;
        Ok((Self { start, coder, shared, local }, rest))
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
