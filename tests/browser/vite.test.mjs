// A real Vite dev server in the workspace: what an edit does, what a restart does, and whom Vite lets in.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openPage, view } from './lib/browser.mjs';
import { said, shows, startProject } from './lib/vite_project.mjs';
import { startWorld } from './lib/world.mjs';

const kHome = 'http://localhost:3000/';
let world;

before(async () => {
  // The way through to Vite is written for HTTP/1.1.
  world = await startWorld({ h2: false });
}, { timeout: 60_000 });
after(() => world?.close());

const routes = [
  { name: "morph's host", id: 'alpha', flags: ['--morph-domain-suffix', '.http.cloud.morph.test'], allowed: [] },
  { name: 'a cmux proxy', id: 'gate', flags: ['--cmux-proxy-origin', 'https://gate.cmux.test'], allowed: [] },
  { name: 'its own host', id: 'alpha', flags: [], allowed: [] },
  { name: 'its own host, which Vite is told of', id: 'beta', flags: ['--host-override', 'off'], allowed: ['.cmux.test'] },
];
for (const { name, id, flags, allowed } of routes) {
  test(`edits and restarts reach the page, by ${name}`, { timeout: 60_000 }, async () => {
    const project = await startProject(...allowed);
    world.workspace.serve(id, 3000, project.app);
    const look = await view(world.browser, await world.proxy.context(id, '--dedicated-port', ...flags));
    const page = await openPage(look, kHome);
    await shows(page, 'as it was');
    await said(page, '[vite] connected.');

    await page.evaluate(() => (window.sameDocument = true));
    project.write('text.js', 'export const text = "edited";');
    await shows(page, 'edited');
    project.write('style.css', '#text { color: rgb(4, 5, 6) }');
    await page.waitForFunction(() => getComputedStyle(document.querySelector('#text')).color === 'rgb(4, 5, 6)');
    assert.ok(await page.evaluate(() => window.sameDocument), 'hot updates load no page');

    await project.vite.stop();
    await said(page, 'server connection lost');
    project.write('text.js', 'export const text = "after the restart";');
    page.said.length = 0;
    await project.start();
    await shows(page, 'after the restart');
    await said(page, '[vite] connected.');
    project.write('text.js', 'export const text = "edited again";');
    await shows(page, 'edited again');
    await look.close();
    await project.vite.stop();
  });
}

test("Vite's check of the Host is on, and its own words reach the page", { timeout: 60_000 }, async () => {
  const project = await startProject();
  world.workspace.serve('gamma', 3000, project.app);
  const look = await view(world.browser, await world.proxy.context('gamma', '--dedicated-port', '--host-override', 'off'));
  const page = await openPage(look);
  assert.equal((await page.goto(kHome)).status(), 403);
  assert.match(await page.textContent('body'), /Blocked request.*"cmux-gamma-base-3000\.cmux\.test".*not allowed/s);
  await look.close();
  await project.vite.stop();
});
