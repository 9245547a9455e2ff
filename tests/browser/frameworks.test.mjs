// What frameworks check and do by host names: CSRF, sign-in elsewhere, cookies with a Domain.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { openPage, view } from './lib/browser.mjs';
import { bodyOf } from './lib/everyday_app.mjs';
import { hostOf } from './lib/workspace.mjs';
import { startWorld } from './lib/world.mjs';

// The routes there are, with the id and the host that the workspace is reached by.
const routes = [
  { name: 'its own host', id: 'alpha', host: 'localhost:3000', flags: [] },
  { name: 'its own host, untold', id: 'alpha', host: 'cmux-alpha-base-3000.cmux.test', flags: ['--host-override', 'off'] },
  { name: "morph's host", id: 'alpha', host: 'localhost:3000', flags: ['--morph-domain-suffix', '.http.cloud.morph.test'] },
  { name: 'a cmux proxy', id: 'gate', host: 'localhost:3000', flags: ['--cmux-proxy-origin', 'https://gate.cmux.test'] },
];
let world;
let provider;
const seen = { hosts: new Set(), states: [] };

// Where one signs in: a site on the internet, for the browser.
function signIn(request, response) {
  const url = new URL(request.url, 'http://idp.example');
  const back = new URL(url.searchParams.get('redirect_uri'));
  back.searchParams.set('code', 'c0de');
  back.searchParams.set('state', url.searchParams.get('state'));
  if (url.pathname === '/authorize') response.writeHead(302, { location: `/consent${url.search}` }).end();
  else response.writeHead(302, { location: back.href, 'set-cookie': 'provider=1' }).end();
}

// Refuses what a framework does: a write whose Origin or Referer does not name its own host.
async function application(request, response) {
  const url = new URL(request.url, 'http://localhost');
  const page = (text) =>
    response.writeHead(200, { 'content-type': 'text/html' }).end(`<link rel="icon" href="data:,"><p>${text}`);
  if (request.method === 'POST') {
    const { origin, referer } = request.headers;
    seen.hosts.add(hostOf(request));
    const isOwn = (url) => URL.canParse(url) && new URL(url).host === hostOf(request);
    await bodyOf(request);
    return response.writeHead(isOwn(origin) && isOwn(referer) ? 200 : 403, { 'content-type': 'text/html' })
      .end(`<p>Origin ${origin}, Referer ${referer}, Host ${hostOf(request)}`);
  }
  switch (url.pathname) {
    case '/login':
      return response.writeHead(302, {
        'set-cookie': 'state=s7; HttpOnly; SameSite=Lax',
        location: `http://idp.example/authorize?state=s7&redirect_uri=${encodeURIComponent('http://localhost:8080/callback')}`,
      }).end();
    case '/home':
      return page(`welcome, ${request.headers.cookie}`);
    case '/domains':
      return response.writeHead(200, {
        'set-cookie': ['own=1; Domain=cmux-alpha-base-3000.cmux.test', 'dotted=1; Domain=.cmux-alpha-base-3000.cmux.test',
          'parent=1; Domain=cmux.test', 'local=1; Domain=localhost', 'plain=1', 'foreign=1; Domain=other.example'],
      }).end();
    default:
      return page('<form method="post" action="/write"><input name="a" value="b"><button>send</button></form>');
  }
}

// Where the provider sends one back to; goes on to the other port, by the name that it knows that one by.
function callback(request, response) {
  const url = new URL(request.url, 'http://localhost');
  const state = /(?:^|; )state=([^;]*)/.exec(request.headers.cookie ?? '')?.[1];
  seen.states.push(state);
  if (url.pathname !== '/callback' || url.searchParams.get('state') !== state || url.searchParams.get('code') !== 'c0de')
    return response.writeHead(403).end('no');
  return response.writeHead(302, {
    'set-cookie': 'session=in; Domain=cmux-alpha-base-8080.cmux.test; Path=/; HttpOnly; Max-Age=600',
    location: 'https://cmux-alpha-base-3000.cmux.test/home?signed=in#top',
  }).end();
}

before(async () => {
  provider = http.createServer(signIn).listen(0, '127.0.0.1');
  await once(provider, 'listening');
  world = await startWorld({ resolve: { 'idp.example': `127.0.0.1:${provider.address().port}` } });
  for (const id of ['alpha', 'gate']) world.workspace.serve(id, 3000, { request: application });
  world.workspace.serve('alpha', 8080, { request: callback });
}, { timeout: 60_000 });
after(async () => {
  await world?.close();
  provider?.close();
  provider?.closeAllConnections();
});

for (const { name, id, host, flags } of routes) {
  test(`a check of Origin against Host lets a write through, by ${name}`, { timeout: 60_000 }, async () => {
    const look = await view(world.browser, await world.proxy.context(id, '--dedicated-port', ...flags));
    const page = await openPage(look, 'http://localhost:3000/');
    seen.hosts.clear();
    const [answer] = await Promise.all([page.waitForResponse('**/write'), page.click('button')]);
    assert.equal(answer.status(), 200, await answer.text());
    assert.equal(page.url(), 'http://localhost:3000/write');
    const fetched = () => page.evaluate(() => fetch('/write', { method: 'POST', body: 'a' }).then((r) => r.status));
    assert.equal(await fetched(), 200);
    assert.deepEqual([...seen.hosts], [host]);

    // The check means something: a page of another origin is refused.
    await page.goto('http://127.0.0.1:3000/');
    await page.setContent('<form method="post" action="http://localhost:3000/write"><button>send</button></form>');
    const [refused] = await Promise.all([page.waitForResponse('**/write'), page.click('button')]);
    assert.equal(refused.status(), 403);
    await look.close();
  });
}

test('signing in elsewhere ends on localhost, signed in', { timeout: 60_000 }, async () => {
  const look = await view(world.browser, await world.proxy.context('alpha', '--dedicated-port'));
  const page = await openPage(look);
  const chain = [];
  page.on('request', (request) => request.isNavigationRequest() && chain.push(request.url().split('?')[0]));
  const answer = await page.goto('http://localhost:3000/login');
  assert.deepEqual(chain, ['http://localhost:3000/login', 'http://idp.example/authorize', 'http://idp.example/consent',
    'http://localhost:8080/callback', 'http://localhost:3000/home']);
  assert.equal(answer.status(), 200);
  assert.equal(page.url(), 'http://localhost:3000/home?signed=in#top');
  assert.deepEqual(seen.states, ['s7']);
  assert.equal(await page.textContent('p'), 'welcome, state=s7; session=in');
  const domains = (await look.cookies()).map((cookie) => `${cookie.name}@${cookie.domain}`).sort();
  assert.deepEqual(domains, ['provider@idp.example', 'session@localhost', 'state@localhost']);
  await look.close();
});

test("the workspace's Domain is dropped from cookies, others are the browser's business", { timeout: 60_000 }, async () => {
  const look = await view(world.browser, await world.proxy.context('alpha', '--dedicated-port'));
  const page = await openPage(look, 'http://localhost:3000/');
  await page.evaluate(() => fetch('/domains'));
  const cookies = (await look.cookies()).map(({ name, domain }) => `${name}@${domain.replace(/^\./, '')}`).sort();
  assert.deepEqual(cookies, ['dotted@localhost', 'local@localhost', 'own@localhost', 'parent@localhost', 'plain@localhost']);
  await look.close();
});
