// Whether pixels of a WebGPU device can reach the page without being read back.
//
// A picture leaves the device as the content of an off-screen canvas. Where the browser itself draws without a GPU
// (software compositing, as headless browsers do), Chromium has no such canvas: using one loses every device of the
// worker. So the question is put to a device of its own, before the one that decodes is made.

const COLOUR = [51, 102, 204, 255] as const;
/** A browser that has not drawn one pixel by then does not draw any. */
const DEADLINE_MS = 3000;

/** Draws a pixel on a throw-away device and looks at it. */
export async function canPresent(): Promise<boolean> {
  let device: GPUDevice | undefined;
  try {
    const adapter = await navigator.gpu.requestAdapter();
    device = await adapter?.requestDevice();
    const canvas = new OffscreenCanvas(1, 1);
    // The DOM's types know no context of WebGPU for off-screen canvases.
    const context = canvas.getContext('webgpu' as OffscreenRenderingContextId) as unknown as GPUCanvasContext | null;
    if (!device || !context) return false;
    context.configure({ device, format: navigator.gpu.getPreferredCanvasFormat(), alphaMode: 'premultiplied' });
    const [r, g, b, a] = COLOUR.map((value) => value / 255) as [number, number, number, number];
    const encoder = device.createCommandEncoder();
    const view = context.getCurrentTexture().createView();
    encoder.beginRenderPass({ colorAttachments: [{ view, loadOp: 'clear', clearValue: { r, g, b, a }, storeOp: 'store' }] }).end();
    device.queue.submit([encoder.finish()]);
    const image = canvas.transferToImageBitmap();
    const late = new Promise<never>((_, reject) => setTimeout(() => reject(new Error('no answer')), DEADLINE_MS));
    await Promise.race([device.queue.onSubmittedWorkDone(), late]);
    const seen = pixelsOf(image);
    return seen !== null && COLOUR.every((value, i) => Math.abs((seen[i] ?? 0) - value) <= 1);
  } catch {
    return false;
  } finally {
    device?.destroy();
  }
}

/** The content of an image, which is closed; `null` where the browser has no canvas to look at it with. */
export function pixelsOf(image: ImageBitmap): Uint8ClampedArray | null {
  const context = new OffscreenCanvas(image.width, image.height).getContext('2d', { willReadFrequently: true });
  context?.drawImage(image, 0, 0);
  const pixels = context?.getImageData(0, 0, image.width, image.height).data ?? null;
  image.close();
  return pixels;
}
