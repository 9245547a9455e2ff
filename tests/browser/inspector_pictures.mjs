// inspector_pictures.mjs [FOLDER]: makes the pictures of docs/inspector.md, from a scene of its own, with Chromium. Without FOLDER, where they belong.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { launch } from './lib/browser.mjs';
import { startFake } from './lib/inspector_fake.mjs';
import { openInspector } from './lib/inspector_page.mjs';
import { setScene } from './lib/inspector_scene.mjs';
import { source } from './lib/process.mjs';

const folder = process.argv[2] ?? join(source, 'docs/inspector');
mkdirSync(folder, { recursive: true });
const fake = await startFake();
const ids = setScene(fake);
const browser = await launch();

const kWide = { width: 1240, height: 640 };

/** One picture: `prepare` brings the page into the state that it shows. */
async function picture(name, prepare, { viewport = kWide, colorScheme = 'light' } = {}) {
  const page = await openInspector(browser, fake.url, { viewport, colorScheme, timezoneId: 'UTC', locale: 'en-GB' });
  await page.shows(fake.exchanges.length);
  await prepare(page);
  await page.evaluate(() => document.fonts.ready);
  await page.mouse.move(0, 0);
  await page.screenshot({ path: join(folder, `${name}.png`), animations: 'disabled', caret: 'hide' });
  await page.isSound();
  await page.context().close();
}

const open = (id, tab) => async (page) => {
  await page.filterBy(`id:${id}`);
  await page.shows(1);
  await page.rows().first().click();
  await page.locator('.details .toolbar').waitFor();
  await page.filterBy('');
  await page.keyboard.press('Escape');  // what is offered
  await page.keyboard.press('Escape');  // the field
  await page.shows(fake.exchanges.length);
  if (tab) await page.tab(tab);
};

await picture('list', async () => {});
await picture('filter', async (page) => {
  await page.keyboard.press('/');
  await page.keyboard.type('-type:image status:');
  await page.getByRole('option').first().waitFor();
});
await picture('overview-dark', open(ids.failed), { colorScheme: 'dark', viewport: { ...kWide, height: 760 } });
await picture('response', open(ids.post, 'Response'), { viewport: { ...kWide, height: 760 } });
await picture('messages', async (page) => {
  await open(ids.socket, 'Messages')(page);
  await page.locator('.message-list .row').nth(4).click();
  await page.locator('.message .json').waitFor();
});
await picture('compare', async (page) => {
  await page.filterBy('url:/api/invoices');
  await page.shows(2);
  await page.rows().nth(0).click();
  await page.locator('.details .toolbar').waitFor();
  await page.keyboard.press('d');
  await page.rows().nth(1).click();
  await page.locator('.details h2', { hasText: '/api/invoices' }).waitFor();
  await page.keyboard.press('d');
  await page.getByRole('dialog').getByText('Response body').waitFor();
  await page.locator('.notice').waitFor({ state: 'detached' });
});
await picture('plots', async (page) => {
  await page.getByRole('button', { name: 'Plots' }).click();
  await page.locator('.chart').last().waitFor();
});
await picture('narrow', open(ids.post, 'Overview'), { viewport: { width: 400, height: 780 }, colorScheme: 'dark' });

await browser.close();
await fake.close();
