// The program under test, and its contexts.
import { join } from 'node:path';
import { build, run, source, startProgram, temporaryFolder } from './process.mjs';

export const program = join(build, 'cmuxproxy');

let certificates;
/** The folder with the test CA and its certificates (fixtures/certs.sh). */
export function testCertificates() {
  const make = async () => {
    const folder = join(temporaryFolder(), 'certs');
    await run('sh', [join(source, 'fixtures/certs.sh'), folder, '*.cloud.test', '*.gw.test']);
    return folder;
  };
  return (certificates ??= make());
}

/** Starts an instance whose names resolve as `resolve` says: {'*.cmux.test': '127.0.0.1:8443'}. */
export async function startProxy({ resolve = {} } = {}) {
  const folder = temporaryFolder();
  const env = { CMUXPROXY_RUNTIME_DIR: join(folder, 'run'), CMUXPROXY_STATE_DIR: join(folder, 'state') };
  const certs = await testCertificates();
  const names = Object.entries(resolve).flatMap(([name, where]) => ['--resolve', `${name}=${where}`]);
  const { stop } = await startProgram(
    program,
    ['serve', '--listen', '127.0.0.1:0', '--json', '--owner-pid', String(process.pid), '--drain-timeout', '0s',
      '--upstream-ca', join(certs, 'ca.crt'), ...names],
    { env },
  );
  const command = (...argv) => run(program, argv, { env });
  // How a context is made for a workspace.
  const creation = (id) => ['ctx', 'create', '--morph-id', id, '--scope', 'base', '--domain-suffix', 'cmux.test'];
  const spki = (await command('ca', 'spki')).trim();

  return {
    spki,
    env,
    stateFolder: env.CMUXPROXY_STATE_DIR,
    stop,
    /** A context; `flags` are those of `ctx create`. Answers its JSON. */
    create: async (...flags) => JSON.parse(await command('ctx', 'create', '--json', ...flags)),
    /** One for a workspace by its cmux hosts. */
    context: async (id, ...flags) => JSON.parse(await command(...creation(id), '--json', ...flags)),
    /** The flags that a Chromium of its own needs for such a context. */
    chromiumFlags: async (id) =>
      (await command(...creation(id), '--dedicated-port', '--format', 'chromium')).trim().split('\n'),
    release: (context) => command('ctx', 'release', context.id),
    /** Any other command; answers what it prints. */
    command,
    /** The URL of the inspector's page, which works once. */
    inspector: async () => (await command('inspect', '--print')).trim(),
  };
}
