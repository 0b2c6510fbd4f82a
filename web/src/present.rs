//! From a buffer of pixels on the device to an image for the page's canvas, without reading anything back.
//!
//! One off-screen canvas belongs to the framework's own device. A draw copies pixels from the decoder's buffer onto it,
//! and its content leaves the Worker as an `ImageBitmap`, which in browsers that draw with the GPU is a handle to a
//! texture. The page puts such bitmaps together on its canvas like those of the CPU, so that zooming, panning, crops
//! and comparison know nothing of engines. Giving the page's canvas to the Worker was the alternative: every pan would
//! then wait for the Worker and its queue of decodes, and the grid above the picture would move at another time.

use std::cell::OnceCell;

use burn::tensor::wgpu::{WgpuSetup, wgpu};
use tessera_core::Error;
use tessera_core::eval::gpu::Pixels;
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};
use wasm_bindgen_futures::future_to_promise;
use web_sys::{ImageBitmap, OffscreenCanvas};

use crate::gpu::{GpuField, thrown};
use crate::picture;

thread_local! {
    static PRESENTER: OnceCell<Presenter> = const { OnceCell::new() };
}

/// Keeps what a canvas needs of the framework's device.
pub(crate) fn keep(setup: WgpuSetup) {
    PRESENTER.with(|cell| _ = cell.get_or_init(|| Presenter { setup, inner: OnceCell::new() }));
}

#[wasm_bindgen]
impl GpuField {
    /// As [`GpuField::decode`], but the picture stays on the device: an image for `drawImage`, colours premultiplied.
    /// The page asks for it only where a trial has shown that the browser can.
    ///
    /// Rejects as there.
    #[expect(clippy::too_many_arguments, reason = "plain numbers cross the border to JavaScript without an object")]
    #[wasm_bindgen(unchecked_return_type = "Promise<ImageBitmap>")]
    pub fn present(
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
            let image = PRESENTER.with(|cell| match cell.get() {
                Some(presenter) => presenter.image(&pixels, rows, columns),
                None => Err(Error::Device("call initialise() first".into())),
            });
            let image = image.map_err(thrown)?;
            pixels.finished().await.map_err(thrown)?;
            Ok(image.into())
        })
    }
}

/// A triangle over the whole canvas, each pixel from its word. The width of the picture arrives as the number of the
/// instance, which spares a buffer for one number. Canvases want colours premultiplied.
const SHADER: &str = "
@group(0) @binding(0) var<storage, read> pixels: array<u32>;
struct Corner {
    @builtin(position) position: vec4f,
    @location(0) @interpolate(flat) columns: u32,
}
@vertex fn corner(@builtin(vertex_index) index: u32, @builtin(instance_index) columns: u32) -> Corner {
    let position = vec2f(f32(index & 1u), f32(index >> 1u)) * 4.0 - 1.0;
    return Corner(vec4f(position, 0.0, 1.0), columns);
}
@fragment fn pixel(corner: Corner) -> @location(0) vec4f {
    let place = vec2u(corner.position.xy);
    let colour = unpack4x8unorm(pixels[place.y * corner.columns + place.x]);
    return vec4f(colour.rgb * colour.a, colour.a);
}";

/// A canvas on the framework's device. It is made for the first picture: where the browser cannot show a canvas of
/// WebGPU, even configuring one may cost the device.
#[derive(Debug)]
struct Presenter {
    setup: WgpuSetup,
    inner: OnceCell<Inner>,
}

#[derive(Debug)]
struct Inner {
    canvas: OffscreenCanvas,
    surface: wgpu::Surface<'static>,
    format: wgpu::TextureFormat,
    pipeline: wgpu::RenderPipeline,
}

impl Presenter {
    /// `rows` x `columns` pixels as an image. It is drawn when the device has decoded them; wait for
    /// [`Pixels::finished`] before showing it, because only that tells of a lost device.
    ///
    /// # Errors
    /// [`Error::Device`] where the browser gives no canvas, or the device failed.
    fn image(&self, pixels: &Pixels, rows: u32, columns: u32) -> Result<ImageBitmap, Error> {
        let WgpuSetup { device, queue, .. } = &self.setup;
        let inner = self.inner()?;
        let same = inner.surface.get_configuration().is_some_and(|c| (c.width, c.height) == (columns, rows));
        if !same {
            inner.surface.configure(device, &inner.configuration(rows, columns));
        }
        let texture = match inner.surface.get_current_texture() {
            wgpu::CurrentSurfaceTexture::Success(texture) | wgpu::CurrentSurfaceTexture::Suboptimal(texture) => texture,
            other => return Err(Error::Device(format!("the browser gave no canvas to draw on: {other:?}"))),
        };
        let (buffer, offset) = pixels.buffer()?;
        let size = wgpu::BufferSize::new(pixels.samples() as u64 * size_of::<u32>() as u64);
        let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &inner.pipeline.get_bind_group_layout(0),
            entries: &[wgpu::BindGroupEntry {
                binding: 0,
                resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer: &buffer, offset, size }),
            }],
        });
        let view = texture.texture.create_view(&wgpu::TextureViewDescriptor::default());
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        {
            let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
                color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                    view: &view,
                    depth_slice: None,
                    resolve_target: None,
                    ops: wgpu::Operations {
                        load: wgpu::LoadOp::Clear(wgpu::Color::TRANSPARENT),
                        store: wgpu::StoreOp::Store,
                    },
                })],
                ..Default::default()
            });
            pass.set_pipeline(&inner.pipeline);
            pass.set_bind_group(0, &group, &[]);
            pass.draw(0..3, columns..columns + 1);
        }
        queue.submit([encoder.finish()]);
        queue.present(texture);
        inner.canvas.transfer_to_image_bitmap().map_err(refused)
    }

    fn inner(&self) -> Result<&Inner, Error> {
        if let Some(inner) = self.inner.get() {
            return Ok(inner);
        }
        let inner = Inner::new(&self.setup)?;
        Ok(self.inner.get_or_init(|| inner))
    }
}

impl Inner {
    fn new(setup: &WgpuSetup) -> Result<Self, Error> {
        let canvas = OffscreenCanvas::new(1, 1).map_err(refused)?;
        let surface = setup
            .instance
            .create_surface(wgpu::SurfaceTarget::OffscreenCanvas(canvas.clone()))
            .map_err(|error| Error::Device(format!("the browser gave no canvas of WebGPU: {error}")))?;
        // The first one is the one that the browser prefers; a format that converts to sRGB would convert twice.
        let format = surface.get_capabilities(&setup.adapter).formats.into_iter().find(|format| !format.is_srgb());
        let format = format.ok_or_else(|| Error::Device("the device cannot draw on a canvas".into()))?;
        let module = setup.device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: None,
            source: wgpu::ShaderSource::Wgsl(SHADER.into()),
        });
        let pipeline = setup.device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
            label: Some("pixels to canvas"),
            layout: None,
            vertex: wgpu::VertexState {
                module: &module,
                entry_point: Some("corner"),
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                buffers: &[],
            },
            primitive: wgpu::PrimitiveState::default(),
            depth_stencil: None,
            multisample: wgpu::MultisampleState::default(),
            fragment: Some(wgpu::FragmentState {
                module: &module,
                entry_point: Some("pixel"),
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                targets: &[Some(format.into())],
            }),
            multiview_mask: None,
            cache: None,
        });
        Ok(Self { canvas, surface, format, pipeline })
    }

    fn configuration(&self, rows: u32, columns: u32) -> wgpu::SurfaceConfiguration {
        wgpu::SurfaceConfiguration {
            usage: wgpu::TextureUsages::RENDER_ATTACHMENT,
            format: self.format,
            color_space: wgpu::SurfaceColorSpace::Auto,
            width: columns,
            height: rows,
            present_mode: wgpu::PresentMode::Fifo,
            desired_maximum_frame_latency: 2,
            alpha_mode: wgpu::CompositeAlphaMode::PreMultiplied,
            view_formats: Vec::new(),
        }
    }
}

fn refused(value: JsValue) -> Error {
    Error::Device(format!("the browser gave no canvas: {value:?}"))
}
