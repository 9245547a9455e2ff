// ProxyServer: starts `cmuxproxy serve` and makes contexts in it. A thread (thread.cjs) does the work; the methods that must be
// synchronous wait for it.
'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { MessageChannel, Worker, receiveMessageOnPort } = require('node:worker_threads');

const { findBinary } = require('./binary.cjs');
const { certifies } = require('./certificate.cjs');

const CALL_TIMEOUT = 900;  // the host's main thread waits so long at the most; an answer takes less than a millisecond
const START_TIMEOUT = 20_000;

const OPTIONS = ['binary', 'args', 'env', 'instance', 'log', 'onExit'];

function makeError(fields, prefix) {
  const { message, ...rest } = fields;
  for (const name of Object.keys(rest)) if (rest[name] === undefined) delete rest[name];
  return Object.assign(new Error(`${prefix}${message}`), rest);
}

function wrongType(field, expected, value) {
  return Object.assign(new TypeError(`${field} must be ${expected}, not ${value === null ? 'null' : typeof value}`), { field });
}

function checkStart(listenAddr, enableHttp2, options) {
  if (typeof listenAddr !== 'string') throw wrongType('listenAddr', 'a string such as "127.0.0.1:39385"', listenAddr);
  if (typeof enableHttp2 !== 'boolean') throw wrongType('enableHttp2', 'true or false', enableHttp2);
  if (typeof options !== 'object' || options === null) throw wrongType('options', 'an object', options);
  for (const name of Object.keys(options))
    if (!OPTIONS.includes(name))
      throw Object.assign(new TypeError(`${name} is no option; there are ${OPTIONS.join(', ')}`), { field: name });
  if (options.args !== undefined && !Array.isArray(options.args)) throw wrongType('args', 'an array of strings', options.args);
}

// Node would start the thread with the host's own loaders and inspectors, which have no business there. `env` goes to the process.
function startThread(workerData, port) {
  const source = fs.readFileSync(path.join(__dirname, 'thread.cjs'), 'utf8');
  return new Worker(source, { eval: true, execArgv: [], workerData, transferList: [port], name: 'cmuxproxy' });
}

class ProxyServer {
  #thread;
  #calls;
  #flag;
  #number = 0;
  #ready;
  #state = 'starting';  // running, stopped, ended
  #ended;               // the error that says how, for later calls
  #exited;
  #authority;

  static #internal = Symbol('start');

  static async start(listenAddr, enableHttp2 = true, options = {}) {
    checkStart(listenAddr, enableHttp2, options);
    const server = new ProxyServer(ProxyServer.#internal);
    await server.#start(listenAddr, enableHttp2, options);
    return server;
  }

  constructor(key) {
    if (key !== ProxyServer.#internal) throw new TypeError('use await ProxyServer.start(listenAddr, enableHttp2)');
  }

  #start(listenAddr, enableHttp2, options) {
    const env = { ...process.env, ...options.env };
    const binary = findBinary(options.binary, env);
    // A file of settings may turn HTTP/2 off, and there is a flag for that alone; the variable decides both ways.
    env.CMUXPROXY_HTTP2 = String(enableHttp2);
    delete env.CMUXPROXY_READY_FD;  // its number means something to whoever set it, not here
    const instance = options.instance ?? `node-${process.pid}-${crypto.randomBytes(4).toString('hex')}`;
    const args = ['serve', '--json', '--listen', listenAddr, '--port-attempts', '1', '--admin', '127.0.0.1:0', '--instance', instance,
                  '--owner-pid', String(process.pid), ...(options.args ?? [])];
    const { port1, port2 } = new MessageChannel();
    this.#calls = port1;
    port1.unref();
    this.#flag = new Int32Array(new SharedArrayBuffer(4));
    this.#thread = startThread({
      binary, args, env, instance, generatedName: options.instance === undefined, calls: port2, flag: this.#flag,
      startTimeout: START_TIMEOUT, log: options.log !== undefined,
    }, port2);
    return new Promise((resolve, reject) => {
      const failed = (error) => {
        this.#close();
        reject(makeError(error, ''));
      };
      let exited;
      this.#exited = new Promise((done) => { exited = done; });
      this.#thread.on('error', (error) => {
        failed(error);
        this.#ended ??= { message: `cmuxproxy's thread has failed: ${error.message}` };
        if (this.#state === 'running') this.#state = 'ended';
      });
      const events = {
        ready: ({ ready }) => {
          this.#ready = ready;
          this.#state = 'running';
          this.#thread.unref();
          resolve();
        },
        failed: ({ error }) => failed(error),
        log: ({ line }) => options.log(line),
        exit: ({ info, error }) => {
          if (this.#state === 'starting') return;  // "failed" follows
          const expected = this.#state === 'stopped';
          if (!expected) this.#state = 'ended';
          this.#ended = error;
          this.#close();
          exited({ ...info, expected });
          options.onExit?.({ ...info, expected });
        },
      };
      this.#thread.on('message', (message) => events[message.event](message));
    });
  }

  #close() {
    this.#calls.close();
    this.#thread.terminate();
  }

  // Asks the thread, and waits here for the answer.
  #call(operation, fields) {
    const number = ++this.#number;
    const deadline = Date.now() + CALL_TIMEOUT;
    let seen = Atomics.load(this.#flag, 0);
    this.#calls.postMessage({ operation, number, ...fields });
    while (Date.now() < deadline) {
      Atomics.wait(this.#flag, 0, seen, deadline - Date.now());
      seen = Atomics.load(this.#flag, 0);
      // An answer to a call that was given up comes first, where there is one.
      for (let message; (message = receiveMessageOnPort(this.#calls)?.message) !== undefined;)
        if (message.number === number) return message;
    }
    this.#calls.postMessage({ operation: 'forget', number });
    return { error: { message: `the cmuxproxy process (${this.pid}) has not answered within ${CALL_TIMEOUT} ms`, code: 'CMUXPROXY_TIMEOUT' } };
  }

  #mustRun() {
    if (this.#state === 'ended') throw makeError(this.#ended, '');
    if (this.#state === 'stopped') throw makeError({ message: 'the proxy was stopped', code: 'CMUXPROXY_STOPPED' }, '');
  }

  port() {
    this.#mustRun();
    return this.#ready.port;
  }

  createContext(webContentsId, route, options) {
    this.#mustRun();
    // What JSON has no word for (NaN) would arrive as null, which stands for "not given".
    if (!Number.isSafeInteger(webContentsId) || webContentsId < 0)
      throw Object.assign(new TypeError(`webContentsId must be a whole number from 0 on, not ${String(webContentsId)}`),
                          { field: 'webContentsId' });
    if (options !== undefined && options !== null && typeof options !== 'object') throw wrongType('options', 'an object', options);
    const { error, result } = this.#call('create', { body: JSON.stringify({ ...options, webContentsId, route }) });
    if (error) throw makeError(error, error.status ? 'createContext: ' : '');
    const context = { id: result.id, username: result.username, password: result.password, webContentsId: result.webContentsId };
    if (options?.dedicatedPort || options?.forwards)
      Object.assign(context, { proxy: result.proxy, dedicatedPort: result.dedicatedPort, forwards: result.forwards });
    return context;
  }

  // True where this call released it. A context that is gone already, with its proxy maybe, is no error: this is called where views
  // are destroyed, in any order.
  releaseContext(id) {
    if (typeof id !== 'string' || id === '') throw wrongType('id', 'the id of a context', id);
    if (this.#state !== 'running') return false;
    const { error } = this.#call('release', { id });
    if (!error) return true;
    if (error.status === 404 || error.code === 'CMUXPROXY_ENDED') return false;
    throw makeError(error, error.status ? 'releaseContext: ' : '');
  }

  // The key in it is good once and for a minute: for a window that is opened now, and whose session uses no proxy.
  inspectorUrl() {
    this.#mustRun();
    const { error, result } = this.#call('inspect');
    if (error) throw makeError(error, error.status ? 'inspectorUrl: ' : '');
    return result.url;
  }

  stop() {
    if (this.#state !== 'running') return;
    this.#state = 'stopped';
    this.#call('stop');
  }

  get pid() { return this.#ready.pid; }
  get instance() { return this.#ready.instance; }
  get caFile() { return this.#ready.caFile; }
  get exited() { return this.#exited; }

  ref() {
    this.#thread.ref();
    return this;
  }

  unref() {
    this.#thread.unref();
    return this;
  }

  certifies(hostname, certificate) {
    this.#authority ??= this.caFile && new crypto.X509Certificate(fs.readFileSync(this.caFile));
    return Boolean(this.#authority) && certifies(this.#authority, hostname, certificate);
  }
}

module.exports = { ProxyServer };
