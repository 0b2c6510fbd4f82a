// A static server on loopback with no special headers: what the page has to get along with.
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { extname, join, normalize } from 'node:path';

const TYPES = {
  '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.wasm': 'application/wasm', '.svg': 'image/svg+xml',
  '.json': 'application/json', '.png': 'image/png',
};

/**
 * Serves `folder` under a subfolder, and some files from memory under /files/.
 * @param {{ folder: string, files?: Record<string, Uint8Array | string>, headers?: Record<string, string> }} options
 */
export async function serve({ folder, files = {}, headers = {} }) {
  const server = createServer(async (request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname);
    try {
      let body;
      if (path.startsWith('/files/')) {
        body = files[path.slice('/files/'.length)];
        if (body === undefined) throw new Error('no such file');
      } else {
        if (!path.startsWith('/some/folder/')) throw new Error('outside');
        const inside = normalize(path.slice('/some/folder/'.length) || 'index.html');
        if (inside.startsWith('..')) throw new Error('outside');
        body = await readFile(join(folder, inside));
      }
      response.writeHead(200, { 'content-type': TYPES[extname(path)] ?? (path.endsWith('/') ? 'text/html' : 'application/octet-stream'), 'content-length': Buffer.byteLength(body), ...headers });
      response.end(body);
    } catch {
      response.writeHead(404, { 'content-length': 0 }).end();
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${server.address().port}`;
  return {
    origin,
    page: `${origin}/some/folder/`,
    close: () => new Promise((resolve) => {
      server.closeAllConnections();
      server.close(resolve);
    }),
  };
}
