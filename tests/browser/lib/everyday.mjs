// What a page does every day, as tests. `env()` answers {view, seen}: a browser context that looks at the everyday application.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openPage } from './browser.mjs';
import { kLarge } from './everyday_app.mjs';

const kHome = 'http://localhost:3000/';

/** Sends texts over a WebSocket of the page, one by one; answers what came back (of long ones the length) and how it closed. */
export function echo(page, url, texts) {
  return page.evaluate(([url, texts]) => new Promise((done) => {
    const socket = new WebSocket(url);
    const heard = [];
    let failed = false;
    socket.onopen = () => socket.send(texts[0]);
    socket.onmessage = ({ data }) => {
      heard.push(data.length > 100 ? data.length : data);
      if (heard.length < texts.length) socket.send(texts[heard.length]);
      else socket.close(1000);
    };
    socket.onerror = () => (failed = true);
    socket.onclose = ({ code }) => done({ heard, failed, code });
  }), [url, texts]);
}

export function everyday(env) {
  const options = { timeout: 60_000 };

  test('modules, style sheets and fetch', options, async () => {
    const page = await openPage(env().view, kHome);
    await page.waitForFunction(() => document.querySelector('#text').textContent.endsWith('later ones'));
    const text = page.locator('#text');
    assert.equal(await text.textContent(), 'modules of http://localhost:3000 and later ones');
    await page.waitForFunction(() => getComputedStyle(document.querySelector('#text')).color === 'rgb(1, 2, 3)');
    assert.equal(await text.evaluate((element) => getComputedStyle(element).fontSize), '33px');
    assert.deepEqual(await page.evaluate(() => fetch('/json').then((r) => r.json())), { from: 'the workspace' });
    assert.ok(await page.evaluate(() => isSecureContext));
    assert.deepEqual(page.said, []);
    await page.close();
  });

  test('a streamed fetch arrives as it is sent', options, async () => {
    const page = await openPage(env().view, kHome);
    const heard = await page.evaluate(async () => {
      const reader = (await fetch('/stream')).body.pipeThrough(new TextDecoderStream()).getReader();
      const heard = [(await reader.read()).value];
      await fetch('/arrived?type=text/plain');
      for (let next = await reader.read(); !next.done; next = await reader.read()) heard.push(next.value);
      return heard;
    });
    assert.deepEqual(heard, ['first', 'second']);
    await page.close();
  });

  test('server-sent events arrive as they are sent', options, async () => {
    const page = await openPage(env().view, kHome);
    const heard = await page.evaluate(() => new Promise((done, fail) => {
      const heard = [];
      const events = new EventSource('/events');
      events.onmessage = async ({ data }) => {
        heard.push(data);
        if (heard.length === 1) await fetch('/arrived?type=text/event-stream');
        else events.close(), done(heard);
      };
      events.onerror = () => fail(new Error(`an error after ${heard}`));
    }));
    assert.deepEqual(heard, ['first', 'second']);
    await page.close();
  });

  test('a service worker registers and answers', options, async () => {
    const page = await openPage(env().view, kHome);
    const answer = await page.evaluate(async () => {
      const controlled = new Promise((done) => (navigator.serviceWorker.oncontrollerchange = done));
      await navigator.serviceWorker.register('/sw.js');
      if (!navigator.serviceWorker.controller) await controlled;
      return fetch('/by-worker').then((r) => r.text());
    });
    assert.equal(answer, 'the worker heard from the workspace');
    await page.evaluate(() => navigator.serviceWorker.getRegistration().then((registration) => registration.unregister()));
    await page.close();
  });

  test('cookies stay on localhost, for all its ports', options, async () => {
    const { view, seen } = env();
    const page = await openPage(view, kHome);
    await page.evaluate(() => fetch('/login'));
    assert.equal(await page.evaluate(() => document.cookie), 'theme=dark');
    await page.evaluate(() => fetch('/cookies'));
    assert.deepEqual(seen.cookie.split('; ').sort(), ['session=s1', 'theme=dark']);
    const cookies = await view.cookies();
    assert.deepEqual(cookies.map(({ name, domain }) => `${name}@${domain}`).sort(), ['session@localhost', 'theme@localhost']);
    await page.close();
  });

  test("a form's redirect stays on localhost", options, async () => {
    const page = await openPage(env().view, kHome);
    await page.click('button');
    await page.waitForSelector('#done');
    assert.equal(page.url(), 'http://localhost:3000/done?field=a+value');
    assert.equal(await page.textContent('#done'), 'a value');
    await page.close();
  });

  test('another port of localhost answers with CORS', options, async () => {
    const { view, seen } = env();
    const page = await openPage(view, kHome);
    const get = await page.evaluate(() => fetch('http://localhost:4000/api', { credentials: 'include' }).then((r) => r.json()));
    assert.deepEqual(get, { method: 'GET', mine: null, origin: 'http://localhost:3000' });
    const put = await page.evaluate(() =>
      fetch('http://localhost:4000/api', { method: 'PUT', headers: { 'X-Mine': '1' }, body: 'x' }).then((r) => r.json()));
    assert.deepEqual(put, { method: 'PUT', mine: '1', origin: 'http://localhost:3000' });
    assert.equal(seen.preflight, 'x-mine');
    await page.close();
  });

  test('WebSockets, plain and over TLS', options, async () => {
    const page = await openPage(env().view, kHome);
    const texts = ['first', 'x'.repeat(100_000), 'last'];
    for (const url of ['ws://localhost:3000/socket', 'wss://localhost:3443/socket'])
      assert.deepEqual(await echo(page, url, texts), { heard: ['first', 100_000, 'last'], failed: false, code: 1000 }, url);
    await page.close();
  });

  test('pages over TLS, with sockets on their own origin', options, async () => {
    const page = await openPage(env().view, 'https://localhost:3443/');
    await page.waitForFunction(() => document.querySelector('#text').textContent.endsWith('later ones'));
    assert.deepEqual(await echo(page, 'wss://localhost:3443/socket', ['a']), { heard: ['a'], failed: false, code: 1000 });
    await page.close();
  });

  test('50 MB down', options, async () => {
    const { view, seen } = env();
    const page = await openPage(view, kHome);
    const got = await page.evaluate(async () => {
      const body = await fetch('/download').then((r) => r.arrayBuffer());
      const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', body));
      return { length: body.byteLength, sha256: Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('') };
    });
    assert.deepEqual(got, { length: kLarge, sha256: seen.large });
    await page.close();
  });

  test('50 MB up', options, async () => {
    const page = await openPage(env().view, kHome);
    const { sent, got } = await page.evaluate(async (length) => {
      const body = new Uint8Array(length);
      for (let at = 0; at < length; at += 65_536) crypto.getRandomValues(body.subarray(at, at + 65_536));
      const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', body));
      const sent = { length, sha256: Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('') };
      // As a Blob: bytes of the page itself would all be told to the driver first.
      return { sent, got: await fetch('/upload', { method: 'POST', body: new Blob([body]) }).then((r) => r.json()) };
    }, kLarge);
    assert.deepEqual(got, sent);
    await page.close();
  });
}
