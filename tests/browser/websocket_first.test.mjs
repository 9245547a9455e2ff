// A WebSocket as a view's very first request. Chromium asks nobody for credentials then, so only a port that needs none helps.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openPage, view } from './lib/browser.mjs';
import { echo } from './lib/everyday.mjs';
import { serveEveryday } from './lib/everyday_app.mjs';
import { startWorld } from './lib/world.mjs';

let world;
before(async () => {
  world = await startWorld();
  serveEveryday(world.workspace, 'alpha');
}, { timeout: 60_000 });
after(() => world?.close());

const kGood = { heard: ['hello'], failed: false, code: 1000 };

for (const url of ['ws://localhost:3000/', 'wss://localhost:3443/']) {
  test(`${url} first, on a port of the context's own`, { timeout: 60_000 }, async () => {
    const alpha = await view(world.browser, await world.proxy.context('alpha', '--dedicated-port'));
    assert.deepEqual(await echo(await openPage(alpha, 'about:blank'), url, ['hello']), kGood);
    await alpha.close();
  });

  test(`${url} first, with credentials: an error event, and good after a page`, { timeout: 60_000 }, async () => {
    const alpha = await view(world.browser, await world.proxy.context('alpha'));
    const page = await openPage(alpha, 'about:blank');
    assert.deepEqual(await echo(page, url, ['hello']), { heard: [], failed: true, code: 1006 });
    await page.goto('http://localhost:3000/');
    assert.deepEqual(await echo(page, url, ['hello']), kGood);
    await alpha.close();
  });
}
