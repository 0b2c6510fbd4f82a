// Errors in words: what happened, which part of the file is broken, what still works and what to do.

import { DecoderError } from '../worker/client';
import { SourceError } from './source';

export interface Trouble {
  /** One line. */
  readonly title: string;
  /** One or two sentences. */
  readonly message: string;
  /** What to do next. */
  readonly advice: string;
  readonly kind: string;
  /** The broken part of the file and where it starts, where known. */
  readonly part?: string;
  readonly offset?: number;
}

/** First bytes of files that people take for `.inr` files; -1 stands for any byte. */
const OTHERS: readonly (readonly [string, readonly number[], string])[] = [
  ['a PNG picture', [0x89, 0x50, 0x4e, 0x47], 'picture'],
  ['a JPEG picture', [0xff, 0xd8, 0xff], 'picture'],
  ['a GIF picture', [0x47, 0x49, 0x46, 0x38], 'picture'],
  ['a WAV sound', [0x52, 0x49, 0x46, 0x46, -1, -1, -1, -1, 0x57, 0x41, 0x56, 0x45], 'sound'],
  ['a FLAC sound', [0x66, 0x4c, 0x61, 0x43], 'sound'],
  ['an Ogg sound', [0x4f, 0x67, 0x67, 0x53], 'sound'],
  ['an MP3 sound', [0x49, 0x44, 0x33], 'sound'],
  ['a WebP picture', [0x52, 0x49, 0x46, 0x46], 'picture'],
  ['a TIFF picture', [0x49, 0x49, 0x2a, 0x00], 'picture'],
  ['a PDF document', [0x25, 0x50, 0x44, 0x46], 'other'],
  ['a ZIP archive', [0x50, 0x4b, 0x03, 0x04], 'archive'],
  ['a gzip archive', [0x1f, 0x8b], 'archive'],
  ['a web page', [0x3c, 0x21], 'page'],
  ['a web page', [0x3c, 0x68, 0x74, 0x6d, 0x6c], 'page'],
];

/** What other kind of file some bytes are, by their beginning. */
export function otherKind(bytes: Uint8Array | null): { readonly name: string; readonly group: string } | null {
  if (!bytes) return null;
  const found = OTHERS.find(([, magic]) => magic.every((b, i) => b < 0 || bytes[i] === b));
  return found ? { name: found[0], group: found[2] } : null;
}

/** Puts an error into words. `bytes` is the beginning of the file, `fileName` its name. */
export function explain(error: unknown, bytes: Uint8Array | null, fileName: string): Trouble {
  if (error instanceof SourceError) {
    return { title: 'The file could not be opened', message: error.message, advice: '', kind: 'source' };
  }
  const other = otherKind(bytes);
  if (other && error instanceof DecoderError && (error.kind === 'malformed' || error.kind === 'unsupported')) {
    const advice = {
      picture: `To make an .inr file of it: tessera encode ${plainName(fileName)} -o ${plainName(fileName).replace(/\.[^.]*$/, '')}.inr. To compare with it, open an .inr file first.`,
      sound: `To make an .inr file of it: tessera encode ${fileName} -o ${fileName.replace(/\.[^.]*$/, '')}.inr.`,
      archive: 'Unpack it, and open the .inr file inside.',
      page: 'The address probably leads to a page about the file, or to a sign-in page, not to the file itself.',
      other: 'Choose a file that Tessera made.',
    }[other.group] ?? '';
    return { title: 'This is not an .inr file', message: `${fileName} is ${other.name}${/\.inr$/i.test(fileName) ? ', whatever its name says' : ''}.`, advice, kind: 'malformed', part: error.part ?? 'signature', offset: error.offset ?? 0 };
  }
  if (error instanceof DecoderError) {
    const where = error.part !== undefined ? { part: error.part } : {};
    const at = error.offset !== undefined ? { offset: error.offset } : {};
    const base = { message: sentence(error.message), kind: error.kind, ...where, ...at };
    switch (error.kind) {
      case 'malformed':
        return { ...base, title: 'The file is damaged', advice: 'Nothing was changed. Download or copy it again; `tessera verify` lists every broken part.' };
      case 'unsupported':
        return { ...base, title: 'The file needs a newer version', advice: 'Reload the page to get the newest version, or open the file with the `tessera` program that made it.' };
      case 'limit':
        return { ...base, title: 'The file asks for too much', advice: 'The limit protects this page from files that would fill its memory or keep it busy for hours.' };
      case 'parameter':
        return { ...base, title: 'That does not fit this file', advice: '' };
      default:
        return { ...base, title: 'The decoder stopped', advice: 'Reload the page. If it happens again with the same file, please report it with the file.' };
    }
  }
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof RangeError) {
    return { title: 'Not enough memory', message: sentence(message), advice: 'Close other tabs, or crop the file with `tessera crop` first.', kind: 'limit' };
  }
  return { title: 'Something went wrong', message: sentence(message), advice: 'Reload the page and try again.', kind: 'environment' };
}

function plainName(name: string): string {
  return name.replace(/\.inr$/i, '.png');
}

function sentence(text: string): string {
  const trimmed = text.trim();
  const first = trimmed.charAt(0).toUpperCase() + trimmed.slice(1);
  return /[.!?]$/.test(first) ? first : `${first}.`;
}
