// The inspector's page against a stand-in of its API: the session, the list, the filter, the keyboard, HAR files, contexts, plots.
import assert from 'node:assert/strict';
import { closeSync, ftruncateSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exchange } from './lib/inspector_fake.mjs';
import { inspecting } from './lib/inspector_page.mjs';
import { temporaryFolder } from './lib/process.mjs';

const inspected = inspecting();

inspected(
  'the key of the address becomes a session, and leaves the address and the history',
  { fragment: '#key=once' },
  async (page, fake) => {
    await page.getByText('Nothing has come through yet').waitFor();
    assert.equal(fake.key, 'once');
    assert.equal(page.url(), fake.url);
    assert.ok(
      !(
        await page.evaluate(() => document.documentElement.outerHTML + JSON.stringify(sessionStorage) + JSON.stringify(localStorage))
      ).includes('once'),
    );
  },
);

inspected('without a session it says what to run', { gone: true }, async (page, fake) => {
  await page.getByRole('alert').filter({ hasText: 'cmuxproxy inspect' }).waitFor();
  assert.ok(!fake.asked.some((path) => path.includes('stream')));
});

inspected(
  'the list lives: what begins, what changes, what goes, and what came while the instance was away',
  { count: 3 },
  async (page, fake) => {
    await page.shows(3);
    fake.add(
      exchange(4, {
        state: 'open',
        status: null,
        url: 'http://localhost:3000/slow',
        timing: { dns: 0, connect: 0, tls: 0, firstByte: 0, total: 0 },
      }),
    );
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
  },
);

inspected('an update that comes in the worst order, or twice, is one row', { count: 1 }, async (page, fake) => {
  fake.add(exchange(3), exchange(2), exchange(3), exchange(2));
  await page.shows(3);
  const times = await page.locator('.list .row .c-time').allTextContents();
  assert.deepEqual(times, [...times].sort());
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
  const active = async () =>
    grid.evaluate((element) => document.getElementById(element.getAttribute('aria-activedescendant'))?.getAttribute('aria-rowindex'));
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
  assert.deepEqual(await grid.getByRole('columnheader').allTextContents(), [
    'Time↑',
    'Method',
    'Status',
    'URL',
    'Context',
    'Type',
    'Size',
    'Duration',
  ]);
  await grid.getByRole('columnheader', { name: 'Duration' }).getByRole('button').click();
  await page.locator('[role=columnheader][aria-sort=descending]').waitFor();
  const nameless = await page.evaluate(() =>
    [...document.querySelectorAll('button, input, textarea, [role=tab], [role=grid]')]
      .filter((element) => !element.hidden && !element.textContent.trim() && !element.getAttribute('aria-label'))
      .map((element) => element.outerHTML),
  );
  assert.deepEqual(nameless, []);
});

inspected('sorts by any column, and goes on to while the list grows', { count: 200 }, async (page, fake) => {
  await page.shows(200);
  await page.getByRole('button', { name: 'Duration' }).click();
  await page.getByRole('grid').evaluate((grid) => (grid.scrollTop = 0));
  await page.waitForFunction(() => document.querySelector('.list .row .c-duration')?.textContent === '334 ms');
  fake.add(exchange(201, { timing: { dns: 0, connect: 0, tls: 0, firstByte: 1, total: 9_000_000 } }));
  await page.waitForFunction(() =>
    [...document.querySelectorAll('.list .row')].some(
      (row) => row.getAttribute('aria-rowindex') === '2' && row.textContent.includes('9.00 s'),
    ),
  );
});

inspected('a HAR file of a browser is shown, and the live list is there again', { count: 2 }, async (page, fake) => {
  const folder = temporaryFolder();
  const at = (name, content) => {
    const path = join(folder, name);
    writeFileSync(path, content);
    return path;
  };
  const entry = {
    startedDateTime: '2026-01-01T12:00:00Z',
    time: 12,
    request: { method: 'GET', url: 'https://example.com/imported', httpVersion: 'h2', headers: [], bodySize: 0 },
    timings: { send: 0, wait: 10, receive: 2 },
    response: {
      status: 200,
      statusText: '',
      httpVersion: 'h2',
      headers: [{ name: 'content-type', value: 'text/plain' }],
      content: { size: 5, mimeType: 'text/plain', text: 'hello' },
    },
  };
  const open = (path) => page.locator('input[type=file]').setInputFiles(path);
  await open(
    at(
      'mine.har',
      JSON.stringify({
        log: { entries: [entry, 'nonsense', { ...entry, _webSocketMessages: [{ type: 'send', time: 1, opcode: 1, data: 'hi' }] }] },
      }),
    ),
  );
  await page.getByText('Exchanges of the file mine.har').waitFor();
  await page.getByText('1 entry of it could not be read').waitFor();
  await page.shows(2);
  const asked = fake.asked.length;
  await page.row('/imported').click();
  await page.tab('Response');
  await page.getByText('hello').waitFor();
  assert.deepEqual(
    fake.asked.slice(asked).filter((path) => !/contexts|\/inspector\//.test(path)),
    [],
    'nothing of it leaves the page',
  );
  await page.getByRole('button', { name: 'Back to what is live' }).click();
  await page.shows(2);
  assert.equal(await page.row('/imported').count(), 0);

  for (const [name, content, why] of [
    ['a.har', 'nonsense', /not JSON/],
    ['b.har', '{"a":1}', /JSON, but without "log"/],
    ['c.har', Buffer.from([0xff, 0xfe, 0]), /not JSON/],
    ['d.har', '', /not JSON/],
  ]) {
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

inspected(
  'is narrow and dark where the window is',
  { count: 30, browser: { viewport: { width: 380, height: 700 }, colorScheme: 'dark' } },
  async (page) => {
    await page.shows(30);
    const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.equal(await overflow(), 0);
    assert.ok(
      await page.evaluate(() =>
        getComputedStyle(document.body)
          .backgroundColor.match(/\d+/g)
          .every((part) => +part < 60),
      ),
    );
    await page.row('/').click();
    await page.locator('.details .toolbar').waitFor();
    assert.equal(await page.locator('.list').isVisible(), false);
    assert.equal(await overflow(), 0);
    await page.getByRole('button', { name: 'Close the details' }).click();
    assert.ok(await page.locator('.list').isVisible());
  },
);
