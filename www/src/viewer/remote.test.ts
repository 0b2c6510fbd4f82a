import { beforeEach, describe, expect, it, vi } from 'vitest';
import { FIRST_BYTES, readRegion, RegionError, type RemoteDecoder } from './remote';
import { SourceError } from './source';

const ADDRESS = 'https://example.org/far/picture.inr';
/** A file in which every byte tells its place. */
const file = (length: number, salt = 0) => Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8) + salt) & 255);

interface Served {
  bytes: Uint8Array;
  ranges: boolean;
  etag: string | null;
  /** Changes an answer before it goes out. */
  twist: (answer: { status: number; body: Uint8Array; headers: Record<string, string> }, request: number) => void;
}
const server: Served = { bytes: file(9000), ranges: true, etag: '"one"', twist: () => {} };
let requests: { range: string | null; ifRange: string | null }[] = [];

/** A server by the book (RFC 9110): If-Range that does not match gets the whole file. */
async function answer(_url: URL, options: RequestInit): Promise<Response> {
  const headers = new Headers(options.headers);
  const [range, ifRange] = [headers.get('range'), headers.get('if-range')];
  requests.push({ range, ifRange });
  const match = /^bytes=(\d+)-(\d+)$/.exec(range ?? '');
  const reply = { status: 200, body: server.bytes, headers: {} as Record<string, string> };
  if (server.etag) reply.headers['etag'] = server.etag;
  if (match && server.ranges && (ifRange === null || ifRange === server.etag)) {
    const start = Number(match[1]);
    const end = Math.min(Number(match[2]) + 1, server.bytes.length);
    Object.assign(reply, start < server.bytes.length ? { status: 206, body: server.bytes.subarray(start, end) } : { status: 416, body: new Uint8Array() });
    if (reply.status === 206) reply.headers['content-range'] = `bytes ${start}-${end - 1}/${server.bytes.length}`;
  }
  server.twist(reply, requests.length);
  return new Response(reply.body as Uint8Array<ArrayBuffer>, { status: reply.status, headers: reply.headers });
}

/** Wants two ranges behind a head of `headBytes`; what it makes are the fetched bytes. */
function decoder(headBytes: number, ranges: readonly (readonly [number, number])[]): RemoteDecoder {
  return {
    plan: async (front, fileBytes) => {
      if (front.length < headBytes) return { kind: 'more', frontBytes: headBytes };
      return { kind: 'ranges', parts: Uint32Array.of(3), ranges, fileBytes: fileBytes ?? server.bytes.length };
    },
    gather: async (front, _fileBytes, _parts, pieces) => {
      const known = [{ start: 0, bytes: front }, ...pieces];
      for (const { start, bytes } of known) {
        if (bytes.some((v, i) => v !== file(9000)[start + i])) throw Object.assign(new Error('checksum'), { kind: 'malformed' });
      }
      return Uint8Array.from(pieces.flatMap(({ bytes }) => [...bytes]));
    },
  };
}

const hooks = () => ({ progress: vi.fn(), confirm: vi.fn(async () => true), signal: new AbortController().signal });
const two = [[2000, 2100], [5000, 5001]] as const;
const region = (headBytes = 300, ranges: readonly (readonly [number, number])[] = two) => readRegion(ADDRESS, 'parts=3', decoder(headBytes, ranges), hooks());

describe('a region of a file on a server', () => {
  beforeEach(() => {
    Object.assign(server, { bytes: file(9000), ranges: true, etag: '"one"', twist: () => {} });
    requests = [];
    vi.stubGlobal('document', { baseURI: 'https://example.org/' });
    vi.stubGlobal('location', { origin: 'https://example.org' });
    vi.stubGlobal('fetch', answer);
  });

  it('takes a first piece and the ranges that it needs', async () => {
    const { bytes, fetched } = await region();
    expect([...bytes]).toEqual([...file(9000).slice(2000, 2100), ...file(9000).slice(5000, 5001)]);
    expect(fetched).toEqual({ bytes: FIRST_BYTES + 101, requests: 3, of: 9000 });
    expect(requests.map(({ range }) => range)).toEqual([`bytes=0-${FIRST_BYTES - 1}`, 'bytes=2000-2099', 'bytes=5000-5000']);
    expect(requests.map(({ ifRange }) => ifRange)).toEqual([null, '"one"', '"one"']);
  });

  it('takes what the first piece lacks of the head before that', async () => {
    const { fetched } = await region(1500);
    expect(fetched).toEqual({ bytes: 1601, requests: 4, of: 9000 });
    expect(requests[1]?.range).toBe(`bytes=${FIRST_BYTES}-1499`);
  });

  it('is the whole file where that is small', async () => {
    for (const length of [FIRST_BYTES - 1, FIRST_BYTES]) {
      server.bytes = file(length);
      expect(await region()).toEqual({ bytes: server.bytes, fetched: null });
    }
    expect(requests.length).toBe(2);
  });

  it('is the whole file, from the same answer, where the server knows no ranges', async () => {
    server.ranges = false;
    expect(await region()).toEqual({ bytes: server.bytes, fetched: null });
    expect(requests.length).toBe(1);
  });

  it('works where the server hides its headers, and asks other origins for nothing that needs a permission', async () => {
    vi.stubGlobal('location', { origin: 'https://elsewhere.org' });
    server.twist = (reply) => (reply.headers = {});
    expect((await region()).fetched?.bytes).toBe(FIRST_BYTES + 101);
    expect(requests.every(({ ifRange }) => ifRange === null)).toBe(true);
  });

  const change: [string, () => void][] = [
    ['by the mark that it was asked for', () => {}],
    ['by the mark of an answer', () => vi.stubGlobal('location', { origin: 'https://elsewhere.org' })],
    ['by its length', () => {
      vi.stubGlobal('location', { origin: 'https://elsewhere.org' });
      server.twist = (reply, count) => {
        delete reply.headers['etag'];
        if (count > 1) server.bytes = file(8000);
      };
    }],
    ['by its end', () => {
      server.etag = null;
      server.bytes = file(9000);
    }],
    ['by its bytes', () => {
      vi.stubGlobal('location', { origin: 'https://elsewhere.org' });
      server.twist = (reply) => (reply.headers = {});
    }],
  ];
  for (const [how, arrange] of change) {
    it(`that changes meanwhile is noticed ${how}`, async () => {
      arrange();
      const { twist } = server;
      server.twist = (reply, count) => {
        twist(reply, count);
        if (count === 1) Object.assign(server, { bytes: how === 'by its end' ? file(1100) : file(9000, 1), etag: server.etag && '"two"' });
      };
      await expect(region()).rejects.toThrow(/changed on the server/);
    });
  }

  const lies: [string, Served['twist'], number][] = [
    ['the whole file as a range', (reply) => (reply.body = server.bytes), 1],
    ['another range', (reply) => (reply.headers['content-range'] = 'bytes 7-1030/9000'), 1],
    ['fewer bytes', (reply) => (reply.body = reply.body.subarray(1)), 2],
    ['more bytes', (reply) => (reply.body = server.bytes), 2],
    ['another place', (reply) => (reply.headers['content-range'] = 'bytes 1-100/9000'), 2],
  ];
  for (const [what, twist, at] of lies) {
    it(`is refused from a server that gives ${what} in answer ${at}`, async () => {
      server.twist = (reply, count) => {
        if (count === at) twist(reply, count);
      };
      const error: unknown = await region().catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(RegionError);
      expect(String(error)).toMatch(/other bytes than it was asked for/);
    });
  }

  it('says what a server refuses', async () => {
    server.twist = (reply) => Object.assign(reply, { status: 404, body: new Uint8Array() });
    await expect(region()).rejects.toThrow('there is no such file (404)');
    server.twist = (reply, count) => count > 2 && Object.assign(reply, { status: 503, body: new Uint8Array() });
    await expect(region()).rejects.toThrow('503');
    server.bytes = new Uint8Array();
    server.twist = () => {};
    await expect(region()).rejects.toThrow('The file is empty');
    vi.stubGlobal('fetch', async () => { throw new TypeError('offline'); });
    await expect(region()).rejects.toBeInstanceOf(SourceError);
  });

  it('passes on what the decoder says of the selector', async () => {
    const refusal = Object.assign(new Error('no such region'), { kind: 'parameter' });
    const picky: RemoteDecoder = { ...decoder(300, two), plan: async () => { throw refusal; } };
    await expect(readRegion(ADDRESS, 'nonsense', picky, hooks())).rejects.toBe(refusal);
  });

  it('asks before it takes much', async () => {
    const asked = { ...hooks(), confirm: vi.fn(async () => false) };
    await expect(readRegion(ADDRESS, 'parts=3', decoder(300, [[2000, 2000 + (65 << 20)]]), asked)).rejects.toThrow('Cancelled');
    expect(asked.confirm).toHaveBeenCalledWith(65 << 20, true);
    expect(requests.length).toBe(1);
  });
});
