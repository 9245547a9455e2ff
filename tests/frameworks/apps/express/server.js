// As tutorials have it: a page, a form with a token, a session cookie, and socket.io. Writes of other origins are refused.
import { randomBytes } from 'node:crypto';
import http from 'node:http';
import express from 'express';
import { Server } from 'socket.io';

const trusted = [];
const app = express();
const server = http.createServer(app);
new Server(server).on('connection', (socket) => socket.on('ping', (answer) => answer('pong')));

const cookie = (request, name) => new RegExp(`(?:^|; )${name}=([^;]*)`).exec(request.headers.cookie ?? '')?.[1];
app.use(express.urlencoded({ extended: false }), (request, response, next) => {
  if (request.method !== 'POST') return next();
  const { origin, host } = request.headers;
  const isOwn = origin === `${request.protocol}://${host}` || trusted.includes(origin);
  if (isOwn && cookie(request, 'token') === request.body.token) return next();
  response.status(403).send(`forged: Origin ${origin}, Host ${host}`);
});
app.get('/', (request, response) => {
  const token = cookie(request, 'token') ?? randomBytes(8).toString('hex');
  response.cookie('token', token, { httpOnly: true, sameSite: 'strict' }).send(`<!doctype html><title>express</title>
    <h1 id="title">as it was</h1><button id="count">0</button><p id="socket"></p>
    <form id="form" method="post"><input name="token" type="hidden" value="${token}"><input name="name"><button>send</button></form>
    <script src="/socket.io/socket.io.js"></script>
    <script>
      const count = document.querySelector('#count');
      count.onclick = () => (count.textContent = +count.textContent + 1);
      const socket = io();
      socket.io.engine.on('upgrade', async ({ name }) =>
        (document.querySelector('#socket').textContent = await socket.emitWithAck('ping') + ' by ' + name));
    </script>`);
});
app.post('/', (request, response) => response.send(`<p id="said">hello ${request.body.name}</p>`));
app.get('/login', (request, response) => response.cookie('user', 'alice', { httpOnly: true }).redirect('/private'));
app.get('/private', (request, response) => response.send(`<p id="user">${cookie(request, 'user')}</p>`));

const [host, port] = process.argv.slice(2);
server.listen(port, host);
