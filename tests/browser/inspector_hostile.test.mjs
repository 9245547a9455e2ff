// What others wrote is shown and does nothing, whichever field or body it is in: no script, no markup, no request, no violation of the page's
// policy, no text that hides.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { launch } from './lib/browser.mjs';
import { bodyOf, exchange, startFake } from './lib/inspector_fake.mjs';
import { openInspector } from './lib/inspector_page.mjs';
import { source, temporaryFolder } from './lib/process.mjs';

let browser;
before(async () => (browser = await launch()), { timeout: 60_000 });
after(() => browser?.close());

const kAttacks = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(2)>',
  "'><svg onload=alert(3)>",
  'javascript:alert(4)',
  '</title><script>alert(5)</script>',
  '{{alert(6)}}',
  '${alert(7)}',
  '<iframe src="https://evil.test/">',
  '<style>@import "https://evil.test/x.css"</style>',
  '<a href="javascript:alert(8)">x</a>',
  '\u001b]0;title\u0007\u001b[201~',
  '\u202egnp.exe',
  '\u0000\ud800',
  'url(https://evil.test/y)',
  '<base href="https://evil.test/">',
  '<form action="https://evil.test/"><button>',
  '__proto__',
  'constructor',
  '-->',
  ']]>',
  '<meta http-equiv=refresh content="0;url=https://evil.test/">',
];
const kLong = `/${'a'.repeat(32_000)}<img src=x onerror=alert(9)>`;

/** An exchange with the attack in all that a text can be. */
function attacked(seq, attack) {
  const one = exchange(seq);
  const head = {
    protocol: attack,
    line: attack,
    fields: [
      [attack, attack, 'changed'],
      ['set-cookie', attack, 'removed'],
      [attack, '', attack],
    ],
  };
  const sent = {
    protocol: attack,
    line: attack,
    fields: [
      [attack, `${attack}!`, 'changed'],
      [attack, attack, 'added'],
    ],
  };
  const body = bodyOf(attack, attack);
  return {
    ...one,
    url: `http://${attack}/${attack}?${attack}=${attack}#${seq}`,
    context: attack,
    method: attack,
    destination: attack,
    type: attack,
    downstream: attack,
    upstream: attack,
    error: attack,
    detail: attack,
    advice: attack,
    parent: attack,
    why: attack,
    websocket: true,
    messages: 2,
    request: { received: head, sent, body },
    response: { received: head, sent, body },
  };
}

/** Everything that is shown of what is selected: all tabs, and all forms in each. Answers the texts that were seen. */
const lookAtAll = (page) =>
  page.evaluate(async () => {
    const details = document.querySelector('.details');
    const drawn = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    const texts = [];
    for (const tab of details.querySelectorAll('[role=tab]')) {
      tab.click();
      await drawn();
      await drawn();  // a body comes by a promise
      details.querySelector('.message-list .row')?.dispatchEvent(new MouseEvent('mousedown', { bubbles: true }));
      for (const button of details.querySelectorAll('.panel .choice button')) {
        button.click();
        await drawn();
        texts.push(document.body.innerText);
      }
      texts.push(document.body.innerText);
    }
    return texts.join('\n');
  });

const hidden = (text) => /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/.test(text);

test('what an attack would do is noticed', { timeout: 60_000 }, async () => {
  const fake = await startFake();
  const attacks = {
    'script-src': () => document.body.append(Object.assign(document.createElement('script'), { textContent: 'alert(1)' })),
    'img-src': () => document.body.append(Object.assign(new Image(), { src: 'https://evil.test/x.png' })),
    'style-src': () => document.body.setAttribute('style', 'color: red'),
    uncaught: () =>
      setTimeout(() => {
        throw new Error('x');
      }),
  };
  for (const [sign, attack] of Object.entries(attacks)) {
    const page = await openInspector(browser, fake.url);
    await page.evaluate(attack);
    await page.evaluate(() => new Promise((done) => setTimeout(done)));
    await assert.rejects(page.isSound(), ({ actual }) => actual.some((line) => line.includes(sign)), sign);
    await page.context().close();
  }
  await fake.close();
});

test('in every field', { timeout: 120_000 }, async () => {
  const fake = await startFake();
  kAttacks.forEach((attack, i) => fake.add(attacked(i + 1, attack)));
  fake.add(
    exchange(100, {
      url: `http://localhost:3000${kLong}`,
      request: {
        ...exchange(100).request,
        received: { protocol: 'h2', line: kLong, fields: Array.from({ length: 5000 }, (_, i) => [`x-${i}`, kLong.slice(-200), null]) },
      },
    }),
  );
  for (let i = 1; i <= kAttacks.length; ++i) {
    const data = Buffer.from(kAttacks[i - 1]).toString('base64');
    fake.messages.set(
      exchange(i).id,
      ['client', 'server'].map((from, n) => ({
        n: n + 1,
        at: kAttacks[i - 1],
        from,
        kind: kAttacks[i - 1],
        size: 9,
        kept: 9,
        data,
        note: kAttacks[i - 1],
      })),
    );
  }
  const page = await openInspector(browser, fake.url);
  await page.shows(kAttacks.length + 1);
  await page.keyboard.press('Home');
  for (let i = 0; i < kAttacks.length; ++i) {
    await page.locator('.details .toolbar').waitFor();
    const seen = await lookAtAll(page);
    assert.ok(!hidden(seen), JSON.stringify(kAttacks[i]));
    if (kAttacks[i].startsWith('<')) assert.ok(seen.includes(kAttacks[i]), 'it is shown as what it is');
    await page.keyboard.press('j');
    await page.waitForFunction(
      (index) => document.querySelector('.list .row[aria-selected=true]')?.getAttribute('aria-rowindex') === String(index),
      i + 3,
    );
  }
  assert.ok((await lookAtAll(page)).includes('4500 more fields'));
  for (const tag of [
    'script:not([src])',
    'iframe',
    'style',
    'base',
    'form',
    'meta[http-equiv]',
    'img[onerror]',
    'svg:not(.plot svg)',
    '[onload]',
    'a[href^=javascript]',
  ])
    assert.equal(await page.locator(tag).count(), 0, tag);
  assert.equal(await page.title(), 'cmuxproxy inspector');
  await page.isSound();
  await page.context().close();
  await fake.close();
});

const kDocument =
  '<!doctype html><html><head><script>alert(1)</script><link rel=stylesheet href="https://evil.test/a.css"></head><body onload="alert(2)"><img src="https://evil.test/b.png" onerror="alert(3)"></body></html>';
const kSvg =
  '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(4)"><script>alert(5)</script><image href="https://evil.test/c.png"/></svg>';
const kBodies = {
  html: [kDocument, 'text/html'],
  'svg as what it is': [kSvg, 'image/svg+xml'],
  'svg as a png': [kSvg, 'image/png'],
  'html as an image': [kDocument, 'image/png'],
  'a png with html behind': [Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), Buffer.from(kDocument)]), 'text/html'],
  'json of markup': [
    JSON.stringify({
      [kDocument]: [
        kSvg,
        {
          __proto__: 1,
          constructor: kDocument,
          type: 'script',
          props: { dangerouslySetInnerHTML: { __html: kDocument } },
          ref: null,
          key: null,
        },
      ],
    }),
    'application/json',
  ],
  'deep json': ['['.repeat(50_000) + ']'.repeat(50_000), 'application/json'],
  'wide json': [JSON.stringify(Array.from({ length: 100_000 }, (_, i) => i)), 'application/json'],
  'a form': [`a=${encodeURIComponent(kDocument)}&${encodeURIComponent(kSvg)}=1`, 'application/x-www-form-urlencoded'],
  'no utf-8': [Buffer.from([0xff, 0xfe, 0x3c, 0x62, 0x3e]), 'text/html; charset=nonsense"><script>'],
  'utf-7': ['+ADw-script+AD4-alert(1)+ADw-/script+AD4-', 'text/html; charset=utf-7'],
  'escapes of a terminal': ['\u001b[2J\u001b]52;c;ZXZpbA==\u0007\u202e', 'text/plain'],
  'a line without end': ['x'.repeat(900_000), 'text/plain'],
  'broken base64': [Buffer.from('x'), 'text/plain', { data: '!!!not base64!!!' }],
};

test('in every kind of body', { timeout: 120_000 }, async () => {
  const fake = await startFake();
  Object.entries(kBodies).forEach(([name, [content, type, more]], i) => {
    const body = bodyOf(content, type, more);
    fake.add(
      exchange(i + 1, {
        url: `http://localhost:3000/${name}`,
        request: { ...exchange(1).request, body },
        response: { ...exchange(1).response, body },
      }),
    );
  });
  const page = await openInspector(browser, fake.url);
  await page.shows(Object.keys(kBodies).length);
  for (const name of Object.keys(kBodies)) {
    await page.row(`/${name}`).click();
    await page.locator('.details h2', { hasText: name }).waitFor();
    const seen = await lookAtAll(page);
    const svg = await page.locator('.details .body[data-form=image] img[src^="blob:"]').count();
    if (name.includes('svg') || name === 'html as an image') assert.equal(svg, 0, name);
    assert.ok(!hidden(seen), name);
  }
  for (const tag of ['.details script', '.details iframe', '.details link', '.details svg', '.details object', '.details embed'])
    assert.equal(await page.locator(tag).count(), 0, tag);
  await page.isSound();
  await page.context().close();
  await fake.close();
});

test('in a HAR file', { timeout: 60_000 }, async () => {
  const fake = await startFake();
  const page = await openInspector(browser, fake.url);
  const entries = kAttacks.map((attack) => ({
    startedDateTime: attack,
    time: attack,
    _id: attack,
    _context: attack,
    _destination: attack,
    _webSocketMessages: [{ type: attack, time: attack, opcode: attack, data: attack }],
    request: {
      method: attack,
      url: attack,
      headers: [{ name: attack, value: attack }],
      httpVersion: attack,
      postData: { text: attack, mimeType: attack },
    },
    response: {
      status: 200,
      statusText: attack,
      headers: [{ name: attack, value: attack }],
      httpVersion: attack,
      content: { text: attack, mimeType: attack },
    },
    timings: attack,
    serverIPAddress: attack,
  }));
  const path = join(temporaryFolder(), `<img src=x onerror=alert(1)>.har`);
  writeFileSync(path, JSON.stringify({ log: { entries } }));
  await page.locator('input[type=file]').setInputFiles(path);
  await page.shows(kAttacks.length);
  await page.keyboard.press('Home');
  for (let i = 0; i < kAttacks.length; ++i) {
    await page.locator('.details .toolbar').waitFor();
    await lookAtAll(page);
    await page.keyboard.press('j');
  }
  await page.isSound();
  await page.context().close();
  await fake.close();
});

test('the page has no way to make markup or code of a text', () => {
  const folder = join(source, 'web/inspector');
  for (const name of readdirSync(folder).filter((name) => name.endsWith('.js'))) {
    assert.doesNotMatch(
      readFileSync(join(folder, name), 'utf8'),
      /innerHTML|outerHTML|insertAdjacentHTML|dangerouslySet|document\.write|\beval\b|new Function|DOMParser|srcdoc|createContextualFragment/,
      name,
    );
  }
  assert.doesNotMatch(readFileSync(join(folder, 'index.html'), 'utf8'), /<script(?! type="module" src)|<style|\son\w+=|style=/);
});
