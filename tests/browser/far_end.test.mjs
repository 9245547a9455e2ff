// What the far end does to what a dev server sent, by each way to it: with the originals' defects, as users get it, and without.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import { after, before, describe, test } from 'node:test';
import { WebSocketServer } from 'ws';
import { kDefects } from '../../fixtures/farend/far_end.mjs';
import { readLabel } from '../../fixtures/farend/labels.mjs';
import { addressOf } from '../../fixtures/farend/machine.mjs';
import { openPage, view } from './lib/browser.mjs';
import { freeScope, kRows, startFarWorld } from './lib/far_world.mjs';

// `gateway` is our own far end, which has none of the defects.
const kWays = ['cmux', 'direct', 'gateway', 'template'];
const kPage = '<!doctype html><head><title>x</title></head><p>as it was';
let app, scope, address;
const seen = { preflights: 0 };

function serve(request, response) {
  const path = request.url.split('?')[0];
  if (request.method === 'OPTIONS') seen.preflights += 1;
  if (path === '/cookies') return response.writeHead(200, { 'set-cookie': ['a=1', 'b=2'], vary: ['Origin', 'Accept'] }).end();
  if (path === '/echo') return response.end(JSON.stringify(request.headers));
  if (path === '/no-head' && request.method === 'HEAD') return response.writeHead(405).end();
  response.writeHead(200, {
    'content-type': 'text/html', 'access-control-allow-origin': 'http://localhost:5173',
    'content-security-policy': "default-src 'self'", 'x-frame-options': 'DENY',
  }).end(kPage);
}

before(async () => {
  ({ scope, address } = await freeScope(3000));
  app = http.createServer(serve);
  const sockets = new WebSocketServer({ noServer: true });
  app.on('upgrade', (request, socket, head) => {
    if (request.url !== '/refused') return sockets.handleUpgrade(request, socket, head, () => {});
    socket.end('HTTP/1.1 401 Unauthorized\r\nX-Why: no token\r\nContent-Length: 2\r\n\r\nno');
  });
  await once(app.listen(3000, address), 'listening');
});
after(() => {
  app.close();
  app.closeAllConnections();
});

/** Asks through a context's own port; answers {status, headers, body}. */
function ask(context, method, path, headers = {}) {
  const [host, port] = context.proxy.split(':');
  return new Promise((done, fail) => {
    const fields = { host: 'localhost:3000', ...headers };
    const request = http.request({ host, port, method, path: `http://localhost:3000${path}`, headers: fields, agent: false });
    const answered = async (answer) => {
      let body = '';
      for await (const piece of answer.setEncoding('utf8')) body += piece;
      done({ status: answer.statusCode, headers: answer.headers, body });
    };
    request.on('response', answered).on('error', fail);
    request.on('upgrade', (answer, socket) => (socket.destroy(), done({ status: 101, headers: answer.headers, body: '' })));
    request.end();
  });
}
const kHandshake = {
  connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
};

/** The bytes that a tunnel to a port where nobody listens brings. */
async function tunnel(context, port) {
  const [host, at] = context.proxy.split(':');
  const socket = net.connect({ host, port: at }).on('error', () => {});
  socket.write(`CONNECT localhost:${port} HTTP/1.1\r\nHost: localhost:${port}\r\n\r\n\0`);
  let text = '';
  socket.setEncoding('latin1').on('data', (piece) => (text += piece));
  await new Promise((done) => socket.once('close', done));
  return text;
}

for (const [which, without] of [['with its defects', []], ['without them', Object.keys(kDefects)]]) {
  describe(`the far end ${which}`, () => {
    const has = without.length === 0;
    const contexts = {};
    let world;
    before(async () => {
      world = await startFarWorld({ without, browser: false });
      for (const row of kWays) contexts[row] = await world.context(row, scope);
    });
    after(() => world?.close());
    // Whose defect it is decides on which rows it shows: the machine is behind cmux and direct, the public proxy behind cmux alone.
    const isOn = (row, where) => has && (row === 'cmux' || (row === 'direct' && where === 'machine'));

    for (const row of kWays) {
      test(`by ${row}`, { timeout: 30_000 }, async () => {
        const context = contexts[row];
        const cookies = await ask(context, 'GET', '/cookies');
        assert.deepEqual(cookies.headers['set-cookie'], isOn(row, 'machine') ? ['b=2'] : ['a=1', 'b=2']);
        assert.equal(cookies.headers.vary, isOn(row, 'machine') ? 'Accept' : 'Origin, Accept');

        seen.preflights = 0;
        const asks = { origin: 'http://localhost:5173', 'access-control-request-method': 'PUT' };
        const preflight = await ask(context, 'OPTIONS', '/', asks);
        const changed = isOn(row, 'public');
        assert.deepEqual([preflight.status, seen.preflights], changed ? [204, 0] : [200, 1]);
        assert.equal(preflight.headers['access-control-allow-origin'], changed ? '*' : 'http://localhost:5173');

        const led = await ask(context, 'GET', '/', { 'x-forwarded-host': 'elsewhere.test' });
        assert.equal(led.status, changed ? 502 : 200);
        const honest = await ask(context, 'GET', '/');
        assert.equal(honest.headers['content-security-policy'], changed ? undefined : "default-src 'self'");
        assert.equal(honest.headers['x-frame-options'], changed ? undefined : 'DENY');
        assert.equal(honest.headers['access-control-allow-origin'], changed ? '*' : 'http://localhost:5173');
        if (changed) assert.match(honest.body, /^<!doctype html><head><script data-far-end>.*<p>as it was$/);
        else assert.equal(honest.body, kPage);
        // The dev server streams its pages; one that was held has a length.
        assert.equal('content-length' in honest.headers, changed);

        const echo = JSON.parse((await ask(context, 'GET', '/echo')).body);
        assert.equal(echo.host, row === 'template' ? `${scope}-3000.cloud.test` : 'localhost:3000');
        const own = Object.keys(echo).filter((name) => name.startsWith('x-cmux-'));
        assert.deepEqual(own, row === 'cmux' || row === 'gateway' ? ['x-cmux-proxied'] : []);

        assert.equal((await ask(context, 'HEAD', '/no-head')).status, row === 'cmux' ? 200 : 405);
        assert.equal((await ask(context, 'GET', '/socket', kHandshake)).status, 101);
        const refused = await ask(context, 'GET', '/refused', kHandshake);
        assert.deepEqual([refused.status, refused.headers['x-why'], refused.body], [401, changed ? undefined : 'no token', 'no']);
      });
    }

    test('a tunnel to a port where nobody listens', { timeout: 30_000 }, async () => {
      const text = await tunnel(contexts.direct, 9);
      if (has) assert.match(text, /^HTTP\/1\.1 200 .*\r\n\r\nHTTP\/1\.1 502 .*upstream request error/s);
      else assert.match(text, /^HTTP\/1\.1 200 [^\r]*\r\n(?:[^\r]+\r\n)*\r\n$/);
    });

    test('to the machine itself: fields, errors, and HTTP/2 by prior knowledge', { timeout: 30_000 }, async () => {
      const get = (headers) => new Promise((done) => {
        http.get({ ...world.machine, path: '/echo', headers, agent: false }, async (answer) => {
          let body = '';
          for await (const piece of answer) body += piece;
          done([answer.statusCode, body]);
        });
      });
      const to = (port, workspace = scope) => ({ 'x-cmux-port-internal': port, 'x-cmux-workspace-internal': workspace });
      for (const port of ['', 'x', '65536', '-1']) assert.equal((await get(to(port)))[0], 400, port);
      assert.deepEqual(await get({}), [400, 'missing required header: X-Cmux-Port-Internal']);
      assert.equal((await get(to('3000', 'w4294967296')))[0], 400);
      assert.match((await get(to('9')))[1], /^upstream request error: .*ECONNREFUSED/);
      assert.equal((await get(to(' 3000 ', `/root/${scope}/`)))[0], 200);
      assert.equal((await get({ host: `${scope}-3000.localhost` }))[0], 200);
      const [, echo] = await get({ ...to('3000'), 'x-mine': 'a', te: 'trailers', connection: 'x-mine, te' });
      assert.deepEqual([JSON.parse(echo)['x-mine'], JSON.parse(echo).te], has ? ['a', undefined] : [undefined, 'trailers']);

      const session = http2.connect(`http://${world.machine.host}:${world.machine.port}`);
      const stream = session.request({ ':path': '/cookies', ...to('3000') });
      const [answer] = await once(stream, 'response');
      assert.equal(answer[':status'], 200);
      stream.close();
      session.close();
    });
  });
}

test('in a browser: a page that sends cookies to another port of its workspace', { timeout: 60_000 }, async () => {
  const free = await freeScope(3000, 4000);
  const page = http.createServer((request, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<p>'));
  const allowed = { 'access-control-allow-origin': 'http://localhost:3000', 'access-control-allow-credentials': 'true' };
  const api = http.createServer((request, response) => response.writeHead(200, allowed).end('heard'));
  await once(page.listen(3000, free.address), 'listening');
  await once(api.listen(4000, free.address), 'listening');
  const world = await startFarWorld();
  try {
    for (const row of Object.keys(kRows)) {
      const look = await view(world.browser, await world.context(row, free.scope));
      const opened = await openPage(look, 'http://localhost:3000/');
      const ask = (credentials) => opened.evaluate((credentials) =>
        fetch('http://localhost:4000/', { credentials }).then((answer) => answer.text(), (error) => error.message), credentials);
      assert.equal(await ask('omit'), 'heard', row);
      // Any origin, and cookies: browsers take that for no answer at all.
      assert.equal(await ask('include'), row === 'cmux' ? 'Failed to fetch' : 'heard', row);
      await look.close();
    }
  } finally {
    await world.close();
    for (const server of [page, api]) server.close(), server.closeAllConnections();
  }
});

test('names', () => {
  const all = new Set(Object.keys(kDefects));
  const said = (label, defects = all) => {
    const found = readLabel(label, defects);
    return found && [found.id, found.port, found.workspace, found.proxied ? 'proxied' : 'straight'].join(' ');
  };
  assert.equal(said('cmux-alpha-base-3000'), 'alpha 3000  proxied');
  assert.equal(said('cmux-alpha-3000'), 'alpha 3000  proxied');
  assert.equal(said('manaflow-alpha-two-parts-3000'), 'alpha 3000 two-parts proxied');
  assert.equal(said('port-80-a-b'), 'a-b 80  straight');
  assert.equal(said('my-space-3000-vm1'), 'vm1 3000 my-space proxied');
  assert.equal(said('cmux-alpha-base-0'), 'alpha 0  proxied');
  for (const label of ['cmux-alpha', 'www', 'port-70000-a', 'cmux-alpha-base-65536']) assert.equal(said(label), null, label);
  assert.equal(said('cmux-alpha-base-0', new Set()), null);
  assert.deepEqual(['ws7', 'a/ws258', 'ws4294967295', 'ws4294967296', 'main', 'MAIN'].map(addressOf),
    ['127.18.0.7', '127.18.1.2', '127.18.255.255', null, '127.18.226.8', '127.18.226.8']);
});
