// The inspector's page in the browser, and what tests ask of it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch, openPage } from './browser.mjs';
import { startFake } from './inspector_fake.mjs';

/**
 * A page at `url`. `page.wrong` gathers what must not be: violations of its policy, errors, dialogs, other pages, requests to elsewhere.
 */
export async function openInspector(browser, url, { viewport = { width: 1360, height: 820 }, ...options } = {}) {
  const context = await browser.newContext({
    viewport,
    acceptDownloads: true,
    permissions: ['clipboard-read', 'clipboard-write'],
    ...options,
  });
  await context.addInitScript(() => {
    window.violations = [];
    document.addEventListener('securitypolicyviolation', (event) =>
      window.violations.push(`${event.effectiveDirective} ${event.blockedURI} ${event.sample}`),
    );
  });
  const page = await openPage(context);
  page.wrong = [];
  const own = new URL(url).origin;
  context.on('request', (request) => {
    if (!request.url().startsWith(own) && !/^(blob|data):/.test(request.url())) page.wrong.push(`asked for ${request.url()}`);
  });
  context.on('page', (other) => other !== page && page.wrong.push('another page'));
  page.on('dialog', (dialog) => {
    page.wrong.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  await page.goto(url);

  page.rows = () => page.locator('.list .row');
  page.row = (text) => page.locator('.list .row', { hasText: text }).first();
  page.figures = () => page.locator('.figures');
  page.tab = (name) => page.locator('.details').getByRole('tab', { name }).click();
  page.filterBy = (text) => page.getByRole('combobox', { name: 'Filter' }).fill(text);
  /** Waits until the list shows so many. */
  page.shows = (count) =>
    page.waitForFunction(
      (text) => document.querySelector('.figures span')?.textContent.startsWith(text),
      `${count.toLocaleString('en-US')} `,
    );
  /** What a row's cells say, by their columns. */
  page.cellsOf = (row) =>
    row.evaluate((element) =>
      Object.fromEntries(
        [...element.querySelectorAll('[role=gridcell]')].map((cell) => [cell.className.slice(2), cell.textContent.trim()]),
      ),
    );
  /** The page has done nothing that it must not. */
  page.isSound = async () => {
    page.wrong.push(
      ...(await page.evaluate(() => window.violations)),
      ...page.said.filter((line) => /uncaught|error|Refused|violat/i.test(line)),
    );
    assert.deepEqual(page.wrong, []);
  };
  return page;
}

/** Tests with a stand-in of the API each, and a page on it, which must be sound at its end; the browser is one for all. */
export function inspecting() {
  let browser;
  before(async () => (browser = await launch()), { timeout: 60_000 });
  after(() => browser?.close());
  return (name, options, run) =>
    test(name, { timeout: 60_000 }, async () => {
      const fake = await startFake(options);
      options.prepare?.(fake);
      const page = await openInspector(browser, `${fake.url}${options.fragment ?? ''}`, options.browser);
      try {
        await page.locator('.list .grid').waitFor();
        await run(page, fake);
        await page.isSound();
      } finally {
        await page.context().close();
        await fake.close();
      }
    });
}
