// The original's integration runs as it is: in a fake Electron, through the real proxy, to a fake workspace over TLS.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import net from 'node:net';
import test from 'node:test';
import { ProxyServer } from '../index.mjs';
import { app, WebContents } from './support/electron.mjs';
import {
  configurePreviewProxyForView, getProxyCredentialsForWebContents, releasePreviewProxy, started, startPreviewProxy,
} from './support/guide.mjs';
import { binary, environment, makeFolder, startTlsWorkspace } from './support/world.mjs';

const said = [];
const logger = { log: (...words) => said.push(words), warn: (...words) => said.push(['warning', ...words]) };

// What getProxyCredentialsForWebContents was for in the app. The guide returns null there: that module never asked.
const created = new Map();
const { createContext } = ProxyServer.prototype;
ProxyServer.prototype.createContext = function (...given) {
  const context = createContext.apply(this, given);
  created.set(context.webContentsId, context);
  return context;
};

const contexts = () => JSON.parse(execFileSync(binary, ['ctx', 'list', '--json', '--instance', started().instance])).contexts;

test("the guide's integration", async (t) => {
  const folder = makeFolder(t);
  const workspace = await startTlsWorkspace(t, folder);
  // The guide names no program and no settings: they come from the environment.
  for (const [name, value] of Object.entries(environment(folder)))
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  Object.assign(process.env, { CMUXPROXY_BIN: binary, CMUXPROXY_RESOLVE: `*.cmux.test=127.0.0.1:${workspace.https}`,
                               CMUXPROXY_UPSTREAM_CA: workspace.ca });
  const view = (url, setUp = () => {}) => {
    const webContents = new WebContents();
    setUp(webContents);
    return { webContents, configured: configurePreviewProxyForView({ webContents, initialUrl: url, persistKey: 'key', logger }) };
  };
  const alpha = 'https://cmux-alpha-base-3000.cmux.test/', beta = 'https://cmux-beta-base-3000.cmux.test/';

  await assert.rejects(view(alpha).configured, /Proxy server not started/);

  // One that has its first port before it, so that the guide goes on to the next. (Where somebody has it already: just as well.)
  const blocker = net.createServer();
  await new Promise((resolve) => { blocker.once('error', resolve).listen(39385, '127.0.0.1', resolve); });
  t.after(() => blocker.close());
  const port = await startPreviewProxy(logger);
  started().ref();
  t.after(() => started().stop());
  assert.ok(port > 39385 && port < 39435);
  assert.equal(started().port(), port);
  assert.equal(await startPreviewProxy(logger), port);
  assert.deepEqual(said.pop(), ['Rust proxy server started', { port }]);

  await t.test('a view that has not asked for credentials sees 407; with them, its workspace', async () => {
    const { webContents, configured } = view(alpha);
    await configured;
    assert.deepEqual(webContents.session.proxy,
                     { proxyRules: `http=127.0.0.1:${port};https=127.0.0.1:${port}`, proxyBypassRules: '<-loopback>' });
    assert.equal(said.at(-1)[0], 'Configured proxy context');
    assert.equal(getProxyCredentialsForWebContents(webContents.id), null);
    assert.equal((await webContents.loadURL('http://localhost:3000/')).status, 407);
    app.once('login', (event, who, details, authInfo, callback) => {
      event.preventDefault();
      assert.deepEqual(authInfo, { isProxy: true, scheme: 'basic', host: '127.0.0.1', port, realm: 'Cmux Preview Proxy' });
      const { username, password } = created.get(who.id);
      callback(username, password);
    });
    const page = await webContents.loadURL('http://localhost:3000/');
    assert.equal(page.status, 200);
    assert.match(page.body, /workspace alpha scope base port 3000/);
    assert.match((await webContents.loadURL('http://localhost:8080/')).body, /workspace alpha scope base port 8080/);
    webContents.destroy();
    assert.equal(said.at(-1)[0], 'Released proxy context');
    assert.equal((await webContents.reload()).status, 407);
    releasePreviewProxy(webContents.id);
  });

  await t.test('two views, two workspaces, one URL', async () => {
    const login = (event, who, details, authInfo, callback) => {
      event.preventDefault();
      callback(created.get(who.id).username, created.get(who.id).password);
    };
    app.on('login', login);
    const views = [view(alpha), view(beta)];
    await Promise.all(views.map(({ configured }) => configured));
    const pages = await Promise.all(views.map(({ webContents }) => webContents.loadURL('http://localhost:3000/')));
    assert.deepEqual(pages.map(({ body }) => /workspace (\w+)/.exec(body)[1]), ['alpha', 'beta']);
    for (const { webContents } of views) webContents.destroy();
    app.off('login', login);
  });

  await t.test('every context is released: by destroyed, by cleanup (twice), after a refused setProxy', async () => {
    const { webContents, configured } = view(alpha);
    const cleanup = await configured;
    assert.equal(contexts().length, 1);
    cleanup();
    cleanup();
    webContents.destroy();
    assert.equal(contexts().length, 0);
    const refused = view(alpha, (contents) => {
      contents.session.setProxy = () => Promise.reject(new Error('refused'));
    });
    await assert.rejects(refused.configured, /refused/);
    assert.equal(contexts().length, 0);
    const elsewhere = view('https://example.com/');
    (await elsewhere.configured)();
    assert.equal(elsewhere.webContents.session.proxy.proxyRules, '');
    assert.equal(contexts().length, 0);
  });

  await t.test('a proxy that has died: views can still go, and new ones are told', async () => {
    const { webContents, configured } = view(alpha);
    await configured;
    process.kill(started().pid, 'SIGKILL');
    await started().exited;
    webContents.destroy();
    await assert.rejects(view(beta).configured, { code: 'CMUXPROXY_ENDED', signal: 'SIGKILL' });
  });
});
