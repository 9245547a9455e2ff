// Exchanges: the rows of one source, in the order of their beginning; and View: which of them the filter lets through, in the order
// that was asked for. 50,000 rows are a usual size: what must look at all of them works in slices, between which the browser may paint.
import { effect, signal } from './vendor/signals-core.js';
import { Row } from './row.js';

export const kMostRows = 200_000;  // an instance with much memory holds more: then the page forgets the oldest, a tenth at a time

export class Exchanges {
  rows = [];
  version = signal(0);  // grows with each change, once a batch
  revised = new Set();  // rows changed since the view looked
  #byId = new Map();

  get(id) {
    return this.#byId.get(id) ?? null;
  }

  /** New ones and news of known ones. */
  put(summaries) {
    for (const summary of summaries) {
      let row = this.#byId.get(summary.id);
      if (row) {
        row.update(summary);
      } else {
        row = new Row(summary);
        this.#byId.set(summary.id, row);
        const last = this.rows.at(-1);
        if (!last || last.summary.seq < summary.seq) this.rows.push(row);
        else this.rows.splice(this.#placeOf(summary.seq), 0, row);  // they come by their latest change, which is mostly the same order
      }
      this.revised.add(row);
    }
    if (this.rows.length > kMostRows) for (const row of this.rows.splice(0, kMostRows / 10)) this.#byId.delete(row.id);
    if (summaries.length > 0) ++this.version.value;
  }

  /** What is older than `first`, and over, is gone at the server. */
  forgetBefore(first) {
    const older = this.rows.slice(0, this.#placeOf(first));
    const kept = older.filter((row) => row.summary.state === 'open');
    if (kept.length === older.length) return;
    for (const row of older) if (row.summary.state !== 'open') this.#byId.delete(row.id);
    this.rows.splice(0, older.length, ...kept);
    ++this.version.value;
  }

  /** The first place whose exchange did not begin before number `seq`. */
  #placeOf(seq) {
    let low = 0;
    let high = this.rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.rows[middle].summary.seq < seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  clear() {
    this.rows = [];
    this.#byId.clear();
    this.revised.clear();
    ++this.version.value;
  }
}

export const kSortings = {
  time: (row) => row.time,
  method: (row) => row.summary.method ?? '',
  status: (row) => row.summary.status ?? 0,
  url: (row) => row.summary.url ?? '',
  context: (row) => row.summary.context ?? '',
  type: (row) => row.summary.type ?? '',
  size: (row) => row.bytes,
  duration: (row) => row.total ?? -1,
};

const kSlice = 2000;  // rows that are looked at before the clock is
const kLongestSlice = 8;  // milliseconds
const kPause = 100;  // between two times that a list which grows is shown anew
const kSortPause = 300;  // ... and sorted anew

const breathe = () => new Promise((done) => setTimeout(done));

/** A stable sort that breathes: runs are sorted, and merged by twos. */
async function sortInSlices(items, compare) {
  let since = performance.now();
  const breather = async () => {
    if (performance.now() - since < kLongestSlice) return;
    await breathe();
    since = performance.now();
  };
  let runs = [];
  for (let at = 0; at < items.length; at += kSlice) {
    runs.push(items.slice(at, at + kSlice).sort(compare));
    await breather();
  }
  while (runs.length > 1) {
    const next = [];
    for (let i = 0; i < runs.length; i += 2) next.push(runs[i + 1] ? await merge(runs[i], runs[i + 1], compare, breather) : runs[i]);
    runs = next;
  }
  return runs[0] ?? [];
}

async function merge(a, b, compare, breather) {
  const out = [];
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    out.push(compare(a[i], b[j]) <= 0 ? a[i++] : b[j++]);
    if (out.length % kSlice === 0) await breather();
  }
  while (i < a.length) out.push(a[i++]);
  while (j < b.length) out.push(b[j++]);
  return out;
}

export class View {
  shown = signal([]);  // rows; a new array with every change
  removedAbove = 0;  // how many have gone from the top, in all, so that who scrolls can stay with what is seen
  busy = signal(false);
  #exchanges;
  #filter = { empty: true, test: () => true };
  #sorting = { key: 'time', descending: false };
  #job = 0;
  #timer = null;
  #publishedAt = -Infinity;
  #turn = null;

  constructor(exchanges) {
    this.#exchanges = exchanges;
    this.stop = effect(() => {
      this.#exchanges.version.value;
      this.#follow();
    });
  }

  /** `filter` is what `parse` answers. */
  async setFilter(filter) {
    this.#filter = filter;
    const job = ++this.#job;
    this.busy.value = true;
    const rows = this.#exchanges.rows.slice();
    let since = performance.now();
    for (let at = 0; at < rows.length; ++at) {
      rows[at].fits = filter.test(rows[at]);
      if (at % kSlice === kSlice - 1 && performance.now() - since > kLongestSlice) {
        await breathe();
        if (job !== this.#job) return;  // another filter came
        since = performance.now();
      }
    }
    this.busy.value = false;
    this.#publish();
  }

  setSorting(key, descending) {
    this.#sorting = { key, descending };
    this.#publish();
  }

  #follow() {
    for (const row of this.#exchanges.revised) row.fits = this.#filter.test(row);
    this.#exchanges.revised.clear();
    if (this.busy.peek()) return;
    const wait = this.#publishedAt + (this.#isPlain ? kPause : kSortPause) - performance.now();
    if (wait <= 0 && !this.#turn) return this.#publish(true);
    const later = () => {
      this.#timer = null;
      if (this.busy.peek()) return;  // who filters shows it at the end
      if (this.#turn) this.#timer = setTimeout(later, kSortPause);
      else this.#publish(true);
    };
    this.#timer ??= setTimeout(later, Math.max(0, wait));
  }

  get #isPlain() {
    return this.#sorting.key === 'time' && !this.#sorting.descending;
  }

  /** `followed`: the rows have changed, and not what is asked of them. */
  #publish(followed = false) {
    clearTimeout(this.#timer);
    this.#timer = this.#turn = null;
    const before = this.shown.peek();
    let rows = this.#exchanges.rows;
    rows = this.#filter.empty ? rows.slice() : rows.filter((row) => row.fits);
    if (!this.#isPlain) return this.#publishSorted(rows);
    if (followed && before.length > 0 && rows[0] !== before[0]) {
      const gone = before.indexOf(rows[0]);  // what was first has gone from the top
      this.removedAbove += gone < 0 ? before.length : gone;
    }
    this.#publishedAt = performance.now();
    this.shown.value = rows;
  }

  async #publishSorted(rows) {
    const { key, descending } = this.#sorting;
    const turn = (this.#turn = {});
    const read = kSortings[key];
    const sign = descending ? -1 : 1;
    const keyed = rows.map((row) => ({ row, key: read(row) }));
    const sorted = await sortInSlices(keyed, (a, b) => (a.key < b.key ? -sign : a.key > b.key ? sign : 0));
    if (turn !== this.#turn) return;  // sorted otherwise since
    this.#turn = null;
    this.#publishedAt = performance.now();
    this.shown.value = sorted.map(({ row }) => row);
  }
}
