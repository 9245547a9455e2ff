// What a person would do with the page of an application, as checks. The applications of apps/ agree on what they call things.
import { openPage } from '../browser/lib/browser.mjs';

const kHome = 'http://localhost:3000/';
const kPatience = 60_000; // for the slowest machine
let edits = 0;

function waits(page, id, text) {
  const shows = ([id, text]) => document.getElementById(id)?.textContent.trim() === text;
  return page.waitForFunction(shows, [id, text], { timeout: kPatience });
}

const checks = {
  // A click before the scripts have run is lost, so it is repeated.
  async hydration(page) {
    await page.waitForFunction(() => {
      const button = document.querySelector('#count');
      if (button && button.textContent.trim() === '0') button.click();
      return button && Number(button.textContent) > 0;
    }, null, { timeout: kPatience, polling: 100 });
  },
  async socket(page) {
    const late = new Promise((done, fail) => setTimeout(fail, kPatience, new Error('no frame of a WebSocket came')).unref());
    await Promise.race([page.heard, late]);
  },
  async hot(page, { app, server }) {
    await page.evaluate(() => (window.sameDocument = true));
    const title = `edited ${++edits}`;
    server.write(app.edit, server.read(app.edit).replace(/as it was|edited \d+/, title));
    await waits(page, 'title', title);
    if (!app.reloads && !(await page.evaluate(() => window.sameDocument))) throw new Error('the page was loaded anew');
  },
  async form(page) {
    await page.fill('#form input[name=name]', 'alice');
    const refused = new Promise((done, fail) => {
      page.on('response', (answer) => {
        if (answer.request().method() === 'POST' && answer.status() >= 400) fail(new Error(`status ${answer.status()}`));
      });
    });
    refused.catch(() => {});
    await page.click('#form button');
    await Promise.race([waits(page, 'said', 'hello alice'), refused]);
    if (new URL(page.url()).origin !== new URL(kHome).origin) throw new Error(`ended at ${page.url()}`);
  },
  async login(page, { app }) {
    await page.goto(`${kHome}login`);
    await waits(page, 'user', 'alice');
    const wanted = new URL(app.private ?? '/private', kHome).href;
    if (page.url() !== wanted) throw new Error(`ended at ${page.url()}`);
  },
};

/** Looks at an application; answers what did not work: check → the page's status, or why. */
export async function look(view, app, server) {
  const page = await openPage(view);
  page.setDefaultTimeout(kPatience);
  // Only those to the workspace count, and of them any frame that came.
  page.heard = new Promise((done) => {
    page.on('websocket', (socket) => new URL(socket.url()).host === 'localhost:3000' && socket.on('framereceived', done));
  });
  const failed = {};
  try {
    const answer = await page.goto(kHome);
    if (answer.status() !== 200) return { page: answer.status() };
    for (const check of app.checks) {
      try {
        await checks[check](page, { app, server });
      } catch (error) {
        const text = await page.textContent('body').catch(() => '');
        const said = page.said.slice(-5).join(' | ');
        failed[check] = `${error.message.split('\n')[0]}; the page: ${text.slice(0, 200)}; its console: ${said}`;
      }
    }
    return failed;
  } finally {
    await page.close();
  }
}
