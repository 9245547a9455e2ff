// The inspector's page against a stand-in of its API: the list, the filter, the keyboard, details, replay, comparison, HAR files, plots.
import assert from 'node:assert/strict';
import { openSync, ftruncateSync, closeSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { launch } from './lib/browser.mjs';
import { bodyOf, exchange, startFake } from './lib/inspector_fake.mjs';
import { openInspector } from './lib/inspector_page.mjs';
import { temporaryFolder } from './lib/process.mjs';

let browser;
before(async () => {
  browser = await launch();
}, { timeout: 60_000 });
after(() => browser?.close());

/** A test with a fake of its own and a page on it, which must be sound at its end. */
function inspected(name, options, run) {
  test(name, { timeout: 60_000 }, async () => {
    const fake = await startFake(options);
    options.prepare?.(fake);
    const page = await openInspector(browser, `${fake.url}${options.fragment ?? ''}`, options.browser);
    try {
      if (!options.gone) await page.locator('.list .grid').waitFor();
      await run(page, fake);
      await page.isSound();
    } finally {
      await page.context().close();
      await fake.close();
    }
  });
}

inspected('the key of the address becomes a session, and leaves the address and the history', { fragment: '#key=once' }, async (page, fake) => {
  await page.getByText('Nothing has come through yet').waitFor();
  assert.equal(fake.key, 'once');
  assert.equal(page.url(), fake.url);
  assert.ok(!(await page.evaluate(() => document.documentElement.outerHTML + JSON.stringify(sessionStorage) + JSON.stringify(localStorage))).includes('once'));
});

test('without a session it says what to run', { timeout: 60_000 }, async () => {
  const fake = await startFake({ gone: true });
  const page = await openInspector(browser, fake.url);
  await page.getByRole('alert').filter({ hasText: 'cmuxproxy inspect' }).waitFor();
  assert.ok(!fake.asked.some((path) => path.includes('stream')));
  await page.context().close();
  await fake.close();
});

inspected('the list lives: what begins, what changes, what goes, and what came while the instance was away', { count: 3 }, async (page, fake) => {
  await page.shows(3);
  fake.add(exchange(4, { state: 'open', status: null, url: 'http://localhost:3000/slow', timing: { dns: 0, connect: 0, tls: 0, firstByte: 0, total: 0 } }));
  await page.row('/slow').waitFor();
  assert.equal((await page.cellsOf(page.row('/slow'))).status, '···');
  fake.add(exchange(4, { url: 'http://localhost:3000/slow', status: 404 }));
  await page.row('404').waitFor();
  assert.equal(await page.rows().count(), 4);

  fake.addQuietly(exchange(5, { url: 'http://localhost:3000/meanwhile' }));
  fake.addQuietly(exchange(2, { url: 'http://localhost:3000/changed-meanwhile' }));
  fake.cut();
  await page.row('/meanwhile').waitFor();
  await page.row('/changed-meanwhile').waitFor();
  fake.say('dropped', { first: 4 });
  await page.shows(2);
  fake.say('lost', { count: 7 });
  await page.getByText('7 not told').waitFor();
});

inspected('an update that comes in the worst order, or twice, is one row', { count: 1 }, async (page, fake) => {
  fake.add(exchange(3), exchange(2), exchange(3), exchange(2));
  await page.shows(3);
  const times = await page.locator('.list .row .c-time').allTextContents();
  assert.deepEqual(times, times.toSorted());
});

inspected('filters, with completion by the keyboard, and says what says nothing', { count: 100 }, async (page) => {
  await page.shows(100);
  await page.keyboard.press('/');
  await page.keyboard.type('me');
  await page.getByRole('option', { name: 'method:' }).waitFor();
  await page.keyboard.press('Tab');
  await page.keyboard.type('PO');
  await page.keyboard.press('ArrowDown');
  assert.equal(await page.getByRole('combobox').getAttribute('aria-activedescendant'), 'filter-0');
  await page.keyboard.press('Enter');
  assert.equal(await page.getByRole('combobox').inputValue(), 'method:POST ');
  await page.shows(11);
  await page.getByText('11 of 100 exchanges').waitFor();
  await page.filterBy('method:POST status:teapot');
  await page.getByText('status:teapot says nothing: a number, 5xx').waitFor();
  await page.filterBy('ctx:"LEFT view"');
  await page.shows(33);
  await page.filterBy('nowhere-to-be-found');
  await page.getByText('Nothing fits this filter').waitFor();
  await page.getByRole('button', { name: 'Show all' }).click();
  await page.shows(100);
});

inspected('the keyboard goes everywhere', { count: 60 }, async (page) => {
  await page.shows(60);
  const grid = page.getByRole('grid', { name: 'Exchanges' });
  const active = async () => grid.evaluate((element) => document.getElementById(element.getAttribute('aria-activedescendant'))?.getAttribute('aria-rowindex'));
  await page.keyboard.press('ArrowUp');  // the list has the focus from the beginning
  assert.equal(await active(), '61');
  await page.keyboard.press('Home');
  assert.equal(await active(), '2');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('j');
  assert.equal(await active(), '4');
  await page.keyboard.press('End');
  assert.equal(await active(), '61');
  assert.equal(await page.locator('.list .row[aria-selected=true]').count(), 1);
  await page.keyboard.press('Enter');
  await page.keyboard.press('ArrowRight');
  assert.equal(await page.locator('.details [role=tab][aria-selected=true]').textContent(), 'Request');
  await page.keyboard.press('Escape');
  assert.equal(await page.locator('.details').count(), 0);
  assert.ok(await grid.evaluate((element) => element === document.activeElement));
  await page.keyboard.press('?');
  await page.getByRole('dialog').getByText('through the list').waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
});

inspected('rows have their roles, names and places', { count: 3 }, async (page) => {
  await page.shows(3);
  const grid = page.getByRole('grid', { name: 'Exchanges' });
  assert.equal(await grid.getAttribute('aria-rowcount'), '4');
  assert.equal(await grid.getByRole('row').count(), 4);
  assert.deepEqual(await grid.getByRole('columnheader').allTextContents(), ['Time↑', 'Method', 'Status', 'URL', 'Context', 'Type', 'Size', 'Duration']);
  await grid.getByRole('columnheader', { name: 'Duration' }).getByRole('button').click();
  await page.locator('[role=columnheader][aria-sort=descending]').waitFor();
  const nameless = await page.evaluate(() => [...document.querySelectorAll('button, input, textarea, [role=tab], [role=grid]')]
    .filter((element) => !element.hidden && !element.textContent.trim() && !element.getAttribute('aria-label')).map((element) => element.outerHTML));
  assert.deepEqual(nameless, []);
});

inspected('sorts by any column, and goes on to while the list grows', { count: 200 }, async (page, fake) => {
  await page.shows(200);
  await page.getByRole('button', { name: 'Duration' }).click();
  await page.getByRole('grid').evaluate((grid) => (grid.scrollTop = 0));
  await page.waitForFunction(() => document.querySelector('.list .row .c-duration')?.textContent === '334 ms');
  fake.add(exchange(201, { timing: { dns: 0, connect: 0, tls: 0, firstByte: 1, total: 9_000_000 } }));
  await page.waitForFunction(() => [...document.querySelectorAll('.list .row')].some((row) => row.getAttribute('aria-rowindex') === '2' && row.textContent.includes('9.00 s')));
});

inspected('details: why, where the time went, heads with what the proxy changed, and secrets on demand', { count: 82 }, async (page, fake) => {
  await page.shows(82);
  await page.row('502').click();
  const details = page.locator('.details');
  await details.getByText('localhost:3000 is a loopback host').waitFor();
  await details.getByText('start the dev server in the workspace').waitFor();
  await page.filterBy('id:x-5');
  await page.shows(1);
  await page.row('/api').click();
  const { timing } = exchange(5);
  const figure = (phase) => details.locator(`[data-phase=${phase}] .figure`).textContent();
  await details.locator('[data-phase=dns]').waitFor();
  assert.deepEqual([await figure('dns'), await figure('connect'), await figure('tls'), await figure('firstByte'), await figure('total')],
    [...[timing.dns, timing.connect, timing.tls, timing.firstByte].map((us) => (us / 1000).toFixed(2)), `${(timing.total / 1000).toFixed(2)} ms`]);

  await page.tab('Request');
  const added = details.locator('.field-line.added');
  assert.equal(await added.textContent(), '+x-cmux-host-overridelocalhost:3000');
  assert.ok(!(await details.textContent()).includes('sesame'));
  await details.getByRole('button', { name: 'Reveal' }).click();
  await details.getByText('session=sesame').waitFor();
  assert.equal(fake.asked.filter((path) => path.endsWith('/x-5/reveal')).length, 1);
  await page.tab('Response');
  assert.equal(await details.locator('.field-line.removed').textContent(), '−x-powered-bytest');
  assert.equal(await details.locator('.field-line.changed del').textContent(), 'session=sesame; Domain=cmux-alpha-base-3000.cmux.app');
  await details.getByRole('button', { name: 'As received' }).click();
  assert.equal(await details.locator('.field-line.removed').count(), 0);
  await details.getByText('x-powered-by').waitFor();
});

inspected('bodies as JSON, form, image, text and hex, and what is not there', { prepare: (fake) => {
  const png = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAIAAAADCAYAAAC56t6BAAAAEklEQVR4nGP4z8Dwn4GBgYEBABUFAgGf4wQoAAAAAElFTkSuQmCC', 'base64');
  const add = (seq, body, change) => fake.add(exchange(seq, { url: `http://localhost:3000/${seq}`, response: { ...exchange(seq).response, body }, ...change }));
  add(1, bodyOf('{"a":[1,{"deep":{"b":null}}],"big":12345678901234567890}', 'application/json'));
  add(2, bodyOf('a=1&b=%3Cb%3E', 'application/x-www-form-urlencoded'));
  add(3, bodyOf(png, 'text/html'));
  add(4, bodyOf(Buffer.from([0, 1, 2, 255]), 'application/octet-stream'));
  add(5, bodyOf('', 'text/plain', { size: 10_000_000_000, kept: 0, complete: false }));
  add(6, bodyOf('x'.repeat(500_000), 'text/plain', { size: 10_000_000_000, complete: false }));
} }, async (page) => {
  await page.shows(6);
  const body = page.locator('.details .body');
  const open = async (seq) => {
    await page.row(`/${seq}`).click();
    await page.tab('Response');
  };
  await open(1);
  await body.getByText('12345678901234567890').waitFor();
  await body.locator('.j-null').waitFor({ state: 'detached' });
  await body.locator('summary', { hasText: 'deep' }).click();
  await body.locator('.j-null').waitFor();
  await open(2);
  await body.getByText('<b>', { exact: true }).waitFor();
  await open(3);
  await body.getByText('2 × 3').waitFor();
  assert.match(await body.locator('img').getAttribute('src'), /^blob:/);
  await body.getByRole('button', { name: 'Hex' }).click();
  await body.getByText('00000000  89 50 4e 47').waitFor();
  await open(4);
  await body.getByText('00000000  00 01 02 ff').waitFor();
  await open(5);
  await page.getByText('10 GB went through, and nothing of it was kept').waitFor();
  await open(6);
  await body.getByText('cut: 10 GB went through').waitFor();
  assert.ok((await body.locator('pre').textContent()).length < 300_000);
  await body.getByRole('button', { name: 'Show more' }).click();
  await page.waitForFunction(() => document.querySelector('.details .body pre').textContent.length === 500_000);
});

inspected('a request is sent again, and another one after an edit', { count: 5 }, async (page, fake) => {
  await page.shows(5);
  await page.row('POST').click();
  await page.locator('.details').getByRole('button', { name: 'Replay' }).click();
  await page.shows(6);
  await page.getByText('Replay of').waitFor();
  assert.deepEqual(fake.replays, [{}]);
  await page.keyboard.press('e');
  const editor = page.getByRole('dialog');
  assert.match(await editor.getByLabel('Fields').inputValue(), /^cookie: session=•••$/m);
  await editor.getByLabel('Body').fill('{"amount": 43}');
  await editor.getByLabel('Fields').fill('not a field');
  await editor.getByRole('button', { name: 'Send' }).click();
  await editor.getByText('line 1 of the fields is no "name: value"').waitFor();
  await editor.getByLabel('Fields').fill('X-Mine: 1\nCookie: session=•••');
  await editor.getByLabel('URL').fill('http://localhost:39385/');
  await editor.getByRole('button', { name: 'Send' }).click();
  await editor.getByRole('alert').getByText('that is a port of the proxy itself').waitFor();
  await editor.getByLabel('URL').fill('http://localhost:3000/elsewhere');
  await editor.getByRole('button', { name: 'Send' }).click();
  await page.row('/elsewhere').waitFor();
  await editor.waitFor({ state: 'detached' });
  const edited = fake.replays.at(-1);
  assert.deepEqual(edited, { method: 'POST', url: 'http://localhost:3000/elsewhere', fields: [['X-Mine', '1'], ['Cookie', 'session=•••']], body: Buffer.from('{"amount": 43}').toString('base64') });
});

inspected('copies as curl, fetch and URL', { count: 5 }, async (page) => {
  await page.shows(5);
  await page.row('POST').click();
  const copied = async (name) => {
    await page.locator('.details').getByRole('button', { name, exact: true }).click();
    await page.locator('.notice', { hasText: name === 'URL' ? 'The URL is copied' : `Copied as ${name}` }).waitFor();
    return page.evaluate(() => navigator.clipboard.readText());
  };
  assert.match(await copied('curl'), /^curl http:\/\/localhost:3000\/api\/orders\/4711 \\\n {2}-H 'accept: \*\/\*'/);
  await page.getByText('secrets are hidden').waitFor();
  assert.match(await copied('fetch'), /^await fetch\("http:\/\/localhost:3000\/api\/orders\/4711", \{/);
  assert.equal(await copied('URL'), 'http://localhost:3000/api/orders/4711');
});

inspected('two are compared', { count: 20 }, async (page) => {
  await page.shows(20);
  await page.rows().nth(4).click();
  await page.locator('.details .panel').waitFor();
  await page.keyboard.press('d');
  await page.locator('.list .row.base').waitFor();
  await page.rows().nth(3).click();
  await page.getByRole('button', { name: 'Compare with the marked' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('/api/users?page=1').waitFor();
  await dialog.locator('.diff .removed, .diff .added').first().waitFor();
  await page.keyboard.press('Escape');
});

inspected("a WebSocket's messages, and those that come", { prepare: (fake) => {
  fake.add(exchange(1, { websocket: true, tunnel: true, state: 'open', status: 101, messages: 1200, url: 'ws://localhost:3000/hmr' }));
  const message = (n) => ({ n, at: new Date(n).toISOString(), from: n % 2 ? 'client' : 'server', kind: 'text', size: 14, kept: 14, data: Buffer.from(`{"number":${n}}`).toString('base64'), note: null });
  fake.messages.set('x-1', Array.from({ length: 1200 }, (_, i) => message(i + 1)));
  fake.grow = () => {
    fake.messages.get('x-1').push({ ...message(1201), kind: 'binary', data: 'AP8=', size: 900, kept: 2, note: 'compressed: decoded here' }, { ...message(1202), kind: 'close', data: Buffer.from([3, 0xe9, 98, 121, 101]).toString('base64') });
    fake.add(exchange(1, { websocket: true, tunnel: true, state: 'done', status: 101, messages: 1202, url: 'ws://localhost:3000/hmr' }));
  };
} }, async (page, fake) => {
  await page.row('/hmr').click();
  await page.tab('Messages');
  await page.getByText('1,200 messages').waitFor();
  await page.locator('.message-list .row', { hasText: '{"number":1200}' }).click();
  await page.locator('.message .json').getByText('number').waitFor();
  fake.grow();
  await page.getByText('1,202 messages').waitFor();
  await page.getByRole('grid', { name: 'Messages' }).press('End');
  assert.match(await page.locator('.message-list .row').last().textContent(), /1001 bye/);
  await page.getByRole('grid', { name: 'Messages' }).press('ArrowUp');
  await page.getByText('compressed: decoded here').waitFor();
  await page.getByLabel('Search in the messages').fill('"number":77}');
  await page.getByText('1 of 1,202 messages').waitFor();
});

inspected('a HAR file of a browser is shown, and the live list is there again', { count: 2 }, async (page, fake) => {
  const folder = temporaryFolder();
  const at = (name, content) => {
    const path = join(folder, name);
    writeFileSync(path, content);
    return path;
  };
  const entry = { startedDateTime: '2026-01-01T12:00:00Z', time: 12, request: { method: 'GET', url: 'https://example.com/imported', httpVersion: 'h2', headers: [], bodySize: 0 }, timings: { send: 0, wait: 10, receive: 2 },
    response: { status: 200, statusText: '', httpVersion: 'h2', headers: [{ name: 'content-type', value: 'text/plain' }], content: { size: 5, mimeType: 'text/plain', text: 'hello' } } };
  const open = (path) => page.locator('input[type=file]').setInputFiles(path);
  await open(at('mine.har', JSON.stringify({ log: { entries: [entry, 'nonsense', { ...entry, _webSocketMessages: [{ type: 'send', time: 1, opcode: 1, data: 'hi' }] }] } })));
  await page.getByText('Exchanges of the file mine.har').waitFor();
  await page.getByText('1 entry of it could not be read').waitFor();
  await page.shows(2);
  const asked = fake.asked.length;
  await page.row('/imported').click();
  await page.tab('Response');
  await page.getByText('hello').waitFor();
  assert.deepEqual(fake.asked.slice(asked).filter((path) => !/contexts|\/inspector\//.test(path)), [], 'nothing of it leaves the page');
  await page.getByRole('button', { name: 'Back to what is live' }).click();
  await page.shows(2);
  assert.equal(await page.row('/imported').count(), 0);

  for (const [name, content, why] of [['a.har', 'nonsense', /not JSON/], ['b.har', '{"a":1}', /JSON, but without "log"/], ['c.har', Buffer.from([0xff, 0xfe, 0]), /not JSON/], ['d.har', '', /not JSON/]]) {
    await open(at(name, content));
    await page.locator('.notice.bad', { hasText: why }).filter({ hasText: name }).waitFor();
  }
  const large = join(folder, 'large.har');
  const file = openSync(large, 'w');
  ftruncateSync(file, 500e6);
  closeSync(file);
  await open(large);
  await page.locator('.notice.bad', { hasText: 'large.har cannot be shown: it has 500 MB, and 256 MB is what the page reads' }).waitFor();
  await page.shows(2);
});

inspected('contexts with their counters, and the way to their traffic', { count: 9 }, async (page) => {
  await page.getByRole('button', { name: 'Contexts' }).click();
  const line = page.getByRole('row', { name: /alpha, left view/ });
  await line.getByText('1,234').waitFor();
  await line.getByRole('button', { name: 'Traffic' }).click();
  await page.shows(3);
});

inspected('plots of the last hour tell figures', { count: 1 }, async (page) => {
  await page.getByRole('button', { name: 'Plots' }).click();
  const latency = page.getByRole('img', { name: /^Latency over the last hour/ });
  await latency.waitFor();
  assert.equal(await page.locator('.chart').count(), 7);
  await latency.hover({ position: { x: 50, y: 20 } });
  const figure = page.locator('.chart', { hasText: 'Latency' }).first().locator('.legend b').first();
  assert.match(await figure.textContent(), /ms|s/);
  assert.match(await page.locator('.chart path').first().getAttribute('d'), /^M[\d.]+ [\d.]+L/);
});

inspected('capture is set, and all is forgotten', { count: 5 }, async (page, fake) => {
  await page.shows(5);
  await page.getByRole('group', { name: 'Capture' }).getByRole('button', { name: 'Heads' }).click();
  await page.locator('.capture [aria-pressed=true]', { hasText: 'Heads' }).waitFor();
  assert.equal(fake.capture.mode, 'heads');
  await page.reload();
  await page.shows(5);
  assert.ok(fake.modes.includes('auto'), 'what the page has set holds while it is there');
  await page.getByRole('button', { name: 'Clear', exact: true }).click();
  await page.getByText('Nothing has come through yet').waitFor();
});

inspected('is narrow and dark where the window is', { count: 30, browser: { viewport: { width: 380, height: 700 }, colorScheme: 'dark' } }, async (page) => {
  await page.shows(30);
  const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(await overflow(), 0);
  assert.ok(await page.evaluate(() => getComputedStyle(document.body).backgroundColor.match(/\d+/g).every((part) => +part < 60)));
  await page.row('/').click();
  await page.locator('.details .toolbar').waitFor();
  assert.equal(await page.locator('.list').isVisible(), false);
  assert.equal(await overflow(), 0);
  await page.getByRole('button', { name: 'Close the details' }).click();
  assert.ok(await page.locator('.list').isVisible());
});
