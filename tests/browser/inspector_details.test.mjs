// The details of an exchange on the inspector's page, against a stand-in of its API: heads, bodies, replay, copies, comparison, messages.
import assert from 'node:assert/strict';
import { bodyOf, exchange } from './lib/inspector_fake.mjs';
import { inspecting } from './lib/inspector_page.mjs';

const inspected = inspecting();

inspected(
  'details: why, where the time went, heads with what the proxy changed, and secrets on demand',
  { count: 82 },
  async (page, fake) => {
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
    assert.deepEqual(
      [await figure('dns'), await figure('connect'), await figure('tls'), await figure('firstByte'), await figure('total')],
      [
        ...[timing.dns, timing.connect, timing.tls, timing.firstByte].map((us) => (us / 1000).toFixed(2)),
        `${(timing.total / 1000).toFixed(2)} ms`,
      ],
    );

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
  },
);

inspected(
  'bodies as JSON, form, image, text and hex, and what is not there',
  {
    prepare: (fake) => {
      const png = Buffer.from(
        'iVBORw0KGgoAAAANSUhEUgAAAAIAAAADCAYAAAC56t6BAAAAEklEQVR4nGP4z8Dwn4GBgYEBABUFAgGf4wQoAAAAAElFTkSuQmCC',
        'base64',
      );
      const add = (seq, body, change) =>
        fake.add(exchange(seq, { url: `http://localhost:3000/${seq}`, response: { ...exchange(seq).response, body }, ...change }));
      add(1, bodyOf('{"a":[1,{"deep":{"b":null}}],"big":12345678901234567890}', 'application/json'));
      add(2, bodyOf('a=1&b=%3Cb%3E', 'application/x-www-form-urlencoded'));
      add(3, bodyOf(png, 'text/html'));
      add(4, bodyOf(Buffer.from([0, 1, 2, 255]), 'application/octet-stream'));
      add(5, bodyOf('', 'text/plain', { size: 10_000_000_000, kept: 0, complete: false }));
      add(6, bodyOf('x'.repeat(500_000), 'text/plain', { size: 10_000_000_000, complete: false }));
    },
  },
  async (page) => {
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
  },
);

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
  assert.deepEqual(edited, {
    method: 'POST',
    url: 'http://localhost:3000/elsewhere',
    fields: [
      ['X-Mine', '1'],
      ['Cookie', 'session=•••'],
    ],
    body: Buffer.from('{"amount": 43}').toString('base64'),
  });
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

inspected(
  "a WebSocket's messages, and those that come",
  {
    prepare: (fake) => {
      fake.add(exchange(1, { websocket: true, tunnel: true, state: 'open', status: 101, messages: 1200, url: 'ws://localhost:3000/hmr' }));
      const message = (n) => ({
        n,
        at: new Date(n).toISOString(),
        from: n % 2 ? 'client' : 'server',
        kind: 'text',
        size: 14,
        kept: 14,
        data: Buffer.from(`{"number":${n}}`).toString('base64'),
        note: null,
      });
      fake.messages.set(
        'x-1',
        Array.from({ length: 1200 }, (_, i) => message(i + 1)),
      );
      fake.grow = () => {
        fake.messages
          .get('x-1')
          .push(
            { ...message(1201), kind: 'binary', data: 'AP8=', size: 900, kept: 2, note: 'compressed: decoded here' },
            { ...message(1202), kind: 'close', data: Buffer.from([3, 0xe9, 98, 121, 101]).toString('base64') },
          );
        fake.add(
          exchange(1, { websocket: true, tunnel: true, state: 'done', status: 101, messages: 1202, url: 'ws://localhost:3000/hmr' }),
        );
      };
    },
  },
  async (page, fake) => {
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
  },
);
