// HarSource: the exchanges of a HAR file, to look at. Nothing of it leaves the page.
import { signal } from './vendor/signals-core.js';
import { Exchanges } from './exchanges.js';
import { size } from './format.js';
import { fromBase64 } from './bytes.js';

export const kLargestHar = 256e6;  // bytes: more than V8 makes of it in a string of at most 512 MB, and in objects

export class HarSource {
  live = false;
  exchanges = new Exchanges();
  state = signal('live');
  capture = signal(null);
  lost = signal(0);
  unread = 0;
  #worker = new Worker(new URL('./har_worker.js', import.meta.url), { type: 'module' });
  #calls = new Map();
  #number = 0;
  #messages = null;  // of the exchange that was asked about last: {id, all}

  constructor(name) {
    this.name = name;
    this.#worker.addEventListener('message', ({ data }) => {
      if (data.summaries) return this.exchanges.put(data.summaries);
      const call = this.#calls.get(data.call);
      this.#calls.delete(data.call);
      if (data.error === undefined) call.done(data.value);
      else call.fail(new Error(data.error));
    });
    this.#worker.addEventListener('error', () => {
      for (const { fail } of this.#calls.values()) fail(new Error('it is too large for this browser'));
      this.#calls.clear();
    });
  }

  /** Reads a File; throws an Error whose message is for people. */
  static async open(file) {
    if (file.size > kLargestHar) throw new Error(`it has ${size(file.size)}, and ${size(kLargestHar)} is what the page reads`);
    const source = new HarSource(file.name);
    try {
      source.unread = (await source.#ask({ kind: 'open', file })).unread;
    } catch (error) {
      source.close();
      throw error;
    }
    return source;
  }

  close() {
    this.#worker.terminate();
  }

  #ask(question) {
    return new Promise((done, fail) => {
      const call = ++this.#number;
      this.#calls.set(call, { done, fail });
      this.#worker.postMessage({ ...question, call });
    });
  }

  details(id) {
    return this.#ask({ kind: 'details', id });
  }
  async messages(id, after, limit) {
    if (this.#messages?.id !== id) this.#messages = { id, all: await this.#ask({ kind: 'messages', id }) };
    const messages = this.#messages.all.slice(after, after + limit);
    return { messages, next: after + messages.length };
  }
  async body(id, side, body) {
    return { bytes: fromBase64(body.data), cut: !body.complete, note: null };
  }
}
