// As much of Electron as a preview needs: views whose sessions follow setProxy and ask for credentials as Chromium does.
import { EventEmitter } from 'node:events';
import http from 'node:http';
import { basic } from './world.mjs';

export const app = new EventEmitter();

class Session {
  certificateVerifier = null;
  closed = 0;
  #proxy = { proxyRules: '', proxyBypassRules: '' };
  #known = new Map();  // a proxy's address to the credentials that it took

  async setProxy(config) {
    this.#proxy = config;
  }
  get proxy() { return this.#proxy; }
  setCertificateVerifyProc(verify) { this.certificateVerifier = verify; }
  async closeAllConnections() {
    this.closed += 1;
    this.#known.clear();
  }

  // "http=127.0.0.1:1;https=127.0.0.1:2", or "127.0.0.1:1" for all.
  proxyFor(url) {
    const { protocol, hostname } = new URL(url);
    const loopback = /^(localhost|127\..*|\[::1\])$/.test(hostname);
    if (loopback && this.#proxy.proxyBypassRules !== '<-loopback>') return undefined;
    for (const rule of this.#proxy.proxyRules.split(';')) {
      const [scheme, address] = rule.includes('=') ? rule.split('=') : [protocol.slice(0, -1), rule];
      if (`${scheme}:` === protocol && address) return new URL(`http://${address}`);
    }
    return undefined;
  }

  known(proxy) { return this.#known.get(proxy.host); }
  remember(proxy, credentials) { this.#known.set(proxy.host, credentials); }
}

let lastId = 0;

export class WebContents extends EventEmitter {
  id = ++lastId;
  session = new Session();
  page = null;

  async loadURL(url) {
    this.page = await this.#fetch(url);
    return this.page;
  }
  async reload() {
    return this.loadURL(this.page.url);
  }
  destroy() { this.emit('destroyed'); }

  async #fetch(url) {
    const proxy = this.session.proxyFor(url);
    if (!proxy) return { url, status: 'direct' };
    const answer = await this.#send(proxy, url, this.session.known(proxy));
    if (answer.status !== 407) return answer;
    const credentials = this.#login(url, proxy, answer);
    if (!credentials) return answer;
    const second = await this.#send(proxy, url, credentials);
    if (second.status !== 407) this.session.remember(proxy, credentials);
    return second;
  }

  // Nobody who calls preventDefault: the 407 is shown.
  #login(url, proxy, answer) {
    let prevented = false;
    let credentials;
    const event = { preventDefault: () => { prevented = true; } };
    const realm = /realm="([^"]*)"/.exec(answer.headers['proxy-authenticate'])?.[1];
    const authInfo = { isProxy: true, scheme: 'basic', host: proxy.hostname, port: Number(proxy.port), realm };
    app.emit('login', event, this, { url, firstAuthAttempt: !this.session.known(proxy) }, authInfo,
             (username, password) => { credentials = username === undefined ? undefined : { username, password }; });
    return prevented ? credentials : undefined;
  }

  #send(proxy, url, credentials) {
    return new Promise((resolve, reject) => {
      const headers = { host: new URL(url).host };
      if (credentials) headers['proxy-authorization'] = basic(credentials);
      http.get({ host: proxy.hostname, port: proxy.port, path: url, headers, agent: false }, (response) => {
        let body = '';
        response.on('data', (text) => { body += text; });
        response.on('end', () => resolve({ url, status: response.statusCode, headers: response.headers, body }));
      }).on('error', reject);
    });
  }
}
