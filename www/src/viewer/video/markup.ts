// The inside of the video's strip and of its controls. Constant markup only.

import { icon } from '../icons';
import { iconButton } from '../template';

/** Playing speeds. */
export const SPEEDS = [0.1, 0.25, 0.5, 1, 1.5, 2, 4] as const;

export const STRIP = `
<div class="strip" part="timeline" hidden>
  <canvas class="times"></canvas>
  <div class="handles" role="group" aria-label="Crop times"></div>
</div>`;

export const TOOLBAR = `
<div class="group kind clip" hidden>
  ${iconButton('back', 'A frame back (,)', 'back')}
  <button type="button" class="square" data-action="play" aria-label="Play" aria-keyshortcuts="Space" title="Play (Space)">${icon('play')}</button>
  ${iconButton('forward', 'A frame on (.)', 'forward')}
  ${iconButton('loop', 'Loop (L)', 'loop', 'aria-pressed="false"')}
  <input type="range" class="seek" aria-label="Frame" min="0" max="1" step="1" value="0">
  <output class="time" aria-hidden="true"><span class="clock"></span> <span class="count"></span></output>
  <label class="speed"><span class="hidden-text">Speed</span><select class="rate" title="Speed">${SPEEDS.map((speed) => `<option value="${speed}" ${speed === 1 ? 'selected' : ''}>${speed}×</option>`).join('')}</select></label>
  <span class="zoom-time">${iconButton('out', 'Zoom out (-)', 'minus')}${iconButton('in', 'Zoom in (+)', 'plus')}${iconButton('fit', 'Show all (0)', 'fit')}</span>
</div>`;
