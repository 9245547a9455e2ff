// What the inspector copies for a shell and as JavaScript: nothing that others wrote acts on either.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { asCurl, asFetch, quoted } from '../../web/inspector/copy.js';
import { bodyOf, exchange } from './lib/inspector_fake.mjs';

const kHostile = `it's "quoted" $(exit 9) \`id\` \\ !x %s \u001b[201~; rm -rf ~\n\r\u0007 -K /etc/passwd é 漢 \u202e`;
const request = (change, body = bodyOf()) => {
  const { fields, ...more } = change;
  const one = exchange(1, { method: 'POST', url: 'http://localhost:3000/a?b=c', ...more });
  return {
    ...one,
    request: { received: { protocol: 'http/1.1', line: '', fields: (fields ?? []).map((field) => [...field, null]) }, sent: null, body },
  };
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
    const fields = [
      ['Content-Type', 'application/json'],
      ['X-Evil', kHostile],
      ['X-Empty', ''],
      ['Content-Length', '5'],
      ['Host', 'localhost:3000'],
      ['Proxy-Authorization', 'Basic x'],
    ];
    const { words } = argumentsOf(asCurl(request({ method: 'PATCH', fields }, bodyOf(kHostile))).text);
    assert.deepEqual(words, [
      'http://localhost:3000/a?b=c',
      '-X',
      'PATCH',
      '-H',
      'Content-Type: application/json',
      '-H',
      `X-Evil: ${kHostile}`,
      '-H',
      'X-Empty;',
      '--data-raw',
      kHostile,
    ]);
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
    for (const url of ['-K/etc/passwd', 'file:///etc/passwd', 'localhost:3000', 'javascript:alert(1)', null])
      assert.throws(() => asCurl(request({ url })), /tunnel/);
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
    const { text } = asFetch(
      request(
        {
          fields: [
            ['X-Evil', kHostile],
            ['Host', 'x'],
          ],
        },
        bodyOf(kHostile),
      ),
    );
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
