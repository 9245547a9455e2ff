// A morning with two workspaces, as the pictures of docs/inspector.md show it.
import { bodyOf, exchange } from './inspector_fake.mjs';

const kLeft = 'ctx-0-0123456789abcdef',
  kRight = 'ctx-1-0123456789abcdef',
  kShell = 'ctx-2-0123456789abcdef';
const kStart = Date.UTC(2026, 0, 1, 9, 41, 3);

const kLines = [
  // context, method, path, status, type, received, total in ms
  [kLeft, 'GET', '/', 200, 'text/html', 1184, 61],
  [kLeft, 'GET', '/@vite/client', 200, 'text/javascript', 98_211, 44],
  [kLeft, 'GET', '/src/main.tsx', 200, 'text/javascript', 1904, 38],
  [kLeft, 'GET', '/src/index.css', 200, 'text/css', 4210, 31],
  [kLeft, 'GET', '/node_modules/.vite/deps/react-dom_client.js?v=•••', 200, 'text/javascript', 912_804, 212],
  [kLeft, 'GET', '/src/App.tsx', 200, 'text/javascript', 12_733, 33],
  [kRight, 'GET', '/', 200, 'text/html', 1191, 74],
  [kRight, 'GET', '/@vite/client', 304, null, 0, 22],
  [kLeft, 'GET', '/assets/hero.webp', 200, 'image/webp', 184_022, 96],
  [kLeft, 'GET', '/api/session', 200, 'application/json', 412, 48],
  [kLeft, 'GET', '/api/orders?status=•••&page=•••', 200, 'application/json', 18_204, 183],
  [kRight, 'GET', '/api/session', 401, 'application/json', 58, 41],
  [kRight, 'GET', '/login?next=•••', 200, 'text/html', 3920, 57],
  [kRight, 'POST', '/api/login', 200, 'application/json', 96, 388],
  [kRight, 'GET', '/api/session', 200, 'application/json', 418, 39],
  [kShell, 'GET', '/health', 200, 'application/json', 15, 12],
  [kLeft, 'POST', '/api/orders', 201, 'application/json', 233, 142],
  [kLeft, 'GET', '/api/orders/8231', 200, 'application/json', 1033, 51],
  [kLeft, 'PATCH', '/api/orders/8231', 422, 'application/problem+json', 187, 64],
  [kRight, 'GET', '/src/pages/Billing.tsx', 200, 'text/javascript', 22_904, 40],
  [kRight, 'GET', '/api/invoices', 500, 'application/json', 92, 2840],
  [kShell, 'POST', '/graphql', 200, 'application/json', 6021, 95],
  [kLeft, 'GET', '/fonts/inter.woff2', 200, 'font/woff2', 48_256, 71],
  [kLeft, 'DELETE', '/api/orders/8190', 204, null, 0, 58],
  [kRight, 'GET', '/api/invoices', 200, 'application/json', 7410, 131],
];

const kAnswer = {
  order: {
    id: 8231,
    status: 'draft',
    total: { amount: 4200, currency: 'EUR' },
    lines: [
      { sku: 'A-17', count: 2 },
      { sku: 'B-03', count: 1 },
    ],
  },
  warnings: [],
};

const kBroken = { error: { code: 'E_TIMEOUT', message: 'the database did not answer within 2.5 s' }, requestId: 'a81f' };
const kInvoices = {
  invoices: [
    { id: 31, due: '2026-02-01', total: 9900 },
    { id: 32, due: '2026-03-01', total: 1250 },
  ],
  requestId: 'b02c',
};
const answerOf = (content, status) => ({
  received: {
    protocol: 'HTTP/2',
    line: String(status),
    fields: [
      ['content-type', 'application/json', null],
      ['x-request-id', content.requestId, null],
      ['vary', 'origin', null],
    ],
  },
  sent: null,
  body: bodyOf(JSON.stringify(content), 'application/json'),
});

/** Puts it all into a fake; answers the ids of what the pictures show. */
export function setScene(fake) {
  let seq = 0;
  const at = () => new Date(kStart + seq * 431).toISOString();
  const host = (context) => `https://cmux-${context === kRight ? 'beta' : 'alpha'}-base-3000.cmux.app:443`;
  const put = (change) => {
    ++seq;
    const one = exchange(seq, { at: at(), state: 'done', error: null, detail: null, advice: null, sent: 0, ...change });
    fake.addQuietly(one);
    return one.id;
  };
  const ids = {};
  for (const [context, method, path, status, type, received, ms] of kLines) {
    const fresh = seq === 0 || seq === 6;
    const total = ms * 1000 + 340;
    const timing = fresh
      ? { dns: 1830, connect: 9_410, tls: 21_020, firstByte: total - 3_100, total }
      : { dns: 0, connect: 0, tls: 0, firstByte: Math.round(total * 0.82), total };
    const fields = [
      ['host', 'localhost:3000', null],
      ['accept', 'application/json', null],
      ['content-type', 'application/json', null],
      ['origin', 'http://localhost:3000', null],
      ['cookie', 'session=•••; theme=•••', null],
      ['authorization', '•••', null],
      ['proxy-authorization', '•••', 'removed'],
      ['user-agent', 'Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0', null],
    ];
    const invoices = path === '/api/invoices' && { response: answerOf(status === 500 ? kBroken : kInvoices, status) };
    const change = {
      ...invoices,
      context,
      method,
      url: `http://localhost:3000${path}`,
      destination: host(context),
      status,
      type,
      received,
      reused: !fresh,
      timing,
      downstream: context === kShell ? 'socks5' : 'http/1.1',
    };
    if (method === 'POST' && path === '/api/orders') {
      const body = JSON.stringify({ lines: kAnswer.order.lines, coupon: null });
      ids.post = put({
        ...change,
        sent: body.length,
        why: "localhost:3000 is a loopback address: the context's route sends it to https://cmux-alpha-base-3000.cmux.app:443",
        request: {
          received: { protocol: 'HTTP/1.1', line: 'POST /api/orders', fields },
          sent: {
            protocol: 'HTTP/2',
            line: 'POST /api/orders',
            fields: [
              ...fields.filter(([, , mark]) => mark !== 'removed'),
              ['x-cmux-host-override', 'localhost:3000', 'added'],
              ['x-cmux-port-internal', '3000', 'added'],
            ],
          },
          body: bodyOf(body, 'application/json'),
        },
        response: {
          received: {
            protocol: 'HTTP/2',
            line: '201 Created',
            fields: [
              ['content-type', 'application/json', null],
              ['location', 'https://cmux-alpha-base-3000.cmux.app/api/orders/8231', 'changed'],
              ['set-cookie', 'cart=•••; Domain=cmux-alpha-base-3000.cmux.app; Secure', 'changed'],
              ['cache-control', 'no-store', null],
            ],
          },
          sent: {
            protocol: 'HTTP/1.1',
            line: '201 Created',
            fields: [
              ['content-type', 'application/json', null],
              ['location', 'http://localhost:3000/api/orders/8231', 'changed'],
              ['set-cookie', 'cart=•••', 'changed'],
              ['cache-control', 'no-store', null],
            ],
          },
          body: bodyOf(JSON.stringify(kAnswer), 'application/json'),
        },
      });
      continue;
    }
    const id = put(change);
    if (fresh) ids.fresh ??= id;
  }
  ids.failed = put({
    context: kRight,
    method: 'GET',
    url: 'http://localhost:5173/',
    destination: 'https://cmux-beta-base-5173.cmux.app:443',
    status: 502,
    type: 'text/html',
    received: 912,
    state: 'failed',
    error: 'connection_refused',
    detail: 'nothing listens on port 5173 of the workspace',
    advice: 'start the dev server in the workspace, and look that it listens on port 5173 of 127.0.0.1 or 0.0.0.0',
    reused: false,
    timing: { dns: 900, connect: 8_200, tls: 18_900, firstByte: 41_000, total: 41_500 },
  });
  ids.socket = put({
    context: kLeft,
    method: 'GET',
    url: 'ws://localhost:3000/?token=•••',
    websocket: true,
    tunnel: true,
    state: 'open',
    status: 101,
    type: null,
    messages: 9,
    sent: 310,
    received: 1893,
    timing: { dns: 0, connect: 0, tls: 0, firstByte: 31_000, total: 0 },
  });
  const updates = [
    '{"type":"connected"}',
    '{"type":"ping"}',
    '{"type":"update","updates":[{"type":"js-update","path":"/src/App.tsx","timestamp":1767260463}]}',
    '{"type":"ping"}',
    '{"type":"update","updates":[{"type":"css-update","path":"/src/index.css","timestamp":1767260471}]}',
    '{"type":"ping"}',
    '{"type":"error","err":{"message":"Unexpected token (14:8)","id":"/src/App.tsx"}}',
    '{"type":"ping"}',
    '{"type":"update","updates":[{"type":"js-update","path":"/src/App.tsx","timestamp":1767260490}]}',
  ];
  fake.messages.set(
    ids.socket,
    updates.map((text, i) => ({
      n: i + 1,
      at: new Date(kStart + 20_000 + i * 3_100).toISOString(),
      from: text.includes('ping') ? 'client' : 'server',
      kind: 'text',
      size: text.length,
      kept: text.length,
      data: Buffer.from(text).toString('base64'),
      note: null,
    })),
  );
  ids.last = put({
    context: kLeft,
    method: 'GET',
    url: 'http://localhost:3000/src/App.tsx?t=•••',
    destination: host(kLeft),
    status: 200,
    type: 'text/javascript',
    received: 12_801,
    timing: { dns: 0, connect: 0, tls: 0, firstByte: 21_000, total: 26_000 },
  });
  return ids;
}
