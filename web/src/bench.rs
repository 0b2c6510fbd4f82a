//! What the benchmark page and the browser tests need beside the page's own module: burn's general operations on the
//! same device. Only in a module of its own (the feature `bench`), so that nobody downloads it to see a picture.

use burn::tensor::{DType, Tensor, TensorData};
use tessera_core::Error;
use tessera_core::eval::View;
use tessera_core::eval::gpu::GpuDecoder;
use tessera_core::format::Reader;
use tessera_core::grid::Grid;
use tessera_core::module::FieldModule;
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};

use crate::gpu::{device, thrown};

/// Samples that go through burn's operations at once: their widest activations stay below the 128 MiB that WebGPU
/// allows a binding.
const CHUNK: usize = 1 << 16;

/// A file whose weights are on the device, decoded by burn's general operations: a product, an addition and a sine per
/// layer, every activation written to memory and read again.
#[wasm_bindgen]
#[derive(Debug)]
pub struct GeneralField {
    module: FieldModule,
    /// Coordinates `[partitions, samples, inputs]` of some partitions, each padded to the largest.
    chunks: Vec<(Tensor<3>, std::ops::Range<usize>)>,
}

#[wasm_bindgen]
impl GeneralField {
    /// Parses `bytes`, uploads weights and coordinates. `initialise` must have succeeded.
    ///
    /// # Errors
    /// As `GpuField`.
    #[wasm_bindgen(constructor)]
    pub fn new(bytes: &[u8]) -> Result<Self, JsValue> {
        let document = Reader::open(bytes).and_then(|reader| reader.document()).map_err(thrown)?;
        let device = device().map_err(thrown)?;
        let (field, grid) = (&document.field, document.field.grid());
        let samples: Vec<Vec<f32>> = field.present().iter().map(|&p| coordinates(grid, p)).collect();
        let inputs = grid.axes();
        let largest = samples.iter().map(Vec::len).max().unwrap_or(0);
        let rows = (CHUNK * inputs / largest.max(1)).max(1);
        let mut chunks = Vec::new();
        for (chunk, samples) in samples.chunks(rows).enumerate() {
            let mut values: Vec<f32> = Vec::with_capacity(samples.len() * largest);
            for own in samples {
                values.extend(own);
                values.resize(values.len() + largest - own.len(), 0.0);
            }
            let shape = [samples.len(), largest / inputs, inputs];
            let values = Tensor::from_data(TensorData::new(values, shape), (&device, DType::F32));
            chunks.push((values, chunk * rows..chunk * rows + samples.len()));
        }
        Ok(Self { module: FieldModule::from_field(field, &device), chunks })
    }

    /// Decodes every sample of every partition that is present: `[partitions, samples, channels]`, each partition
    /// padded to the largest one.
    ///
    /// # Errors
    /// `kind` 'device' where the device fails.
    pub async fn decode(&self) -> Result<Vec<f32>, JsValue> {
        let mut values = Vec::new();
        let [_, parameters] = self.module.local().dims();
        for (coordinates, rows) in &self.chunks {
            let local = self.module.local().slice([rows.clone(), 0..parameters]);
            let part = self.module.with_tensors(self.module.shared(), local);
            let data = part.forward(coordinates.clone()).into_data_async().await;
            let data = data.map_err(|error| thrown(Error::Device(format!("{error:?}"))))?;
            values.extend(data.as_slice::<f32>().map_err(|error| thrown(Error::Device(format!("{error:?}"))))?);
        }
        Ok(values)
    }
}

/// The whole picture as the kernel leaves it on the device, straight RGBA8, read back: what a canvas drawn from that
/// buffer shows.
///
/// # Errors
/// As `GpuField`.
#[wasm_bindgen]
pub async fn pixels(bytes: Vec<u8>) -> Result<Vec<u8>, JsValue> {
    let document = Reader::open(&bytes).and_then(|reader| reader.document()).map_err(thrown)?;
    let decoder = device().and_then(|device| GpuDecoder::new(&device, &document.field)).map_err(thrown)?;
    let view = View::full(document.field.grid());
    let pixels = decoder.decode_to_rgba(&view, document.signal.alpha).await.map_err(thrown)?;
    let (buffer, offset) = pixels.buffer().map_err(thrown)?;
    if buffer.size() < offset + 4 * pixels.samples() as u64 {
        return Err(thrown(Error::Device("its buffer is smaller than the pixels in it".into())));
    }
    pixels.read().await.map_err(thrown)
}

/// The network inputs of a partition's samples `[samples, inputs]`, row-major.
pub(crate) fn coordinates(grid: &Grid, partition: u32) -> Vec<f32> {
    let mut values = Vec::new();
    for index in grid.partition_sample_indices(partition) {
        let (mut rest, start) = (index, values.len());
        for axis in (0..grid.axes()).rev() {
            let n = u64::from(grid.shape()[axis]);
            values.insert(start, grid.coordinate(axis, (rest % n) as f64));
            rest /= n;
        }
    }
    values
}
