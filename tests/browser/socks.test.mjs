// The same through SOCKS5: a browser told so on its command line, and views that have each their own.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { launch, openPage, trust } from './lib/browser.mjs';
import { everyday } from './lib/everyday.mjs';
import { serveEveryday } from './lib/everyday_app.mjs';
import { startWorld } from './lib/world.mjs';

let world;
let context;
const env = {};

before(async () => {
  world = await startWorld({
    args: async (proxy) => {
      context = await proxy.context('alpha', '--dedicated-port');
      return [`--proxy-server=socks5://127.0.0.1:${context.dedicatedPort}`, '--proxy-bypass-list=<-loopback>', ...trust(proxy)];
    },
  });
  env.seen = serveEveryday(world.workspace, 'alpha');
  for (const id of ['alpha', 'beta'])
    world.workspace.serve(id, 3001, { request: (request, response) => response.end(`${id} at ${request.headers.host}`) });
  env.view = await world.browser.newContext();
}, { timeout: 60_000 });
after(() => world?.close());

everyday(() => env);

test('two views, each with a SOCKS5 port of its own, see two workspaces', { timeout: 60_000 }, async () => {
  for (const id of ['alpha', 'beta']) {
    const { dedicatedPort } = await world.proxy.context(id, '--dedicated-port');
    const view = await world.browser.newContext({ proxy: { server: `socks5://127.0.0.1:${dedicatedPort}`, bypass: '<-loopback>' } });
    const page = await openPage(view, 'http://localhost:3001/');
    assert.match(await page.textContent('body'), new RegExp(`^${id} at `));
    await view.close();
  }
});

test('addresses are asked for as addresses', { timeout: 60_000 }, async () => {
  for (const host of ['127.0.0.1', '[::1]']) {
    const page = await openPage(env.view, `http://${host}:3001/`);
    assert.match(await page.textContent('body'), /^alpha at /);
    await page.close();
  }
});

// As a page of any site would, in a browser that uses no proxy.
test('a page learns nothing of the PAC file, as a script or otherwise', { timeout: 60_000 }, async () => {
  const site = http.createServer((request, response) => response.setHeader('content-type', 'text/html').end('<title>site</title>'));
  site.listen(0, '127.0.0.1');
  await once(site, 'listening');
  const browser = await launch();
  try {
    const page = await openPage(browser, `http://localhost:${site.address().port}/`);
    const url = `http://127.0.0.1:${context.dedicatedPort}/proxy.pac`;
    const found = await page.evaluate(async (from) => {
      const script = document.createElement('script');
      const loaded = new Promise((done) => (script.onload = () => done('loaded'), script.onerror = () => done('failed')));
      script.src = from;
      document.head.append(script);
      const failed = (error) => error.name;
      return {
        script: await loaded,
        defined: typeof window.FindProxyForURL,
        text: await fetch(from).then((response) => response.text(), failed),
        opaque: await fetch(from, { mode: 'no-cors' }).then((response) => response.text(), failed),
      };
    }, url);
    assert.deepEqual(found, { script: 'failed', defined: 'undefined', text: 'TypeError', opaque: found.opaque });
    assert.ok(['', 'TypeError'].includes(found.opaque), found.opaque);
    // Who types its address in may.
    const download = await page.request.get(url);
    assert.match(await download.text(), /FindProxyForURL/);
  } finally {
    await browser.close();
    site.close();
  }
});
