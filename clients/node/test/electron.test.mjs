// The code of docs/electron.md, in a fake Electron, through the real proxy.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import test from 'node:test';
import tls from 'node:tls';
import { pathToFileURL } from 'node:url';
import { ProxyServer } from '../index.mjs';
import { app, WebContents } from './support/electron.mjs';
import { basic, binary, environment, makeFolder, packageRoot, startTlsWorkspace } from './support/world.mjs';

// Its modules, as files that import the fake Electron and this package.
function extract(folder) {
  const page = fs.readFileSync(path.resolve(packageRoot, '../../docs/electron.md'), 'utf8');
  const modules = [...page.matchAll(/^```js\n\/\/ (\S+\.mjs)\n([^]*?)^```$/gm)];
  for (const [, name, code] of modules) {
    const text = code
      .replace("from 'electron'", `from '${new URL('./support/electron.mjs', import.meta.url)}'`)
      .replace("from 'cmuxproxy'", `from '${pathToFileURL(path.join(packageRoot, 'index.mjs'))}'`)
      .replaceAll('127.0.0.1:39385', '127.0.0.1:0');  // tests take no port from each other
    fs.writeFileSync(path.join(folder, name), text);
  }
  return (name) => import(pathToFileURL(path.join(folder, name)));
}

// The first bytes of the answer to a WebSocket's handshake, opened as Chromium does: a tunnel, then the handshake inside.
async function openWebSocket(port, context) {
  const socket = net.connect(port, '127.0.0.1');
  let text = '';
  socket.setEncoding('latin1').on('data', (piece) => { text += piece; });
  const head = async () => {
    while (!text.includes('\r\n\r\n')) await new Promise((resolve, reject) => socket.once('data', resolve).once('close', reject));
    const status = Number(text.split(' ')[1]);
    text = '';
    return status;
  };
  const credentials = context ? `Proxy-Authorization: ${basic(context)}\r\n` : '';
  socket.write(`CONNECT localhost:3000 HTTP/1.1\r\nHost: localhost:3000\r\n${credentials}\r\n`);
  let status = await head();
  if (status === 200) {
    socket.write('GET /ws HTTP/1.1\r\nHost: localhost:3000\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
                 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n');
    status = await head();
  }
  socket.destroy();
  return status;
}

test('docs/electron.md', async (t) => {
  const folder = makeFolder(t);
  const load = extract(folder);
  const workspace = await startTlsWorkspace(t, folder);
  for (const [name, value] of Object.entries(environment(folder)))
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  Object.assign(process.env, { CMUXPROXY_BIN: binary, CMUXPROXY_RESOLVE: `*.cmux.test=127.0.0.1:${workspace.https}`,
                               CMUXPROXY_UPSTREAM_CA: workspace.ca, CMUXPROXY_DOMAINS: 'cmux.test' });
  const kept = setInterval(() => {}, 1000);
  t.after(() => clearInterval(kept));

  await t.test('a port for each view', async () => {
    const { openPreview, startPreviewProxy } = await load('preview-ports.mjs');
    const views = [new WebContents(), new WebContents()];
    await Promise.all([openPreview(views[0], 'https://cmux-alpha-base-3000.cmux.test/'),
                       openPreview(views[1], 'https://cmux-beta-base-3000.cmux.test/', 'http://localhost:4000/')]);
    assert.match(views[0].page.body, /workspace alpha scope base port 3000/);
    assert.match(views[1].page.body, /workspace beta scope base port 4000/);
    assert.equal(views[0].session.closed, 1);
    const port = Number(views[0].session.proxy.proxyRules.split(':')[1]);
    assert.equal(await openWebSocket(port), 101);
    views[0].destroy();
    await assert.rejects(views[0].reload(), { code: 'ECONNREFUSED' });
    assert.equal((await views[1].reload()).status, 200);
    await assert.rejects(openPreview(new WebContents(), 'https://example.com/'), { field: 'fromUrl', status: 400 });

    const first = await startPreviewProxy();
    process.kill(first.pid, 'SIGKILL');
    await first.exited;
    views[1].destroy();
    const later = new WebContents();
    await openPreview(later, 'https://cmux-alpha-base-3000.cmux.test/');
    assert.equal(later.page.status, 200);
    (await startPreviewProxy()).stop();
  });

  await t.test('credentials and login', async () => {
    const { openPreview, startPreviewProxy } = await load('preview-login.mjs');
    const route = { morphId: 'alpha', scope: 'base', domainSuffix: 'cmux.test' };
    const server = await startPreviewProxy();
    assert.equal(await openWebSocket(server.port()), 407);  // of which a page hears nothing but that it failed
    const views = [new WebContents(), new WebContents()];
    await Promise.all([openPreview(views[0], route), openPreview(views[1], { ...route, morphId: 'beta' })]);
    assert.match(views[0].page.body, /workspace alpha/);
    assert.match(views[1].page.body, /workspace beta/);
    assert.equal(await openWebSocket(server.port(), views[0].session.known(new URL(`http://127.0.0.1:${server.port()}`))), 101);
    views[0].destroy();
    assert.equal((await views[0].reload()).status, 407);
    // Another proxy's question is not answered with this one's credentials.
    let answered = false;
    app.emit('login', { preventDefault: () => { answered = true; } }, views[1], {}, { isProxy: true, port: server.port() + 1 }, () => {});
    assert.equal(answered, false);
    server.stop();
  });

  await t.test('trust, and HTTP/2 to the proxy', async () => {
    const { useSecureProxy } = await load('preview-http2.mjs');
    const server = await ProxyServer.start('127.0.0.1:0', true);
    t.after(() => server.stop());
    const context = server.createContext(1, null, { dedicatedPort: true });
    const { session } = new WebContents();
    await useSecureProxy(session, server);
    assert.deepEqual(session.proxy, { proxyRules: `https://127.0.0.1:${server.port()}`, proxyBypassRules: '<-loopback>' });
    for (const port of [server.port(), context.dedicatedPort]) {
      const socket = tls.connect({ host: '127.0.0.1', port, ALPNProtocols: ['h2'], rejectUnauthorized: false });
      await new Promise((resolve, reject) => { socket.once('secureConnect', resolve).once('error', reject); });
      assert.equal(socket.alpnProtocol, 'h2');
      const data = socket.getPeerX509Certificate().toString();
      const verdict = (hostname) => new Promise((resolve) => {
        session.certificateVerifier({ hostname, certificate: { data } }, resolve);
      });
      assert.equal(await verdict('127.0.0.1'), 0);
      assert.equal(await verdict('example.com'), -3);
      socket.destroy();
    }
  });
});
