// The inside of the shape's stage and of its controls. Constant markup only.

import { icon } from '../icons';
import { iconButton } from '../template';

export const STAGE = `
<div class="stage shape" part="stage" role="application" tabindex="0" aria-label="Shape" aria-describedby="description" hidden>
  <canvas class="scene" part="scene"></canvas>
  <div class="handles" role="group" aria-label="Crop box"></div>
</div>`;

export const TOOLBAR = `
<div class="group kind solid" hidden>
  ${iconButton('out', 'Zoom out (-)', 'minus', 'data-phone="no"')}${iconButton('in', 'Zoom in (+)', 'plus', 'data-phone="no"')}${iconButton('fit', 'Show all (0)', 'fit')}
  ${iconButton('wireframe', 'Partitions (G)', 'samples', 'aria-pressed="false"')}
  <button type="button" data-action="section" aria-pressed="false" aria-keyshortcuts="K" title="Cut it open (K)">${icon('section')}<span>Section</span></button>
  <label class="axis"><span class="hidden-text">Direction of the section</span><select class="section-axis"><option value="0">X</option><option value="1">Y</option><option value="2" selected>Z</option></select></label>
  <input type="range" class="section-place" aria-label="Place of the section" min="0" max="1" step="any" value="0.5">
</div>`;
