// The inspector's filter: what it lets through, what it says of nonsense, what it offers at the caret.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { completions, parse } from '../../web/inspector/filter.js';
import { Row } from '../../web/inspector/row.js';
import { exchange } from './lib/inspector_fake.mjs';

const row = (change = {}) =>
  new Row(
    exchange(1, {
      method: 'POST',
      url: 'http://localhost:3000/api/users?page=•••',
      status: 503,
      type: 'application/json',
      sent: 4000,
      received: 8000,
      state: 'done',
      error: null,
      downstream: 'http/1.1',
      upstream: 'h2',
      timing: { dns: 0, connect: 0, tls: 0, firstByte: 90_000, total: 250_000 },
      ...change,
    }),
  );
const kAt = Date.parse('2026-01-01T12:00:00.037Z');

describe('the filter', () => {
  const fitting = [
    '',
    'users',
    'USERS',
    '"api/users"',
    'method:post',
    'method:GET,POST',
    '-method:GET',
    'status:503',
    'status:5xx',
    'status:400-599',
    'status:>=500',
    'status:200,503',
    'type:json',
    'ctx:ctx-1',
    'context:ctx-1',
    'url:/api',
    'host:localhost:3000',
    'path:/api/',
    'to:cmux-alpha',
    'protocol:h2',
    'protocol:http/1.1',
    'larger:10k',
    'smaller:1m',
    'larger:11.5kb',
    'slower:200ms',
    'faster:1s',
    'slower:0.2s',
    'is:done',
    'is:error',
    '-is:websocket',
    '-is:failed',
    'id:x-1',
    'since:1m',
    'until:0s',
    'http://localhost',
    'method:POST status:5xx -type:image ctx:ctx-1 url:/api larger:10k slower:200ms',
  ];
  for (const text of fitting) test(`lets through by ${text || 'nothing'}`, () => assert.ok(parse(text, kAt + 1000).test(row())));
  const others = [
    'nowhere',
    '-users',
    'method:GET',
    'status:2xx',
    'status:<500',
    'status:504',
    'type:image',
    'ctx:ctx-2',
    'path:api',
    'larger:12k',
    'smaller:12k',
    'slower:250ms',
    'faster:250ms',
    'is:websocket',
    'is:open',
    'is:failed',
    'is:replay',
    'users nowhere',
    'since:1s',
    'until:2s',
    'protocol:tcp',
  ];
  for (const text of others) test(`holds back by ${text}`, () => assert.ok(!parse(text, kAt + 1500).test(row())));

  test('names what says nothing, and goes by the rest', () => {
    const filter = parse('status:abc larger:much is:odd since:teatime users');
    assert.equal(filter.problems.length, 4);
    assert.match(filter.problems[0], /^status:abc says nothing: a number, 5xx/);
    assert.match(filter.problems[2], /^is:odd says nothing: open, done/);
    assert.ok(filter.test(row()));
  });
  test('takes for text what is no key, and no member of an object for one', () => {
    for (const text of ['constructor:x', '__proto__:x', 'toString:x', 'https://x', ':', '-', '""', '"'])
      assert.deepEqual(parse(text).problems, [], text);
    assert.ok(!parse('constructor:x').test(row()));
    assert.equal(parse('is:constructor').problems.length, 1);
    assert.ok(parse('- : "" "').empty === false || parse('""').empty);
  });
  test('is no slower for being long', () => {
    const began = performance.now();
    parse('"'.repeat(20_000) + 'a:'.repeat(20_000) + '- '.repeat(20_000));
    assert.ok(performance.now() - began < 2000);
  });
  test('reads the time of the day', () => {
    const now = new Date(2026, 0, 1, 15, 0).getTime();
    const at = (hour, minute) => row({ at: new Date(2026, 0, 1, hour, minute).toISOString() });
    assert.ok(parse('since:14:30', now).test(at(14, 45)) && !parse('since:14:30', now).test(at(14, 15)));
    assert.ok(parse('until:14:30:30', now).test(at(14, 30)) && !parse('until:14:30', now).test(at(14, 31)));
  });
  test('completes keys, values, values that there are, and behind a comma', () => {
    const offered = (text, seen) => completions(text, text.length, seen).map((one) => one.text);
    assert.deepEqual(offered('me'), ['method:']);
    assert.deepEqual(offered('GET -me'), ['-method:']);
    assert.ok(offered('').includes('status:') && offered('-').includes('-status:'));
    assert.ok(offered('is:web').includes('websocket '));
    assert.deepEqual(
      offered('ctx:', () => [
        ['ctx-9', 'mine'],
        ['a b', ''],
      ]),
      ['ctx-9 ', '"a b" '],
    );
    const [one] = completions('method:GET,PO', 13);
    assert.deepEqual([one.text, one.from, one.to], ['POST ', 11, 13]);
  });
});
