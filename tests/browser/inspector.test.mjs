// The inspector of the built program, in a browser, while real traffic goes through: a dev server's hot updates, WebSockets, replays, HAR files.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { openPage, view } from './lib/browser.mjs';
import { openInspector } from './lib/inspector_page.mjs';
import { source, temporaryFolder } from './lib/process.mjs';
import { said, shows, startProject } from './lib/vite_project.mjs';
import { startWorld } from './lib/world.mjs';

const kOrder = '{"item": "A-17", "count": 2}';
let world;
let posts = 0;

const app = {
  async request(request, response) {
    let text = '';
    for await (const piece of request) text += piece;
    const { pathname } = new URL(request.url, 'http://x');
    if (pathname === '/orders') {
      ++posts;
      return response
        .writeHead(201, {
          'content-type': 'application/json',
          'set-cookie': 'cart=secret-of-the-cart; Path=/',
          location: 'http://localhost:3000/orders/1',
        })
        .end(JSON.stringify({ asked: text, by: request.method, mine: request.headers['x-mine'] ?? null }));
    }
    if (pathname === '/zipped')
      return response
        .writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' })
        .end(gzipSync(JSON.stringify({ zipped: 'x'.repeat(2000) })));
    if (pathname === '/binary')
      return response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(Buffer.from([0, 1, 2, 255]));
    if (pathname === '/hostile') {
      return response
        .writeHead(200, {
          'content-type': 'text/html',
          'x-evil': '"><img src=x onerror=alert(1)>',
          'set-cookie': '<script>alert(2)</script>=1',
        })
        .end('<!doctype html><script>alert(3)</script><svg onload=alert(4)>');
    }
    return response
      .writeHead(200, { 'content-type': 'text/html' })
      .end('<!doctype html><title>app</title><link rel="icon" href="data:,"><p>here</p>');
  },
  socket(ws) {
    ws.on('message', (data, binary) => ws.send(data, { binary }));
  },
};

before(
  async () => {
    world = await startWorld({ h2: false });
    world.workspace.serve('alpha', 3000, app);
  },
  { timeout: 60_000 },
);
after(() => world?.close());

/** The inspector, a context, and a browser's view that uses it. */
async function inspect(id = 'alpha') {
  const context = await world.proxy.context(id, '--dedicated-port');
  const page = await openInspector(world.browser, await world.proxy.inspector());
  await page.locator('.state.live').waitFor();
  const look = await view(world.browser, context);
  return {
    page,
    context,
    look,
    async close() {
      await page.isSound();
      await page.context().close();
      await look.close();
      await world.proxy.release(context);
    },
  };
}

/** Waits until the row is there and over. */
const ended = (page, text) => page.locator('.list .row:not(.open)', { hasText: text }).first();
const fetchIn = (page, path, options) => page.evaluate(async ([path, options]) => (await fetch(path, options)).text(), [path, options]);

test('lists what a Vite app loads, and its hot updates', { timeout: 90_000 }, async () => {
  const project = await startProject();
  world.workspace.serve('beta', 3000, project.app);
  const { page, context, look, close } = await inspect('beta');
  const dev = await openPage(look, 'http://localhost:3000/');
  await shows(dev, 'as it was');
  await said(dev, '[vite] connected.');
  for (const path of ['/main.js', '/@vite/client', '/style.css', '/text.js']) await ended(page, `localhost:3000${path}`).waitFor();
  const cells = await page.cellsOf(ended(page, 'localhost:3000/main.js'));
  assert.deepEqual([cells.method, cells.status, cells.type, cells.context], ['GET', '200', 'javascript', context.id]);

  await page.filterBy('is:websocket');
  await page.shows(1);
  await page.rows().first().click();
  await page.tab('Messages');
  await page.locator('.message-list .row', { hasText: '{"type":"connected"}' }).waitFor();
  project.write('text.js', 'export const text = "edited";');
  await shows(dev, 'edited');
  await page.locator('.message-list .row.from-server', { hasText: '"type":"update"' }).waitFor();

  // The list showed one row before, too: the row itself is what says that the filter is at work.
  await page.filterBy('url:/text.js?t=');
  await ended(page, '/text.js').click();
  await page.tab('Overview');
  await page.locator('.details').getByText('localhost:3000 is a loopback address').waitFor();
  await page.tab('Response');
  await page.locator('.details .body').getByText('edited').waitFor();
  await page.tab('Request');
  await page.locator('.details .field-line.added', { hasText: 'host-override' }).waitFor();
  await close();
  await project.vite.stop();
});

test("the waterfall's figures are those of probe", { timeout: 60_000 }, async () => {
  const { page, context, close } = await inspect();
  const told = await world.proxy.command('probe', 'http://localhost:3000/probed', '--ctx', context.id);
  const figure = (name) => new RegExp(`^ +${name} +([\\d.]+|-)$`, 'm').exec(told)?.[1];
  await ended(page, '/probed').click();
  const shown = async (phase) => {
    const cell = page.locator(`.details [data-phase=${phase}] .figure`);
    return (await cell.count()) ? cell.textContent() : '-';
  };
  await page.locator('.details [data-phase=total]').waitFor();
  assert.deepEqual(
    [await shown('dns'), await shown('connect'), await shown('tls'), await shown('firstByte')],
    [figure('DNS'), figure('connect'), figure('TLS'), figure('first byte, upstream')],
    told,
  );
  assert.notEqual(figure('TLS'), '-');
  await close();
});

test('a request is sent again with the same answer, and changed with another', { timeout: 60_000 }, async () => {
  const { page, look, close } = await inspect();
  const tab = await openPage(look, 'http://localhost:3000/');
  const before = posts;
  const answer = await fetchIn(tab, '/orders', { method: 'POST', body: kOrder, headers: { 'content-type': 'application/json' } });
  await ended(page, 'localhost:3000/orders').click();
  await page.tab('Response');
  const body = page.locator('.details .body');
  const text = async (wanted) => {
    await body.getByRole('button', { name: 'Text' }).click();
    await body.locator('pre', { hasText: wanted }).waitFor();
    return body.locator('pre').textContent();
  };
  assert.equal(await text('A-17'), answer);
  await page.locator('.details').getByRole('button', { name: 'Replay' }).click();
  await page.locator('.details .result', { hasText: '201' }).waitFor();
  await page.tab('Overview');
  await page.getByText('Replay of').waitFor();
  await page.tab('Response');
  assert.equal(await text('A-17'), answer);
  assert.equal(posts, before + 2);

  await page.keyboard.press('e');
  const editor = page.getByRole('dialog');
  await editor.getByLabel('Body').fill('{"item": "B-03"}');
  const fields = editor.getByLabel('Fields');
  await fields.fill(`${await fields.inputValue()}\nX-Mine: yes`);
  await editor.getByRole('button', { name: 'Send' }).click();
  await editor.waitFor({ state: 'detached' });
  assert.deepEqual(JSON.parse(await text('B-03')), { asked: '{"item": "B-03"}', by: 'POST', mine: 'yes' });
  assert.equal(posts, before + 3);
  await close();
});

test("a WebSocket's messages, of text and of bytes", { timeout: 60_000 }, async () => {
  const { page, look, close } = await inspect();
  const tab = await openPage(look, 'http://localhost:3000/');
  await tab.evaluate(
    () =>
      new Promise((done) => {
        const socket = new WebSocket('ws://localhost:3000/socket');
        let left = 2;
        socket.binaryType = 'arraybuffer';
        socket.onopen = () => {
          socket.send('{"hello": "there"}');
          socket.send(new Uint8Array([1, 2, 254]));
        };
        socket.onmessage = () => --left || socket.close(1000, 'enough');
        socket.onclose = done;
      }),
  );
  await ended(page, '/socket').click();
  await page.tab('Messages');
  const lines = page.locator('.message-list .row');
  await lines.filter({ hasText: '1000 enough' }).first().waitFor();
  const seen = await lines.evaluateAll((rows) =>
    rows.map((row) =>
      [...row.children]
        .map((cell) => cell.textContent.trim())
        .filter((_, i) => i !== 1)
        .join(' '),
    ),
  );
  assert.ok(seen.includes('↑ text 18 B {"hello": "there"}') && seen.includes('↓ text 18 B {"hello": "there"}'), seen.join('\n'));
  assert.ok(seen.includes('↑ binary 3 B 01 02 fe') && seen.includes('↓ binary 3 B 01 02 fe'), seen.join('\n'));
  await lines.filter({ hasText: 'hello' }).first().click();
  await page.locator('.message .json').getByText('"there"').waitFor();
  await close();
});

test('secrets are hidden, everywhere, until they are asked for', { timeout: 60_000 }, async () => {
  const { page, look, close } = await inspect();
  const tab = await openPage(look, 'http://localhost:3000/?code=secret-of-the-query');
  await fetchIn(tab, '/orders?token=secret-of-the-query', {
    method: 'POST',
    headers: { authorization: 'Bearer secret-of-the-field' },
    body: 'x',
  });
  await ended(page, 'localhost:3000/orders?token=•••').click();
  for (const name of ['Overview', 'Request', 'Response']) {
    await page.tab(name);
    assert.ok(!(await page.locator('#page').textContent()).includes('secret-of'), name);
  }
  await page.locator('.details').getByRole('button', { name: 'Reveal' }).click();
  await page.locator('.details').getByText('cart=secret-of-the-cart').first().waitFor();
  await page.tab('Request');
  await page.locator('.details').getByText('Bearer secret-of-the-field').first().waitFor();
  assert.ok((await page.locator('.details h2').textContent()).includes('secret-of-the-query'));
  assert.match(await world.proxy.command('logs'), /secrets of exchange/);
  await close();
});

const kKept = ['Went to', 'Context', 'Request body', 'Response body', 'Began', 'Id'];

/** What is shown of an exchange of what a HAR file has a place for: its row, times, sizes, heads and bodies. */
async function shownOf(page, path) {
  const row = ended(page, `localhost:3000${path}`);
  const seen = { row: await page.cellsOf(row) };
  await row.click();
  await page.locator('.details h2', { hasText: path }).waitFor();
  const panel = page.locator('.details .panel');
  await page.tab('Overview');
  const facts = await panel.locator('.fact').evaluateAll((all) => all.map((fact) => [...fact.children].map((part) => part.innerText)));
  seen.facts = facts.filter(([name]) => kKept.includes(name));
  seen.times = await panel.locator('.waterfall tr').allInnerTexts();
  for (const [name, head] of [['Request', 'As received'], ['Response', 'Sent to the client']]) {
    await page.tab(name);
    const choice = panel.getByRole('button', { name: head });
    if (await choice.count()) await choice.click();
    seen[name] = await panel.locator('.field-line').evaluateAll((lines) => lines.map((line) => line.textContent));
    await page.waitForFunction(() => [...document.querySelectorAll('.details .panel section')].at(-1)?.querySelector('.body, .note'));
    seen[`${name} body`] = await panel.locator('.body pre, .body .json, .note').allInnerTexts();
  }
  return seen;
}

/** What the Network panel of Chromium's DevTools lists once it has opened that file, by the modules that this panel is made of. */
async function inDevTools(har) {
  const page = await openPage(await world.browser.newContext(), 'devtools://devtools/bundled/devtools_app.html');
  await page.waitForFunction(() => typeof globalThis.UI === 'object');
  const listed = await page.evaluate(async (text) => {
    const { NetworkPanel } = await import('devtools://devtools/bundled/panels/network/network.js');
    const { NetworkLog } = await import('devtools://devtools/bundled/models/logs/logs.js');
    const panel = NetworkPanel.NetworkPanel.instance();
    await panel.networkLogView.onLoadFromFile(new File([text], 'saved.har', { type: 'application/json' }));
    return Promise.all(
      NetworkLog.NetworkLog.instance()
        .requests()
        .map(async (request) => ({
          path: new URL(request.url()).pathname,
          method: request.requestMethod,
          status: request.statusCode,
          type: request.mimeType,
          posted: await request.requestFormData(),
          messages: request.frames().map(({ text }) => text),
        })),
    );
  }, readFileSync(har, 'utf8'));
  await page.context().close();
  return listed;
}

test('a HAR file is saved, valid, and the same when it is opened, here and in DevTools', { timeout: 90_000 }, async () => {
  const { page, look, close } = await inspect();
  await page.getByRole('button', { name: 'Clear', exact: true }).click();
  const tab = await openPage(look, 'http://localhost:3000/');
  await fetchIn(tab, '/orders', { method: 'POST', body: kOrder, headers: { 'content-type': 'application/json' } });
  await fetchIn(tab, '/zipped');
  await fetchIn(tab, '/binary');
  await tab.evaluate(
    () =>
      new Promise((done) => {
        const socket = new WebSocket('ws://localhost:3000/socket');
        socket.onopen = () => socket.send('kept');
        socket.onmessage = () => socket.close(1000);
        socket.onclose = done;
      }),
  );
  await ended(page, '/socket').waitFor();
  const paths = ['/orders', '/zipped', '/binary'];
  const live = {};
  for (const path of paths) live[path] = await shownOf(page, path);

  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Save HAR' }).click()]);
  assert.match(download.suggestedFilename(), /\.har$/);
  const saved = join(temporaryFolder(), 'saved.har');
  await download.saveAs(saved);
  const checked = spawnSync('python3', [join(source, 'tests/e2e/python/har.py'), join(source, 'tests/e2e/node/node_modules')], {
    input: readFileSync(saved),
  });
  assert.equal(checked.status, 0, `${checked.stdout}${checked.stderr}`);

  const listed = await inDevTools(saved);
  const order = listed.find(({ path }) => path === '/orders');
  assert.deepEqual([order.method, order.status, order.type, order.posted], ['POST', 201, 'application/json', kOrder]);
  assert.deepEqual(listed.find(({ path }) => path === '/socket').messages.slice(0, 2), ['kept', 'kept']); // closing is one, too
  for (const path of paths) assert.ok(listed.some((one) => one.path === path), path);

  const count = await page.locator('.figures span').first().textContent();
  await page.locator('input[type=file]').setInputFiles(saved);
  await page.getByText('Exchanges of the file saved.har').waitFor();
  await page.waitForFunction((count) => document.querySelector('.figures span').textContent === count, count);
  for (const path of paths) assert.deepEqual(await shownOf(page, path), live[path], path);
  await ended(page, '/socket').click();
  await page.tab('Messages');
  await page.locator('.message-list .row.from-client', { hasText: 'kept' }).waitFor();
  await close();
});

test("Chromium's own DevTools' file, and one of nonsense, do no harm", { timeout: 60_000 }, async () => {
  const { page, look, close } = await inspect();
  const recorded = join(temporaryFolder(), 'chromium.har');
  const recording = await world.browser.newContext({ recordHar: { path: recorded, content: 'embed' } });
  const tab = await recording.newPage();
  await tab.route('**/*', (route) =>
    route.fulfill({ body: 'recorded by another', contentType: 'text/plain', headers: { 'x-by': 'another' } }),
  );
  await tab.goto('http://recorded.test/page');
  await recording.close();
  await page.locator('input[type=file]').setInputFiles(recorded);
  await ended(page, 'recorded.test/page').click();
  await page.tab('Response');
  await page.locator('.details .body').getByText('recorded by another').waitFor();
  await look.close();
  await close();
});

test('an answer full of attacks is shown, and does nothing', { timeout: 60_000 }, async () => {
  const { page, look, close } = await inspect();
  const tab = await openPage(look, 'http://localhost:3000/');
  await fetchIn(tab, `/hostile?${encodeURIComponent('"><script>alert(5)</script>')}`);
  await ended(page, '/hostile').click();
  await page.tab('Response');
  await page.locator('.details').getByText('"><img src=x onerror=alert(1)>').first().waitFor();
  await page.locator('.details .body').getByText('<svg onload=alert(4)>').waitFor();
  assert.equal(await page.locator('.details img, .details svg, .details script').count(), 0);
  await close();
});

test('its address works once', { timeout: 60_000 }, async () => {
  const url = await world.proxy.inspector();
  const first = await openInspector(world.browser, url);
  await first.locator('.state.live').waitFor();
  await first.reload();
  await first.locator('.state.live').waitFor();
  const second = await openInspector(world.browser, url);
  await second.getByRole('alert').filter({ hasText: 'cmuxproxy inspect' }).waitFor();
  await first.isSound();
  await first.context().close();
  await second.context().close();
});

test('what the API says of contexts, series and the capture is shown', { timeout: 60_000 }, async () => {
  const { page, context, look, close } = await inspect();
  await openPage(look, 'http://localhost:3000/');
  await ended(page, 'localhost:3000/').waitFor();
  await page.getByRole('button', { name: 'Contexts' }).click();
  await page
    .getByRole('row', { name: new RegExp(context.id) })
    .getByText(`own port ${context.dedicatedPort}`)
    .waitFor();
  await page.getByRole('button', { name: 'Plots' }).click();
  await page.getByText('Open connections').waitFor();
  assert.equal(await page.locator('.chart').count(), 7);
  await page.getByRole('button', { name: 'Traffic' }).click();
  await page.getByRole('group', { name: 'Capture' }).getByRole('button', { name: 'Heads' }).click();
  await page.locator('.capture [aria-pressed=true]', { hasText: 'Heads' }).waitFor();
  await close();
});
