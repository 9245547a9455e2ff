// node ws-client.mjs PROXY-URL all WS-ORIGIN: one WebSocket after the other, each through CONNECT, each for one property.
// node ws-client.mjs PROXY-URL many WS-URL COUNT: that many at once.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import WebSocket from 'ws';
import { ConnectAgent } from './connect-agent.mjs';

const [proxy, mode, url, count] = process.argv.slice(2);
const limit = setTimeout(() => {
  console.error('ws-client: not done in 50 seconds');
  process.exit(1);
}, 50_000);

const open = async (path, protocols, options) => {
  const socket = new WebSocket(path, protocols, { agent: new ConnectAgent(proxy), ...options });
  await once(socket, 'open');
  return socket;
};
const echo = async (socket, message) => {
  socket.send(message);
  const [data, isBinary] = await once(socket, 'message');
  return isBinary ? data : data.toString();
};
const close = async (socket, code, reason) => {
  socket.close(code, reason);
  return once(socket, 'close');
};

const tests = {
  async subprotocol() {
    const socket = await open(`${url}/ws`, ['chosen', 'other'], { perMessageDeflate: false });
    assert.equal(socket.protocol, 'chosen');
    assert.equal(await echo(socket, 'grüße'), 'grüße');
    await close(socket, 1000);
  },
  async deflate() {
    const socket = await open(`${url}/ws?deflate`, [], { perMessageDeflate: { threshold: 0 } });
    assert.equal(socket.extensions, 'permessage-deflate');
    for (const text of ['again and again and again', 'x'.repeat(100_000)]) assert.equal(await echo(socket, text), text);
    await close(socket, 1000);
  },
  async big() {
    const socket = await open(`${url}/ws`, [], { perMessageDeflate: false });
    for (const size of [0, 125, 126, 65_535, 65_536, 5_000_000]) {
      const bytes = randomBytes(size);
      assert.ok(bytes.equals(await echo(socket, bytes)), `${size} bytes`);
    }
    await close(socket, 1000);
  },
  async close() {
    const socket = await open(`${url}/ws`);
    const [code, reason] = await close(socket, 4321, 'because');
    assert.equal(code, 4321);
    assert.equal(reason.toString(), 'because');
    const other = new WebSocket(`${url}/ws?close=1012`, { agent: new ConnectAgent(proxy) });
    const [theirs] = await once(other, 'close');
    assert.equal(theirs, 1012);
  },
  async refused() {
    const socket = new WebSocket(`${url}/ws-refuse`, { agent: new ConnectAgent(proxy) });
    const [, response] = await once(socket, 'unexpected-response');
    assert.equal(response.statusCode, 403);
    assert.equal(response.headers['x-refused'], 'yes');
    let body = '';
    for await (const piece of response) body += piece;
    assert.equal(body, 'no WebSocket here\n');
  },
};

if (mode === 'all') {
  for (const [name, test] of Object.entries(tests)) {
    await test();
    console.log(`${name} ok`);
  }
} else {
  const sockets = await Promise.all(Array.from({ length: Number(count) }, () => open(url, [], { perMessageDeflate: false })));
  console.log(`${sockets.length} open`);
  const texts = await Promise.all(sockets.map((socket, i) => echo(socket, `message ${i}`)));
  texts.forEach((text, i) => assert.equal(text, `message ${i}`));
  console.log(`${texts.length} echoed`);
  const codes = await Promise.all(sockets.map((socket) => close(socket, 1000)));
  assert.ok(codes.every(([code]) => code === 1000));
  console.log(`${codes.length} closed`);
}
clearTimeout(limit);
