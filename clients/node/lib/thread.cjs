// The thread behind a ProxyServer. It owns the proxy's process and its pipes and talks to the admin API, so that all of this goes
// on while the main thread waits in a synchronous call: were the pipes read there, a proxy that logs could wait for the reader
// while the reader waits for the proxy.
//
// It is started from its text, not its path, which works inside Electron's archives too: so it requires nothing but Node's own.
'use strict';

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { parentPort, workerData } = require('node:worker_threads');

const { binary, args, env, instance, generatedName, calls, flag, startTimeout, log } = workerData;

const KEPT_LINES = 20;          // of what the proxy said last, for errors
const LONGEST_LINE = 4096;
const REQUEST_TIMEOUT = 10_000; // the proxy answers within a millisecond; it is stuck, else
const STOP_WAIT = 250;          // for a proxy without open requests to be gone when stop() returns
const END_WAIT = 500;           // from a failed request to the news of the process's end

const said = [];
let child;
let ended;  // how the process ended, once it has
let admin;  // {url, token}, once it is ready
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

let announceEnd;
const end = new Promise((resolve) => { announceEnd = resolve; });
const wait = (time) => new Promise((resolve) => { setTimeout(resolve, time); });

// --- the process ---

function eachLine(stream, take) {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop().slice(0, LONGEST_LINE);
    for (const line of lines) take(line.slice(0, LONGEST_LINE));
  });
  stream.on('end', () => { if (rest) take(rest); });
  stream.on('error', () => {});
}

// $CMUXPROXY_RUNTIME_DIR, else $XDG_RUNTIME_DIR/cmuxproxy, else ~/.cmuxproxy/run: as the program has it.
function instancePath(ending) {
  const folder = env.CMUXPROXY_RUNTIME_DIR || (env.XDG_RUNTIME_DIR && path.join(env.XDG_RUNTIME_DIR, 'cmuxproxy')) ||
    path.join(env.HOME || '', '.cmuxproxy/run');
  return path.join(folder, `${instance}.${ending}`);
}

function howItEnded() {
  const { code, signal, stderr } = ended;
  const how = signal ? `by ${signal}` : `with exit code ${code}`;
  return how + (stderr ? `; it said last:\n${stderr.replace(/^/gm, '  ')}` : '');
}

function endedError() {
  return { message: `the cmuxproxy process (${child?.pid}) has ended ${howItEnded()}`, exitCode: ended.code, signal: ended.signal,
           stderr: ended.stderr, code: 'CMUXPROXY_ENDED' };
}

function onEnd(code, signal) {
  if (ended) return;
  ended = { code, signal, stderr: said.join('\n') };
  agent.destroy();
  // A killed proxy leaves its files. Nobody will ever claim a name again that was made up for this process alone.
  if (generatedName && (signal || code !== 0))
    for (const ending of ['json', 'lock']) fs.rmSync(instancePath(ending), { force: true });
  announceEnd();
  parentPort.postMessage({ event: 'exit', info: ended, error: endedError() });
}

let failed = false;
async function fail(error) {
  if (failed) return;
  failed = true;
  child?.kill('SIGKILL');
  if (child?.pid) await Promise.race([end, wait(END_WAIT)]);
  parentPort.postMessage({ event: 'failed', error });
}

function startError() {
  const error = { ...endedError(), message: `cmuxproxy did not start: it ended ${howItEnded()}` };
  error.code = /Address already in use/.test(ended.stderr) ? 'EADDRINUSE' : error.code;
  return error;
}

// Resolves with the ready document, once.
function launch() {
  return new Promise((resolve) => {
    // A process group of its own: a terminal's Ctrl-C is for the host, which may still want to release its contexts.
    child = spawn(binary, args, { env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    child.on('error', (error) => {
      if (child.pid !== undefined) return;
      // The file was found. What is not there is the system's part of it: see docs/install.md.
      const code = error.code === 'ENOENT' ? 'CMUXPROXY_CANNOT_RUN' : error.code;
      const hint = code === error.code ? '' : '; it takes Linux with glibc 2.34 or newer (Alpine has musl instead)';
      fail({ message: `${binary} cannot be run: ${error.message}${hint}`, code });
    });
    eachLine(child.stderr, (line) => {
      if (said.push(line) > KEPT_LINES) said.shift();
      if (log) parentPort.postMessage({ event: 'log', line });
    });
    let first = true;
    eachLine(child.stdout, (line) => {
      if (!first) return;
      first = false;
      try {
        resolve(JSON.parse(line));
      } catch {
        fail({ message: `${binary} is not cmuxproxy: instead of being ready it said: ${line}` });
      }
    });
    // "close" comes after the last line; "exit" alone where something else holds the pipes.
    child.on('exit', (code, signal) => setTimeout(onEnd, 500, code, signal));
    child.on('close', onEnd);
  });
}

async function start() {
  const ready = await Promise.race([launch(), end, wait(startTimeout)]);
  if (ended) return fail(startError());
  if (!ready) return fail({ message: `cmuxproxy was not ready after ${startTimeout} ms; it said: ${said.join('\n') || 'nothing'}` });
  const record = JSON.parse(fs.readFileSync(instancePath('json'), 'utf8'));
  admin = { url: record.admin, token: record.token };
  parentPort.postMessage({ event: 'ready', ready });
  return undefined;
}

// --- the admin API ---

function exchange(method, target, body) {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${admin.token}` };
    if (body) Object.assign(headers, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
    const request = http.request(admin.url + target, { method, headers, agent, timeout: REQUEST_TIMEOUT }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (piece) => { text += piece; });
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode, text }));
    });
    request.on('timeout', () => request.destroy(new Error(`no answer within ${REQUEST_TIMEOUT} ms`)));
    request.on('error', (error) => reject(Object.assign(error, { reused: request.reusedSocket })));
    request.end(body);
  });
}

async function ask(method, target, body) {
  if (ended) return { error: endedError() };
  let answer;
  try {
    // A kept connection may be closed by the proxy just when it is used: the request was not read then.
    answer = await exchange(method, target, body).catch((error) => {
      if (error.reused && !ended) return exchange(method, target, body);
      throw error;
    });
  } catch (error) {
    await Promise.race([end, wait(END_WAIT)]);
    if (ended) return { error: endedError() };
    return { error: { message: `the cmuxproxy process (${child.pid}) cannot be asked: ${error.message}`, code: error.code } };
  }
  const document = JSON.parse(answer.text);
  if (answer.status < 300) return { result: document };
  const { status, detail, field } = document;
  return { error: { message: detail, status, detail, field } };
}

async function stop() {
  child.kill('SIGTERM');
  await Promise.race([end, wait(STOP_WAIT)]);
  return {};
}

// --- calls ---

// A caller that has given up does not know the context that came of its call: it goes.
const forgotten = new Set();
let made = {};  // the last context that a caller was told of, or was to be: its call's number, its id

async function create(call) {
  const reply = await ask('POST', '/v1/contexts', call.body);
  if (reply.result) made = { number: call.number, id: reply.result.id };
  if (forgotten.delete(call.number)) forget(call);
  return reply;
}

function forget(call) {
  if (made.number === call.number) ask('DELETE', `/v1/contexts/${made.id}`);
  else forgotten.add(call.number);
}

const operations = {
  create,
  release: (call) => ask('DELETE', `/v1/contexts/${encodeURIComponent(call.id)}`),
  inspect: () => ask('POST', '/v1/inspector/keys'),
  stop,
};

async function answer(call) {
  if (call.operation === 'forget') return forget(call);
  let reply;
  try {
    reply = await operations[call.operation](call);
  } catch (error) {
    reply = { error: { message: error.message } };
  }
  calls.postMessage({ number: call.number, ...reply });
  Atomics.add(flag, 0, 1);
  Atomics.notify(flag, 0);
  return undefined;
}

calls.on('message', answer);
start().catch((error) => fail({ message: error.message, code: error.code }));
