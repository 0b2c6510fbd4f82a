//! The surface of a shape: slices of decoded samples in, triangles out.
//!
//! Sampling is the caller's, because either engine does it and in pieces; what is here is what both share.

use tessera_core::Error;
use tessera_core::signal::{ShapeValue, SignalKind};
use tessera_core::surface::{Extractor, Surface};
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};

use crate::failure::failure;
use crate::file::TesseraFile;

/// Builds the surface of a shape from slices along its first axis.
#[wasm_bindgen]
#[derive(Debug)]
pub struct SurfaceBuilder {
    extractor: Option<Extractor>,
    value: ShapeValue,
}

#[wasm_bindgen]
impl SurfaceBuilder {
    /// For slices of `rows` x `columns` samples of `file`.
    ///
    /// # Errors
    /// Where the file holds no shape.
    #[wasm_bindgen(constructor)]
    pub fn new(file: &TesseraFile, rows: u32, columns: u32) -> Result<Self, JsValue> {
        let signal = file.signal();
        if signal.kind != SignalKind::Shape {
            return Err(failure(&Error::parameter("only shapes have a surface")));
        }
        let extractor = Some(Extractor::new(rows as usize, columns as usize));
        Ok(Self { extractor, value: signal.shape_value() })
    }

    /// The next slice, as `decode_values` gives it: not a number where a partition is absent.
    pub fn push(&mut self, slice: &[f32]) {
        let depths: Vec<f32> = slice.iter().map(|&value| self.value.depth(value)).collect();
        if let Some(extractor) = &mut self.extractor {
            extractor.push(&depths);
        }
    }

    /// The surface around everything that was pushed; a second call gives none.
    pub fn finish(&mut self) -> TriangleMesh {
        let surface = self.extractor.take().map(Extractor::finish).unwrap_or_default();
        TriangleMesh::new(&surface)
    }
}

/// Triangles, ready for a vertex buffer.
#[wasm_bindgen]
#[derive(Debug)]
pub struct TriangleMesh {
    positions: Vec<f32>,
    normals: Vec<f32>,
    triangles: Vec<u32>,
}

#[wasm_bindgen]
impl TriangleMesh {
    /// Corners `[n * 3]` in units of the pushed samples: sample `i` of an axis sits at `i`.
    #[wasm_bindgen(getter)]
    pub fn positions(&self) -> Vec<f32> {
        self.positions.clone()
    }

    /// Directions of length one `[n * 3]`, outwards.
    #[wasm_bindgen(getter)]
    pub fn normals(&self) -> Vec<f32> {
        self.normals.clone()
    }

    /// Three corners each, counter-clockwise as seen from outside.
    #[wasm_bindgen(getter)]
    pub fn triangles(&self) -> Vec<u32> {
        self.triangles.clone()
    }
}

impl TriangleMesh {
    fn new(surface: &Surface) -> Self {
        Self {
            positions: surface.positions.concat(),
            normals: surface.normals().concat(),
            triangles: surface.triangles.concat(),
        }
    }
}
