// A framework's project in a folder of its own, and its dev server on port 3000 of a workspace's address.
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { freeScope } from '../browser/lib/far_world.mjs';
import { cleanEnvironment, onExit } from '../browser/lib/process.mjs';
import { here } from './table.mjs';

const kStart = 120_000;

function accepts(host, port) {
  return new Promise((done) => {
    const socket = net.connect({ host, port }, () => done(true));
    socket.on('error', () => done(false)).on('connect', () => socket.destroy());
  });
}

/** Below this folder, so that the modules are found from there as in any project. */
export async function startDevServer(app) {
  const folder = mkdtempSync(join(here, '.project-'));
  cpSync(join(here, 'apps', app.name), folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{"private":true,"type":"module"}');
  const { scope, address: host } = await freeScope(3000);
  let child, ended;
  let said = '';
  const kill = () => {
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {}
  };
  const forget = onExit(() => {
    kill();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  const server = {
    scope,
    said: () => said,
    read: (name) => readFileSync(join(folder, name), 'utf8'),
    write: (name, text) => writeFileSync(join(folder, name), text),
    async start() {
      // A group of its own, since most start more processes; and it goes when these tests do, however they go.
      const options = { cwd: folder, env: cleanEnvironment(app.env), stdio: ['ignore', 'pipe', 'pipe'], detached: true };
      child = spawn('setpriv', ['--pdeathsig', 'KILL', ...app.start(host, '3000')], options);
      const hear = (text) => (said = (said + text).slice(-10_000));
      for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', hear);
      let hasEnded = false;
      ended = new Promise((done) => child.once('close', done).once('error', done)).then(() => (hasEnded = true));
      for (const start = Date.now(); !(await accepts(host, 3000)); await pause(50)) {
        if (hasEnded || Date.now() - start > kStart) throw new Error(`${app.name} did not start:\n${said}`);
      }
    },
    async stop() {
      kill();
      await ended;
    },
    async close() {
      await server.stop();
      forget();
    },
  };
  try {
    await server.start();
  } catch (error) {
    forget();
    throw error;
  }
  return server;
}
