// The inspector's rows: their order whatever order they come in, what goes and what stays, the filter and the sorting of many.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Exchanges, View, kMostRows } from '../../web/inspector/exchanges.js';
import { parse } from '../../web/inspector/filter.js';

const summary = (seq, change = {}) => ({
  id: `x-${seq}`,
  seq,
  at: new Date(seq).toISOString(),
  state: 'done',
  method: 'GET',
  url: `http://a/${seq}`,
  status: 200,
  sent: 0,
  received: seq % 7,
  ...change,
});
const some = (from, to, change) => Array.from({ length: to - from + 1 }, (_, i) => summary(from + i, change));
const numbers = (rows) => rows.map((row) => row.summary.seq);

test('rows stand in the order of their beginning, each once', () => {
  const exchanges = new Exchanges();
  exchanges.put([summary(5), summary(2), summary(9), summary(2), summary(1), summary(5, { status: 404 })]);
  exchanges.put([summary(7), summary(1)]);
  assert.deepEqual(numbers(exchanges.rows), [1, 2, 5, 7, 9]);
  assert.equal(exchanges.get('x-5').summary.status, 404);
});

test('what is older goes, but for what is open', () => {
  const exchanges = new Exchanges();
  exchanges.put([summary(1), summary(2, { state: 'open' }), summary(3), summary(4)]);
  exchanges.forgetBefore(4);
  assert.deepEqual(numbers(exchanges.rows), [2, 4]);
  assert.equal(exchanges.get('x-1'), null);
  const { value } = exchanges.version;
  exchanges.forgetBefore(4);
  assert.equal(exchanges.version.value, value, 'nothing has changed');
  exchanges.put([summary(2)]);
  exchanges.forgetBefore(4);
  assert.deepEqual(numbers(exchanges.rows), [4]);
});

test('there are never more than so many', () => {
  const exchanges = new Exchanges();
  for (let from = 1; from <= kMostRows + 1; from += 20_000) exchanges.put(some(from, from + 19_999));
  assert.ok(exchanges.rows.length <= kMostRows);
  assert.equal(exchanges.rows.at(-1).summary.seq, kMostRows + 20_000);
  assert.equal(exchanges.get('x-1'), null);
});

/** Waits until the view shows what it must. */
async function shows(view, test) {
  while (!test(view.shown.value)) await new Promise((done) => setTimeout(done));
}

test('the filter holds for what was there, what comes, and what changes', async () => {
  const exchanges = new Exchanges();
  const view = new View(exchanges);
  exchanges.put(some(1, 20_000));
  await shows(view, (rows) => rows.length === 20_000);
  const done = view.setFilter(parse('status:404'));
  // While it still looks, but where it was done in one slice.
  exchanges.put([summary(7, { status: 404 }), summary(20_001, { status: 404 }), summary(20_002)]);
  await done;
  await shows(view, (rows) => numbers(rows).join() === '7,20001');
  exchanges.put([summary(7), summary(20_003, { status: 404 })]);
  await shows(view, (rows) => numbers(rows).join() === '20001,20003');
  await Promise.all([view.setFilter(parse('status:404')), view.setFilter(parse('status:500')), view.setFilter(parse(''))]);
  assert.equal(view.shown.value.length, 20_003);
});

test('who scrolls learns how many have gone from above', async () => {
  const exchanges = new Exchanges();
  const view = new View(exchanges);
  const has = (wanted) => shows(view, (rows) => numbers(rows).join() === wanted);
  exchanges.put(some(1, 10));
  await has('1,2,3,4,5,6,7,8,9,10');
  exchanges.forgetBefore(4);
  await has('4,5,6,7,8,9,10');
  assert.equal(view.removedAbove, 3);
  exchanges.put([summary(11)]);
  await has('4,5,6,7,8,9,10,11');
  assert.equal(view.removedAbove, 3);
  exchanges.forgetBefore(100);
  await has('');
  assert.equal(view.removedAbove, 11);
});

test('sorts by any column, stably, and anew as rows come', async () => {
  const exchanges = new Exchanges();
  const view = new View(exchanges);
  exchanges.put(some(1, 30_000));
  view.setSorting('size', true);
  await shows(view, (rows) => rows[0].summary.received === 6);
  const sizes = view.shown.value.map((row) => row.bytes);
  assert.deepEqual(
    sizes,
    [...sizes].sort((a, b) => b - a),
  );
  const largest = numbers(view.shown.value.filter((row) => row.bytes === 6));
  assert.deepEqual(
    largest,
    [...largest].sort((a, b) => a - b),
  );
  exchanges.put([summary(30_001, { received: 99 })]);
  await shows(view, (rows) => rows[0].bytes === 99);
  view.setSorting('time', true);
  await shows(view, (rows) => rows[0].summary.seq === 30_001);
  view.setSorting('time', false);
  assert.equal(view.shown.value[0].summary.seq, 1);
  view.stop();
});
