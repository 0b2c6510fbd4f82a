// The inside of the element. Constant markup only; everything that comes from a file is set as text.

import { icon, type IconName } from './icons';

export const button = (action: string, label: string, name: IconName, extra = '') =>
  `<button type="button" data-action="${action}" ${extra}>${icon(name)}<span>${label}</span></button>`;
export const plain = (action: string, label: string, extra = '') => `<button type="button" data-action="${action}" ${extra}><span>${label}</span></button>`;
export const iconButton = (action: string, label: string, name: IconName, extra = '') =>
  `<button type="button" class="square" data-action="${action}" aria-label="${label}" title="${label}" ${extra}>${icon(name)}</button>`;
export const choice = (action: string, value: string, label: string, title: string) =>
  `<button type="button" data-action="${action}" data-value="${value}" aria-pressed="false" title="${title}">${label}</button>`;

export const template = document.createElement('template');
template.innerHTML = `
<div class="frame" part="frame">
  <div class="stage" part="stage" hidden role="application" tabindex="0" aria-label="Picture" aria-describedby="description">
    <div class="backdrop" hidden></div>
    <canvas class="picture" part="picture"></canvas>
    <canvas class="overlay" part="overlay"></canvas>
    <div class="handles" role="group" aria-label="Crop regions"></div>
    <div class="divider" part="divider" role="slider" tabindex="0" aria-label="Divider: original on the left, decoded on the right" aria-valuemin="0" aria-valuemax="100" aria-valuenow="50" hidden><span aria-hidden="true"></span></div>
    <span class="tag left" hidden>Original</span><span class="tag right" hidden>Decoded</span>
    <div class="tip" part="tip" hidden></div>
  </div>
  <div class="poster" part="poster"><slot name="poster"></slot></div>
  <section class="progress" part="progress" aria-label="Progress" hidden>
    <div class="stages">
      <label data-stage="bytes"><span>Bytes</span><progress max="1" value="0"></progress><output></output></label>
      <label data-stage="decode"><span>Decode</span><progress max="1" value="0"></progress><output></output></label>
      <label data-stage="quality"><span>Quality</span><progress max="1" value="0"></progress><output></output></label>
    </div>
    <button type="button" data-action="cancel">Cancel</button>
  </section>
  <div class="card notice" part="error" role="alert" hidden>
    <slot name="error">
      <h2></h2><p class="message"></p><p class="advice"></p><p class="where"></p>
    </slot>
    <div class="row"><button type="button" class="primary" data-action="retry">Try again</button><button type="button" data-action="whole">Open the whole file</button><button type="button" data-action="dismiss">Close</button></div>
  </div>
  <div class="card question" part="question" role="alertdialog" aria-labelledby="question-text" hidden>
    <p id="question-text"></p>
    <div class="row"><button type="button" class="primary" data-action="yes">Open it</button><button type="button" data-action="no">Cancel</button></div>
  </div>
</div>
<div class="options" part="options" role="group" aria-label="Crop" data-mode="crop" hidden>
  <div class="choice" role="group" aria-label="The next rectangle">
    ${choice('drag', 'new', 'New', 'The next rectangle replaces the crop')}
    ${choice('drag', 'add', 'Add', 'The next rectangle is added (Shift)')}
    ${choice('drag', 'remove', 'Cut out', 'The next rectangle is taken out (Control)')}
  </div>
  ${button('place', 'Place', 'plus', 'title="Put a region in the middle and move it with the arrow keys (Enter on the picture)"')}
  ${button('invert', 'Invert', 'invert', 'title="Swap what is kept and what is dropped (I)"')}
  <div class="choice" role="group" aria-label="Partitions on the border">
    ${choice('snap', 'outer', 'Touched', 'Keep every partition that the rectangle touches')}
    ${choice('snap', 'inner', 'Inside', 'Keep only partitions that lie inside the rectangle')}
  </div>
  ${iconButton('undo', 'Undo (Ctrl+Z)', 'undo')}${iconButton('redo', 'Redo (Ctrl+Shift+Z)', 'redo')}
  <input class="selector" name="region" aria-label="Region to keep" title="Region to keep: width x height + left + top, or parts=0-3,7" size="18" autocomplete="off" spellcheck="false" placeholder="256x256+128+128">
  ${plain('command', 'Copy command', 'title="Copy the same crop as a command line"')}
  <span class="grow"></span>
  ${plain('clear', 'Reset', 'title="Keep everything"')}
  ${plain('keep', 'Keep', 'class="primary" title="Hide what is dropped (Enter on the picture)"')}
</div>
<div class="options" part="options" role="group" aria-label="Compare" data-mode="compare" hidden>
  ${button('original', 'Original…', 'open', 'title="Choose the picture that was encoded"')}
  <div class="choice" role="group" aria-label="View">
    ${choice('compare-view', 'slider', 'Slider', 'Original on the left, decoded on the right')}
    ${choice('compare-view', 'flicker', 'Flicker', 'Both in turn, in the same place')}
    ${choice('compare-view', 'difference', 'Difference', 'Eight times the difference of each sample')}
  </div>
  ${button('swap', 'Swap', 'swap', 'hidden')}
  ${button('tint', 'Parts', 'samples', 'aria-pressed="false" title="Tint every partition by its PSNR, 20 dB dark to 40 dB bright"')}
  <span class="legend" hidden>20 dB <i aria-hidden="true"></i> 40 dB</span>
  <output class="figures" aria-live="polite"></output>
</div>
<div class="options" part="options" role="group" aria-label="Inspect" data-mode="inspect" hidden>
  <output class="inspected">Point at a partition, or move with the arrow keys.</output>
</div>
<div class="bar" part="toolbar" role="group" aria-label="Viewer">
  <div class="group kind zoomers">
    ${iconButton('out', 'Zoom out (-)', 'minus')}
    <input class="zoom" name="zoom" aria-label="Zoom in percent" inputmode="decimal" size="6" value="100 %" autocomplete="off">
    ${iconButton('in', 'Zoom in (+)', 'plus')}
    ${iconButton('fit', 'Show all (0)', 'fit')}
    ${iconButton('nearest', 'Stored samples (N)', 'samples', 'aria-pressed="false"')}
  </div>
  <div class="group modes">
    ${button('crop', 'Crop', 'crop', 'aria-pressed="false" aria-keyshortcuts="C"')}
    ${button('compare', 'Compare', 'compare', 'aria-pressed="false" aria-keyshortcuts="V"')}
    ${button('inspect', 'Inspect', 'inspect', 'aria-pressed="false" aria-keyshortcuts="X"')}
  </div>
  <div class="size" part="status"><strong></strong><span class="exact"></span></div>
  <div class="group savers">
    ${button('save-inr', 'Save .inr', 'save', 'class="primary" aria-keyshortcuts="S"')}
    ${button('export', 'Save PNG', 'picture', 'aria-keyshortcuts="P"')}
  </div>
</div>
<p class="hidden-text" id="description"></p>
<p class="hidden-text" aria-live="polite" role="status"></p>
<input type="file" class="original-file" accept="image/*" tabindex="-1" aria-hidden="true" hidden>
`;
