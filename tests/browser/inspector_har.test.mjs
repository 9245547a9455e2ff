// HAR files as the inspector reads them: its own, other tools', and nonsense.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fromBase64 } from '../../web/inspector/bytes.js';
import { detailsOf, entriesOf, messagesOf, summaryOf } from '../../web/inspector/har.js';
import { Row } from '../../web/inspector/row.js';

describe('HAR files', () => {
  const har = (...entries) => JSON.stringify({ log: { version: '1.2', entries } });
  const entry = (change = {}) => ({
    startedDateTime: '2026-01-01T12:00:00.000Z',
    time: 100.5,
    request: {
      method: 'POST',
      url: 'http://x/y?z',
      httpVersion: 'http/2.0',
      headers: [{ name: 'a', value: 'b' }],
      bodySize: 3,
      postData: { mimeType: 'text/plain', text: 'abc' },
    },
    response: {
      status: 200,
      statusText: 'OK',
      httpVersion: 'h2',
      headers: [],
      content: { size: 4, mimeType: 'image/png', text: 'AAECAw==', encoding: 'base64' },
    },
    timings: { blocked: 1, dns: 2, connect: 10, ssl: 6, send: 1, wait: 50, receive: 30.5 },
    ...change,
  });
  test("another tool's", () => {
    const [one] = entriesOf(`\ufeff${har(entry())}`);
    const summary = summaryOf(one, 0);
    assert.deepEqual(
      [summary.method, summary.url, summary.status, summary.type, summary.sent, summary.received, summary.upstream],
      ['POST', 'http://x/y?z', 200, 'image/png', 3, 4, 'h2'],
    );
    assert.deepEqual(summary.timing, { dns: 2000, connect: 4000, tls: 6000, firstByte: 64_000, total: 100_500 });
    const details = detailsOf(one, 0);
    assert.deepEqual(details.request.received.fields, [['a', 'b', null]]);
    assert.deepEqual([...fromBase64(details.response.body.data)], [0, 1, 2, 3]);
    assert.equal(Buffer.from(details.request.body.data, 'base64').toString(), 'abc');
  });
  test("this program's own, by what it adds for everybody", () => {
    const own = { _id: 'x-7', _context: 'ctx-1', _destination: 'https://a.test:443', _replayOf: 'x-3' };
    const failed = entry({ ...own, response: { ...entry().response, status: 502, _error: 'connection_refused: nothing: there' } });
    const { id, context, destination, replayOf, state, error, detail } = summaryOf(failed, 0);
    assert.deepEqual(
      [id, context, destination, replayOf, state, error, detail],
      ['x-7', 'ctx-1', 'https://a.test:443', 'x-3', 'failed', 'connection_refused', 'nothing: there'],
    );
    assert.equal(summaryOf(entry({ response: { ...entry().response, _error: 'net::ERR_FAILED' } }), 0).error, 'net::ERR_FAILED');
  });
  test('nonsense is refused with the reason', () => {
    for (const [text, why] of [
      ['', /not JSON/],
      ['{', /not JSON/],
      ['[]', /without "log"/],
      ['null', /without "log"/],
      ['{"log":{}}', /no "entries"/],
      ['{"log":{"entries":{}}}', /no "entries"/],
    ])
      assert.throws(() => entriesOf(text), why);
    for (const bad of [null, 1, 'x', [], {}, { request: 1, response: 2 }])
      assert.throws(() => summaryOf(bad, 0), /without request or response/);
  });
  test('members that are something else are left out', () => {
    const odd = { toString: 1, constructor: {} };
    const values = [odd, [odd], 7, -1, 'text', null, true, 1e308, '__proto__'];
    for (const value of values) {
      const one = entry({
        startedDateTime: value,
        time: value,
        timings: value,
        _webSocketMessages: [value, { data: value, time: value, opcode: value, type: value }],
        serverIPAddress: value,
        _resourceType: value,
        request: {
          method: value,
          url: value,
          headers: [value, { name: value, value }],
          httpVersion: value,
          postData: { text: value, params: [value], mimeType: value, _encoding: 'base64' },
          bodySize: value,
        },
        response: {
          status: value,
          statusText: value,
          headers: value,
          content: { text: value, size: value, mimeType: value, encoding: 'base64' },
          _error: value,
        },
      });
      const details = detailsOf(JSON.parse(JSON.stringify(one)), 0);
      for (const key of ['id', 'method', 'url', 'type', 'error']) assert.ok(details[key] === null || typeof details[key] === 'string', key);
      for (const key of ['status', 'sent', 'received']) assert.equal(typeof details[key], 'number', key);
      assert.ok(Array.isArray(messagesOf(one)));
      new Row(details);
    }
  });
  test('messages of a WebSocket', () => {
    const read = messagesOf(
      entry({
        _webSocketMessages: [
          { type: 'send', time: 1767268800.5, opcode: 1, data: 'hé' },
          { type: 'receive', time: 1767268801, opcode: 2, data: 'AAE=' },
        ],
      }),
    );
    assert.deepEqual(
      read.map(({ from, kind, size: length, at }) => [from, kind, length, at]),
      [
        ['client', 'text', 3, '2026-01-01T12:00:00.500Z'],
        ['server', 'binary', 2, '2026-01-01T12:00:01.000Z'],
      ],
    );
  });
});
