// An http.Agent that reaches every host through CONNECT on a proxy, as browsers do for ws://.
import http from 'node:http';

export class ConnectAgent extends http.Agent {
  #proxy;

  constructor(proxyUrl, options = {}) {
    super(options);
    this.#proxy = new URL(proxyUrl);
  }

  createConnection(options, done) {
    const target = `${options.host.includes(':') ? `[${options.host}]` : options.host}:${options.port}`;
    const headers = { host: target };
    if (this.#proxy.username) {
      const credentials = `${decodeURIComponent(this.#proxy.username)}:${decodeURIComponent(this.#proxy.password)}`;
      headers['proxy-authorization'] = `Basic ${Buffer.from(credentials).toString('base64')}`;
    }
    const request = http.request({
      host: this.#proxy.hostname, port: this.#proxy.port || 80, method: 'CONNECT', path: target, headers, agent: false,
    });
    request.once('connect', (response, socket, head) => {
      if (response.statusCode !== 200) {
        socket.destroy();
        done(new Error(`CONNECT ${target}: ${response.statusCode} ${response.statusMessage}`));
        return;
      }
      if (head.length > 0) socket.unshift(head);
      done(null, socket);
    });
    request.once('error', done);
    request.end();
  }
}
