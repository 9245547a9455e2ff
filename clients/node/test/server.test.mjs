// The API: what it returns, what it refuses, and that what it says about the proxy is true.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import test from 'node:test';
import tls from 'node:tls';
import { ProxyServer } from '../index.mjs';
import {
  binary, environment, instanceFiles, makeFolder, packageRoot, request, route, routeTo, startProxy, startWorkspace, takePort,
} from './support/world.mjs';

test('start, port, createContext, releaseContext, stop', async (t) => {
  const workspace = await startWorkspace(t);
  const server = await startProxy(t);
  const port = server.port();
  assert.ok(Number.isInteger(port) && port > 0);
  assert.match(server.instance, new RegExp(`^node-${process.pid}-[0-9a-f]{8}$`));
  assert.deepEqual(instanceFiles(server.folder).sort(), [`${server.instance}.json`, `${server.instance}.lock`]);

  const context = server.createContext(123, routeTo(workspace));
  assert.deepEqual(Object.keys(context), ['id', 'username', 'password', 'webContentsId']);
  assert.match(context.id, /^ctx-123-[0-9a-f]{16}$/);
  assert.match(context.username, /^wc-123-[0-9a-f]{8}$/);
  assert.match(context.password, /^[0-9a-f]{24}$/);
  assert.equal(context.webContentsId, 123);

  assert.equal((await request(port, 'http://localhost:3000/')).status, 407);
  const page = await request(port, 'http://localhost:3000/', context);
  assert.equal(page.status, 200);
  assert.match(page.body, /port 3000/);

  assert.equal(server.releaseContext(context.id), true);
  assert.equal((await request(port, 'http://localhost:3000/', context)).status, 407);
  assert.equal(server.releaseContext(context.id), false);

  assert.equal(server.stop(), undefined);
  assert.deepEqual(instanceFiles(server.folder), []);
  assert.deepEqual(await server.exited, { code: 0, signal: null, stderr: (await server.exited).stderr, expected: true });
  server.stop();
  assert.throws(() => server.port(), { code: 'CMUXPROXY_STOPPED', message: 'the proxy was stopped' });
  assert.throws(() => server.createContext(1), { code: 'CMUXPROXY_STOPPED' });
  assert.equal(server.releaseContext(context.id), false);
});

test('the port is free again when stop() returns', async (t) => {
  const folder = makeFolder(t);
  const first = await startProxy(t, { folder });
  const port = first.port();
  first.createContext(1);
  await request(port, 'http://localhost:3000/');
  first.stop();
  const second = await startProxy(t, { folder, listen: `127.0.0.1:${port}` });
  assert.equal(second.port(), port);
});

test('inspectorUrl() is a page that a browser may open once', async (t) => {
  const server = await startProxy(t);
  const url = new URL(server.inspectorUrl());
  assert.equal(url.pathname, '/inspector/');
  const page = await fetch(`${url.origin}/inspector/`);
  assert.equal(page.status, 200);
  assert.match(page.headers.get('content-security-policy'), /frame-ancestors 'none'/);
  const key = url.hash.slice('#key='.length);
  const open = () => fetch(`${url.origin}/inspector/session`, {
    method: 'POST', headers: { 'content-type': 'application/json', origin: url.origin }, body: JSON.stringify({ key }),
  });
  const session = await open();
  assert.equal(session.status, 204);
  assert.match(session.headers.get('set-cookie'), /^cmux_inspector_\d+=[0-9a-f]{32}; HttpOnly; SameSite=Strict; Path=\//);
  assert.equal((await open()).status, 401);
  assert.notEqual(server.inspectorUrl(), url.href);
  server.stop();
  assert.throws(() => server.inspectorUrl(), { code: 'CMUXPROXY_STOPPED' });
});

test('require gives the same class', () => {
  const library = createRequire(import.meta.url)(packageRoot);
  assert.equal(library.ProxyServer, ProxyServer);
});

test("the package's version is the program's", () => {
  const { version } = createRequire(import.meta.url)('../package.json');
  assert.match(execFileSync(binary, ['version'], { encoding: 'utf8' }), new RegExp(`\\b${version.replaceAll('.', '\\.')}\\b`));
});

test('without a route, and with every kind of absence', async (t) => {
  const server = await startProxy(t);
  for (const none of [[], [undefined], [null], [null, null], [{ ...route, morphDomainSuffix: undefined, cmuxProxyOrigin: null }, {}]])
    assert.equal(server.createContext(0, ...none).webContentsId, 0);
});

test('HTTP/2 on and off, whatever the environment says', async (t) => {
  for (const wanted of [true, false]) {
    const folder = makeFolder(t);
    const server = await startProxy(t, { folder, http2: wanted, env: { ...environment(folder), CMUXPROXY_HTTP2: String(!wanted) } });
    const socket = tls.connect({ host: '127.0.0.1', port: server.port(), servername: 'localhost', ca: fs.readFileSync(server.caFile),
                                 ALPNProtocols: ['h2', 'http/1.1'] });
    await new Promise((resolve, reject) => { socket.once('secureConnect', resolve).once('error', reject); });
    assert.equal(socket.alpnProtocol, wanted ? 'h2' : 'http/1.1');
    socket.destroy();
  }
});

test('a taken port is refused, and names itself', async (t) => {
  const port = await takePort(t);
  const folder = makeFolder(t);
  await assert.rejects(startProxy(t, { folder, listen: `127.0.0.1:${port}` }), (error) => {
    assert.equal(error.code, 'EADDRINUSE');
    assert.match(error.message, new RegExp(`127\\.0\\.0\\.1:${port}`));
    return true;
  });
  assert.deepEqual(instanceFiles(folder), []);
});

test('bad arguments name what is wrong', async (t) => {
  const bad = (call, field, message = /./) => assert.throws(call, (error) => {
    assert.equal(error.field, field);
    assert.match(error.message, message);
    return true;
  });
  await assert.rejects(ProxyServer.start(39385, true), { name: 'TypeError', field: 'listenAddr' });
  await assert.rejects(ProxyServer.start('127.0.0.1:0', 'yes'), { name: 'TypeError', field: 'enableHttp2' });
  await assert.rejects(ProxyServer.start('127.0.0.1:0', true, { bin: binary }), { name: 'TypeError', field: 'bin' });
  await assert.rejects(ProxyServer.start('127.0.0.1:0', true, { binary, args: '--via' }), { name: 'TypeError', field: 'args' });
  await assert.rejects(startProxy(t, { listen: 'nonsense' }), /--listen: expected IP:PORT.*nonsense/);
  await assert.rejects(startProxy(t, { listen: '0.0.0.0:0' }), /--allow-remote/);
  await assert.rejects(startProxy(t, { args: ['--no-such-flag'] }), /exit code 2[^]*no-such-flag/);
  assert.throws(() => new ProxyServer(), TypeError);

  const server = await startProxy(t);
  for (const id of [undefined, null, '5', -1, 1.5, NaN, Infinity, 2 ** 53, {}]) bad(() => server.createContext(id), 'webContentsId');
  bad(() => server.createContext(1, { ...route, morphId: 'A!' }), 'route.morphId', /createContext: morphId: must be/);
  bad(() => server.createContext(1, { ...route, scope: 7 }), 'route.scope');
  bad(() => server.createContext(1, { ...route, morph: 'x' }), 'route.morph', /allowed are morphId/);
  bad(() => server.createContext(1, 'https://cmux-abc-base-3000.cmux.app'), 'route', /must be an object/);
  bad(() => server.createContext(1, route, 'dedicated'), 'options');
  bad(() => server.createContext(1, route, { dedicatedport: true }), 'dedicatedport');
  bad(() => server.createContext(1, route, { ttlSeconds: -1 }), 'ttlSeconds');
  assert.throws(() => server.createContext(1, { ...route, morphId: '' }), (error) => {
    assert.equal(error.status, 400);
    assert.equal(typeof error.detail, 'string');
    return true;
  });
  for (const id of [undefined, null, 7, '']) bad(() => server.releaseContext(id), 'id');
  for (const id of ['ctx-1-0000000000000000', '../status', '?all=true', 'ä/%2f\n']) assert.equal(server.releaseContext(id), false);
});

test('options of a context', async (t) => {
  const workspace = await startWorkspace(t);
  const server = await startProxy(t);
  const context = server.createContext(5, routeTo(workspace), { dedicatedPort: true, forwards: [{ port: 3000, local: 0 }], label: 'x' });
  assert.equal(context.proxy, `127.0.0.1:${context.dedicatedPort}`);
  assert.notEqual(context.dedicatedPort, server.port());
  assert.equal((await request(context.dedicatedPort, 'http://localhost:3000/')).status, 200);
  assert.equal(context.forwards[0].port, 3000);
  assert.equal((await request(context.forwards[0].local, 'http://localhost:3000/')).status, 200);
  server.releaseContext(context.id);
  await assert.rejects(request(context.dedicatedPort, 'http://localhost:3000/'), { code: 'ECONNREFUSED' });

  const derived = server.createContext(6, null, { fromUrl: 'https://cmux-abc-base-3000.cmux.app/', ttlSeconds: 60 });
  const shown = JSON.parse(execFileSync(binary, ['ctx', 'show', derived.id, '--instance', server.instance, '--json'],
                                        { env: { ...process.env, ...environment(server.folder) } }));
  assert.equal(shown.route.morphId, 'abc');
  assert.ok(shown.expiresAt);

  const direct = server.createContext(7, { hosts: ['*.internal'], hostOverride: 'off' },
                                      { fromUrl: 'https://cmux-abc-base-3000.cmux.app/', direct: true });
  const { route } = JSON.parse(execFileSync(binary, ['ctx', 'show', direct.id, '--instance', server.instance, '--json'],
                                            { env: { ...process.env, ...environment(server.folder) } }));
  assert.deepEqual(route, {
    morphId: 'abc', scope: 'base', cmuxProxyOrigin: 'https://port-39379-morphvm-abc.http.cloud.morph.so',
    hosts: ['*.internal'], hostOverride: 'off',
  });
  assert.throws(() => server.createContext(8, { template: 'https://{port}.test', hostOverride: 'yes' }), { field: 'route.hostOverride' });
  assert.throws(() => server.createContext(8, null, { preset: 'gitlab' }), { field: 'preset' });
});

test('several servers in one process', async (t) => {
  const folder = makeFolder(t);
  const servers = await Promise.all([1, 2, 3].map(() => startProxy(t, { folder })));
  assert.equal(new Set(servers.map((server) => server.port())).size, 3);
  const contexts = servers.map((server, index) => server.createContext(index));
  assert.equal(servers[1].releaseContext(contexts[0].id), false);
  servers[0].stop();
  assert.equal(servers[1].releaseContext(contexts[1].id), true);
  assert.equal((await request(servers[2].port(), 'http://localhost:1/', contexts[2])).status === 407, false);
});

test('1,000 contexts are made and released', async (t) => {
  const server = await startProxy(t);
  const start = performance.now();
  const contexts = Array.from({ length: 1000 }, (_, index) => server.createContext(index, route));
  const between = performance.now();
  assert.equal(new Set(contexts.map(({ id }) => id)).size, 1000);
  assert.ok(contexts.every(({ id }) => server.releaseContext(id)));
  const end = performance.now();
  t.diagnostic(`${((between - start) / 1000).toFixed(2)} ms to make one, ${((end - between) / 1000).toFixed(2)} ms to release it`);
});

test('paths with spaces', async (t) => {
  const folder = makeFolder(t, 'with space and ü ');
  const copy = path.join(folder, 'my proxy');
  fs.symlinkSync(binary, copy);
  const server = await startProxy(t, { folder, binary: copy });
  server.createContext(1, route);
});

test('a proxy that logs a lot does not block a waiting host', async (t) => {
  const lines = [];
  const server = await startProxy(t, { args: ['--log-level', 'trace', '--access-log'], log: (line) => lines.push(line) });
  // More than a pipe holds, without a turn of this thread's loop.
  for (let i = 0; i < 1500; ++i) server.releaseContext(server.createContext(i, route).id);
  server.stop();
  await server.exited;
  const length = lines.join('\n').length;
  assert.ok(length > 100_000, `${length} bytes`);
});

test("certifies: the proxy's own certificates, and no others", async (t) => {
  const server = await startProxy(t);
  const leaf = await new Promise((resolve, reject) => {
    const socket = tls.connect({ host: '127.0.0.1', port: server.port(), rejectUnauthorized: false }, () => {
      resolve(socket.getPeerX509Certificate().toString());
      socket.destroy();
    }).on('error', reject);
  });
  assert.equal(server.certifies('127.0.0.1', leaf), true);
  assert.equal(server.certifies('127.0.0.2', leaf), false);
  assert.equal(server.certifies('localhost', leaf), false);
  assert.equal(server.certifies('example.com', leaf), false);
  assert.equal(server.certifies('127.0.0.1', 'no certificate'), false);
  const other = await startProxy(t);
  assert.equal(other.certifies('127.0.0.1', leaf), false);
});
