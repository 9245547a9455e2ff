// A far end that serves applications: https at cmux-<id>-base-<port>.cmux.test and, as other routes ask for it, at
// port-<port>-morphvm-<id>.http.cloud.morph.test and at gate.cmux.test, where X-Cmux-Port-Internal says the port.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http2 from 'node:http2';
import https from 'node:https';
import { join } from 'node:path';
import WebSocket, { WebSocketServer } from 'ws';
import { testCertificates } from './proxy.mjs';

const kHandshakes = new WebSocketServer({ noServer: true });

/** What an application takes itself for. */
export const hostOf = (request) => request.headers.host ?? request.headers[':authority'];

/** The workspace and the port a request is for. */
function destination(request) {
  const socket = request.stream?.session?.socket ?? request.socket;
  const morph = /^port-(\d+)-morphvm-([a-z0-9-]+)\.http\.cloud\.morph\.test$/.exec(socket.servername);
  if (morph) return { id: morph[2], port: +morph[1] };
  const cmux = /^cmux-([a-z0-9-]+)-([a-z0-9]+)-(\d+)\.cmux\.test$/.exec(hostOf(request));
  const port = request.headers['x-cmux-port-internal'];
  if (!cmux && !port) return null;
  // The part that runs in the workspace's machine: it restores the Host that a header says, which the cmux hosts hand through.
  if (request.headers['x-cmux-host-override']) request.headers.host = request.headers['x-cmux-host-override'];
  for (const name of Object.keys(request.headers)) if (name.startsWith('x-cmux-')) delete request.headers[name];
  return cmux ? { id: cmux[1], port: +cmux[3] } : { id: 'gate', port: +port };
}

/** Serves on an address of its own, so that nobody takes the port while it is down. `h2`: over HTTP/2 too, sockets included. */
export async function startWorkspace({ h2 = true } = {}) {
  const certs = await testCertificates();
  const byte = () => 1 + Math.floor(Math.random() * 254);
  const address = `127.${byte()}.${byte()}.${byte()}`;
  const apps = new Map();
  const sockets = new Set();
  let port = 0;
  let server;

  const appOf = (request) => {
    const to = destination(request);
    return to && apps.get(`${to.id}:${to.port}`);
  };
  const onRequest = (request, response) => {
    workspace.versions.add(request.httpVersion);
    const app = appOf(request);
    if (!app?.request) {
      response.writeHead(404, { 'content-type': 'text/plain' }).end(`nothing on ${hostOf(request)}`);
      return;
    }
    Promise.resolve(app.request(request, response)).catch((error) => {
      if (!response.headersSent) response.writeHead(500, { 'content-type': 'text/plain' });
      response.end(String(error.stack));
    });
  };
  // HTTP/1.1: an upgrade.
  const onUpgrade = (request, socket, head) => {
    workspace.versions.add(request.httpVersion);
    const app = appOf(request);
    if (app?.upgrade) return app.upgrade(request, socket, head);
    if (!app?.socket) return socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
    kHandshakes.handleUpgrade(request, socket, head, (ws) => app.socket(ws, request));
  };
  // HTTP/2: an extended CONNECT (RFC 8441). The library knows no handshake for it, but can go on from there.
  const onStream = (stream, headers) => {
    if (headers[':protocol'] !== 'websocket') return;
    workspace.versions.add('2.0');
    const app = appOf({ stream, headers });
    if (!app?.socket) return stream.respond({ ':status': 404 }, { endStream: true });
    const protocol = headers['sec-websocket-protocol']?.split(/\s*,\s*/)[0];
    stream.respond({ ':status': 200, ...(protocol ? { 'sec-websocket-protocol': protocol } : {}) });
    const ws = new WebSocket(null, undefined, {});
    ws.setSocket(stream, Buffer.alloc(0), { maxPayload: 1 << 20, skipUTF8Validation: false, allowSynchronousEvents: true });
    app.socket(ws, { headers, stream, url: headers[':path'] });
  };

  const workspace = {
    /** Which versions of HTTP it was spoken to in. */
    versions: new Set(),

    /** What runs on a port: {request(request, response)} and, where wanted, socket(ws, request) or upgrade(…, socket, head). */
    serve: (id, onPort, app) => apps.set(`${id}:${onPort}`, app),

    async up() {
      const identity = { key: readFileSync(join(certs, 'srv.key')), cert: readFileSync(join(certs, 'srv.crt')) };
      server = h2
        ? http2.createSecureServer({
            ...identity,
            allowHTTP1: true,
            settings: { enableConnectProtocol: true, initialWindowSize: 1 << 20 },
          })
        : https.createServer(identity);
      server.on('request', onRequest).on('upgrade', onUpgrade);
      // With a listener for 'connect' the library leaves such streams to the one for 'stream'.
      server.on('connect', () => {}).on('stream', onStream);
      server.on('session', (session) => session.setLocalWindowSize(16 << 20));
      server.on('connection', (socket) => {
        sockets.add(socket);
        socket.on('close', () => sockets.delete(socket));
      });
      server.on('sessionError', () => {});
      server.listen(port, address);
      await once(server, 'listening');
      port = server.address().port;
      workspace.address = `${address}:${port}`;
    },

    /** Down as a machine is whose process ended: connections reset, new ones refused. */
    async down() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
  await workspace.up();
  return workspace;
}
