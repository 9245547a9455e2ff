// The inspector's page by axe-core's rules (WCAG 2, A and AA, and good practice): names, roles, contrast, order, in light and dark, in each of
// its states.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { launch } from './lib/browser.mjs';
import { startFake } from './lib/inspector_fake.mjs';
import { openInspector } from './lib/inspector_page.mjs';
import { setScene } from './lib/inspector_scene.mjs';

const kAxe = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
let browser;
before(async () => (browser = await launch()), { timeout: 60_000 });
after(() => browser?.close());

for (const colorScheme of ['light', 'dark']) {
  test(`is accessible where it is ${colorScheme}`, { timeout: 120_000 }, async () => {
    const fake = await startFake();
    setScene(fake);
    const page = await openInspector(browser, fake.url, { colorScheme, bypassCSP: true });  // axe is a script of others
    await page.shows(fake.exchanges.length);
    await page.addScriptTag({ path: kAxe });
    const isGood = async (state) => {
      const { violations } = await page.evaluate(() => window.axe.run());
      const found = violations.map(
        ({ id, help, nodes }) =>
          `${id}: ${help}: ${nodes
            .map(({ target, any }) => `${target.join(' ')} ${any[0]?.message ?? ''}`)
            .slice(0, 3)
            .join('; ')}`,
      );
      assert.deepEqual(found, [], state);
    };
    await isGood('the list');
    await page.row('localhost:5173').click();
    await page.locator('.details .trouble').waitFor();
    await isGood('an error');
    await page.row('/api/orders').click();
    for (const [name, mark] of [
      ['Request', '.fields'],
      ['Response', '.body, .note'],
    ]) {
      await page.tab(name);
      await page.locator('.details .panel').locator(mark).first().waitFor();
      await isGood(name);
    }
    await page.row('ws://').click();
    await page.tab('Messages');
    await page.locator('.message-list .row').first().click();
    await page.locator('.message .body').waitFor();
    await isGood('messages');
    await page.row('POST').click();
    await page.locator('.details h2', { hasText: 'POST' }).waitFor();
    await page.locator('.details').getByRole('button', { name: 'Edit' }).click();
    await page.getByRole('dialog').getByLabel('Fields').waitFor();
    await isGood('the editor');
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.getByRole('button', { name: 'Help' }).click();
    await page.getByText('through the list').waitFor();
    await isGood('help');
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Contexts' }).click();
    await page.getByRole('table').waitFor();
    await isGood('contexts');
    await page.getByRole('button', { name: 'Plots' }).click();
    await page.locator('.chart').last().waitFor();
    await isGood('plots');
    await page.context().close();
    await fake.close();
  });
}
