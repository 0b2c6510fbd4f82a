// Where the bytes come from: a picked file, an address, or memory. With progress, cancel, and a question before much.

/** Sizes above which the viewer asks first. */
export const ASK_LOCAL_BYTES = 256 << 20;
export const ASK_REMOTE_BYTES = 64 << 20;

export interface SourceHooks {
  /** Bytes so far, of how many (`null` where the server does not tell). */
  progress(done: number, total: number | null): void;
  /** Asks whether to go on with a large file; `total` is `null` where only a lower bound is known. */
  confirm(bytes: number, exact: boolean): Promise<boolean>;
  readonly signal: AbortSignal;
}

export class SourceError extends Error {}

/** Reads a picked, dropped or pasted file. */
export async function readBlob(blob: Blob, hooks: SourceHooks): Promise<Uint8Array> {
  if (blob.size === 0) throw new SourceError('The file is empty. Copy or download it again.');
  if (blob.size > ASK_LOCAL_BYTES && !(await hooks.confirm(blob.size, true))) throw cancelled();
  try {
    return await collect(blob.stream(), blob.size, hooks, Infinity);
  } catch (error) {
    if (hooks.signal.aborted || error instanceof DOMException && error.name === 'AbortError') throw cancelled();
    throw new SourceError('The file could not be read. It may have been moved or changed since it was chosen: choose it again.');
  }
}

/** The address that some text means. */
export function addressOf(text: string): URL {
  let url: URL;
  try {
    url = new URL(text, document.baseURI);
  } catch {
    throw new SourceError(`"${text}" is not an address. It should look like https://example.org/picture.inr.`);
  }
  if (!['http:', 'https:', 'blob:'].includes(url.protocol)) {
    throw new SourceError(`Addresses that start with ${url.protocol} cannot be opened here; use http or https, or drop the file itself.`);
  }
  return url;
}

/** Sends a request; what the server or the network refuse is said in words. */
export async function request(url: URL, signal: AbortSignal, options: RequestInit = {}): Promise<Response> {
  try {
    return await fetch(url, { signal, credentials: 'omit', referrerPolicy: 'no-referrer', ...options });
  } catch {
    if (signal.aborted) throw cancelled();
    throw new SourceError(`${url.host} could not be reached, or does not allow other sites to read the file (CORS). Download it and drop it here.`);
  }
}

/** What a status other than success means. */
export function refused(url: URL, response: Response): SourceError {
  const status = response.status === 404 ? 'there is no such file (404)' : `the server answered ${response.status} ${response.statusText}`.trim();
  return new SourceError(`${url.href} could not be opened: ${status}.`);
}

/** Fetches an address. */
export async function readUrl(address: string, hooks: SourceHooks): Promise<Uint8Array> {
  const url = addressOf(address);
  const response = await request(url, hooks.signal);
  if (!response.ok) throw refused(url, response);
  return readBody(url, response, hooks);
}

/** All bytes of an answer. */
export async function readBody(url: URL, response: Response, hooks: SourceHooks): Promise<Uint8Array> {
  // A compressed transfer announces the compressed length.
  const announced = response.headers.get('content-encoding') ? NaN : Number(response.headers.get('content-length') ?? NaN);
  const total = announced > 0 ? announced : null;
  if (total !== null && total > ASK_REMOTE_BYTES && !(await hooks.confirm(total, true))) {
    await response.body?.cancel();
    throw cancelled();
  }
  if (!response.body) throw new SourceError(`${url.href} has no content.`);
  try {
    return await collect(response.body, total, hooks, total === null ? ASK_REMOTE_BYTES : Infinity);
  } catch (error) {
    if (hooks.signal.aborted || (error instanceof DOMException && error.name === 'AbortError')) throw cancelled();
    throw new SourceError(`The download from ${url.host} broke off. Try again, or download the file and drop it here.`);
  }
}

async function collect(stream: ReadableStream<Uint8Array>, total: number | null, hooks: SourceHooks, askAt: number): Promise<Uint8Array> {
  const reader = stream.getReader();
  const chunks: Uint8Array[] = [];
  let done = 0;
  let limit = askAt;
  hooks.progress(0, total);
  for (;;) {
    if (hooks.signal.aborted) {
      await reader.cancel();
      throw cancelled();
    }
    const { value, done: ended } = await reader.read();
    if (ended) break;
    chunks.push(value);
    done += value.length;
    hooks.progress(done, total);
    if (done > limit) {
      limit = Infinity;
      if (!(await hooks.confirm(done, false))) {
        await reader.cancel();
        throw cancelled();
      }
    }
  }
  return joined(chunks);
}

/** Pieces as one. */
export function joined(chunks: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.length;
  }
  return bytes;
}

export function cancelled(): DOMException {
  return new DOMException('Cancelled.', 'AbortError');
}

/** The name of a file behind an address. */
export function nameOf(address: string): string {
  try {
    const last = new URL(address, 'http://localhost/').pathname.split('/').pop() ?? '';
    return decodeURIComponent(last) || 'file.inr';
  } catch {
    return 'file.inr';
  }
}
