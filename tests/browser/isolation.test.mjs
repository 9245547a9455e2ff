// Two views with two routes look at the same URL at the same time, and never see anything of each other.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openPage, view } from './lib/browser.mjs';
import { startWorld } from './lib/world.mjs';

const kHome = 'http://localhost:3000/';
const kMany = 20;
const ids = ['alpha', 'beta'];
let world;
const hits = {}; // What the workspaces served of the page that may be cached.

function serve(workspace, id) {
  hits[id] = 0;
  const request = (request, response) => {
    const path = request.url.split('?')[0];
    if (path === '/cached') {
      hits[id] += 1;
      return response.writeHead(200, { 'cache-control': 'max-age=3600' }).end(`cached by ${id}`);
    }
    if (path === '/who') return response.writeHead(200).end(`${id}, ${request.headers.cookie}`);
    return response.writeHead(200, { 'content-type': 'text/html', 'set-cookie': `who=${id}; Max-Age=3600` })
      .end(`<link rel="icon" href="data:,"><title>${id}</title>`);
  };
  const socket = (ws, request) => ws.on('message', (data) => ws.send(`${id}, ${request.headers.cookie}: ${data}`));
  workspace.serve(id, 3000, { request, socket });
}

/** Everything that could be mixed up, many times at once. Answers what the page got. */
async function look(page) {
  await page.goto(kHome);
  return page.evaluate(async (many) => {
    const socket = new WebSocket('ws://localhost:3000/');
    await new Promise((done, fail) => Object.assign(socket, { onopen: done, onerror: fail }));
    const heard = [];
    const all = new Promise((done) => (socket.onmessage = ({ data }) => heard.push(data) === many && done()));
    const numbers = [...Array(many).keys()];
    for (const number of numbers) socket.send(number);
    const texts = await Promise.all(numbers.map((number) => fetch(`/who?${number}`).then((r) => r.text())));
    await all;
    socket.close();
    const cached = [];
    for (let i = 0; i < 3; ++i) cached.push(await fetch('/cached').then((r) => r.text()));
    localStorage.setItem(document.title, 'was here');
    return { title: document.title, heard, texts, cached, cookie: document.cookie, stored: Object.keys(localStorage) };
  }, kMany);
}

before(async () => {
  world = await startWorld();
  for (const id of ids) serve(world.workspace, id);
}, { timeout: 60_000 });
after(() => world?.close());

for (const [by, flags] of [['credentials', []], ['ports of their own', ['--dedicated-port']]]) {
  test(`two views by ${by} see two workspaces at one URL`, { timeout: 60_000 }, async () => {
    const before = { ...hits };
    const views = await Promise.all(ids.map(async (id) => view(world.browser, await world.proxy.context(id, ...flags))));
    const pages = await Promise.all(views.map((each) => openPage(each)));
    for (let round = 0; round < 3; ++round) {
      const got = await Promise.all(pages.map(look));
      ids.forEach((id, i) => {
        assert.deepEqual(got[i], {
          title: id,
          heard: [...Array(kMany).keys()].map((number) => `${id}, who=${id}: ${number}`),
          texts: Array(kMany).fill(`${id}, who=${id}`),
          cached: Array(3).fill(`cached by ${id}`),
          cookie: `who=${id}`,
          stored: [id],
        });
      });
    }
    // With credentials the driver turns the cache off.
    if (flags.length > 0)
      for (const id of ids) assert.equal(hits[id] - before[id], 1, 'the cache was used, and each view has its own');
    for (const each of views) await each.close();
  });
}
