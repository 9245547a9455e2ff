// Processes: where the program is found, and who ends with whom.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
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

test('a stuck proxy is an error within a second, and leaves no context that nobody knows of', { timeout: 60_000 }, async (t) => {
  const server = await startProxy(t);
  process.kill(server.pid, 'SIGSTOP');
  t.after(() => { if (runs(server.pid)) process.kill(server.pid, 'SIGKILL'); });
  assert.throws(() => server.createContext(1), { code: 'CMUXPROXY_TIMEOUT', message: /has not answered within 900 ms/ });
  process.kill(server.pid, 'SIGCONT');
  const views = () => JSON.parse(execFileSync(binary, ['ctx', 'list', '--json', '--instance', server.instance],
                                              { env: { ...process.env, ...environment(server.folder) } })).contexts;
  await eventually(() => views().length === 0, 'the context is gone');
  await eventually(() => {
    try {
      return server.createContext(2).webContentsId === 2;
    } catch (error) {
      assert.equal(error.code, 'CMUXPROXY_TIMEOUT');  // a machine this busy: the next attempt
      return false;
    }
  }, 'another context');
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

// A copy of the package, with the platform's package beside it as npm puts it there.
function installed(t) {
  const folder = makeFolder(t), root = path.join(folder, 'node_modules/cmuxproxy');
  for (const part of ['bin/cmuxproxy.cjs', 'lib', 'index.mjs', 'package.json'])
    fs.cpSync(path.join(packageRoot, part), path.join(root, part), { recursive: true });
  const platform = path.join(folder, `node_modules/@cmuxproxy/${process.platform}-${process.arch}`);
  fs.mkdirSync(path.join(platform, 'bin'), { recursive: true });
  fs.writeFileSync(path.join(platform, 'package.json'), '{}');
  fs.mkdirSync(path.join(folder, 'node_modules/.bin'));
  const shim = path.join(folder, 'node_modules/.bin/cmuxproxy');
  fs.symlinkSync('../cmuxproxy/bin/cmuxproxy.cjs', shim);
  const env = { ...process.env, ...environment(folder), PATH: `${path.dirname(shim)}:${process.env.PATH}` };
  env.CMUXPROXY_BIN = undefined;
  return { folder, platform, shim, env, root };
}

test("the platform's package holds the program: for start() and for npx", async (t) => {
  const { platform, shim, env, root } = installed(t);
  fs.symlinkSync(binary, path.join(platform, 'bin/cmuxproxy'));
  const run = (args, options) => spawnSync(shim, args, { env, encoding: 'utf8', ...options });
  assert.equal(run(['version']).stdout, execFileSync(binary, ['version'], { encoding: 'utf8' }));
  assert.equal(run(['no-such-command']).status, 2);
  assert.equal(run(['run', '--', 'sh', '-c', 'kill -TERM $$']).signal, 'SIGTERM');
  assert.equal(run(['run', '--', 'sh', '-c', 'cat; exit 7'], { input: 'said' }).stdout, 'said');
  const copy = await import(path.join(root, 'index.mjs'));
  const server = await copy.ProxyServer.start('127.0.0.1:0', true, { env });
  t.after(() => server.stop());
  if (fs.existsSync('/proc/self/cmdline'))
    assert.equal(fs.readFileSync(`/proc/${server.pid}/cmdline`, 'utf8').split('\0')[0], path.join(platform, 'bin/cmuxproxy'));
});

test('no program, one for another system, and a busy port are told apart', async (t) => {
  const { folder, platform, shim, env, root } = installed(t);
  const copy = await import(path.join(root, 'index.mjs'));
  const start = (listen = '127.0.0.1:0') => copy.ProxyServer.start(listen, true, { env: { ...env, PATH: path.dirname(shim) } });
  // npm's own link is no program: it would look for itself for ever.
  await assert.rejects(start(), { code: 'ENOENT', message: /--omit=optional/ });
  const bare = spawnSync(process.execPath, [shim, 'version'], { env: { ...env, PATH: path.dirname(shim) }, encoding: 'utf8' });
  assert.equal(bare.status, 1);
  assert.match(bare.stderr, /the program cmuxproxy was not found/);
  const program = path.join(platform, 'bin/cmuxproxy');
  fs.writeFileSync(program, `#!${folder}/no-such-loader\n`, { mode: 0o755 });
  await assert.rejects(start(), { code: 'CMUXPROXY_CANNOT_RUN', message: /glibc 2\.34/ });
  fs.rmSync(program);
  fs.symlinkSync(binary, program);
  const taken = net.createServer();
  await new Promise((resolve) => { taken.listen(0, '127.0.0.1', resolve); });
  t.after(() => taken.close());
  await assert.rejects(start(`127.0.0.1:${taken.address().port}`), { code: 'EADDRINUSE' });
});
