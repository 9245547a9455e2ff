// node h2-client.mjs PROXY-URL CA-FILE PROXY-AUTHORIZATION: Node's HTTP/2 client on a proxy port, http:// or https://. Each line that it
// prints is a property that holds.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http2 from 'node:http2';

const [url, caFile, authorization] = process.argv.slice(2);
const limit = setTimeout(() => {
  console.error('h2-client: not done in 50 seconds');
  process.exit(1);
}, 50_000);

const session = http2.connect(url, { ca: readFileSync(caFile) });
await once(session, 'connect');
const head = (path, more = {}) => ({
  ':scheme': 'http', ':authority': 'localhost:3000', ':path': path, 'proxy-authorization': authorization, ...more,
});
const ask = async (headers, body) => {
  const stream = session.request(headers);
  const interim = [];
  let trailers = null;
  stream.on('headers', (fields) => interim.push(fields[':status']));
  stream.on('trailers', (fields) => (trailers = fields));
  stream.end(body);
  const [response] = await once(stream, 'response');
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return { status: response[':status'], response, interim, trailers, body: Buffer.concat(chunks) };
};

const home = await ask(head('/'));
assert.equal(home.status, 200);
assert.match(home.body.toString(), /port 3000/);
console.log('get');

const upload = await ask(head('/upload', { ':method': 'POST' }), Buffer.alloc(5_000_000, 'x'));
assert.equal(JSON.parse(upload.body).length, 5_000_000);
console.log('upload');

assert.deepEqual((await ask(head('/1xx?count=3'))).interim, [103, 103, 103]);
console.log('interim');
assert.equal((await ask(head('/trailers'))).trailers['x-count'], '15');
console.log('trailers');

const all = await Promise.all(Array.from({ length: 200 }, (_, i) => ask(head(`/bytes/${i * 100}`))));
all.forEach(({ body }, i) => assert.equal(body.length, i * 100));
console.log('parallel');

const without = await ask({ ...head('/'), 'proxy-authorization': 'Basic eDp5' });
assert.equal(without.status, 407);
assert.equal((await ask(head('/'))).status, 200);
console.log('407 of one stream');

// Settings arrive after the connection; an extended CONNECT must wait for them.
if (!session.remoteSettings.enableConnectProtocol) await once(session, 'remoteSettings');
assert.equal(session.remoteSettings.enableConnectProtocol, true);
assert.equal(session.remoteSettings.maxConcurrentStreams, 1000);
const socket = session.request(head('/upgrade/echo', { ':method': 'CONNECT', ':protocol': 'echo' }));
const [accepted] = await once(socket, 'response');
assert.equal(accepted[':status'], 200);
socket.write('ping');
const [answer] = await once(socket, 'data');
assert.equal(answer.toString(), 'ping');
socket.end();
socket.resume();
await once(socket, 'end');
console.log('extended CONNECT');

const tunnel = session.request({ ':method': 'CONNECT', ':authority': 'localhost:3000', 'proxy-authorization': authorization });
assert.equal((await once(tunnel, 'response'))[0][':status'], 200);
tunnel.write('GET / HTTP/1.1\r\nHost: localhost:3000\r\nConnection: close\r\n\r\n');
let text = '';
for await (const chunk of tunnel) text += chunk;
assert.match(text, /^HTTP\/1\.1 200 /);
console.log('CONNECT');
session.close();
clearTimeout(limit);
