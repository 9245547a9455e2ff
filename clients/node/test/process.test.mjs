// Processes: where the program is found, and who ends with whom.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import test from 'node:test';
import { ProxyServer } from '../index.mjs';
import {
  basic, binary, environment, eventually, instanceFiles, makeFolder, packageRoot, routeTo, runs, startHost, startProxy, startWorkspace,
} from './support/world.mjs';

test('a program that is not found: the error lists where it was looked for', async (t) => {
  // A copy of the package, so that there is no build beside it.
  const folder = makeFolder(t);
  for (const part of ['lib', 'index.mjs', 'package.json']) fs.cpSync(path.join(packageRoot, part), path.join(folder, part), { recursive: true });
  const copy = await import(path.join(folder, 'index.mjs'));
  const nowhere = { ...environment(folder), PATH: `${folder}/one:${folder}/two` };
  await assert.rejects(copy.ProxyServer.start('127.0.0.1:0', true, { env: nowhere }), (error) => {
    assert.equal(error.code, 'ENOENT');
    for (const place of ['CMUXPROXY_BIN', 'option binary', `${folder}/bin/cmuxproxy`, `${folder}/one/cmuxproxy`, `${folder}/two/cmuxproxy`])
      assert.ok(error.message.includes(place), `${place} in ${error.message}`);
    return true;
  });

  const finds = async (env, options = {}) => {
    const server = await copy.ProxyServer.start('127.0.0.1:0', true, { env: { ...nowhere, ...env }, ...options });
    const program = fs.readFileSync(`/proc/${server.pid}/cmdline`, 'utf8').split('\0')[0];
    server.stop();
    return program;
  };
  if (!fs.existsSync('/proc/self/cmdline')) return;
  const link = (place) => {
    fs.mkdirSync(path.dirname(path.join(folder, place)), { recursive: true });
    fs.symlinkSync(binary, path.join(folder, place));
    return path.join(folder, place);
  };
  const onPath = link('two/cmuxproxy');
  assert.equal(await finds({}), onPath);
  const inPackage = link('bin/cmuxproxy');
  assert.equal(await finds({}), inPackage);
  const byVariable = link('by-variable');
  assert.equal(await finds({ CMUXPROXY_BIN: byVariable }), byVariable);
  const byOption = link('by-option');
  assert.equal(await finds({ CMUXPROXY_BIN: byVariable }, { binary: byOption }), byOption);
});

test('a program that was named is not replaced by another', async (t) => {
  const folder = makeFolder(t);
  const start = (options) => ProxyServer.start('127.0.0.1:0', true, { env: environment(folder), ...options });
  await assert.rejects(start({ binary: '/no/such/program' }), { code: 'ENOENT', message: /option binary names \/no\/such\/program/ });
  await assert.rejects(start({ env: { ...environment(folder), CMUXPROXY_BIN: folder } }), { code: 'ENOENT', message: /CMUXPROXY_BIN names/ });
  await assert.rejects(start({ binary: '/bin/echo' }), /not cmuxproxy: instead of being ready it said: serve --json/);
  await assert.rejects(start({ binary: '/bin/false' }), { exitCode: 1, message: /did not start: it ended with exit code 1/ });
  const text = path.join(folder, 'text');
  fs.writeFileSync(text, 'neither a script nor a program', { mode: 0o755 });
  await assert.rejects(start({ binary: text }), /ENOEXEC|did not start/);
});

test('a proxy that dies: later calls say how, and its files go', async (t) => {
  const told = [];
  const server = await startProxy(t, { onExit: (info) => told.push(info) });
  const context = server.createContext(1);
  process.kill(server.pid, 'SIGKILL');
  // Without a turn of this thread's loop, which has not heard of it yet.
  assert.throws(() => {
    for (;;) server.createContext(2);
  }, (error) => {
    assert.equal(error.code, 'CMUXPROXY_ENDED');
    assert.equal(error.signal, 'SIGKILL');
    assert.match(error.message, new RegExp(`process \\(${server.pid}\\) has ended by SIGKILL`));
    return true;
  });
  assert.equal(server.releaseContext(context.id), false);
  const info = await server.exited;
  assert.equal(info.expected, false);
  assert.equal(info.signal, 'SIGKILL');
  assert.deepEqual(told, [info]);
  assert.throws(() => server.port(), { code: 'CMUXPROXY_ENDED', signal: 'SIGKILL' });
  assert.throws(() => server.createContext(3), { code: 'CMUXPROXY_ENDED' });
  assert.equal(server.releaseContext(context.id), false);
  server.stop();
  assert.deepEqual(instanceFiles(server.folder), []);
});

test('a proxy that somebody else stops: its exit code and last lines are in the error', async (t) => {
  const server = await startProxy(t);
  process.kill(server.pid, 'SIGTERM');
  const info = await server.exited;
  assert.deepEqual([info.code, info.signal, info.expected], [0, null, false]);
  assert.throws(() => server.createContext(1), (error) => {
    assert.match(error.message, /has ended with exit code 0; it said last:\n  .*stopping/);
    assert.equal(error.exitCode, 0);
    return true;
  });
});

test('a stuck proxy is an error, not a wait for ever', { timeout: 60_000 }, async (t) => {
  const server = await startProxy(t);
  process.kill(server.pid, 'SIGSTOP');
  t.after(() => { if (runs(server.pid)) process.kill(server.pid, 'SIGKILL'); });
  assert.throws(() => server.createContext(1), /no answer within 10000 ms/);
  process.kill(server.pid, 'SIGCONT');
  assert.equal(server.createContext(2).webContentsId, 2);
});

const start = "const server = await ProxyServer.start('127.0.0.1:0', true, { binary, args: ['--drain-timeout', '500ms'] });";
const tell = 'console.log(JSON.stringify({ pid: server.pid, port: server.port() }));';

test('a host that is killed leaves no process, no file and no port', async (t) => {
  const workspace = await startWorkspace(t);
  for (const signal of ['SIGKILL', 'SIGTERM']) {
    const host = startHost(t, `${start}
      const context = server.createContext(7, ${JSON.stringify(routeTo(workspace))});
      console.log(JSON.stringify({ pid: server.pid, port: server.port(), context }));
      setInterval(() => {}, 1000);`);
    const { pid, port, context } = await host.line();
    // A tunnel that stays open is no reason to stay.
    const tunnel = net.connect(port, '127.0.0.1');
    tunnel.on('error', () => {});
    tunnel.write(`CONNECT localhost:3000 HTTP/1.1\r\nHost: localhost:3000\r\nProxy-Authorization: ${basic(context)}\r\n\r\n`);
    await new Promise((resolve) => { tunnel.once('data', resolve); });
    assert.ok(runs(pid));
    host.child.kill(signal);
    assert.equal((await host.ended).signal, signal);
    await eventually(() => !runs(pid), `the proxy ends after ${signal} of its host`);
    assert.deepEqual(instanceFiles(host.folder), []);
    tunnel.destroy();
  }
});

test('a host that has stopped its proxy ends by itself', async (t) => {
  const host = startHost(t, `${start} server.createContext(1); ${tell} server.stop();`);
  const { pid } = await host.line();
  assert.deepEqual(await host.ended, { code: 0, signal: null, stderr: '' });
  assert.ok(!runs(pid));
});

test('a host that has not stopped its proxy ends by itself too, and the proxy with it', async (t) => {
  for (const end of ['', 'process.exit(3);', "throw new Error('bug');"]) {
    const host = startHost(t, `${start} server.createContext(1); ${tell} ${end}`);
    const { pid } = await host.line();
    assert.equal((await host.ended).code, { '': 0, 'process.exit(3);': 3 }[end] ?? 1);
    await eventually(() => !runs(pid), 'the proxy ends');
    assert.deepEqual(instanceFiles(host.folder), []);
  }
});

test('ref() keeps a host alive until the proxy ends', async (t) => {
  const host = startHost(t, `${start} server.ref(); ${tell} const { code } = await server.exited; console.log(code);`);
  const { pid } = await host.line();
  process.kill(pid, 'SIGTERM');
  assert.equal(await host.line(), 0);
  assert.equal((await host.ended).code, 0);
});

test("a terminal's Ctrl-C leaves the proxy to its host", async (t) => {
  const host = startHost(t, `${start} server.ref();
    const context = server.createContext(1);
    process.on('SIGINT', () => {
      console.log(JSON.stringify(server.releaseContext(context.id)));
      server.stop();
    });
    ${tell}`);
  const { pid } = await host.line();
  const group = Number(fs.readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ')[2]);
  assert.equal(group, pid);  // not the terminal's
  host.child.kill('SIGINT');
  assert.equal(await host.line(), true);
  assert.equal((await host.ended).code, 0);
});
