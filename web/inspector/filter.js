// The filter's language: words that must all fit. `key:value` looks at one property, anything else is searched for as text; `-` before a
// word turns it round, `"…"` keeps spaces in it, `a,b` in a value means either.

const kSizes = { '': 1, b: 1, k: 1e3, kb: 1e3, m: 1e6, mb: 1e6, g: 1e9, gb: 1e9 };
const kTimes = { us: 1, µs: 1, ms: 1e3, '': 1e3, s: 1e6, m: 60e6, min: 60e6, h: 3600e6, d: 86_400e6 };
const kTypes = { js: 'javascript', img: 'image/', image: 'image/', ws: 'websocket' };

function measured(units, value) {
  const found = /^(\d+(?:\.\d+)?)\s*([a-zµ]*)$/.exec(value);
  return found && found[2] in units ? Number(found[1]) * units[found[2]] : null;
}
const bytesOf = (value) => measured(kSizes, value);
const microsecondsOf = (value) => measured(kTimes, value);

/** `10m`: that long ago; `14:30`, `14:30:05`: today; or a date. In milliseconds. */
function momentOf(value, now) {
  const clock = /^(\d{1,2}):(\d{2})(?::(\d{2}))?$/.exec(value);
  if (clock) return new Date(now).setHours(+clock[1], +clock[2], +(clock[3] ?? 0), 0);
  const past = /[a-z]$/.test(value) ? microsecondsOf(value) : null;
  if (past !== null) return now - past / 1000;
  const date = /^\d{4}-\d\d-\d\d/.test(value) ? Date.parse(value.toUpperCase()) : NaN;
  return Number.isNaN(date) ? null : date;
}

function statusTest(value) {
  if (/^[0-9]xx$/.test(value)) return (status) => Math.floor(status / 100) === +value[0];
  if (/^\d{1,3}$/.test(value)) return (status) => status === +value;
  const range = /^(\d{3})-(\d{3})$/.exec(value);
  if (range) return (status) => status >= +range[1] && status <= +range[2];
  const compared = /^(>=|<=|>|<)(\d{1,3})$/.exec(value);
  if (!compared) return null;
  const than = +compared[2];
  return { '>=': (s) => s >= than, '<=': (s) => s > 0 && s <= than, '>': (s) => s > than, '<': (s) => s > 0 && s < than }[compared[1]];
}

export const kStates = {
  open: ['is not over', (row) => row.summary.state === 'open'],
  done: ['is over', (row) => row.summary.state === 'done'],
  failed: ['broke off, or was answered by the proxy in the place of the workspace', (row) => row.failed],
  error: ['failed, or has a status of 400 or above', (row) => row.failed || row.summary.status >= 400],
  websocket: ['is a WebSocket', (row) => row.summary.websocket === true],
  tunnel: ['is a tunnel', (row) => row.summary.tunnel === true],
  reused: ['went over a connection that was there', (row) => row.summary.reused === true],
  retried: ['was sent again by the proxy', (row) => row.summary.retries > 0],
  replay: ['was sent from here', (row) => Boolean(row.summary.replayOf)],
};

/** What contexts are called, by their ids. */
export const contextLabels = new Map();

const has = (read) => (value) => (row) => read(row).toLowerCase().includes(value);

/** Each key: what it is for, examples, and from a value the test of a row, or null where the value says nothing. */
export const kKeys = {
  method: {
    hint: 'its method: GET, POST',
    examples: ['GET', 'POST'],
    test: (value) => (row) => (row.summary.method ?? '').toLowerCase() === value,
  },
  status: {
    hint: 'a number, 5xx, 400-499, >=400',
    examples: ['200', '3xx', '4xx', '5xx', '>=400'],
    test: (value) => {
      const fits = statusTest(value);
      return fits && ((row) => fits(row.summary.status ?? 0));
    },
  },
  type: {
    hint: 'the media type of the answer, or a part of it: json, html, js, image',
    examples: ['json', 'html', 'js', 'css', 'image', 'font', 'event-stream'],
    test: (value) => has((row) => (row.summary.type ?? '') + (row.summary.websocket ? ' websocket' : ''))(kTypes[value] ?? value),
  },
  ctx: {
    hint: 'a part of the id or the label of its context',
    examples: [],
    test: has(({ summary: { context } }) => `${context ?? ''} ${contextLabels.get(context) ?? ''}`),
  },
  url: { hint: 'a part of the URL', examples: ['/api'], test: has((row) => row.summary.url ?? '') },
  host: { hint: 'a part of host and port: localhost:3000', examples: ['localhost:3000'], test: has((row) => row.host) },
  path: { hint: 'how its path begins: /api/', examples: ['/api/'], test: (value) => (row) => row.path.toLowerCase().startsWith(value) },
  to: { hint: 'a part of where it went', examples: [], test: has((row) => row.summary.destination ?? '') },
  protocol: {
    hint: 'of either side: h2, http/1.1, socks5, tcp',
    examples: ['h2', 'http/1.1', 'socks5', 'tcp'],
    test: (value) => (row) => row.summary.downstream === value || row.summary.upstream === value,
  },
  error: {
    hint: 'a part of the error and its text',
    examples: [],
    test: has((row) => `${row.summary.error ?? ''} ${row.summary.detail ?? ''}`),
  },
  larger: {
    hint: 'than 10k, 2m: bodies of both ways together',
    examples: ['10k', '1m'],
    test: bounded(bytesOf, (row, bound) => row.bytes > bound),
  },
  smaller: { hint: 'than 1k', examples: ['1k'], test: bounded(bytesOf, (row, bound) => row.bytes < bound) },
  slower: { hint: 'than 200ms, 2s, in all', examples: ['200ms', '1s'], test: bounded(microsecondsOf, (row, bound) => row.total > bound) },
  faster: { hint: 'than 50ms', examples: ['50ms'], test: bounded(microsecondsOf, (row, bound) => row.total !== null && row.total < bound) },
  since: {
    hint: 'began later than 5m ago, than 14:30',
    examples: ['1m', '10m', '1h'],
    test: bounded(momentOf, (row, bound) => row.time >= bound),
  },
  until: { hint: 'began earlier', examples: ['1m', '10m'], test: bounded(momentOf, (row, bound) => row.time <= bound) },
  is: { hint: 'open, failed, websocket and more: see below', examples: Object.keys(kStates), test: (value) => kStates[value]?.[1] ?? null },
  id: { hint: 'its own: x-1f', examples: [], test: (value) => (row) => row.id.toLowerCase() === value },
};
const kAliases = { context: 'ctx', destination: 'to', before: 'until', after: 'since' };

function bounded(read, compare) {
  return (value, now) => {
    const bound = read(value, now);
    return bound === null ? null : (row) => compare(row, bound);
  };
}

/** The words of a text with where each stands: {from, to, text}. A quote that is not closed goes to the end. */
export function words(text) {
  const found = [];
  for (const match of text.matchAll(/(?:"[^"]*(?:"|$)|[^\s"])+/g))
    found.push({ from: match.index, to: match.index + match[0].length, text: match[0] });
  return found;
}

/** A word taken apart: {negated, key, value}; key null where it is plain text. */
function partsOfWord(word) {
  const negated = word.startsWith('-') && word.length > 1;
  const body = negated ? word.slice(1) : word;
  const colon = body.startsWith('"') ? -1 : body.indexOf(':');
  const name = colon > 0 ? body.slice(0, colon).toLowerCase() : '';
  const key = kAliases[name] ?? name;
  if (!Object.hasOwn(kKeys, key)) return { negated, key: null, value: body };
  return { negated, key, value: body.slice(colon + 1) };
}

const unquoted = (text) => text.replaceAll('"', '').toLowerCase();

/** {empty, test(row), problems}: a word whose value says nothing is no part of the test, and stands in `problems`. */
export function parse(text, now = Date.now()) {
  const tests = [];
  const problems = [];
  for (const word of words(text)) {
    const { negated, key, value } = partsOfWord(word.text);
    let test;
    if (key === null) {
      const wanted = unquoted(value);
      if (!wanted) continue;
      test = (row) => row.haystack.includes(wanted);
    } else {
      const values = value.includes('"') ? [unquoted(value)] : unquoted(value).split(',');
      const wanted = values.filter(Boolean);
      if (wanted.length === 0) continue;  // it is being typed
      const each = wanted.map((one) => Object.hasOwn(kKeys, key) && kKeys[key].test(one, now));
      const bad = each.indexOf(null);
      if (bad >= 0) {
        problems.push(`${key}:${wanted[bad]} says nothing: ${key === 'is' ? Object.keys(kStates).join(', ') : kKeys[key].hint}`);
        continue;
      }
      test = each.length === 1 ? each[0] : (row) => each.some((fits) => fits(row));
    }
    tests.push(negated ? (row) => !test(row) : test);
  }
  return { empty: tests.length === 0, problems, test: (row) => tests.every((fits) => fits(row)) };
}

/**
 * What may follow at the caret: [{text, hint, from, to}], where `text` takes the place of what stands between. `seen(key)` answers values
 * that there are.
 */
export function completions(text, caret, seen = () => []) {
  const word = words(text).find(({ from, to }) => from < caret && caret <= to) ?? { from: caret, to: caret, text: '' };
  const typed = text.slice(word.from, caret);
  const sign = typed.startsWith('-') ? '-' : '';
  const { key, value } = partsOfWord(typed.length > 1 || !sign ? typed : 'x');
  if (key === null) {
    const start = typed.slice(sign.length).toLowerCase();
    return Object.entries(kKeys)
      .filter(([name]) => name.startsWith(start) && name !== start)
      .map(([name, { hint }]) => ({ text: `${sign}${name}:`, hint, from: word.from, to: word.to }));
  }
  const comma = value.lastIndexOf(',') + 1;
  const start = unquoted(value.slice(comma));
  const from = caret - (value.length - comma);
  const offered = new Map(kKeys[key].examples.map((example) => [example, key === 'is' ? kStates[example][0] : '']));
  for (const [one, hint] of seen(key)) if (one) offered.set(one, hint ?? '');
  return [...offered]
    .filter(([one]) => one.toLowerCase().includes(start) && one.toLowerCase() !== start)
    .slice(0, 30)
    .map(([one, hint]) => ({ text: /\s/.test(one) ? `"${one}" ` : `${one} `, hint, from, to: word.to }));
}
