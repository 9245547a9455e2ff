// The inspector's parts that need no browser: its filter, what it copies, compares, reads from HAR files and makes of bytes.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { asUtf8, decode, fromBase64, hex, imageType, isTextual, toBase64 } from '../../web/inspector/bytes.js';
import { pathOf, roundUp } from '../../web/inspector/chart.js';
import { asCurl, asFetch, quoted } from '../../web/inspector/copy.js';
import { diffFields, diffLines, folded } from '../../web/inspector/diff.js';
import { asLines, fromLines } from '../../web/inspector/edit.js';
import { completions, parse } from '../../web/inspector/filter.js';
import { ago, duration, size, visible, visibleLine } from '../../web/inspector/format.js';
import { merged } from '../../web/inspector/heads.js';
import { detailsOf, entriesOf, messagesOf, summaryOf } from '../../web/inspector/har.js';
import { parseJson } from '../../web/inspector/json_tree.js';
import { Row, outcome, partsOf } from '../../web/inspector/row.js';
import { phasesOf } from '../../web/inspector/waterfall.js';
import { bodyOf, exchange } from './lib/inspector_fake.mjs';

const row = (change = {}) => new Row(exchange(1, { method: 'POST', url: 'http://localhost:3000/api/users?page=•••', status: 503, type: 'application/json', sent: 4000, received: 8000, state: 'done', error: null,
  downstream: 'http/1.1', upstream: 'h2', timing: { dns: 0, connect: 0, tls: 0, firstByte: 90_000, total: 250_000 }, ...change }));
const kAt = Date.parse('2026-01-01T12:00:00.037Z');

describe('the filter', () => {
  const fitting = [
    '', 'users', 'USERS', '"api/users"', 'method:post', 'method:GET,POST', '-method:GET', 'status:503', 'status:5xx', 'status:400-599', 'status:>=500', 'status:200,503',
    'type:json', 'ctx:ctx-1', 'context:ctx-1', 'url:/api', 'host:localhost:3000', 'path:/api/', 'to:cmux-alpha', 'protocol:h2', 'protocol:http/1.1', 'larger:10k', 'smaller:1m', 'larger:11.5kb',
    'slower:200ms', 'faster:1s', 'slower:0.2s', 'is:done', 'is:error', '-is:websocket', '-is:failed', 'id:x-1', 'since:1m', 'until:0s', 'http://localhost', 'method:POST status:5xx -type:image ctx:ctx-1 url:/api larger:10k slower:200ms',
  ];
  for (const text of fitting) test(`lets through by ${text || 'nothing'}`, () => assert.ok(parse(text, kAt + 1000).test(row())));
  const others = ['nowhere', '-users', 'method:GET', 'status:2xx', 'status:<500', 'status:504', 'type:image', 'ctx:ctx-2', 'path:api', 'larger:12k', 'smaller:12k', 'slower:250ms', 'faster:250ms', 'is:websocket', 'is:open', 'is:failed', 'is:replay', 'users nowhere', 'since:1s', 'until:2s', 'protocol:tcp'];
  for (const text of others) test(`holds back by ${text}`, () => assert.ok(!parse(text, kAt + 1500).test(row())));

  test('names what says nothing, and goes by the rest', () => {
    const filter = parse('status:abc larger:much is:odd since:teatime users');
    assert.equal(filter.problems.length, 4);
    assert.match(filter.problems[0], /^status:abc says nothing: a number, 5xx/);
    assert.match(filter.problems[2], /^is:odd says nothing: open, done/);
    assert.ok(filter.test(row()));
  });
  test('takes for text what is no key, and no member of an object for one', () => {
    for (const text of ['constructor:x', '__proto__:x', 'toString:x', 'https://x', ':', '-', '""', '"']) assert.deepEqual(parse(text).problems, [], text);
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
    assert.deepEqual(offered('ctx:', () => [['ctx-9', 'mine'], ['a b', '']]), ['ctx-9 ', '"a b" ']);
    const [one] = completions('method:GET,PO', 13);
    assert.deepEqual([one.text, one.from, one.to], ['POST ', 11, 13]);
  });
});

const kHostile = `it's "quoted" $(exit 9) \`id\` \\ !x %s \u001b[201~; rm -rf ~\n\r\u0007 -K /etc/passwd é 漢 \u202e`;
const request = (change, body = bodyOf()) => {
  const { fields, ...more } = change;
  const one = exchange(1, { method: 'POST', url: 'http://localhost:3000/a?b=c', ...more });
  return { ...one, request: { received: { protocol: 'http/1.1', line: '', fields: (fields ?? []).map((field) => [...field, null]) }, sent: null, body } };
};

describe('copied as curl', () => {
  /** What a shell makes of it: curl's arguments. */
  const argumentsOf = (command) => {
    const ran = spawnSync('bash', ['-c', `curl() { printf '%s\\0' "$@" >&2; cat; }\n${command}`], { input: '' });
    assert.equal(ran.status, 0, command);
    return { words: ran.stderr.toString().split('\0').slice(0, -1), input: ran.stdout };
  };
  test('a shell takes every text for what it is', () => {
    for (const text of [kHostile, '', "'", "''", '-', '--output', 'a b', '$HOME', '~', '*', '{a,b}', '\\', '\n', '\t', '#x', '!', 'é']) {
      const ran = spawnSync('bash', ['-c', `printf %s ${quoted(text)}`]);
      assert.equal(ran.stdout.toString(), text);
    }
  });
  test('no control character reaches the terminal', () => {
    const { text } = asCurl(request({ fields: [['x-evil', kHostile]] }, bodyOf(kHostile)));
    // eslint-disable-next-line no-control-regex
    assert.doesNotMatch(text.replaceAll('\\\n', ''), /[\u0000-\u001f\u007f-\u009f\u202e]/);
  });
  test('method, fields and body come through', () => {
    const fields = [['Content-Type', 'application/json'], ['X-Evil', kHostile], ['X-Empty', ''], ['Content-Length', '5'], ['Host', 'localhost:3000'], ['Proxy-Authorization', 'Basic x']];
    const { words } = argumentsOf(asCurl(request({ method: 'PATCH', fields }, bodyOf(kHostile))).text);
    assert.deepEqual(words, ['http://localhost:3000/a?b=c', '-X', 'PATCH', '-H', 'Content-Type: application/json', '-H', `X-Evil: ${kHostile}`, '-H', 'X-Empty;', '--data-raw', kHostile]);
  });
  test('a GET is as short as can be, a HEAD is one, a POST with a body needs no method', () => {
    assert.equal(asCurl(request({ method: 'GET' })).text, "curl 'http://localhost:3000/a?b=c'");
    assert.match(asCurl(request({ method: 'HEAD' })).text, /--head$/);
    assert.doesNotMatch(asCurl(request({}, bodyOf('x'))).text, /-X/);
    assert.match(asCurl(request({})).text, /-X POST/);
  });
  test('a body that is no text goes by base64', () => {
    const bytes = Buffer.from([0, 255, 1, 39, 10]);
    const { words, input } = argumentsOf(asCurl(request({}, bodyOf(bytes))).text);
    assert.deepEqual([words.at(-2), words.at(-1), input], ['--data-binary', '@-', bytes]);
  });
  test('brackets in a URL are no ranges, a URL that is none is refused, so is a field that would be a file', () => {
    assert.match(asCurl(request({ method: 'GET', url: 'http://localhost:3000/[1-3]{a}' })).text, /--globoff/);
    for (const url of ['-K/etc/passwd', 'file:///etc/passwd', 'localhost:3000', 'javascript:alert(1)', null]) assert.throws(() => asCurl(request({ url })), /tunnel/);
    assert.doesNotMatch(asCurl(request({ fields: [['@/etc/passwd', 'x']] })).text, /passwd/);
  });
  test('says what is hidden or missing', () => {
    const { warnings } = asCurl(request({ fields: [['Cookie', 'a=•••']] }, bodyOf('ab', null, { size: 9, complete: false })));
    assert.equal(warnings.length, 2);
  });
});

describe('copied as fetch', () => {
  const run = async (code) => new (async () => {}).constructor('fetch', code)((...given) => (run.given = given));
  test('is JavaScript that asks for the same', async () => {
    const { text } = asFetch(request({ fields: [['X-Evil', kHostile], ['Host', 'x']] }, bodyOf(kHostile)));
    assert.match(text, /^[\x20-\x7e\n]*$/);
    await run(text);
    const [url, options] = run.given;
    assert.equal(url, 'http://localhost:3000/a?b=c');
    assert.deepEqual(options, { method: 'POST', headers: [['X-Evil', kHostile]], body: kHostile, redirect: 'manual' });
  });
  test('bytes stay bytes, also many', async () => {
    const bytes = Buffer.alloc(300_000, 0xfe);
    await run(asFetch(request({}, bodyOf(bytes))).text);
    assert.deepEqual(Buffer.from(run.given[1].body), bytes);
  });
});

describe('the comparison', () => {
  const undo = (lines, mark) => lines.filter((line) => line.mark === ' ' || line.mark === mark).map(({ text }) => text).join('\n');
  test('tells both texts from what it says, with few edits', () => {
    let seed = 7;
    const random = (n) => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) % n;
    for (let round = 0; round < 300; ++round) {
      const a = Array.from({ length: random(30) }, () => String(random(6)));
      const b = a.filter(() => random(4)).flatMap((line) => (random(5) ? [line] : [line, String(random(6))]));
      const lines = diffLines(a.join('\n'), b.join('\n'));
      assert.equal(undo(lines, '-'), a.join('\n'));
      assert.equal(undo(lines, '+'), b.join('\n'));
    }
    assert.deepEqual(diffLines('a\nb\nc', 'a\nc').map(({ mark }) => mark).join(''), ' - ');
  });
  test('large texts without anything in common come to an end', () => {
    const text = (salt) => Array.from({ length: 6000 }, (_, i) => `${salt}${i}`).join('\n');
    assert.equal(diffLines(text('a'), text('b')).length, 10_000);
  });
  test('what is the same folds', () => {
    const lines = diffLines('1\n2\n3\n4\n5\n6\n7\n8\n9', '1\n2\n3\n4\nx\n6\n7\n8\n9');
    assert.deepEqual(folded(lines, 1).map(({ mark }) => mark), ['…', ' ', '-', '+', ' ', '…']);
  });
  test('fields, by name, whatever their case and number', () => {
    assert.deepEqual(diffFields([['A', '1'], ['B', '2'], ['b', '3']], [['a', '1'], ['C', '4']]), [
      { name: 'A', a: '1', b: '1' }, { name: 'B', a: '2\n3', b: null }, { name: 'C', a: null, b: '4' }]);
  });
});

describe('heads', () => {
  test('become one with what was added, changed and removed', () => {
    const lines = merged({ fields: [['Host', 'a', null], ['Cookie', '1', 'changed'], ['Cookie', '2', 'changed'], ['X-Gone', 'x', 'removed']] },
      { fields: [['host', 'a', null], ['cookie', '3', 'changed'], ['cookie', '4', 'changed'], ['x-new', 'y', 'added']] });
    assert.deepEqual(lines.map(({ mark, name, value, was }) => [mark, name, value, was]), [
      [null, 'Host', 'a', undefined], ['changed', 'cookie', '3', '1'], ['changed', 'cookie', '4', '2'], ['removed', 'X-Gone', 'x', undefined], ['added', 'x-new', 'y', undefined]]);
  });
  test('as lines to edit, and back', () => {
    const fields = [['a', '1'], ['b', ''], ['c', 'x: y']];
    assert.deepEqual(fromLines(asLines(fields)), fields);
    assert.throws(() => fromLines('a: 1\nnonsense'), /line 2/);
    assert.throws(() => fromLines('a b: 1'), /line 1/);
  });
});

describe('HAR files', () => {
  const har = (...entries) => JSON.stringify({ log: { version: '1.2', entries } });
  const entry = (change = {}) => ({
    startedDateTime: '2026-01-01T12:00:00.000Z', time: 100.5, request: { method: 'POST', url: 'http://x/y?z', httpVersion: 'http/2.0', headers: [{ name: 'a', value: 'b' }], bodySize: 3, postData: { mimeType: 'text/plain', text: 'abc' } },
    response: { status: 200, statusText: 'OK', httpVersion: 'h2', headers: [], content: { size: 4, mimeType: 'image/png', text: 'AAECAw==', encoding: 'base64' } },
    timings: { blocked: 1, dns: 2, connect: 10, ssl: 6, send: 1, wait: 50, receive: 30.5 }, ...change });
  test("another tool's", () => {
    const [one] = entriesOf(`\ufeff${har(entry())}`);
    const summary = summaryOf(one, 0);
    assert.deepEqual([summary.method, summary.url, summary.status, summary.type, summary.sent, summary.received, summary.upstream], ['POST', 'http://x/y?z', 200, 'image/png', 3, 4, 'h2']);
    assert.deepEqual(summary.timing, { dns: 2000, connect: 4000, tls: 6000, firstByte: 64_000, total: 100_500 });
    const details = detailsOf(one, 0);
    assert.deepEqual(details.request.received.fields, [['a', 'b', null]]);
    assert.deepEqual([...fromBase64(details.response.body.data)], [0, 1, 2, 3]);
    assert.equal(Buffer.from(details.request.body.data, 'base64').toString(), 'abc');
  });
  test('nonsense is refused with the reason', () => {
    for (const [text, why] of [['', /not JSON/], ['{', /not JSON/], ['[]', /without "log"/], ['null', /without "log"/], ['{"log":{}}', /no "entries"/], ['{"log":{"entries":{}}}', /no "entries"/]]) assert.throws(() => entriesOf(text), why);
    for (const bad of [null, 1, 'x', [], {}, { request: 1, response: 2 }]) assert.throws(() => summaryOf(bad, 0), /without request or response/);
  });
  test('members that are something else are left out', () => {
    const odd = { toString: 1, constructor: {} };
    const values = [odd, [odd], 7, -1, 'text', null, true, 1e308, '__proto__'];
    for (const value of values) {
      const one = entry({ startedDateTime: value, time: value, timings: value, _webSocketMessages: [value, { data: value, time: value, opcode: value, type: value }], serverIPAddress: value, _resourceType: value,
        request: { method: value, url: value, headers: [value, { name: value, value }], httpVersion: value, postData: { text: value, params: [value], mimeType: value, _encoding: 'base64' }, bodySize: value },
        response: { status: value, statusText: value, headers: value, content: { text: value, size: value, mimeType: value, encoding: 'base64' }, _error: value } });
      const details = detailsOf(JSON.parse(JSON.stringify(one)), 0);
      for (const key of ['id', 'method', 'url', 'type', 'error']) assert.ok(details[key] === null || typeof details[key] === 'string', key);
      for (const key of ['status', 'sent', 'received']) assert.equal(typeof details[key], 'number', key);
      assert.ok(Array.isArray(messagesOf(one)));
      new Row(details);
      const own = detailsOf({ ...one, _cmuxproxy: { id: value, at: value, state: value, timing: value, url: value, request: value, response: { received: { fields: [value, [value, value, value]], line: value, protocol: value } } } }, 0);
      new Row(own);
    }
  });
  test("this program's own keeps what the standard has no place for", () => {
    const one = exchange(82);
    const { why, request: asked, response: answered, ...summary } = one;
    const heads = ({ received, sent }) => ({ received, sent });
    const read = detailsOf(entry({ _cmuxproxy: { ...summary, why, request: heads(asked), response: heads(answered) } }), 0);
    assert.deepEqual({ ...read, request: heads(read.request), response: heads(read.response), seq: 82 }, { ...one, request: heads(asked), response: heads(answered) });
  });
  test('messages of a WebSocket', () => {
    const read = messagesOf(entry({ _webSocketMessages: [{ type: 'send', time: 1767268800.5, opcode: 1, data: 'hé' }, { type: 'receive', time: 1767268801, opcode: 2, data: 'AAE=' }] }));
    assert.deepEqual(read.map(({ from, kind, size: length, at }) => [from, kind, length, at]), [['client', 'text', 3, '2026-01-01T12:00:00.500Z'], ['server', 'binary', 2, '2026-01-01T12:00:01.000Z']]);
  });
});

describe('bytes', () => {
  test('there and back', () => {
    const bytes = Uint8Array.from({ length: 100_000 }, (_, i) => i);
    assert.deepEqual(fromBase64(toBase64(bytes)), bytes);
  });
  test('images by their first bytes alone; SVG is none', () => {
    const of = (text) => imageType(Buffer.from(text, 'latin1'));
    assert.deepEqual([of('\x89PNG\r\n\x1a\n'), of('GIF89a'), of('RIFF....WEBP'), of('<svg xmlns="x">'), of('<html>'), of('')], ['image/png', 'image/gif', 'image/webp', null, null, null]);
  });
  test('text, by any charset, and what is none', () => {
    assert.deepEqual(decode(Buffer.from([0xe9]), 'text/plain; charset="ISO-8859-1"'), { text: 'é', charset: 'iso-8859-1', broken: false });
    assert.equal(decode(Buffer.from([0xff, 0x61]), 'text/plain; charset=nonsense').broken, true);
    assert.equal(asUtf8(Buffer.from('é').subarray(0, 1), true), '');
    assert.equal(asUtf8(Buffer.from([0x61, 0])), null);
    assert.ok(isTextual(Buffer.from('{"a":1}'), null) && !isTextual(Buffer.from([1, 2, 3]), 'application/octet-stream') && isTextual(Buffer.from('x'), 'application/problem+json'));
  });
  test('hex', () => assert.equal(hex(Buffer.from('0123456789abcdef\n')), '00000000  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  0123456789abcdef\n00000010  0a                                                ·'));
  test('JSON that is none, or very deep', () => {
    assert.equal(parseJson('{'), undefined);
    parseJson('['.repeat(200_000) + ']'.repeat(200_000));
  });
});

describe('what is written', () => {
  test('sizes and times', () => {
    assert.deepEqual([0, 999, 1000, 1234, 12_345, 999_499, 999_600, 3.2e9].map(size), ['0 B', '999 B', '1.0 kB', '1.2 kB', '12 kB', '999 kB', '1.0 MB', '3.2 GB']);
    assert.deepEqual([0, 420, 8400, 234_000, 1_230_000, 12_340_000, 123_000_000].map(duration), ['0.00 ms', '0.42 ms', '8.4 ms', '234 ms', '1.23 s', '12.3 s', '2 min 3 s']);
    assert.equal(ago(0, 61_000), '1 min ago');
  });
  test('nothing of others hides', () => {
    assert.equal(visible('a\u001b[31m\u202eb\u0000\u200b\n\tc'), 'a␛[31m⟨U+202E⟩b␀⟨U+200B⟩\n\tc');
    assert.equal(visibleLine('a\r\nb\nc'), 'a␊b␊c');
    assert.equal(visible(null), '');
  });
  test('URLs come apart whatever they are', () => {
    assert.deepEqual(partsOf('https://a.b:1/c?d#e'), { scheme: 'https', host: 'a.b:1', path: '/c?d#e' });
    assert.deepEqual(partsOf('db:5432'), { scheme: '', host: 'db:5432', path: '' });
    assert.deepEqual(partsOf(null), { scheme: '', host: '', path: '' });
  });
  test('outcomes', () => {
    const of = (status, state = 'done', error = null) => outcome({ status, state, error });
    assert.deepEqual([of(200), of(101), of(304), of(404), of(500), of(200, 'failed'), of(502, 'done', 'timeout'), of(null, 'open'), of(null)], ['good', 'good', 'moved', 'refused', 'failed', 'failed', 'failed', 'open', 'failed']);
  });
  test('the waterfall adds up', () => {
    const phases = phasesOf({ dns: 1, connect: 2, tls: 3, firstByte: 10, total: 15 });
    assert.deepEqual(phases.map(({ key, from, length }) => [key, from, length]), [['dns', 0, 1], ['connect', 1, 2], ['tls', 3, 3], ['wait', 6, 4], ['receive', 10, 5]]);
    assert.deepEqual(phasesOf({ dns: null, connect: null, tls: null, firstByte: 0, total: 9 }).map(({ key }) => key), ['wait']);
    assert.deepEqual(phasesOf(null), []);
  });
  test('plots leave gaps, and end at round figures', () => {
    assert.equal(pathOf([0, 1, null, 2, null], 2, 40, 10), 'M0.0 10.0L10.0 5.0M30.0 0.0h5.0');
    assert.deepEqual([0, 0.5, 1, 7, 12, 480].map(roundUp), [1, 0.5, 1, 8, 15, 500]);
  });
});
