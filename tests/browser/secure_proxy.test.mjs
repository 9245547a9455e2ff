// The same over HTTP/2 all the way: the browser takes the proxy as a secure one, with the flags that `ctx create` prints.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openPage } from './lib/browser.mjs';
import { everyday } from './lib/everyday.mjs';
import { serveEveryday } from './lib/everyday_app.mjs';
import { startWorld } from './lib/world.mjs';

let world;
const env = {};

before(async () => {
  world = await startWorld({ args: (proxy) => proxy.chromiumFlags('alpha') });
  env.seen = serveEveryday(world.workspace, 'alpha');
  env.view = await world.browser.newContext();
}, { timeout: 60_000 });
after(() => world?.close());

everyday(() => env);

/** What the browser says it spoke for each URL that it loads while `action` runs. */
async function protocols(page, action) {
  const heard = new Map();
  const session = await page.context().newCDPSession(page);
  session.on('Network.responseReceived', ({ response }) => heard.set(response.url, response.protocol));
  await session.send('Network.enable');
  await action();
  await session.detach();
  return heard;
}

for (const origin of ['http://localhost:3000', 'https://localhost:3443']) {
  test(`the browser speaks h2 for ${origin}`, { timeout: 60_000 }, async () => {
    const page = await openPage(env.view);
    const heard = await protocols(page, async () => {
      await page.goto(`${origin}/`);
      await page.evaluate(() => fetch('/json').then((r) => r.json()));
    });
    for (const path of ['/', '/main.js', '/style.css', '/json']) assert.equal(heard.get(origin + path), 'h2', path);
    assert.equal(await page.evaluate(() => performance.getEntriesByType('navigation')[0].nextHopProtocol), 'h2');
    await page.close();
  });
}

test('a streamed upload arrives while it goes on', { timeout: 60_000 }, async () => {
  const page = await openPage(env.view, 'http://localhost:3000/');
  const heard = await page.evaluate(async () => {
    let writer;
    const body = new ReadableStream({ start: (controller) => (writer = controller) });
    const say = (text) => writer.enqueue(new TextEncoder().encode(text));
    const answer = fetch('/gather', { method: 'POST', body, duplex: 'half' });
    say('first ');
    await fetch('/gathering');
    say('second');
    writer.close();
    return (await answer).text();
  });
  assert.equal(heard, 'first second');
  await page.close();
});

test('the workspace was spoken to in HTTP/2 alone, sockets included', () => {
  assert.deepEqual([...world.workspace.versions], ['2.0']);
});
