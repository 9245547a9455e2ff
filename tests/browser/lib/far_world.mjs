// The far end as users have it (fixtures/farend), a proxy that knows where it is, and a browser. What runs "in a workspace" listens
// on the address that the machine's proxy knows it by, on the very port that is asked for.
import { readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { startFarEnd } from '../../../fixtures/farend/far_end.mjs';
import { addressOf } from '../../../fixtures/farend/machine.mjs';
import { launch, trust } from './browser.mjs';
import { startProgram, temporaryFolder } from './process.mjs';
import { program, startProxy, testCertificates } from './proxy.mjs';

const kMorph = '.http.cloud.morph.test';

/**
 * The ways there are to a workspace of the one machine, alpha: the flags of `ctx create` for its scope. To morph and to another
 * cloud the workspace is a machine by itself.
 */
export const kRows = {
  cmux: (scope) => ['--morph-id', 'alpha', '--scope', scope, '--domain-suffix', 'cmux.test'],
  direct: (scope) => ['--from-url', `https://cmux-alpha-${scope}-3000.cmux.app`, '--direct', '--morph-domain-suffix', kMorph],
  morph: (scope) => ['--morph-id', scope, '--morph-domain-suffix', kMorph],
  template: (scope) => ['--template', 'https://{id}-{port}.cloud.test', '--morph-id', scope],
  gateway: (scope) => ['--morph-id', 'alpha', '--scope', scope, '--domain-suffix', 'gw.test'],
  cmuxProxyOrigin: (scope, { machine }) => ['--cmux-proxy-origin', `http://${machine.host}:${machine.port}`, '--scope', scope],
};

/** Where the cloud of the template has a port of that workspace. */
export const cloudHost = (scope, port) => `${scope}-${port}.cloud.test`;

/** A scope whose address nobody uses on any of the ports: the number at its end is the address. */
export async function freeScope(...ports) {
  const isFree = (port, host) => new Promise((done) => {
    const server = net.createServer();
    server.once('error', () => done(false)).listen(port, host, () => server.close(() => done(true)));
  });
  for (let tries = 0; tries < 100; ++tries) {
    const scope = `ws${1 + Math.floor(Math.random() * 65533)}`;
    const free = await Promise.all(ports.map((port) => isFree(port, addressOf(scope))));
    if (free.every(Boolean)) return { scope, address: addressOf(scope) };
  }
  throw new Error(`port ${ports} is taken on all addresses: end what listens there`);
}

/** Our own far end: both gateways, for the machine alpha. Answers {port, stop}. */
async function startGateways(certs) {
  const folder = temporaryFolder();
  const env = { CMUXPROXY_RUNTIME_DIR: join(folder, 'run'), CMUXPROXY_STATE_DIR: join(folder, 'state') };
  const start = (...argv) =>
    startProgram(program, ['gateway', ...argv, '--json', '--listen', '127.0.0.1:0', '--drain-timeout', '0s'], { env });
  const machine = await start('machine');
  writeFileSync(join(folder, 'machines.toml'), `alpha = "h2c://127.0.0.1:${machine.ready.port}"\n`);
  const names = await start('names', '--domain', 'gw.test', '--machines', join(folder, 'machines.toml'),
    '--tls-cert', join(certs, 'srv.crt'), '--tls-key', join(certs, 'srv.key'));
  return { port: names.ready.port, stop: async () => (await names.stop(), await machine.stop()) };
}

/** `without`: of the far end's defects, those that it shall not have. `resolve`: names that are elsewhere. `browser`: no, if false. */
export async function startFarWorld({ without = [], resolve = {}, browser = true } = {}) {
  const world = {
    async close() {
      await world.browser?.close();
      await world.proxy?.stop();
      await world.gateways?.stop();
      await world.farEnd?.close();
    },
    /** A context with a port of its own. */
    context: (row, scope) => world.proxy.create('--dedicated-port', ...kRows[row](scope, world)),
  };
  try {
    const certs = await testCertificates();
    const read = (name) => readFileSync(join(certs, name));
    const machines = (id) => (id === 'alpha' ? '127.0.0.1' : addressOf(id));
    world.farEnd = await startFarEnd({ tls: { key: read('srv.key'), cert: read('srv.crt') }, machines, without });
    world.machine = await world.farEnd.machine('alpha');
    world.gateways = await startGateways(certs);
    const at = `127.0.0.1:${world.farEnd.port}`;
    const names = { '*.gw.test': `127.0.0.1:${world.gateways.port}`, '*.cmux.test': at, [`*${kMorph}`]: at, '*.cloud.test': at };
    world.proxy = await startProxy({ resolve: { ...names, ...resolve } });
    if (browser) world.browser = await launch(trust(world.proxy));
  } catch (error) {
    await world.close();
    throw error;
  }
  return world;
}
