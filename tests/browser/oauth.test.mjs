// Signing in by the authorisation-code flow of RFC 6749 at a provider on another host: on every row the browser comes back to
// http://localhost:3000/callback, and the application gets its token.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { openPage, view } from './lib/browser.mjs';
import { freeScope, kRows, startFarWorld } from './lib/far_world.mjs';
import { build, startProgram } from './lib/process.mjs';

const kCallback = 'http://localhost:3000/callback';
let world, provider, scope, app;

/** Where an application takes itself to be, that goes by what arrives. */
const ownUrl = ({ headers }) => `${headers['x-forwarded-proto'] ?? 'http'}://${headers.host}`;

/** `?by=host`: the application makes its redirect_uri of its Host; else it is what a developer has registered. */
async function application(request, response) {
  const url = new URL(request.url, 'http://localhost');
  const [, state, begunBy] = /flow=(\w+)\.(\w+)/.exec(request.headers.cookie) ?? [];
  const by = url.searchParams.get('by') ?? begunBy;
  const back = by === 'host' ? `${ownUrl(request)}/callback` : kCallback;
  if (url.pathname === '/login') {
    const query = new URLSearchParams({ response_type: 'code', client_id: 'app', state: 's7', redirect_uri: back });
    const cookie = `flow=s7.${by}; HttpOnly; SameSite=Lax`;
    return response.writeHead(302, { 'set-cookie': cookie, location: `http://login.example/authorize?${query}` }).end();
  }
  if (url.pathname !== '/callback') return response.writeHead(404).end();
  if (state !== url.searchParams.get('state')) return response.writeHead(403).end('not the one who began');
  const asked = (path, options) => fetch(`http://127.0.0.1:${provider.ready.port}${path}`, options).then((answer) => answer.json());
  const grant = { grant_type: 'authorization_code', code: url.searchParams.get('code'), redirect_uri: back };
  const body = new URLSearchParams({ ...grant, client_id: 'app', client_secret: 'secret' });
  const token = await asked('/token', { method: 'POST', body });
  const user = token.access_token && (await asked('/userinfo', { headers: { authorization: `Bearer ${token.access_token}` } }));
  const page = `<link rel="icon" href="data:,"><p>${user ? user.sub : token.error}</p>`;
  response.writeHead(200, { 'content-type': 'text/html' }).end(page);
}

before(async () => {
  provider = await startProgram(join(build, 'fixtures/oauth-provider'), ['--exit-with-stdin']);
  const free = await freeScope(3000);
  scope = free.scope;
  app = http.createServer(application).listen(3000, free.address);
  await once(app, 'listening');
  world = await startFarWorld({ resolve: { 'login.example': `127.0.0.1:${provider.ready.port}` } });
}, { timeout: 60_000 });
after(async () => {
  await world?.close();
  app?.close();
  app?.closeAllConnections();
  await provider?.stop();
});

for (const row of Object.keys(kRows)) {
  test(`signing in elsewhere comes back to localhost, by ${row}`, { timeout: 60_000 }, async () => {
    const look = await view(world.browser, await world.context(row, scope));
    const page = await openPage(look);
    for (const by of ['registration', 'host']) {
      await page.goto(`http://localhost:3000/login?by=${by}`);
      assert.equal(page.url().split('?')[0], kCallback);
      // A provider compares the redirect_uri of the code with that of the token (RFC 6749 section 4.1.3). An application that makes
      // it of its Host, where that is the cloud's, names another one to the provider than the browser has.
      const refused = row === 'template' && by === 'host';
      assert.equal(await page.textContent('p'), refused ? 'invalid_grant' : 'alice', by);
    }
    await look.close();
  });
}
