// Debian's Chromium, headless. One browser a test file; a browser context a view.
import { chromium } from 'playwright-core';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { cleanEnvironment } from './process.mjs';

function findChromium() {
  if (process.env.CMUX_CHROMIUM) return process.env.CMUX_CHROMIUM;
  for (const folder of process.env.PATH.split(delimiter)) {
    for (const name of ['chromium', 'chromium-browser', 'google-chrome']) {
      try {
        accessSync(join(folder, name), constants.X_OK);
        return join(folder, name);
      } catch {}
    }
  }
  throw new Error('no Chromium in PATH: scripts/deps.sh installs it, CMUX_CHROMIUM names one');
}

/**
 * A browser, without a sandbox, which root and many containers cannot have. Playwright ends it with this process, and it ends by
 * itself when its pipe closes.
 */
export function launch(args = [], { env } = {}) {
  return chromium.launch({ executablePath: findChromium(), args, env: cleanEnvironment(env) });
}

/** What makes Chromium take the certificates that `proxy` makes. */
export const trust = (proxy) => [`--ignore-certificate-errors-spki-list=${proxy.spki}`];

/** A browser context that uses `context` of the proxy: by its own port if it has one, else by its credentials. */
export function view(browser, context) {
  const credentials = context.dedicatedPort ? {} : { username: context.username, password: context.password };
  return browser.newContext({ proxy: { server: `http://${context.proxy}`, bypass: '<-loopback>', ...credentials } });
}

/** A page, with what its console says kept in `page.said`. */
export async function openPage(view, url) {
  const page = await view.newPage();
  page.said = [];
  page.on('console', (message) => page.said.push(message.text()));
  page.on('pageerror', (error) => page.said.push(`uncaught: ${error.message}`));
  if (url) await page.goto(url);
  return page;
}
