// A workspace goes down and comes back, and nothing else is started again.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { openPage, view } from './lib/browser.mjs';
import { echo } from './lib/everyday.mjs';
import { serveEveryday } from './lib/everyday_app.mjs';
import { startWorld } from './lib/world.mjs';

const worlds = new Map();
before(async () => {
  for (const h2 of [false, true]) {
    const world = await startWorld({ h2 });
    worlds.set(h2, world);
    serveEveryday(world.workspace, 'alpha');
  }
}, { timeout: 60_000 });
after(async () => {
  for (const world of worlds.values()) await world.close();
});

for (const h2 of [false, true]) {
  test(`a page before, during and after an outage, over ${h2 ? 'HTTP/2' : 'HTTP/1.1'}`, { timeout: 60_000 }, async () => {
    const { browser, proxy, workspace } = worlds.get(h2);
    const alpha = await view(browser, await proxy.context('alpha', '--dedicated-port'));
    const page = await openPage(alpha, 'http://localhost:3000/');
    await page.evaluate(() => new Promise((done, fail) => {
      const socket = new WebSocket('ws://localhost:3000/');
      Object.assign(socket, { onopen: done, onerror: fail });
      window.socketEnded = new Promise((done) => (socket.onclose = ({ code }) => done(code)));
    }));

    await workspace.down();
    assert.equal(await page.evaluate(() => socketEnded), 1006);
    for (const url of ['http://localhost:3000/', 'https://localhost:3443/']) {
      const port = new URL(url).port;
      const answer = await page.goto(url);
      assert.equal(answer.status(), 502);
      const text = await page.textContent('body');
      assert.match(text, new RegExp(`cmux-alpha-base-${port}\\.cmux\\.test`));
      assert.match(text, /refused/i);
    }

    // What is on the screen comes back by itself, and would run into a navigation.
    await workspace.up();
    const isBack = () => page.waitForFunction(() => document.querySelector('#text')?.textContent.endsWith('later ones'));
    await isBack();
    assert.equal(page.url(), 'https://localhost:3443/');
    await page.goto('http://localhost:3000/');
    await isBack();
    assert.deepEqual(await echo(page, 'ws://localhost:3000/', ['again']), { heard: ['again'], failed: false, code: 1000 });
    await alpha.close();
  });
}

for (const h2 of [false, true]) {
  test(`a page that cannot be shown turns into the real one when the workspace is back, over ${h2 ? 'HTTP/2' : 'HTTP/1.1'}`,
    { timeout: 60_000 }, async () => {
      const { browser, proxy, workspace } = worlds.get(h2);
      const alpha = await view(browser, await proxy.context('alpha', '--dedicated-port'));
      await workspace.down();
      const page = await openPage(alpha);
      const answer = await page.goto('http://localhost:3000/?code=once');
      assert.equal(answer.status(), 502);
      assert.match(answer.headers()['content-type'], /^text\/html/);
      assert.equal(await page.textContent('h1'), 'localhost:3000 does not answer');
      await page.waitForFunction(() => document.querySelector('#state').textContent.includes('by itself'));  // the script runs
      await workspace.up();
      await page.waitForFunction(() => document.querySelector('#text')?.textContent.endsWith('later ones'));  // no hand on it
      assert.equal(page.url(), 'http://localhost:3000/?code=once');
      assert.deepEqual(page.said.filter((line) => /Content Security Policy|uncaught/.test(line)), []);
      await alpha.close();
    });
}

test('a page whose workspace is away for 20 s comes back with no hand on it', { timeout: 120_000 }, async (t) => {
  const { browser, proxy, workspace } = worlds.get(false);
  const alpha = await view(browser, await proxy.context('alpha', '--dedicated-port'));
  const page = await openPage(alpha, 'http://localhost:3000/');
  await workspace.down();
  assert.equal((await page.reload()).status(), 502);  // as dev servers' own scripts do when their socket ends
  await setTimeout(20_000);  // is what this is about: the pauses have grown by then
  await workspace.up();
  const start = performance.now();
  await page.waitForFunction(() => document.querySelector('#text')?.textContent.endsWith('later ones'));
  t.diagnostic(`back ${((performance.now() - start) / 1000).toFixed(1)} s after the workspace`);
  await alpha.close();
});

test('a form that could not be sent is not sent again by itself', { timeout: 60_000 }, async () => {
  const { browser, proxy, workspace } = worlds.get(false);
  const alpha = await view(browser, await proxy.context('alpha', '--dedicated-port'));
  const page = await openPage(alpha, 'http://localhost:3000/');
  await workspace.down();
  await page.evaluate(() => {
    const form = Object.assign(document.createElement('form'), { method: 'post', action: '/form' });
    document.body.append(form);
    form.submit();
  });
  await page.waitForFunction(() => document.querySelector('#state')?.textContent.includes('may not have reached'));
  await workspace.up();
  await page.waitForFunction(() => document.querySelector('#state')?.textContent.includes('answers again'));
  assert.equal(await page.textContent('#again'), 'Send it again');
  await alpha.close();
});

test('a page that fails although the workspace answers is not loaded for ever', { timeout: 60_000 }, async () => {
  const { browser, proxy, workspace } = worlds.get(false);
  let broken = true;
  workspace.serve('broken', 3000, {
    request(request, response) {
      if (request.url === '/' && broken) return request.socket.destroy();
      response.writeHead(request.url === '/' ? 200 : 404, { 'content-type': 'text/html' }).end('<p id="text">mended</p>');
    },
  });
  const tab = await view(browser, await proxy.context('broken', '--dedicated-port'));
  const page = await openPage(tab);
  // As after seven loads, which take a minute.
  await page.addInitScript(() => {
    if (!sessionStorage.getItem('cmuxproxy-waiting'))
      sessionStorage.setItem('cmuxproxy-waiting', JSON.stringify({ url: location.href, at: Date.now(), pause: 10, loads: 7 }));
  });
  assert.equal((await page.goto('http://localhost:3000/')).status(), 502);
  await page.waitForFunction(() => document.querySelector('#state')?.textContent.includes('still fails, 8 times'));
  broken = false;
  await page.click('#again');
  await page.waitForFunction(() => document.querySelector('#text')?.textContent === 'mended');
  await tab.close();
});
