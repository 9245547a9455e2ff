// What the page weighs, and that 50,000 exchanges cost it no more elements than 50. bench/inspector.mjs measures the times.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { launch } from './lib/browser.mjs';
import { exchange, startFake } from './lib/inspector_fake.mjs';
import { openInspector } from './lib/inspector_page.mjs';
import { source } from './lib/process.mjs';

const kPage = join(source, 'web/inspector');
const weightOf = (names) => names.reduce((sum, name) => sum + gzipSync(readFileSync(join(kPage, name)), { level: 9 }).length, 0);

let browser;
before(async () => (browser = await launch()), { timeout: 60_000 });
after(() => browser?.close());

test('it weighs less than 60 KB', { timeout: 60_000 }, async () => {
  const fake = await startFake({ count: 3 });
  const page = await openInspector(browser, fake.url);
  await page.shows(3);
  await page.row('/').click();
  await page.locator('.details .toolbar').waitFor();
  const asked = fake.asked
    .filter((line) => line.startsWith('GET /inspector/'))
    .map((line) => line.slice('GET /inspector/'.length) || 'index.html');
  assert.equal(new Set(asked).size, asked.length, 'each file once');
  const weight = weightOf(asked);
  assert.ok(weight < 60_000, `${weight} bytes`);
  assert.ok(
    !asked.some((name) => /^(compare|contexts|diff|edit|help|plots|chart|har|messages)/.test(name)),
    'what is seldom wanted comes when it is',
  );
  await page.context().close();
  await fake.close();
});

test('each file that modules and the document name is there, and none that nobody names', () => {
  const named = new Set(['index.html', 'icon.svg']);
  const all = readdirSync(kPage, { recursive: true })
    .filter((name) => /\.(js|css|html|svg)$/.test(name))
    .map((name) => name.replaceAll('\\', '/'));
  for (const name of all.filter((one) => /\.(js|html)$/.test(one))) {
    const text = readFileSync(join(kPage, name), 'utf8');
    const folder = name.includes('/') ? name.replace(/[^/]*$/, '') : '';
    for (const [, target] of text.matchAll(/(?:from ?|import\(|URL\()['"]\.\/([^'"]+)['"]/g)) named.add(folder + target);
    for (const [, target] of text.matchAll(/(?:href|src)="([\w./-]+)"/g)) named.add(target);
  }
  assert.deepEqual([...all].sort(), [...named].filter((name) => !name.endsWith('.txt')).sort());
});

test('of 50,000 exchanges it holds the rows that are seen', { timeout: 240_000 }, async () => {
  const fake = await startFake({ count: 50_000 });
  const page = await openInspector(browser, fake.url);
  page.setDefaultTimeout(100_000);
  await page.shows(50_000);
  const elements = () => page.evaluate(() => document.querySelectorAll('*').length);
  assert.ok((await page.rows().count()) < 60);
  assert.ok((await elements()) < 1000, `${await elements()} elements`);
  // From the end, where it follows, to any place.
  await page.row(exchange(50_000).url.slice('http://'.length)).waitFor();
  const grid = page.getByRole('grid', { name: 'Exchanges' });
  for (const part of [0, 0.31, 0.77, 1]) {
    await grid.evaluate((element, part) => (element.scrollTop = part * element.scrollHeight), part);
    await page.waitForFunction((part) => {
      const index = [...document.querySelectorAll('.list .row')].map((row) => +row.getAttribute('aria-rowindex'));
      return index.some((one) => Math.abs(one - part * 50_000) < 60);
    }, part);
    assert.ok((await elements()) < 1000);
  }
  await page.filterBy('is:failed');
  await page.shows(1219);
  await page.filterBy('id:x-61a8');
  await page.shows(1);
  await page.filterBy('');
  await page.shows(50_000);
  // Who looks at one stays with it, also when the oldest ones go.
  await grid.evaluate((element) => (element.scrollTop = 26 * 25_000));
  const seen = () =>
    grid.evaluate((element) => {
      const { top } = element.getBoundingClientRect();
      return [...element.querySelectorAll('.row')].find((row) => row.getBoundingClientRect().top > top + 40).querySelector('.c-time')
        .textContent;
    });
  await page.waitForFunction(() =>
    [...document.querySelectorAll('.list .row')].some((row) => row.getAttribute('aria-rowindex') === '25010'),
  );
  const before = await seen();
  fake.say('dropped', { first: 10_001 });
  await page.shows(40_000);
  await page.waitForFunction(() =>
    [...document.querySelectorAll('.list .row')].some((row) => row.getAttribute('aria-rowindex') === '15010'),
  );
  assert.equal(await seen(), before);
  await page.isSound();
  await page.context().close();
  await fake.close();
});
