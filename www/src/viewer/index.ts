// The element alone: `<script type="module" src=".../tessera-viewer.js">` in any page defines <tessera-viewer>.

import { TesseraViewer } from './element';

export { TesseraViewer, type Source } from './element';
export type { ComparisonDetail, CropDetail, LoadDetail, ProgressDetail, Timings, ViewerEvents } from './events';
export type { CompareView } from './picture/compare';
export type { Trouble } from './trouble';

if (!customElements.get('tessera-viewer')) customElements.define('tessera-viewer', TesseraViewer);

declare global {
  interface HTMLElementTagNameMap {
    'tessera-viewer': TesseraViewer;
  }
}
