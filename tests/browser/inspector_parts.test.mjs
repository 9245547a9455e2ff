// The inspector's parts that need no browser: what it compares, makes of bytes, and writes.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { asUtf8, decode, fromBase64, hex, imageType, isTextual, toBase64 } from '../../web/inspector/bytes.js';
import { pathOf, roundUp } from '../../web/inspector/chart.js';
import { diffFields, diffLines, folded } from '../../web/inspector/diff.js';
import { asLines, fromLines } from '../../web/inspector/edit.js';
import { ago, duration, size, visible, visibleLine } from '../../web/inspector/format.js';
import { merged } from '../../web/inspector/heads.js';
import { parseJson } from '../../web/inspector/json_tree.js';
import { outcome, partsOf } from '../../web/inspector/row.js';
import { phasesOf } from '../../web/inspector/waterfall.js';

describe('the comparison', () => {
  const undo = (lines, mark) =>
    lines
      .filter((line) => line.mark === ' ' || line.mark === mark)
      .map(({ text }) => text)
      .join('\n');
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
    assert.deepEqual(
      diffLines('a\nb\nc', 'a\nc')
        .map(({ mark }) => mark)
        .join(''),
      ' - ',
    );
  });
  test('large texts without anything in common come to an end', () => {
    const text = (salt) => Array.from({ length: 6000 }, (_, i) => `${salt}${i}`).join('\n');
    assert.equal(diffLines(text('a'), text('b')).length, 10_000);
  });
  test('what is the same folds', () => {
    const lines = diffLines('1\n2\n3\n4\n5\n6\n7\n8\n9', '1\n2\n3\n4\nx\n6\n7\n8\n9');
    assert.deepEqual(
      folded(lines, 1).map(({ mark }) => mark),
      ['…', ' ', '-', '+', ' ', '…'],
    );
  });
  test('fields, by name, whatever their case and number', () => {
    assert.deepEqual(
      diffFields(
        [
          ['A', '1'],
          ['B', '2'],
          ['b', '3'],
        ],
        [
          ['a', '1'],
          ['C', '4'],
        ],
      ),
      [
        { name: 'A', a: '1', b: '1' },
        { name: 'B', a: '2\n3', b: null },
        { name: 'C', a: null, b: '4' },
      ],
    );
  });
});

describe('heads', () => {
  test('become one with what was added, changed and removed', () => {
    const lines = merged(
      {
        fields: [
          ['Host', 'a', null],
          ['Cookie', '1', 'changed'],
          ['Cookie', '2', 'changed'],
          ['X-Gone', 'x', 'removed'],
        ],
      },
      {
        fields: [
          ['host', 'a', null],
          ['cookie', '3', 'changed'],
          ['cookie', '4', 'changed'],
          ['x-new', 'y', 'added'],
        ],
      },
    );
    assert.deepEqual(
      lines.map(({ mark, name, value, was }) => [mark, name, value, was]),
      [
        [null, 'Host', 'a', undefined],
        ['changed', 'cookie', '3', '1'],
        ['changed', 'cookie', '4', '2'],
        ['removed', 'X-Gone', 'x', undefined],
        ['added', 'x-new', 'y', undefined],
      ],
    );
  });
  test('as lines to edit, and back', () => {
    const fields = [
      ['a', '1'],
      ['b', ''],
      ['c', 'x: y'],
    ];
    assert.deepEqual(fromLines(asLines(fields)), fields);
    assert.throws(() => fromLines('a: 1\nnonsense'), /line 2/);
    assert.throws(() => fromLines('a b: 1'), /line 1/);
  });
});

describe('bytes', () => {
  test('there and back', () => {
    const bytes = Uint8Array.from({ length: 100_000 }, (_, i) => i);
    assert.deepEqual(fromBase64(toBase64(bytes)), bytes);
  });
  test('images by their first bytes alone; SVG is none', () => {
    const of = (text) => imageType(Buffer.from(text, 'latin1'));
    assert.deepEqual(
      [of('\x89PNG\r\n\x1a\n'), of('GIF89a'), of('RIFF....WEBP'), of('<svg xmlns="x">'), of('<html>'), of('')],
      ['image/png', 'image/gif', 'image/webp', null, null, null],
    );
  });
  test('text, by any charset, and what is none', () => {
    assert.deepEqual(decode(Buffer.from([0xe9]), 'text/plain; charset="ISO-8859-1"'), { text: 'é', charset: 'iso-8859-1', broken: false });
    assert.equal(decode(Buffer.from([0xff, 0x61]), 'text/plain; charset=nonsense').broken, true);
    assert.equal(asUtf8(Buffer.from('é').subarray(0, 1), true), '');
    assert.equal(asUtf8(Buffer.from([0x61, 0])), null);
    assert.ok(
      isTextual(Buffer.from('{"a":1}'), null) &&
        !isTextual(Buffer.from([1, 2, 3]), 'application/octet-stream') &&
        isTextual(Buffer.from('x'), 'application/problem+json'),
    );
  });
  test('hex', () =>
    assert.equal(
      hex(Buffer.from('0123456789abcdef\n')),
      '00000000  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  0123456789abcdef\n00000010  0a                                                ·',
    ));
  test('JSON that is none, or very deep', () => {
    assert.equal(parseJson('{'), undefined);
    parseJson('['.repeat(200_000) + ']'.repeat(200_000));
  });
});

describe('what is written', () => {
  test('sizes and times', () => {
    assert.deepEqual([0, 999, 1000, 1234, 12_345, 999_499, 999_600, 3.2e9].map(size), [
      '0 B',
      '999 B',
      '1.0 kB',
      '1.2 kB',
      '12 kB',
      '999 kB',
      '1.0 MB',
      '3.2 GB',
    ]);
    assert.deepEqual([0, 420, 8400, 234_000, 1_230_000, 12_340_000, 123_000_000].map(duration), [
      '0.00 ms',
      '0.42 ms',
      '8.4 ms',
      '234 ms',
      '1.23 s',
      '12.3 s',
      '2 min 3 s',
    ]);
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
    assert.deepEqual(
      [of(200), of(101), of(304), of(404), of(500), of(200, 'failed'), of(502, 'done', 'timeout'), of(null, 'open'), of(null)],
      ['good', 'good', 'moved', 'refused', 'failed', 'failed', 'failed', 'open', 'failed'],
    );
  });
  test('the waterfall adds up', () => {
    const phases = phasesOf({ dns: 1, connect: 2, tls: 3, firstByte: 10, total: 15 });
    assert.deepEqual(
      phases.map(({ key, from, length }) => [key, from, length]),
      [
        ['dns', 0, 1],
        ['connect', 1, 2],
        ['tls', 3, 3],
        ['wait', 6, 4],
        ['receive', 10, 5],
      ],
    );
    assert.deepEqual(
      phasesOf({ dns: null, connect: null, tls: null, firstByte: 0, total: 9 }).map(({ key }) => key),
      ['wait'],
    );
    assert.deepEqual(phasesOf(null), []);
  });
  test('plots leave gaps, and end at round figures', () => {
    assert.equal(pathOf([0, 1, null, 2, null], 2, 40, 10), 'M0.0 10.0L10.0 5.0M30.0 0.0h5.0');
    assert.deepEqual([0, 0.5, 1, 7, 12, 480].map(roundUp), [1, 0.5, 1, 8, 15, 500]);
  });
});
