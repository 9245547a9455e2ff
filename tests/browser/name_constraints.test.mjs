// The local CA, trusted by a browser without any flag: good for localhost, worthless for any other name, even in a thief's hands.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { launch } from './lib/browser.mjs';
import { serveEveryday } from './lib/everyday_app.mjs';
import { run, temporaryFolder } from './lib/process.mjs';
import { startProxy, testCertificates } from './lib/proxy.mjs';
import { startWorkspace } from './lib/workspace.mjs';

const home = temporaryFolder();
let workspace;
let proxy;
let browser;
const servers = [];

/** A leaf for the name, signed by the key of a CA. */
async function leaf(name, ca) {
  const folder = temporaryFolder();
  const [key, request, certificate, extensions] = ['key', 'csr', 'crt', 'cnf'].map((end) => join(folder, `leaf.${end}`));
  writeFileSync(extensions, `basicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth\nsubjectAltName=DNS:${name}\n`);
  await run('openssl', ['req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', `/CN=${name}`,
    '-keyout', key, '-out', request]);
  await run('openssl', ['x509', '-req', '-in', request, '-CA', `${ca}.crt`, '-CAkey', `${ca}.key`, '-set_serial', '0x1001',
    '-days', '7', '-extfile', extensions, '-out', certificate]);
  return { key: readFileSync(key), cert: Buffer.concat([readFileSync(certificate), readFileSync(`${ca}.crt`)]) };
}

/** A site with that identity; answers its port. */
async function serve(identity) {
  const server = https.createServer(identity, (request, response) => response.end('the site')).listen(0, '127.0.0.1');
  server.on('tlsClientError', () => {});
  await once(server, 'listening');
  servers.push(server);
  return server.address().port;
}

const ports = {};
before(async () => {
  workspace = await startWorkspace();
  serveEveryday(workspace, 'alpha');
  proxy = await startProxy({ resolve: { '*.cmux.test': workspace.address } });
  const local = join(proxy.stateFolder, 'ca');
  const other = join(await testCertificates(), 'ca');
  ports.example = await serve(await leaf('example.com', local));
  ports.localhost = await serve(await leaf('localhost', local));
  ports.unbound = await serve(await leaf('example.com', other));

  const database = join(home, '.pki/nssdb');
  mkdirSync(database, { recursive: true });
  await run('certutil', ['-N', '-d', `sql:${database}`, '--empty-password']);
  for (const [name, ca] of [['local', local], ['other', other]])
    await run('certutil', ['-A', '-d', `sql:${database}`, '-n', name, '-t', 'C,,', '-i', `${ca}.crt`]);
  browser = await launch(['--host-resolver-rules=MAP example.com 127.0.0.1'], { env: { HOME: home } });
}, { timeout: 60_000 });
after(async () => {
  await browser?.close();
  await proxy?.stop();
  await workspace?.down();
  for (const server of servers) server.close(), server.closeAllConnections();
});

test('a CA with constraints vouches for localhost', { timeout: 60_000 }, async () => {
  const page = await browser.newPage();
  assert.equal((await page.goto(`https://localhost:${ports.localhost}/`)).status(), 200);
  await page.close();
});

test('it cannot vouch for example.com, where one without constraints can', { timeout: 60_000 }, async () => {
  const [refused, taken] = [await browser.newPage(), await browser.newPage()];
  await assert.rejects(refused.goto(`https://example.com:${ports.example}/`), /net::ERR_CERT_INVALID/);
  assert.equal((await taken.goto(`https://example.com:${ports.unbound}/`)).status(), 200);
  await Promise.all([refused.close(), taken.close()]);
});

test('with the CA trusted, https://localhost and the secure proxy need no flag', { timeout: 60_000 }, async () => {
  for (const scheme of ['http', 'https']) {
    const context = await proxy.context('alpha', '--dedicated-port');
    const look = await browser.newContext({ proxy: { server: `${scheme}://${context.proxy}`, bypass: '<-loopback>' } });
    const page = await look.newPage();
    for (const url of ['http://localhost:3000/', 'https://localhost:3443/'])
      assert.equal((await page.goto(url)).status(), 200, url);
    await look.close();
  }
});
