// A stand-in for the instance's admin port: serves the inspector's page and its API from memory, as many exchanges as a test wants, and what no
// real server would say.
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { extname, join, normalize } from 'node:path';
import { source } from './process.mjs';

const kPage = join(source, 'web/inspector');
const kTypes = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css',
  '.js': 'text/javascript',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
};
export const kPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data: blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

const base64 = (text) => Buffer.from(text).toString('base64');
export const bodyOf = (content = '', type = null, more = {}) => {
  const bytes = Buffer.from(content);
  return { size: bytes.length, kept: bytes.length, complete: true, type, encoding: null, data: bytes.toString('base64'), ...more };
};

const kPaths = [
  '/',
  '/src/main.ts',
  '/src/App.svelte',
  '/@vite/client',
  '/api/users?page=1',
  '/api/orders/4711',
  '/assets/logo.png',
  '/style.css',
  '/node_modules/.vite/deps/react.js',
];
const kKinds = [
  'text/html',
  'text/javascript',
  'text/javascript',
  'text/javascript',
  'application/json',
  'application/json',
  'image/png',
  'text/css',
  'text/javascript',
];

/** The details of exchange number `seq`; `change` overrides members of it. */
export function exchange(seq, change = {}) {
  const which = seq % kPaths.length;
  const context = `ctx-${seq % 3}-0123456789abcdef`;
  const status = seq % 41 === 0 ? 502 : seq % 17 === 0 ? 404 : seq % 13 === 0 ? 304 : 200;
  const method = which === 5 ? 'POST' : 'GET';
  const path = kPaths[which];
  const type = kKinds[which];
  const fields = [
    ['accept', '*/*', null],
    ['host', 'localhost:3000', null],
    ['cookie', 'session=•••', null],
    ['user-agent', 'Mozilla/5.0', null],
  ];
  const answer = which === 4 ? JSON.stringify({ users: [{ id: seq, name: 'Ada' }], big: 1 }) : `/* answer ${seq} */`;
  return {
    id: `x-${seq.toString(16)}`,
    seq,
    at: new Date(Date.UTC(2026, 0, 1, 12) + seq * 37).toISOString(),
    state: status === 502 ? 'failed' : 'done',
    context,
    method,
    url: `http://localhost:3000${path}`,
    destination: 'https://cmux-alpha-base-3000.cmux.app:443',
    parent: null,
    status,
    type,
    sent: method === 'POST' ? 14 : 0,
    received: answer.length,
    downstream: 'http/1.1',
    upstream: 'h2',
    tunnel: false,
    websocket: false,
    messages: 0,
    reused: seq % 5 !== 0,
    retries: 0,
    error: status === 502 ? 'connection_refused' : null,
    detail: status === 502 ? 'nothing listens on port 3000 of the workspace' : null,
    advice: status === 502 ? 'start the dev server in the workspace, and look that it listens on port 3000' : null,
    timing: {
      dns: seq % 5 ? 0 : 1234,
      connect: seq % 5 ? 0 : 5210,
      tls: seq % 5 ? 0 : 9876,
      firstByte: 20_000 + (seq % 7) * 9_000,
      total: 24_000 + (seq % 11) * 31_000,
    },
    replayOf: null,
    why: 'localhost:3000 is a loopback host, and the context has a route to the workspace alpha',
    request: {
      received: { protocol: 'http/1.1', line: `${method} ${path} HTTP/1.1`, fields },
      sent: { protocol: 'h2', line: `${method} ${path}`, fields: [...fields, ['x-cmux-host-override', 'localhost:3000', 'added']] },
      body: method === 'POST' ? bodyOf('{"amount": 42}', 'application/json') : bodyOf(),
    },
    response: {
      received: {
        protocol: 'h2',
        line: String(status),
        fields: [
          ['content-type', type, null],
          ['set-cookie', 'session=•••; Domain=cmux-alpha-base-3000.cmux.app', 'changed'],
          ['x-powered-by', 'test', 'removed'],
        ],
      },
      sent: {
        protocol: 'http/1.1',
        line: `${status} OK`,
        fields: [
          ['content-type', type, null],
          ['set-cookie', 'session=•••; Domain=localhost', 'changed'],
        ],
      },
      body: bodyOf(answer, type),
    },
    revealed: false,
    ...change,
  };
}

const kDetailsAlone = ['why', 'request', 'response', 'revealed'];
const summaryOf = (one) => Object.fromEntries(Object.entries(one).filter(([key]) => !kDetailsAlone.includes(key)));

export function series() {
  const make = (read) => Array.from({ length: 360 }, (_, i) => (i < 20 || (i > 200 && i < 215) ? null : Math.max(0, Math.round(read(i)))));
  const wave = (i, size) => size * (1 + 0.5 * Math.sin(i / 17) + 0.3 * Math.sin(i / 5));
  const percentiles = (size) => ({
    p50: make((i) => wave(i, size)),
    p90: make((i) => wave(i, size * 2.2)),
    p99: make((i) => wave(i, size * 4) + (i % 50 === 0 ? size * 6 : 0)),
  });
  return {
    step: 10,
    end: new Date().toISOString(),
    requests: make((i) => wave(i, 240)),
    errors: { connection_refused: make((i) => (i % 60 < 9 ? 12 : 0)), timeout: make((i) => (i % 90 < 5 ? 7 : 0)) },
    open: make((i) => wave(i, 14)),
    ...percentiles(38_000),
    byPhase: {
      dns: percentiles(900),
      connect: percentiles(4_000),
      tls: percentiles(9_000),
      firstByte: percentiles(30_000),
      total: percentiles(38_000),
    },
    byContext: {
      'ctx-0-0123456789abcdef': { requests: make((i) => wave(i, 150)), ...percentiles(30_000) },
      'ctx-1-0123456789abcdef': { requests: make((i) => wave(i + 30, 90)), ...percentiles(52_000) },
    },
  };
}

const kContext = (n, label, usage) => ({
  id: `ctx-${n}-0123456789abcdef`,
  username: `u${n}`,
  webContentsId: n,
  route: { morphId: ['alpha', 'beta', 'gamma'][n], scope: 'base', domainSuffix: 'cmux.app' },
  proxy: '127.0.0.1:39385',
  pacUrl: null,
  dedicatedPort: n === 1 ? 41_000 : null,
  forwards: n === 2 ? [{ port: 5432, local: 5432 }] : [],
  transparent: false,
  label,
  createdAt: new Date(Date.now() - 5_000_000).toISOString(),
  expiresAt: null,
  ownerPid: null,
  usage,
  lastTunnelFailure: null,
});

/**
 * {url, exchanges, add(details…), asked: what was asked by method and path, close()}. `gone`: nobody is known, as after the session's end.
 */
export async function startFake({ count = 0, gone = false } = {}) {
  const exchanges = Array.from({ length: count }, (_, i) => exchange(i + 1));
  const changes = new Map(exchanges.map(({ id }, i) => [id, i + 1]));  // of each exchange, the number of its latest change
  const changeOf = ({ id }) => changes.get(id) ?? 0;
  let latest = count;
  const messages = new Map();
  const streams = new Set();
  const fake = {
    exchanges,
    messages,
    asked: [],
    gone,
    capture: { mode: 'bodies', memory: { used: 21_000_000, limit: 64_000_000 }, bodyLimit: 1_000_000, exchanges: count },
    replays: [],
    modes: [],
  };
  const find = (id) => exchanges.findLast((one) => one.id === id);

  const say = (event, data) => {
    for (const stream of streams) stream.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  };
  fake.say = say;
  /** New ones, and changes of those that there are. */
  fake.add = (...all) => {
    for (const one of all) {
      fake.addQuietly(one);
      say('exchange', summaryOf(one));
    }
  };
  /** The streams hear nothing of it. */
  fake.addQuietly = (one) => {
    const at = changes.has(one.id) ? exchanges.findIndex(({ id }) => id === one.id) : -1;
    if (at < 0) exchanges.push(one);
    else exchanges[at] = one;
    changes.set(one.id, ++latest);
  };
  let sorted = { latest: -1, list: [] };  // by their changes
  const changedAfter = (after, most = Infinity) => {
    if (sorted.latest !== latest) sorted = { latest, list: exchanges.slice().sort((a, b) => changeOf(a) - changeOf(b)) };
    const from = sorted.list.findIndex((one) => changeOf(one) > after);
    return from < 0 ? [] : sorted.list.slice(from, from + most);
  };
  const revealed = (one) => JSON.parse(JSON.stringify(one).replaceAll('•••', 'sesame').replace('"revealed":false', '"revealed":true'));

  const routes = [
    [
      'GET',
      /^\/v1\/exchanges$/,
      ({ query }) => {
        const limit = +query.get('limit') || 100;
        const some = changedAfter(+query.get('after'), limit);
        return {
          capture: fake.capture,
          exchanges: some.map(summaryOf),
          first: fake.first ?? 1,
          next: some.length < limit ? latest : changeOf(some.at(-1)),
          lost: 0,
        };
      },
    ],
    ['DELETE', /^\/v1\/exchanges$/, () => {
      exchanges.splice(0);
      ++latest;
    }],
    [
      'PUT',
      /^\/v1\/capture$/,
      ({ body }) => {
        fake.modes.push(body.mode);
        return (fake.capture = { ...fake.capture, mode: body.mode === 'auto' ? 'bodies' : body.mode });
      },
    ],
    [
      'GET',
      /^\/v1\/contexts$/,
      () => ({
        contexts: [
          kContext(0, 'alpha, left view', { requests: 1234, open: 2, lastAt: new Date().toISOString() }),
          kContext(1, null, { requests: 88, open: 0, lastAt: null }),
          kContext(2, 'shell', { requests: 4, open: 1, lastAt: new Date(Date.now() - 90_000).toISOString() }),
        ],
      }),
    ],
    ['GET', /^\/v1\/series$/, () => series()],
    ['GET', /^\/v1\/exchanges\/([^/]+)$/, ({ found }) => find(found)],
    ['POST', /^\/v1\/exchanges\/([^/]+)\/reveal$/, ({ found }) => find(found) && revealed(find(found))],
    [
      'GET',
      /^\/v1\/exchanges\/([^/]+)\/messages$/,
      ({ found, query }) => {
        const some = (messages.get(found) ?? []).filter(({ n }) => n > +query.get('after')).slice(0, +query.get('limit'));
        return { messages: some, next: some.at(-1)?.n ?? +query.get('after') };
      },
    ],
    [
      'POST',
      /^\/v1\/exchanges\/([^/]+)\/replay$/,
      ({ found, body }) => {
        const before = find(found);
        if (body.url?.includes(':39385')) return new Error('that is a port of the proxy itself');
        const next = exchange(exchanges.at(-1).seq + 1, {
          method: body.method ?? before.method,
          url: body.url ?? before.url,
          replayOf: before.id,
          request: { ...before.request, body: body.body === undefined ? before.request.body : bodyOf(Buffer.from(body.body, 'base64')) },
        });
        fake.replays.push(body);
        fake.add(next);
        return { id: next.id };
      },
    ],
  ];

  const server = http.createServer(async (request, response) => {
    const url = new URL(request.url, 'http://fake');
    fake.asked.push(`${request.method} ${url.pathname}${url.search}`);
    if (url.pathname.startsWith('/inspector/') && request.method === 'GET') return file(url.pathname, response);
    let text = '';
    for await (const piece of request) text += piece;
    const answer = (status, body) =>
      response
        .writeHead(status, { 'content-type': status < 400 ? 'application/json' : 'application/problem+json' })
        .end(JSON.stringify(body));
    if (url.pathname === '/inspector/session') {
      fake.key = JSON.parse(text).key;
      return response.writeHead(204, { 'set-cookie': 'cmux_inspector=1; HttpOnly; SameSite=Strict; Path=/' }).end();
    }
    if (fake.gone) return answer(401, { title: 'Unauthorized', detail: 'no session' });
    if (url.pathname === '/v1/exchanges/stream') {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write(':\n\n');
      for (const one of changedAfter(+url.searchParams.get('after')))
        response.write(`event: exchange\ndata: ${JSON.stringify(summaryOf(one))}\n\n`);
      streams.add(response);
      return response.on('close', () => streams.delete(response));
    }
    for (const [method, path, run] of routes) {
      const found = path.exec(url.pathname);
      if (method !== request.method || !found) continue;
      const value = run({ found: found[1] && decodeURIComponent(found[1]), query: url.searchParams, body: text ? JSON.parse(text) : null });
      if (value instanceof Error) return answer(508, { title: 'Loop Detected', detail: value.message });
      if (value === undefined && method === 'GET') return answer(404, { title: 'Not Found', detail: 'this exchange is no longer kept' });
      return answer(method === 'POST' && path.source.includes('replay') ? 202 : 200, value ?? null);
    }
    return answer(404, { title: 'Not Found', detail: 'no such path' });
  });
  const file = (path, response) => {
    const name = normalize(path.slice('/inspector/'.length) || 'index.html');
    try {
      const content = readFileSync(join(kPage, name.startsWith('..') ? 'none' : name));
      response
        .writeHead(200, {
          'content-type': kTypes[extname(name)] ?? 'application/octet-stream',
          'content-security-policy': kPolicy,
          'x-content-type-options': 'nosniff',
          'referrer-policy': 'no-referrer',
        })
        .end(content);
    } catch {
      response.writeHead(404).end();
    }
  };
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  fake.url = `http://127.0.0.1:${server.address().port}/inspector/`;
  fake.cut = () => streams.forEach((stream) => stream.destroy());
  fake.close = () => {
    server.closeAllConnections();
    return new Promise((done) => server.close(done));
  };
  fake.text = base64;
  return fake;
}
