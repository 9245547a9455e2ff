// Row: one exchange in the list: its summary as the server tells it, and what filtering and sorting by it need, made once.

/** The parts of a URL as they are shown; without URL, which is slow, and throws at what others may have written. */
export function partsOf(url) {
  const text = String(url ?? '');
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text);
  if (!scheme) return { scheme: '', host: text, path: '' };  // of a CONNECT: host:port
  const rest = text.slice(scheme[0].length);
  const end = rest.search(/[/?#]/);
  return end < 0 ? { scheme: scheme[1], host: rest, path: '' } : { scheme: scheme[1], host: rest.slice(0, end), path: rest.slice(end) };
}

const kLongestHaystack = 4096;

export class Row {
  constructor(summary) {
    this.revision = 0;  // grows with each change, so that who shows it knows
    this.fits = true;  // the filter
    this.update(summary);
  }

  update(summary) {
    this.summary = summary;
    ++this.revision;
    const { scheme, host, path } = partsOf(summary.url);
    this.scheme = scheme;
    this.host = host;
    this.path = path;
    this.time = Date.parse(summary.at);
    this.haystack =
      `${summary.method ?? ''} ${summary.url ?? ''} ${summary.status || ''} ${summary.type ?? ''} ${summary.context ?? ''} ${summary.error ?? ''}`
        .slice(0, kLongestHaystack)
        .toLowerCase();
  }

  get id() {
    return this.summary.id;
  }
  get bytes() {
    return (this.summary.sent ?? 0) + (this.summary.received ?? 0);
  }
  get total() {
    return this.summary.timing?.total ?? null;
  }
  get failed() {
    return this.summary.state === 'failed' || Boolean(this.summary.error);
  }
}

/** Good, moved, refused, broken, or not there yet: decides the colour, and is said beside it. */
export function outcome({ state, status, error }) {
  if (state === 'failed' || error) return 'failed';
  if (!status) return state === 'open' ? 'open' : 'failed';
  if (status >= 500) return 'failed';
  if (status >= 400) return 'refused';
  if (status >= 300) return 'moved';
  return status < 200 && status !== 101 ? 'open' : 'good';
}
