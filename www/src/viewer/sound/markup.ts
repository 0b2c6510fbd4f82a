// The inside of the sound's stage and of its controls. Constant markup only.

import { icon } from '../icons';
import { iconButton } from '../template';

/** Playing speeds; pitch follows, as on a tape. */
export const SPEEDS = [0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 4] as const;

export const STAGE = `
<div class="stage sound" part="stage" role="application" tabindex="0" aria-label="Sound" aria-describedby="description" hidden>
  <canvas class="wave" part="waveform"></canvas>
  <canvas class="marks"></canvas>
  <div class="handles" role="group" aria-label="Crop regions"></div>
</div>`;

export const TOOLBAR = `
<div class="group kind player" hidden>
  <button type="button" class="square" data-action="play" aria-label="Play" aria-keyshortcuts="Space" title="Play (Space)">${icon('play')}</button>
  ${iconButton('loop', 'Loop (L)', 'loop', 'aria-pressed="false"')}
  <input type="range" class="seek" aria-label="Position" min="0" max="1000" step="1" value="0">
  <output class="time" aria-hidden="true"></output>
  <label class="speed"><span class="hidden-text">Speed</span><select class="rate" title="Speed; the pitch follows (&lt; and &gt;)">${SPEEDS.map((speed) => `<option value="${speed}" ${speed === 1 ? 'selected' : ''}>${speed}×</option>`).join('')}</select></label>
  ${iconButton('spectrogram', 'Spectrogram (G)', 'spectrum', 'aria-pressed="false"')}
  <span class="zoom-time">${iconButton('out', 'Zoom out (-)', 'minus')}${iconButton('in', 'Zoom in (+)', 'plus')}${iconButton('fit', 'Show all (0)', 'fit')}</span>
</div>`;
