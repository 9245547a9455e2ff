// What two texts, or two lists of fields, have in common and what not.

export const kMostLines = 5000;  // a text; what is longer is compared up to there
const kMostEdits = 1000;  // then two texts have too little in common for a comparison to tell anything

/**
 * Myers' greedy algorithm over lines: [{mark, text}] with mark ' ', '-' (only in `a`) or '+' (only in `b`).
 */
export function diffLines(a, b) {
  const from = a.split('\n').slice(0, kMostLines);
  const to = b.split('\n').slice(0, kMostLines);
  let start = 0;
  while (start < from.length && start < to.length && from[start] === to[start]) ++start;
  let end = 0;
  while (end < from.length - start && end < to.length - start && from.at(-1 - end) === to.at(-1 - end)) ++end;
  const same = (lines) => lines.map((text) => ({ mark: ' ', text }));
  return [
    ...same(from.slice(0, start)),
    ...diffMiddle(from.slice(start, from.length - end), to.slice(start, to.length - end)),
    ...same(end ? from.slice(-end) : []),
  ];
}

const all = (lines, mark) => lines.map((text) => ({ mark, text }));

function diffMiddle(a, b) {
  const most = Math.min(a.length + b.length, kMostEdits);
  const furthest = new Int32Array(2 * most + 3);  // by diagonal k = x - y, from `zero` on
  const zero = most + 1;
  const trace = [];  // before each number of edits, the diagonals -edits-1 … edits+1
  for (let edits = 0; edits <= most; ++edits) {
    trace.push(furthest.slice(zero - edits - 1, zero + edits + 2));
    for (let k = -edits; k <= edits; k += 2) {
      const down = k === -edits || (k !== edits && furthest[zero + k - 1] < furthest[zero + k + 1]);
      let x = down ? furthest[zero + k + 1] : furthest[zero + k - 1] + 1;
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) ++x;
      furthest[zero + k] = x;
      if (x >= a.length && x - k >= b.length) return walkBack(a, b, trace);
    }
  }
  return [...all(a, '-'), ...all(b, '+')];
}

function walkBack(a, b, trace) {
  const out = [];
  let x = a.length;
  let y = b.length;
  for (let edits = trace.length - 1; edits > 0; --edits) {
    const at = (k) => trace[edits][k + edits + 1];
    const k = x - y;
    const down = k === -edits || (k !== edits && at(k - 1) < at(k + 1));
    const fromX = down ? at(k + 1) : at(k - 1);
    const fromY = fromX - (down ? k + 1 : k - 1);
    while (x > fromX && y > fromY) {
      out.push({ mark: ' ', text: a[--x] });
      --y;
    }
    if (down) out.push({ mark: '+', text: b[--y] });
    else out.push({ mark: '-', text: a[--x] });
  }
  while (x > 0) out.push({ mark: ' ', text: a[--x] });
  return out.reverse();
}

/** Two lists of [name, value]: [{name, a, b}], where a or b is null for what only the other has; sorted by name, same ones too. */
export function diffFields(a, b) {
  const gathered = new Map();
  const add = (fields, side) => {
    for (const [name, value] of fields ?? []) {
      const key = name.toLowerCase();
      if (!gathered.has(key)) gathered.set(key, { name, a: [], b: [] });
      gathered.get(key)[side].push(value);
    }
  };
  add(a, 'a');
  add(b, 'b');
  const joined = (values) => (values.length ? values.join('\n') : null);
  return [...gathered.entries()]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([, { name, a, b }]) => ({ name, a: joined(a), b: joined(b) }));
}

/** The lines of a comparison with what is the same left out, but for `around` lines: a {mark: '…', count} stands there. */
export function folded(lines, around = 3) {
  const near = new Uint8Array(lines.length);
  lines.forEach(({ mark }, i) => {
    if (mark === ' ') return;
    for (let j = Math.max(0, i - around); j <= Math.min(lines.length - 1, i + around); ++j) near[j] = 1;
  });
  const out = [];
  for (let i = 0; i < lines.length; ++i) {
    if (near[i]) {
      out.push(lines[i]);
      continue;
    }
    let count = 0;
    while (i + count < lines.length && !near[i + count]) ++count;
    out.push({ mark: '…', count });
    i += count - 1;
  }
  return out;
}
