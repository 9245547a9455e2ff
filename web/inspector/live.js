// LiveSource: what the instance holds and goes on telling. A source, live or a HAR file's (har_source.js), has exchanges, a name, and
// answers details, bodies and messages; only a live one can also act.
import { signal } from './vendor/signals-core.js';
import { ApiError, ask, askJson } from './api.js';
import { fromBase64 } from './bytes.js';
import { Exchanges } from './exchanges.js';

const kPage = 1000;  // exchanges in one answer
const kFlush = 60;  // milliseconds between two looks at what has come
const kLongestFlush = 12;  // milliseconds of work in one
const kMostWaiting = 100_000;  // events; then they are read at once, however long that takes
const kFirstPause = 500,
  kLongestPause = 8000;

const path = (id, rest = '') => `/v1/exchanges/${encodeURIComponent(id)}${rest}`;

export class LiveSource {
  live = true;
  name = 'live';
  exchanges = new Exchanges();
  state = signal('connecting');  // connecting, live, lost, stranger (the session is over)
  capture = signal(null);
  lost = signal(0);  // how many were never told, since the instance was faster than this page
  #after = 0;  // the number of the latest change that is surely known
  #waiting = [];
  #timer = null;
  #pause = kFirstPause;

  /** Gets what there is, then follows; goes on until the session is over. */
  async start() {
    for (;;) {
      try {
        await this.#load();
        this.state.value = 'live';
        this.#pause = kFirstPause;
        await this.#follow();
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        if (error.status === 401 || error.status === 403) {
          this.state.value = 'stranger';
          return;
        }
      }
      this.state.value = 'lost';
      await new Promise((done) => setTimeout(done, this.#pause));
      this.#pause = Math.min(2 * this.#pause, kLongestPause);
    }
  }

  async #load() {
    for (;;) {
      const answer = await askJson(`/v1/exchanges?after=${this.#after}&limit=${kPage}`);
      this.capture.value = answer.capture;
      // Another instance counts from the beginning.
      const another = answer.next < this.#after;
      this.#after = another ? 0 : answer.next;
      if (another) {
        this.exchanges.clear();
        continue;
      }
      this.exchanges.put(answer.exchanges);
      this.exchanges.forgetBefore(answer.first);
      if (answer.exchanges.length < kPage) return;
      await new Promise((done) => setTimeout(done));
    }
  }

  /** Until the stream is lost. Events are kept as text and read in slices, since a busy proxy sends thousands in one piece. */
  #follow() {
    return new Promise((done) => {
      const stream = new EventSource(`/v1/exchanges/stream?after=${this.#after}`);
      const later = (kind) => (event) => {
        this.#waiting.push([kind, event.data]);
        this.#timer ??= setTimeout(() => this.#flush(), kFlush);
      };
      for (const kind of ['exchange', 'capture', 'dropped', 'lost']) stream.addEventListener(kind, later(kind));
      stream.addEventListener('error', () => {
        stream.close();
        this.#flush();
        done();
      });
    });
  }

  #flush() {
    this.#timer = null;
    const since = performance.now();
    // Of a page that nobody sees the browser slows down the timers: it takes everything each time.
    const unhurried = document.hidden || this.#waiting.length > kMostWaiting;
    const news = [];
    let read = 0;
    let first = 0;
    for (const [kind, data] of this.#waiting) {
      if (!unhurried && read % 64 === 63 && performance.now() - since > kLongestFlush) break;
      ++read;
      const value = JSON.parse(data);
      if (kind === 'exchange') news.push(value);
      else if (kind === 'capture') this.capture.value = value;
      else if (kind === 'dropped') first = Math.max(first, value.first);
      else this.lost.value += value.count;
    }
    this.#waiting.splice(0, read);
    this.exchanges.put(news);
    if (first) this.exchanges.forgetBefore(first);
    if (this.#waiting.length > 0) this.#timer = setTimeout(() => this.#flush(), 4);
  }

  details(id) {
    return askJson(path(id));
  }
  reveal(id) {
    return askJson(path(id, '/reveal'), { method: 'POST' });
  }
  /** The id of the new exchange. */
  async replay(id, edited = {}) {
    return (await askJson(path(id, '/replay'), { method: 'POST', body: edited })).id;
  }
  messages(id, after, limit) {
    return askJson(path(id, `/messages?after=${after}&limit=${limit}`));
  }

  /** The bytes of a body, without its content-encoding where the server knows that: {bytes, cut, note}. */
  async body(id, side, body) {
    const kept = fromBase64(body.data);
    if (!body.encoding || body.encoding === 'identity' || kept.length === 0) return { bytes: kept, cut: !body.complete, note: null };
    try {
      const response = await ask(path(id, `/body?side=${side}&decoded=1`));
      const cut = response.headers.get('x-cut') === 'true' || !body.complete;
      return { bytes: new Uint8Array(await response.arrayBuffer()), cut, note: `decoded from ${body.encoding}` };
    } catch (error) {
      return { bytes: kept, cut: !body.complete, note: `as on the wire (${body.encoding}): ${error.message}` };
    }
  }

  /** Holds while the page is there: afterwards the instance does again as it was told at its start. */
  async setCapture(mode) {
    this.capture.value = await askJson('/v1/capture', { method: 'PUT', body: { mode } });
    addEventListener('pagehide', () => ask('/v1/capture', { method: 'PUT', body: { mode: 'auto' }, keepalive: true }).catch(() => {}), {
      once: true,
    });
  }
  async clear() {
    await ask('/v1/exchanges', { method: 'DELETE' });
    this.exchanges.clear();
  }
}
