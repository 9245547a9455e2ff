// Child processes and folders that end with the test, however it ends.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const source = fileURLToPath(new URL('../../..', import.meta.url));
export const build = resolve(process.env.CMUX_BROWSER_BUILD ?? join(source, 'build/release'));

const folders = new Set();
const children = new Set();
const cleanups = new Set();

// An uncaught error, a signal and an end in time all come by here; of a kill the children learn through their standard input
// or --owner-pid.
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
  for (const cleanup of cleanups) cleanup();
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1));

/** `cleanup` runs when this process ends, or when what this answers is called. */
export function onExit(cleanup) {
  cleanups.add(cleanup);
  return () => {
    cleanups.delete(cleanup);
    cleanup();
  };
}

export function temporaryFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'cmux-browser-'));
  folders.add(folder);
  return folder;
}

/** The environment without what would change what the programs do. */
export function cleanEnvironment(additions = {}) {
  const unwanted = (name) => /^CMUXPROXY_/.test(name) || /_proxy$/i.test(name) || name === 'CI';
  return { ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !unwanted(name))), ...additions };
}

/** Starts a program that prints a line of JSON when it is ready. Answers {ready, stop}: that JSON, and how to end it. */
export async function startProgram(command, argv, { env, cwd } = {}) {
  const child = spawn(command, argv, { cwd, env: cleanEnvironment(env), stdio: ['pipe', 'pipe', 'pipe'] });
  children.add(child);
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (errors = (errors + text).slice(-20_000)));
  child.stdin.on('error', () => {});
  const ended = new Promise((done, fail) => {
    child.once('error', fail);
    child.once('close', (code, signal) => {
      children.delete(child);
      done(signal ?? code);
    });
  });
  const lines = createInterface({ input: child.stdout });
  const ready = await Promise.race([
    new Promise((done) =>
      lines.on('line', (line) => {
        if (line.startsWith('{')) done(JSON.parse(line));
      })),
    ended.then((how) => Promise.reject(new Error(`${command} ended (${how}) before it was ready:\n${errors}`))),
  ]);
  // What a failed test left running is no reason for its process to stay.
  const handles = [child, child.stdin, child.stdout, child.stderr];
  for (const handle of handles) handle.unref();
  return {
    ready,
    /** Ends it, and waits until it has. */
    async stop() {
      for (const handle of handles) handle.ref();
      child.kill('SIGTERM');
      await ended;
    },
  };
}

/** Runs a program to its end; answers what it printed, or throws. */
export async function run(command, argv, { env, cwd } = {}) {
  const child = spawn(command, argv, { cwd, env: cleanEnvironment(env), stdio: ['ignore', 'pipe', 'pipe'] });
  children.add(child);
  const texts = ['', ''];
  [child.stdout, child.stderr].forEach((stream, i) => stream.setEncoding('utf8').on('data', (text) => (texts[i] += text)));
  const how = await new Promise((done, fail) => child.once('error', fail).once('close', (code, signal) => done(signal ?? code)));
  children.delete(child);
  if (how !== 0) throw new Error(`${command} ${argv.join(' ')} ended with ${how}:\n${texts[1]}${texts[0]}`);
  return texts[0];
}
