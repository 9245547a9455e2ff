// A real Vite dev server in the workspace: what an edit does, what a restart does, and whom Vite lets in.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, before, test } from 'node:test';
import { openPage, view } from './lib/browser.mjs';
import { startProgram, temporaryFolder } from './lib/process.mjs';
import { startWorld } from './lib/world.mjs';

const program = fileURLToPath(new URL('lib/vite_server.mjs', import.meta.url));
const kHome = 'http://localhost:3000/';
let world;

/** A project, its dev server, and what the workspace needs to pass requests on to it, with the Host that they have. */
async function startProject(...allowed) {
  const root = temporaryFolder();
  const write = (name, text) => writeFileSync(join(root, name), text);
  write('index.html', `<!doctype html><title>vite</title><link rel="icon" href="data:,"><p id="text"></p>
    <script type="module" src="/main.js"></script>`);
  write('main.js', `import './style.css';
    import { text } from './text.js';
    const show = (text) => (document.querySelector('#text').textContent = text);
    show(text);
    import.meta.hot.accept('./text.js', (module) => show(module.text));`);
  write('text.js', 'export const text = "as it was";');
  write('style.css', '#text { color: rgb(1, 2, 3) }');

  const start = () => startProgram(process.execPath, [program, root, ...allowed]);
  const project = { write, vite: await start() };
  const to = () => ({ host: '127.0.0.1', port: project.vite.ready.port });
  project.app = {
    request(request, response) {
      const { method, url: path, headers } = request;
      const onward = http.request({ ...to(), method, path, headers }, (answer) => {
        response.writeHead(answer.statusCode, answer.headers);
        answer.pipe(response);
      });
      onward.on('error', () => response.headersSent ? response.destroy() : response.writeHead(502).end('the dev server is down'));
      request.pipe(onward);
    },
    upgrade(request, socket, head) {
      const onward = net.connect(to(), () => {
        const lines = [`${request.method} ${request.url} HTTP/1.1`];
        for (const [name, value] of Object.entries(request.headers)) lines.push(`${name}: ${value}`);
        onward.write(`${lines.join('\r\n')}\r\n\r\n`);
        onward.write(head);
        socket.pipe(onward).pipe(socket);
      });
      onward.on('error', () => socket.destroy()).on('close', () => socket.destroy());
      socket.on('error', () => onward.destroy()).on('close', () => onward.destroy());
    },
  };
  project.start = async () => {
    project.vite = await start();
  };
  return project;
}

/** Waits until the page's console has said it. */
async function said(page, text) {
  if (page.said.some((line) => line.includes(text))) return;
  await page.waitForEvent('console', (message) => message.text().includes(text));
}
const shows = (page, text) => page.waitForFunction((text) => document.querySelector('#text')?.textContent === text, text);

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
