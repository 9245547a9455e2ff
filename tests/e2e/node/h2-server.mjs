// node h2-server.mjs CERT KEY | node h2-server.mjs: Node's HTTP/2 server, over TLS or without. Prints {"port":N}, ends with standard
// input. Answers every request with what it received as JSON, /trailers with trailers, and echoes WebSocket-like upgrades.
import { readFileSync } from 'node:fs';
import http2 from 'node:http2';

const [cert, key] = process.argv.slice(2);
const settings = { enableConnectProtocol: true };
const server = cert
  ? http2.createSecureServer({ cert: readFileSync(cert), key: readFileSync(key), settings })
  : http2.createServer({ settings });

let sessions = 0;
server.on('session', () => (sessions += 1));
server.on('stream', (stream, headers) => {
  stream.on('error', () => {});
  if (headers[':method'] === 'CONNECT') {
    stream.respond({ ':status': 200 });
    stream.pipe(stream);
    return;
  }
  if (headers[':path'] === '/trailers') {
    stream.respond({ ':status': 200 }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-checksum': 'abc' }));
    stream.end('with trailers');
    return;
  }
  let length = 0;
  stream.on('data', (chunk) => (length += chunk.length));
  stream.on('end', () => {
    stream.additionalHeaders({ ':status': 103, link: '</a.css>; rel=preload' });
    stream.respond({ ':status': 200, 'content-type': 'application/json', 'set-cookie': ['a=1', 'b=2'] });
    stream.end(JSON.stringify({ headers, length, sessions }));
  });
});
server.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ port: server.address().port })));
process.stdin.on('end', () => process.exit(0)).resume();
