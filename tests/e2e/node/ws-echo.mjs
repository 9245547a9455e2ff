// node ws-echo.mjs PROXY-URL WS-URL TEXT: sends TEXT over a WebSocket through CONNECT and prints what comes back.
import WebSocket from 'ws';
import { ConnectAgent } from './connect-agent.mjs';

const [proxy, url, text] = process.argv.slice(2);
if (text === undefined) {
  console.error('usage: ws-echo.mjs PROXY-URL WS-URL TEXT');
  process.exit(2);
}

const fail = (why) => {
  console.error(`ws-echo: ${why}`);
  process.exit(1);
};
const limit = setTimeout(() => fail('no echo within 10 seconds'), 10_000);

const socket = new WebSocket(url, { agent: new ConnectAgent(proxy) });
socket.on('open', () => socket.send(text));
socket.on('message', (data) => {
  console.log(data.toString());
  socket.close(1000);
});
socket.on('close', (code) => {
  clearTimeout(limit);
  if (code !== 1000) fail(`closed with code ${code}`);
});
socket.on('unexpected-response', (request, response) => fail(`the handshake was answered ${response.statusCode}`));
socket.on('error', (error) => fail(error.message));
