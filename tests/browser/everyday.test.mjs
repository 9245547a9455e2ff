// A page at http://localhost:3000 through the plain proxy, from a workspace that speaks HTTP/1.1.
import { after, before } from 'node:test';
import { view } from './lib/browser.mjs';
import { everyday } from './lib/everyday.mjs';
import { serveEveryday } from './lib/everyday_app.mjs';
import { startWorld } from './lib/world.mjs';

let world;
const env = {};

before(async () => {
  world = await startWorld({ h2: false });
  env.seen = serveEveryday(world.workspace, 'alpha');
  env.view = await view(world.browser, await world.proxy.context('alpha', '--dedicated-port'));
}, { timeout: 60_000 });
after(() => world?.close());

everyday(() => env);
