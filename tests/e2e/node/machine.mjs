// node machine.mjs PORT=SOCKET… PORT=!PROGRAM…: the proxy in a workspace's machine, as far as raw bytes go. A CONNECT leads to what
// stands for the port in X-Cmux-Port-Internal, a Unix socket or the standard streams of a program, and is answered when that is
// open. Prints {"port":N}, ends with standard input.
import { spawn } from 'node:child_process';
import http from 'node:http';
import net from 'node:net';

const services = Object.fromEntries(process.argv.slice(2).map((text) => text.split(/=(.*)/s)));
const portOf = (request) => request.headers['x-cmux-port-internal'];
const server = http.createServer((request, response) => response.end(`port ${portOf(request)}\n`));

server.on('connect', (request, client, head) => {
  client.on('error', () => {});
  const service = services[portOf(request)];
  const open = (input, output) => {
    client.write('HTTP/1.1 200 OK\r\n\r\n');
    input.on('error', () => client.destroy());
    input.write(head);
    client.pipe(input);
    output.pipe(client);
  };
  if (service?.startsWith('!')) {
    const [program, ...argv] = service.slice(1).split(' ');
    const child = spawn(program, argv, { stdio: ['pipe', 'pipe', 'inherit'] });
    client.on('close', () => child.kill());
    child.on('spawn', () => open(child.stdin, child.stdout));
    return;
  }
  const far = net.connect({ path: service ?? '/nowhere', allowHalfOpen: true });
  client.on('close', () => far.destroy());
  far.on('error', () => client.end('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n'));
  far.on('connect', () => open(far, far));
});
server.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ port: server.address().port })));
process.stdin.on('end', () => process.exit(0)).resume();
