// What the tests stand on: folders of their own, a fake workspace, requests through a proxy.
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { ProxyServer } from '../../index.mjs';

export const packageRoot = fileURLToPath(new URL('../..', import.meta.url));
const build = process.env.CMUX_BUILD || path.resolve(packageRoot, '../../build/release');
export const binary = process.env.CMUXPROXY_BIN || path.join(build, 'cmuxproxy');
export const route = { morphId: 'abc', scope: 'base', domainSuffix: 'cmux.test' };

export function makeFolder(t, name = 'cmuxproxy-node-') {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), name));
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
  return folder;
}

// Everything that a proxy reads and writes is in `folder`.
export function environment(folder) {
  const env = { HOME: folder, CMUXPROXY_RUNTIME_DIR: path.join(folder, 'run'), CMUXPROXY_STATE_DIR: path.join(folder, 'state') };
  for (const name of Object.keys(process.env)) if (/^CMUXPROXY_|^XDG_/.test(name) && !(name in env)) env[name] = undefined;
  return env;
}

export async function startProxy(t, { listen = '127.0.0.1:0', http2 = true, folder = makeFolder(t), ...options } = {}) {
  const server = await ProxyServer.start(listen, http2, { binary, env: environment(folder), ...options });
  server.ref();  // the test runner does not wait for what keeps nothing alive
  t.after(() => server.stop());
  return Object.assign(server, { folder });
}

export const instanceFiles = (folder) => {
  try {
    return fs.readdirSync(path.join(folder, 'run'));
  } catch {
    return [];
  }
};

// A cmux host; ends with the test.
async function startFixture(t, options) {
  const child = spawn(path.join(build, 'fixtures/fake-workspace'), [...options, '--exit-with-stdin'],
                      { stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => child.stdin.end());
  for await (const line of createInterface(child.stdout)) return JSON.parse(line);
  throw new Error('fake-workspace did not start');
}

export const startWorkspace = async (t) => (await startFixture(t, ['--http', '0', '--sniff-port-header'])).http;

// The same over TLS, as *.cmux.test.
export async function startTlsWorkspace(t, folder) {
  const certificates = path.join(folder, 'certificates');
  execFileSync(path.resolve(packageRoot, '../../fixtures/certs.sh'), [certificates], { stdio: 'ignore' });
  const file = (name) => path.join(certificates, name);
  const { https } = await startFixture(t, ['--https', '0', '--cert', file('srv.crt'), '--key', file('srv.key')]);
  return { https, ca: file('ca.crt') };
}

// Routes that lead to it by plain HTTP.
export const routeTo = (port) => ({ morphId: 'abc', scope: 'base', cmuxProxyOrigin: `http://127.0.0.1:${port}` });

export function basic({ username, password }) {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

export function request(proxyPort, url, credentials) {
  return new Promise((resolve, reject) => {
    const headers = { host: new URL(url).host };
    if (credentials) headers['proxy-authorization'] = basic(credentials);
    http.get({ host: '127.0.0.1', port: proxyPort, path: url, headers, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text) => { body += text; });
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body }));
      response.on('error', reject);
    }).on('error', reject);
  });
}

export async function takePort(t) {
  const taken = net.createServer();
  await new Promise((resolve) => { taken.listen(0, '127.0.0.1', resolve); });
  t.after(() => taken.close());
  return taken.address().port;
}

export function runs(pid) {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  // One that nobody has waited for yet still has its number.
  const stat = `/proc/${pid}/stat`;
  return !fs.existsSync(stat) || !/\) [ZX] /.test(fs.readFileSync(stat, 'utf8'));
}

export async function eventually(predicate, what, limit = 15_000) {
  for (const end = Date.now() + limit; Date.now() < end;) {
    if (await predicate()) return;
    await new Promise((resolve) => { setTimeout(resolve, 20); });
  }
  throw new Error(`not within ${limit} ms: ${what}`);
}

// A program of the test's that uses the package, in a process of its own. `source` sees ProxyServer, binary and port.
export function startHost(t, source, folder = makeFolder(t)) {
  const program = `import { ProxyServer } from ${JSON.stringify(new URL('../../index.mjs', import.meta.url).href)};
    const binary = ${JSON.stringify(binary)};
    ${source}`;
  const env = { ...process.env, ...environment(folder) };
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  t.after(() => child.kill('SIGKILL'));
  let stderr = '';
  child.stderr.on('data', (text) => { stderr += text; });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const line = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`the host said nothing: ${stderr}`);
    return JSON.parse(value);
  };
  const ended = new Promise((resolve) => { child.on('close', (code, signal) => resolve({ code, signal, stderr })); });
  return { child, line, ended, folder };
}
