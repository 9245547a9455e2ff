// inspector.mjs [EXCHANGES]: what the inspector's page costs a browser with many exchanges (50,000): when it is painted first, its weight, and the
// longest task of its main thread, by the thread's own clock, while it loads, scrolls, filters, sorts, and while exchanges come. A busy machine
// makes no difference to that clock but through its caches; the paint is wall time, and the least of five: from the page's navigation, and, with
// a release build, from the start of `cmuxproxy inspect`, which opens it in a browser that runs.
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, createReadStream, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { launch } from '../tests/browser/lib/browser.mjs';
import { exchange, startFake } from '../tests/browser/lib/inspector_fake.mjs';
import { source, temporaryFolder } from '../tests/browser/lib/process.mjs';
import { program, startProxy } from '../tests/browser/lib/proxy.mjs';

const count = Number(process.argv[2] ?? 50_000);
const browser = await launch();
const viewport = { width: 1360, height: 820 };

async function paints() {
  const fake = await startFake({ count: 100 });
  const times = [];
  let asked = [];
  for (let i = 0; i < 5; ++i) {
    fake.asked.length = 0;
    const context = await browser.newContext({ viewport });
    const page = await context.newPage();
    await page.goto(fake.url);
    await page.locator('.list .row').first().waitFor();
    times.push(await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0].startTime));
    asked = fake.asked
      .filter((line) => line.startsWith('GET /inspector/'))
      .map((line) => line.slice('GET /inspector/'.length) || 'index.html');
    await context.close();
  }
  await fake.close();
  const weight = asked.reduce((sum, name) => sum + gzipSync(readFileSync(join(source, 'web/inspector', name)), { level: 9 }).length, 0);
  console.log(`first paint ${Math.round(Math.min(...times))} ms, ${asked.length} files, ${(weight / 1000).toFixed(1)} kB compressed`);
}

/** From the start of the command to the first paint; the opener hands the page to a browser that runs already, as xdg-open does. */
async function opens() {
  const proxy = await startProxy();
  const folder = temporaryFolder();
  const pipe = join(folder, 'opened');
  execFileSync('mkfifo', [pipe]);
  writeFileSync(join(folder, 'xdg-open'), `#!/bin/sh\necho "$1" > ${pipe}\n`);
  chmodSync(join(folder, 'xdg-open'), 0o755);
  const times = [];
  for (let i = 0; i < 5; ++i) {
    const context = await browser.newContext({ viewport });
    const page = await context.newPage();
    const opened = createReadStream(pipe).setEncoding('utf8');
    const start = performance.timeOrigin + performance.now();
    const child = spawn(program, ['inspect'], { env: { ...process.env, ...proxy.env, PATH: `${folder}:${process.env.PATH}` }, stdio: 'ignore' });
    const [path] = await opened.take(1).toArray();
    const called = performance.timeOrigin + performance.now();
    await page.goto(`file://${path.trim()}`);
    await page.waitForURL('**/inspector/*');
    await page.locator('.list').waitFor();
    const painted = await page.evaluate(() => performance.timeOrigin + performance.getEntriesByName('first-contentful-paint')[0].startTime);
    times.push({ browser: called - start, painted: painted - start });
    await new Promise((done) => (child.exitCode === null ? child.once('exit', done) : done()));
    await context.close();
  }
  await proxy.stop();
  const best = times.sort((a, b) => a.painted - b.painted)[0];
  console.log(`first paint ${Math.round(best.painted)} ms after the start of \`cmuxproxy inspect\`, of these ${Math.round(best.browser)} until the browser is called`);
}

const fake = await startFake({ count });
const page = await (await browser.newContext({ viewport })).newPage();
page.setDefaultTimeout(120_000);

/** The longest tasks of the page's main thread meanwhile. */
async function traced(what, run) {
  await browser.startTracing(page, { categories: ['toplevel', 'devtools.timeline'] });
  await run();
  const { traceEvents } = JSON.parse((await browser.stopTracing()).toString());
  const place = ({ pid, tid }) => `${pid}:${tid}`;
  const mains = new Set(traceEvents.filter(({ name, args }) => name === 'thread_name' && args.name === 'CrRendererMain').map(place));
  const tasks = traceEvents
    .filter((event) => event.name.endsWith('RunTask') && event.tdur > 0 && mains.has(place(event)))
    .map(({ tdur }) => tdur / 1000)
    .sort((a, b) => b - a);
  const over = tasks.filter((ms) => ms > 50).length;
  console.log(
    `${what.padEnd(22)} longest ${tasks
      .slice(0, 3)
      .map((ms) => ms.toFixed(1))
      .join(', ')} ms; over 50 ms: ${over} of ${tasks.length}`,
  );
}

const shows = (text) => page.waitForFunction((text) => document.querySelector('.figures span')?.textContent.startsWith(text), text);
const scroll = (step, times) =>
  page.evaluate(
    async ([step, times]) => {
      const grid = document.querySelector('.list .grid');
      grid.scrollTop = 0;
      for (let i = 0; i < times; ++i) {
        await new Promise(requestAnimationFrame);
        grid.scrollTop += step;
      }
    },
    [step, times],
  );

await paints();
await opens();
await traced('load', async () => {
  await page.goto(fake.url);
  await shows(`${count.toLocaleString('en-US')} `);
});
await traced('scroll, as by a wheel', () => scroll(120, 300));
await traced('scroll, by pages', () => scroll(700, 200));
await traced('scroll, by the bar', () => scroll(6000, 200));
await traced('filter', async () => {
  await page.fill('[role=combobox]', 'api slower:100ms');
  await page.waitForFunction(() => document.querySelector('.figures span').textContent.includes(' of '));
});
await traced('filter off', async () => {
  await page.fill('[role=combobox]', '');
  await shows(`${count.toLocaleString('en-US')} `);
});
for (const name of ['Duration', 'URL', 'Time']) {
  await traced(`sort by ${name}`, async () => {
    await page.click(`.head button:has-text("${name}")`);
    await page.locator(`[role=columnheader]:not([aria-sort=none])`, { hasText: name }).waitFor();
  });
}
await page.focus('.list .grid');
await traced('2,000 more a second', async () => {
  for (let i = 0; i < 40; ++i) {
    fake.add(...Array.from({ length: 100 }, (_, j) => exchange(count + 1 + i * 100 + j)));
    await new Promise((done) => setTimeout(done, 50));
  }
  await shows(`${(count + 4000).toLocaleString('en-US')} `);
});
await browser.close();
await fake.close();
