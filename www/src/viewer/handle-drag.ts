// A drag of a handle: the pointer is the handle's until it is let go, and the crop in the making is settled or given up.

import type { CropSession } from './crop-session';

/** Begins a drag of `button`; `move` is called with every place of the pointer. */
export function dragHandle(event: PointerEvent, button: HTMLButtonElement, crop: CropSession, move: (event: PointerEvent) => void): void {
  event.preventDefault();
  event.stopPropagation();
  button.focus();
  button.setPointerCapture(event.pointerId);
  const over = new AbortController();
  const stop = (keep: boolean) => {
    over.abort();
    crop.settle(keep);
  };
  button.addEventListener('pointermove', move, { signal: over.signal });
  button.addEventListener('pointerup', () => stop(true), { signal: over.signal });
  button.addEventListener('pointercancel', () => stop(false), { signal: over.signal });
}
