// Real dev servers behind the far end that users have, unconfigured, in Chromium: every framework on every row.
// CMUX_FRAMEWORKS: names of some, or `all`, with those that only scripts/test.sh --frameworks starts.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { view } from '../browser/lib/browser.mjs';
import { cloudHost, startFarWorld } from '../browser/lib/far_world.mjs';
import { startDevServer } from './dev_server.mjs';
import { look } from './look.mjs';
import { documented, kApps, kRows } from './table.mjs';

const wanted = process.env.CMUX_FRAMEWORKS?.split(',');
const chosen = kApps.filter(({ name, more }) => (wanted ? wanted.includes('all') || wanted.includes(name) : !more));
let world;

before(async () => {
  world = await startFarWorld();
}, { timeout: 60_000 });
after(() => world?.close());

/** Writes the line that mends an application behind a template into its configuration, for the cloud of these tests. */
function mend({ mend }, server) {
  const name = cloudHost(server.scope, 3000);
  const line = mend.line.replace('NAME-3000.app.github.dev', name).replace('.app.github.dev', '.cloud.test');
  const before = server.read(mend.file);
  const after = before.replace(mend.instead ?? mend.behind, mend.instead ? line : `${mend.behind}\n${line}`);
  assert.notEqual(after, before);
  server.write(mend.file, after);
}

test('docs/frameworks.md has this table', () => {
  const text = readFileSync(new URL('../../docs/frameworks.md', import.meta.url), 'utf8');
  for (const app of kApps) assert.ok(text.includes(`\n${documented(app)}\n`), `it lacks:\n${documented(app)}`);
});

for (const app of chosen) {
  test(app.name, { timeout: 600_000 }, async (t) => {
    const server = await startDevServer(app);
    const seen = async (row) => {
      const context = await world.context(row, server.scope);
      const sight = await view(world.browser, context);
      try {
        return await look(sight, app, server);
      } finally {
        await sight.close();
        await world.proxy.release(context);
      }
    };
    try {
      for (const row of kRows) {
        await t.test(row, async () => {
          const failed = await seen(row);
          const told = `${JSON.stringify(failed, null, 2)}\n${server.said()}`;
          assert.deepEqual(Object.keys(failed), Object.keys(app[row] ?? {}), told);
          if (failed.page) assert.equal(failed.page, app[row].page);
        });
      }
      if (!app.mend) return;
      await t.test('template, with the line that mends it', async () => {
        mend(app, server);
        await server.stop();
        await server.start();
        assert.deepEqual(await seen('template'), {}, server.said());
      });
    } finally {
      await server.close();
    }
  });
}
