// Small signals of every kind, encoded by the program where data/ has no sample of it. A few steps of training are enough:
// the tests compare decoders with each other, not with the signal.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Three seconds of two voices in stereo, 16 bits. */
function wav() {
  const [rate, seconds] = [44_100, 3];
  const samples = rate * seconds + 17;
  const bytes = Buffer.alloc(44 + samples * 4);
  bytes.write('RIFF');
  bytes.writeUInt32LE(bytes.length - 8, 4);
  bytes.write('WAVEfmt ', 8);
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(1, 20);
  bytes.writeUInt16LE(2, 22);
  bytes.writeUInt32LE(rate, 24);
  bytes.writeUInt32LE(rate * 4, 28);
  bytes.writeUInt16LE(4, 32);
  bytes.writeUInt16LE(16, 34);
  bytes.write('data', 36);
  bytes.writeUInt32LE(samples * 4, 40);
  for (let i = 0; i < samples; i++) {
    const voice = (hertz) => Math.sin((2 * Math.PI * hertz * i) / rate) * (0.3 + 0.2 * Math.sin(i / rate));
    bytes.writeInt16LE(Math.round(20_000 * voice(220)), 44 + i * 4);
    bytes.writeInt16LE(Math.round(20_000 * voice(330)), 46 + i * 4);
  }
  return bytes;
}

/** Two seconds of a square that wanders over a slope of greys, 4:4:4. */
function y4m() {
  const [width, height, frames] = [128, 96, 24];
  const parts = [Buffer.from(`YUV4MPEG2 W${width} H${height} F12:1 Ip A1:1 C444\n`)];
  for (let frame = 0; frame < frames; frame++) {
    const planes = Buffer.alloc(width * height * 3, 128);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const inside = Math.abs(x - 20 - 3 * frame) < 12 && Math.abs(y - 48) < 12;
        planes[y * width + x] = inside ? 220 : 40 + x;
        if (inside) planes[width * height + y * width + x] = 70;
      }
    }
    parts.push(Buffer.from('FRAME\n'), planes);
  }
  return Buffer.concat(parts);
}

/** A ball with a handle, as an OBJ of two closed bodies: a sphere and a box. */
function obj() {
  const lines = [];
  let count = 0;
  const [rings, around] = [16, 24];
  for (let r = 0; r <= rings; r++) {
    for (let a = 0; a < around; a++) {
      const [polar, turn] = [(Math.PI * r) / rings, (2 * Math.PI * a) / around];
      lines.push(`v ${0.7 * Math.sin(polar) * Math.cos(turn)} ${0.7 * Math.cos(polar)} ${0.7 * Math.sin(polar) * Math.sin(turn)}`);
    }
  }
  const at = (r, a) => r * around + (a % around) + 1;
  for (let r = 0; r < rings; r++) {
    for (let a = 0; a < around; a++) lines.push(`f ${at(r, a)} ${at(r, a + 1)} ${at(r + 1, a)}`, `f ${at(r, a + 1)} ${at(r + 1, a + 1)} ${at(r + 1, a)}`);
  }
  count = (rings + 1) * around;
  for (const x of [0.9, 1.6]) for (const y of [-0.15, 0.15]) for (const z of [-0.15, 0.15]) lines.push(`v ${x} ${y} ${z}`);
  const faces = [[1, 2, 4, 3], [5, 7, 8, 6], [1, 5, 6, 2], [3, 4, 8, 7], [1, 3, 7, 5], [2, 6, 8, 4]];
  for (const [a, b, c, d] of faces) lines.push(`f ${count + a} ${count + b} ${count + c}`, `f ${count + a} ${count + c} ${count + d}`);
  return Buffer.from(`${lines.join('\n')}\n`);
}

const SIGNALS = {
  sound: { file: 'sound.wav', make: wav, options: ['--partitions', '24', '--steps', '20'] },
  video: { file: 'clip.y4m', make: y4m, options: ['--partitions', '3x3x4', '--steps', '20'] },
  shape: { file: 'shape.obj', make: obj, options: ['--resolution', '48', '--steps', '60'] },
};

/** The path of an encoded signal of a kind, made in `folder`; a sentence that says why where there is none. */
export function encodeSample(kind, program, folder) {
  const { file, make, options } = SIGNALS[kind];
  const [source, target] = [join(folder, file), join(folder, `${kind}.inr`)];
  if (existsSync(target)) return { path: target };
  mkdirSync(folder, { recursive: true });
  writeFileSync(source, make());
  try {
    // In place only when it is whole: an interrupted run leaves nothing that looks like a sample.
    execFileSync(program, ['encode', source, '-o', `${target}.part.inr`, ...options, '--force', '--quiet'], { stdio: 'pipe', timeout: 120_000 });
    renameSync(`${target}.part.inr`, target);
    return { path: target };
  } catch (error) {
    return { reason: `the program cannot encode a ${kind}: ${String(error.stderr ?? error.message).trim().split('\n')[0]}` };
  }
}
