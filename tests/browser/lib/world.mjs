// What most tests need: a workspace, a proxy that knows where it is, and a browser.
import { launch, trust } from './browser.mjs';
import { startProxy } from './proxy.mjs';
import { startWorkspace } from './workspace.mjs';

/** `args(proxy)`: the browser's flags, or a promise of them. `resolve`: names that are elsewhere than in the workspace. */
export async function startWorld({ h2 = true, args = trust, resolve = {} } = {}) {
  const world = {
    async close() {
      await world.browser?.close();
      await world.proxy?.stop();
      await world.workspace?.down();
    },
  };
  try {
    world.workspace = await startWorkspace({ h2 });
    const at = world.workspace.address;
    world.proxy = await startProxy({ resolve: { '*.cmux.test': at, '*.http.cloud.morph.test': at, ...resolve } });
    world.browser = await launch(await args(world.proxy));
  } catch (error) {
    await world.close();
    throw error;
  }
  return world;
}

/** Something that others wait for. */
export function gate() {
  let open;
  const opened = new Promise((done) => (open = done));
  return { open, opened };
}
