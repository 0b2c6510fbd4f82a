// A region of a file on a server: only the bytes that it needs, by range, as a cropped file.
//
// A first piece tells what the file is and where everything lies; what it does not hold of the head comes with one more
// round trip, with the global network, and everything that the region needs with another, as a few requests at once. Which bytes these are, and the
// cropped file, come from the decoder: what arrives is opened and checked like any other file.
//
// A server may not know ranges: then its answer to the first request is the whole file. Its file may change meanwhile:
// then a later answer says so, or the checksums do. Only answers to the very ranges that were asked for are taken.

import type { RemotePiece, RemotePlan } from '../worker/protocol';
import { addressOf, ASK_REMOTE_BYTES, cancelled, joined, readBody, refused, request, SourceError, type SourceHooks } from './source';

/** Bytes of the first request. Heads of usual files fit, and hardly any region needs less in all. */
export const FIRST_BYTES = 1024;

/** The decoder's part of it. */
export interface RemoteDecoder {
  plan(front: Uint8Array, fileBytes: number | null, selector: string): Promise<RemotePlan>;
  gather(front: Uint8Array, fileBytes: number | null, parts: Uint32Array, pieces: readonly RemotePiece[]): Promise<Uint8Array>;
}

/** What was fetched for a region. */
export interface Fetched {
  readonly bytes: number;
  readonly requests: number;
  /** Bytes of the whole file. */
  readonly of: number;
}

export interface RemoteFile {
  readonly bytes: Uint8Array;
  /** `null` where the whole file came. */
  readonly fetched: Fetched | null;
}

/** The region could not be fetched, but the whole file may be. */
export class RegionError extends SourceError {}

class ChangedError extends RegionError {
  constructor() {
    super('The file changed on the server while it was read. Open it again.');
  }
}

/** Fetches the region of a file that a selector names; the whole file where the server knows no ranges, or the file is small. */
export async function readRegion(address: string, selector: string, decoder: RemoteDecoder, hooks: SourceHooks): Promise<RemoteFile> {
  const url = addressOf(address);
  const first = await ask(url, 0, FIRST_BYTES, null, hooks);
  // An empty file has no first byte.
  if (first.status === 416) throw new SourceError('The file is empty. Copy or upload it again.');
  if (!first.ok) throw refused(url, first);
  if (first.status !== 206) return { bytes: await readBody(url, first, hooks), fetched: null };

  const told = contentRange(first);
  let front = await body(url, first, FIRST_BYTES, hooks);
  if (told && (told.start !== 0 || told.end !== front.length)) throw lied(url);
  if (front.length < FIRST_BYTES || told?.total === FIRST_BYTES) {
    if (told && told.total !== front.length) throw lied(url);
    return { bytes: front, fetched: null };
  }
  const known: Known = { total: told?.total ?? null, etag: first.headers.get('etag'), modified: first.headers.get('last-modified') };
  let requests = 1;
  const get = async (start: number, end: number): Promise<Uint8Array> => {
    requests += 1;
    const response = await ask(url, start, end, known, hooks);
    // The file that was asked for by its mark has gone, or has become too short.
    if (response.status === 200 || response.status === 412 || response.status === 416) {
      await response.body?.cancel();
      throw new ChangedError();
    }
    if (!response.ok) throw refused(url, response);
    checkAnswer(url, response, start, end, known);
    const bytes = await body(url, response, end - start, hooks);
    if (bytes.length !== end - start) throw lied(url);
    return bytes;
  };

  let plan = await decoder.plan(front, known.total, selector);
  if (plan.kind === 'more') {
    const rest = await get(front.length, plan.frontBytes);
    front = joined([front, rest]);
    plan = await intact(decoder.plan(front, known.total, selector));
    if (plan.kind === 'more') throw new ChangedError();
  }
  const { parts, ranges, fileBytes } = plan;
  const wanted = ranges.reduce((sum, [start, end]) => sum + end - start, 0);
  if (wanted > ASK_REMOTE_BYTES && !(await hooks.confirm(wanted, true))) throw cancelled();

  let done = 0;
  hooks.progress(0, wanted);
  const pieces = await all(ranges.map(async ([start, end]): Promise<RemotePiece> => {
    const bytes = await get(start, end);
    done += bytes.length;
    hooks.progress(done, wanted);
    return { start, bytes };
  }));
  const bytes = await intact(decoder.gather(front, known.total, parts, pieces));
  return { bytes, fetched: { bytes: front.length + done, requests, of: fileBytes } };
}

/** What the first answer said of the file. */
interface Known {
  readonly total: number | null;
  readonly etag: string | null;
  readonly modified: string | null;
}

function ask(url: URL, start: number, end: number, known: Known | null, hooks: SourceHooks): Promise<Response> {
  const headers: Record<string, string> = { range: `bytes=${start}-${end - 1}` };
  const mark = known?.etag?.startsWith('"') ? known.etag : known?.modified;
  // Other servers would be asked for permission first, which many do not give; their answers are compared all the same.
  if (mark && url.origin === location.origin) headers['if-range'] = mark;
  // A first piece from a cache and the others from a server would not go together.
  return request(url, hooks.signal, { headers, cache: 'no-store' });
}

/** Servers of other origins may hide the header. */
function contentRange(response: Response): { readonly start: number; readonly end: number; readonly total: number | null } | null {
  const match = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '');
  return match ? { start: Number(match[1]), end: Number(match[2]) + 1, total: match[3] === '*' ? null : Number(match[3]) } : null;
}

function checkAnswer(url: URL, response: Response, start: number, end: number, known: Known): void {
  const differs = (before: string | number | null, now: string | number | null) => before !== null && now !== null && before !== now;
  const range = contentRange(response);
  const changed = differs(known.etag, response.headers.get('etag')) || differs(known.modified, response.headers.get('last-modified')) || differs(known.total, range?.total ?? null);
  if (changed) throw new ChangedError();
  if (range && (range.start !== start || range.end !== end)) throw lied(url);
}

/** The bytes of an answer, of which there may be at most so many. */
async function body(url: URL, response: Response, most: number, hooks: SourceHooks): Promise<Uint8Array> {
  const reader = response.body?.getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for (;;) {
      const { value, done } = (await reader?.read()) ?? { done: true };
      if (done || !value) break;
      chunks.push(value);
      length += value.length;
      if (length > most) {
        await reader?.cancel();
        break;
      }
    }
  } catch {
    if (hooks.signal.aborted) throw cancelled();
    throw new SourceError(`The download from ${url.host} broke off. Try again, or download the file and drop it here.`);
  }
  if (length > most) throw lied(url);
  return joined(chunks);
}

/** All results; the error of the first that fails, once none is under way any more. */
async function all<T>(work: readonly Promise<T>[]): Promise<T[]> {
  const results = await Promise.allSettled(work);
  const failed = results.find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
  return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
}

/** Damage in what came with several answers: each may be sound, but they are not of one file. */
async function intact<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if ((error as { kind?: unknown }).kind !== 'malformed') throw error;
    throw new RegionError('The file changed on the server while it was read, or the server sent other bytes than it was asked for. Open it again.');
  }
}

function lied(url: URL): RegionError {
  return new RegionError(`${url.host} answered with other bytes than it was asked for, so a region cannot be fetched from it. Open the whole file.`);
}
