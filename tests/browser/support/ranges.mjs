// A server on loopback that knows ranges, or does not, or lies about them, and remembers what it was asked.
//
// Answers wait until no other request has come for a while and then go out together, so that requests which go out at once
// can be told from those that wait for an answer: each time is one round trip.
import { createServer } from 'node:http';

/** So long nothing else may come before waiting answers go out. */
const QUIET_MS = 250;

/**
 * @param {Uint8Array} bytes What it serves under any path.
 * @param {{ ranges?: boolean, page?: (path: string) => Promise<{ type: string, body: Uint8Array } | null>,
 *   twist?: (reply: { status: number, headers: Record<string, string>, body: Uint8Array }, state: object) => void,
 *   headers?: Record<string, string> }} options `page` answers for other paths than /files/, `twist` changes an answer.
 */
export async function serveRanges(bytes, { ranges = true, page = async () => null, twist = () => {}, headers = {} } = {}) {
  const state = { bytes, version: 1, requests: [], rounds: 0 };
  let waiting = [];
  let timer;
  const release = () => {
    state.rounds += 1;
    for (const send of waiting.splice(0)) send();
  };
  const server = createServer(async (request, response) => {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname;
    if (!path.startsWith('/files/')) {
      const found = await page(path).catch(() => null);
      response.writeHead(found ? 200 : 404, found ? { 'content-type': found.type } : {}).end(found?.body);
      return;
    }
    const { range, 'if-range': ifRange } = request.headers;
    const etag = `"v${state.version}"`;
    const reply = { status: 200, body: state.bytes, headers: { etag, 'content-type': 'application/octet-stream', ...headers } };
    const match = /^bytes=(\d+)-(\d+)$/.exec(range ?? '');
    if (ranges && match && (ifRange === undefined || ifRange === etag)) {
      const [start, end] = [Number(match[1]), Math.min(Number(match[2]) + 1, state.bytes.length)];
      if (start >= state.bytes.length) Object.assign(reply, { status: 416, body: Buffer.alloc(0) });
      else {
        Object.assign(reply, { status: 206, body: state.bytes.subarray(start, end) });
        reply.headers['content-range'] = `bytes ${start}-${end - 1}/${state.bytes.length}`;
      }
    }
    twist(reply, state);
    state.requests.push({ method: request.method, range, ifRange, bytes: reply.body.length });
    waiting.push(() => response.writeHead(reply.status, { ...reply.headers, 'content-length': reply.body.length }).end(reply.body));
    clearTimeout(timer);
    timer = setTimeout(release, QUIET_MS);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${server.address().port}`;
  return {
    origin,
    state,
    /** Bytes that went out. */
    sent: () => state.requests.reduce((sum, request) => sum + request.bytes, 0),
    close: () => new Promise((resolve) => {
      clearTimeout(timer);
      server.closeAllConnections();
      server.close(resolve);
    }),
  };
}
