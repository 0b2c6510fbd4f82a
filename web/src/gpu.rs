//! The GPU module: one device per Worker, and a decoder with the same signature as the CPU's.

use std::cell::{Cell, OnceCell};
use std::rc::Rc;

use burn::tensor::Device;
use burn::tensor::wgpu::WgpuInitError;
use tessera_core::Error;
use tessera_core::eval::gpu::GpuDecoder;
use tessera_core::format::Reader;
use tessera_core::signal::SignalInfo;
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};
use wasm_bindgen_futures::future_to_promise;

use crate::failure::failure;
use crate::{picture, values};

thread_local! {
    /// The framework registers one device per process and refuses a second registration.
    static DEVICE: OnceCell<(Device, String)> = const { OnceCell::new() };
    /// Whether a first call is under way: two of them would both register.
    static STARTING: Cell<bool> = const { Cell::new(false) };
}

/// Finds a WebGPU device and returns its description. Later calls return the same description.
///
/// # Errors
/// A sentence for the engine badge where WebGPU is absent, blocked or unusable; `kind` is 'device'.
#[wasm_bindgen]
pub async fn initialise() -> Result<String, JsValue> {
    if let Some(description) = DEVICE.with(|device| device.get().map(|(_, description)| description.clone())) {
        return Ok(description);
    }
    if STARTING.replace(true) {
        return Err(thrown(Error::Device("it is being started already; wait for the first call".into())));
    }
    let found = find().await;
    STARTING.set(false);
    let (device, description) = found.map_err(thrown)?;
    DEVICE.with(|cell| _ = cell.get_or_init(|| (device, description.clone())));
    Ok(description)
}

/// The device of this module.
///
/// # Errors
/// [`Error::Device`] before [`initialise`] has succeeded.
pub(crate) fn device() -> Result<Device, Error> {
    let found = DEVICE.with(|cell| cell.get().map(|(device, _)| device.clone()));
    found.ok_or_else(|| Error::Device("call initialise() first".into()))
}

async fn find() -> Result<(Device, String), Error> {
    let gpu = js_sys::Reflect::get(&js_sys::global(), &"navigator".into())
        .and_then(|navigator| js_sys::Reflect::get(&navigator, &"gpu".into()))
        .unwrap_or(JsValue::UNDEFINED);
    // Asked here first, because the framework does not tell a browser without WebGPU from one without a device.
    if !gpu.is_object() {
        return Err(Error::Device("this browser has no WebGPU, or the page is not served over https".into()));
    }
    let (device, setup) = Device::wgpu_options().init_with_setup_async().await.map_err(|error| match error {
        WgpuInitError::AdapterUnavailable { .. } => Error::Device("the browser offers WebGPU but no device".into()),
        other => Error::Device(other.to_string()),
    })?;
    let name = setup.adapter.get_info().name;
    #[cfg(target_arch = "wasm32")]
    crate::present::keep(setup);
    Ok((device, if name.trim().is_empty() { "WebGPU".to_owned() } else { name }))
}

/// A file whose weights are on the device.
#[wasm_bindgen]
#[derive(Debug)]
pub struct GpuField {
    // Shared with the decodes that are under way, so that freeing the field does not pull it from under them.
    pub(crate) decoder: Rc<GpuDecoder>,
    pub(crate) signal: SignalInfo,
}

#[wasm_bindgen]
impl GpuField {
    /// Parses `bytes` and uploads the weights. [`initialise`] must have succeeded.
    ///
    /// # Errors
    /// As the CPU module's constructor; `kind` 'device' where the network is too large for the kernel (the CPU
    /// decodes it) or no device is there.
    #[wasm_bindgen(constructor)]
    pub fn new(bytes: &[u8]) -> Result<Self, JsValue> {
        let document = Reader::open(bytes).and_then(|reader| reader.document()).map_err(thrown)?;
        let decoder = device().and_then(|device| GpuDecoder::new(&device, &document.field));
        Ok(Self { decoder: Rc::new(decoder.map_err(thrown)?), signal: document.signal })
    }

    /// As `decode` of the CPU module: straight RGBA code values, absent partitions transparent.
    ///
    /// Rejects as there; `kind` is 'device' where the device fails or is lost. A WebAssembly `RuntimeError` means that the
    /// module is beyond use: drop it and decode on the CPU.
    // A promise by hand: the future of an `async` method would keep `self` borrowed, and `free` would throw meanwhile.
    #[expect(clippy::too_many_arguments, reason = "plain numbers cross the border to JavaScript without an object")]
    #[wasm_bindgen(unchecked_return_type = "Promise<Uint8Array>")]
    pub fn decode(
        &self,
        row0: f64,
        row1: f64,
        col0: f64,
        col1: f64,
        rows: u32,
        columns: u32,
        nearest: bool,
        frame: f64,
    ) -> js_sys::Promise {
        let (decoder, alpha) = (self.decoder.clone(), self.signal.alpha);
        let view = picture::view(&self.signal, [row0..row1, col0..col1], rows, columns, nearest, frame);
        future_to_promise(async move {
            let view = view.map_err(thrown)?;
            let pixels = decoder.decode_to_rgba(&view, alpha).await.map_err(thrown)?;
            Ok(js_sys::Uint8Array::from(pixels.read().await.map_err(thrown)?.as_slice()).into())
        })
    }

    /// As `decode_values` of the CPU module: a promise of the values, not a number where a partition is absent.
    ///
    /// Rejects as [`GpuField::decode`].
    #[wasm_bindgen(unchecked_return_type = "Promise<Float32Array>")]
    pub fn decode_values(&self, edges: &[f64], shape: &[u32], nearest: bool) -> js_sys::Promise {
        let decoder = self.decoder.clone();
        let view = values::view(edges, shape, nearest);
        future_to_promise(async move {
            let view = view.map_err(thrown)?;
            let values = decoder.decode(&view).await.map_err(thrown)?;
            Ok(js_sys::Float32Array::from(values.as_slice()).into())
        })
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
pub(crate) fn thrown(error: Error) -> JsValue {
    failure(&error)
}
