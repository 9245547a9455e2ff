// An application of the kind that people develop: pages, modules, streams, sockets and forms on the ports 3000 and 3443, its API
// on 4000.
import { createHash, randomBytes } from 'node:crypto';
import { gate } from './world.mjs';

export const kLarge = 50 * 1024 * 1024;
const kBlock = randomBytes(1024 * 1024);

const kPage = `<!doctype html><title>everyday</title><link rel="stylesheet" href="/style.css"><link rel="icon" href="data:,">
<script type="module" src="/main.js"></script><p id="text">waiting</p>
<form method="post" action="/form"><input name="field" value="a value"><button>send</button></form>`;
const kFiles = {
  '/': ['text/html', kPage],
  '/main.js': ['text/javascript', `import { text } from './part.js';
    document.querySelector('#text').textContent = text;
    import('./later.js').then(({ more }) => document.querySelector('#text').append(more));`],
  '/part.js': ['text/javascript', 'export const text = `modules of ${new URL(import.meta.url).origin}`;'],
  '/later.js': ['text/javascript', 'export const more = " and later ones";'],
  '/style.css': ['text/css', '@import "/colour.css"; p { font-size: 33px }'],
  '/colour.css': ['text/css', 'p { color: rgb(1, 2, 3) }'],
  '/json': ['application/json', '{"from":"the workspace"}'],
  '/sw.js': ['text/javascript', `
    addEventListener('install', () => skipWaiting());
    addEventListener('activate', (event) => event.waitUntil(clients.claim()));
    addEventListener('fetch', (event) => {
      if (new URL(event.request.url).pathname !== '/by-worker') return;
      event.respondWith(fetch('/json').then((r) => r.json()).then((json) => new Response('the worker heard from ' + json.from)));
    });`],
};

export async function bodyOf(request) {
  const hash = createHash('sha256');
  const pieces = [];
  let length = 0;
  for await (const piece of request) {
    hash.update(piece);
    if ((length += piece.length) < 65536) pieces.push(piece);
  }
  return { length, sha256: hash.digest('hex'), text: Buffer.concat(pieces).toString() };
}

async function sendLarge(response) {
  const hash = createHash('sha256');
  response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': kLarge });
  for (let sent = 0; sent < kLarge; sent += kBlock.length) {
    hash.update(kBlock);
    if (!response.write(kBlock)) await new Promise((done) => response.once('drain', done));
  }
  response.end();
  return hash.digest('hex');
}

/** Puts the application into a workspace. Answers what it saw. */
export function serveEveryday(workspace, id) {
  const seen = { large: '', cookie: '', preflight: null };
  const gathering = gate();
  const gates = new Map(); // Streams that wait for word that their first piece has arrived.

  const stream = async (response, type, first, second) => {
    const { open, opened } = gate();
    gates.set(type, open);
    response.writeHead(200, { 'content-type': type });
    response.write(first);
    await opened;
    response.end(second);
  };

  const request = async (request, response) => {
    const url = new URL(request.url, 'http://localhost');
    const file = kFiles[url.pathname];
    if (file) return response.writeHead(200, { 'content-type': file[0] }).end(file[1]);
    switch (url.pathname) {
      case '/stream':
        return stream(response, 'text/plain', 'first', 'second');
      case '/events':
        return stream(response, 'text/event-stream', 'data: first\n\n', 'data: second\n\n');
      case '/arrived':
        gates.get(url.searchParams.get('type'))();
        return response.writeHead(204).end();
      case '/login':
        response.setHeader('set-cookie', ['session=s1; HttpOnly; SameSite=Lax', 'theme=dark; Max-Age=3600']);
        return response.writeHead(200).end();
      case '/cookies':
        seen.cookie = request.headers.cookie;
        return response.writeHead(200).end(request.headers.cookie);
      case '/form': {
        const { text } = await bodyOf(request);
        return response.writeHead(303, { location: `https://cmux-${id}-base-3000.cmux.test/done?${text}` }).end();
      }
      case '/done':
        return response.writeHead(200, { 'content-type': 'text/html' }).end(`<p id=done>${url.searchParams.get('field')}`);
      case '/download':
        seen.large = await sendLarge(response);
        return undefined;
      case '/upload': {
        const { length, sha256 } = await bodyOf(request);
        return response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ length, sha256 }));
      }
      case '/gather': {
        const pieces = [];
        for await (const piece of request) {
          pieces.push(piece);
          gathering.open();
        }
        return response.writeHead(200).end(Buffer.concat(pieces));
      }
      case '/gathering': // Answers when a piece has come in.
        await gathering.opened;
        return response.writeHead(204).end();
      default:
        return response.writeHead(404).end();
    }
  };

  // The list of origins that may call the API says what a developer's would.
  const api = (request, response) => {
    const fields = request.headers.origin === 'http://localhost:3000'
      ? { 'access-control-allow-origin': 'http://localhost:3000', 'access-control-allow-credentials': 'true', vary: 'Origin' }
      : {};
    if (request.method === 'OPTIONS') {
      seen.preflight = request.headers['access-control-request-headers'];
      const allowed = { 'access-control-allow-methods': 'PUT', 'access-control-allow-headers': 'x-mine' };
      return response.writeHead(204, { ...fields, ...allowed }).end();
    }
    const { origin = null, 'x-mine': mine = null } = request.headers;
    return response.writeHead(200, { ...fields, 'content-type': 'application/json' })
      .end(JSON.stringify({ method: request.method, mine, origin }));
  };

  const socket = (ws) => ws.on('message', (data, isBinary) => ws.send(data, { binary: isBinary }));
  workspace.serve(id, 3000, { request, socket });
  workspace.serve(id, 3443, { request, socket });
  workspace.serve(id, 4000, { request: api });
  return seen;
}
