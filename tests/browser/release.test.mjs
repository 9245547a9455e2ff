// A context is released while a page of it is open, beside the page of another.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openPage, view } from './lib/browser.mjs';
import { gate, startWorld } from './lib/world.mjs';

let world;
const finish = gate(); // Opens the end of the responses that are under way.

before(async () => {
  world = await startWorld();
  for (const id of ['alpha', 'beta']) {
    const request = async (request, response) => {
      response.writeHead(200, { 'content-type': request.url === '/events' ? 'text/event-stream' : 'text/html' });
      if (request.url === '/events') return response.write('data: hello\n\n');
      if (request.url === '/long') {
        response.write('begin ');
        await finish.opened;
      }
      return response.end(`<link rel="icon" href="data:,"><p>${id}`);
    };
    world.workspace.serve(id, 3000, { request, socket: (ws) => ws.on('message', (data) => ws.send(String(data))) });
  }
}, { timeout: 60_000 });
after(() => world?.close());

/** Opens a socket, an event stream and a download that stay open, and tells their ends in window.ends. */
async function occupy(page) {
  await page.goto('http://localhost:3000/');
  await page.evaluate(async () => {
    window.ends = {};
    const socket = (window.socket = new WebSocket('ws://localhost:3000/'));
    await new Promise((done, fail) => Object.assign(socket, { onopen: done, onerror: fail }));
    socket.onclose = ({ code }) => (ends.socket = code);
    const events = new EventSource('/events');
    await new Promise((done) => (events.onmessage = done));
    events.onerror = () => {
      events.close();
      ends.events = 'error';
    };
    const response = await fetch('/long');
    response.text().then((text) => (ends.long = text), () => (ends.long = 'error'));
  });
}

const say = (page, text) => page.evaluate((text) => new Promise((done) => {
  socket.onmessage = ({ data }) => done(data);
  socket.send(text);
}), text);

test('what is open ends, what comes next gets 407, and another view goes on', { timeout: 60_000 }, async () => {
  const contexts = [await world.proxy.context('alpha'), await world.proxy.context('beta')];
  const [alpha, beta] = await Promise.all(contexts.map(async (context) => openPage(await view(world.browser, context))));
  await Promise.all([occupy(alpha), occupy(beta)]);
  assert.equal(await say(alpha, 'hello'), 'hello');

  await world.proxy.release(contexts[0]);
  await alpha.waitForFunction(() => Object.keys(ends).length === 3);
  assert.deepEqual(await alpha.evaluate(() => ends), { socket: 1006, events: 'error', long: 'error' });
  assert.equal(await alpha.evaluate(() => fetch('/').then((r) => r.status)), 407);
  const answer = await alpha.goto('http://localhost:3000/');
  assert.equal(answer.status(), 407);
  assert.equal(await alpha.textContent('body'), 'Proxy Authentication Required');

  assert.equal(await say(beta, 'still here'), 'still here');
  finish.open();
  await beta.waitForFunction(() => ends.long);
  assert.deepEqual(await beta.evaluate(() => ends), { long: 'begin <link rel="icon" href="data:,"><p>beta' });
  assert.equal((await beta.goto('http://localhost:3000/')).status(), 200);
});

test('a port of its own closes with the context', { timeout: 60_000 }, async () => {
  const context = await world.proxy.context('alpha', '--dedicated-port');
  const page = await openPage(await view(world.browser, context));
  await page.goto('http://localhost:3000/');
  await world.proxy.release(context);
  await assert.rejects(page.goto('http://localhost:3000/'), /ERR_PROXY_CONNECTION_FAILED/);
});
