// HAR 1.2 files, of this program or another's, as the exchanges that the page shows. Everything in them is a stranger's: each member is
// taken for what it should be or left out.
import { essence, fromBase64, toBase64 } from './bytes.js';

const kMostFields = 2000;
const kMessage = { 1: 'text', 2: 'binary', 8: 'close', 9: 'ping', 10: 'pong' };

const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
const object = (value) => (isObject(value) ? value : {});
const text = (value) => (typeof value === 'string' ? value : null);
const number = (value) => (typeof value === 'number' && Number.isFinite(value) ? value : null);
const positive = (value) => (number(value) !== null && value >= 0 ? value : null);
const list = (value) => (Array.isArray(value) ? value : []);

/** The entries of a HAR file's text; throws an Error whose message is for people. */
export function entriesOf(content) {
  let har;
  try {
    har = JSON.parse(content.charCodeAt(0) === 0xfeff ? content.slice(1) : content);
  } catch (error) {
    throw new Error(`it is no HAR file: not JSON (${error.message.slice(0, 120)})`);
  }
  if (!isObject(har) || !isObject(har.log)) throw new Error('it is no HAR file: JSON, but without "log"');
  if (!Array.isArray(har.log.entries)) throw new Error('it is no HAR file: "log" has no "entries"');
  return har.log.entries;
}

/** Microseconds, as the server counts them: the phases' durations, and firstByte and total from the beginning. */
function timingOf(entry) {
  const timings = object(entry.timings);
  const us = (value) => Math.round((positive(value) ?? 0) * 1000);
  const tls = us(timings.ssl);
  // `connect` holds `ssl` in a HAR.
  const connect = Math.max(0, us(timings.connect) - tls);
  const dns = us(timings.dns);
  const firstByte = us(timings.blocked) + dns + connect + tls + us(timings.send) + us(timings.wait);
  return { dns, connect, tls, firstByte, total: us(entry.time) || firstByte + us(timings.receive) };
}

function protocolOf(version) {
  const name = (text(version) ?? '').toLowerCase();
  if (name === 'h2' || name.startsWith('http/2')) return 'h2';
  if (name === 'h3' || name.startsWith('http/3')) return 'h3';
  return name || null;
}

/** The summary of the entry of that number. */
export function summaryOf(entry, index) {
  if (!isObject(entry) || !isObject(entry.request) || !isObject(entry.response)) throw new Error('an entry without request or response');
  const { request, response } = entry;
  const content = object(response.content);
  const messages = list(entry._webSocketMessages);
  const status = positive(response.status) ?? 0;
  const [, error, detail] = /^(?:([a-z_]+): )?(.*)$/s.exec(text(response._error) ?? '');  // this program's have a name before the text
  return {
    id: text(entry._id) ?? `h-${index + 1}`,
    seq: index + 1,
    at: text(entry.startedDateTime),
    state: status === 0 || error || detail ? 'failed' : 'done',
    context: text(entry._context),
    method: text(request.method),
    url: text(request.url),
    destination: text(entry._destination) || text(entry.serverIPAddress) || null,
    parent: null,
    status,
    type: essence(text(content.mimeType)) || null,
    sent: positive(request.bodySize) ?? text(object(request.postData).text)?.length ?? 0,
    received: positive(response.bodySize) || positive(content.size) || 0,
    downstream: protocolOf(request.httpVersion),
    upstream: protocolOf(response.httpVersion),
    tunnel: request.method === 'CONNECT',
    websocket: entry._resourceType === 'websocket' || messages.length > 0,
    messages: messages.length,
    reused: object(entry.timings).connect === -1,
    retries: 0,
    error: error ?? (detail || null),
    detail: error ? detail : null,
    advice: null,
    timing: timingOf(entry),
    replayOf: text(entry._replayOf),
  };
}

const fieldsOf = (fields) =>
  list(fields)
    .slice(0, kMostFields)
    .filter((field) => isObject(field) && text(field.name) !== null)
    .map(({ name, value }) => [name, text(value) ?? '', null]);

function bodyOf(content, encoding, type, size) {
  let bytes = new Uint8Array();
  try {
    bytes = encoding === 'base64' ? fromBase64(content) : new TextEncoder().encode(content ?? '');
  } catch {
    // What is called base64 and is not: as it stands.
    bytes = new TextEncoder().encode(content ?? '');
  }
  const whole = positive(size) ?? bytes.length;
  return { size: whole, kept: bytes.length, complete: bytes.length >= whole, type: text(type), encoding: null, data: toBase64(bytes) };
}

/** The details of an entry, as the server's `/v1/exchanges/{id}` has them. */
export function detailsOf(entry, index) {
  const summary = summaryOf(entry, index);
  const { request, response } = entry;
  const post = object(request.postData);
  const content = object(response.content);
  const posted =
    text(post.text) ??
    list(post.params)
      .map((pair) => {
        const { name, value } = object(pair);
        return `${encodeURIComponent(text(name) ?? '')}=${encodeURIComponent(text(value) ?? '')}`;
      })
      .join('&');
  const line = `${summary.method ?? ''} ${summary.url ?? ''}`;
  const statusLine = `${summary.status} ${text(response.statusText) ?? ''}`.trim();
  return {
    ...summary,
    why: null,
    revealed: false,
    request: {
      received: { protocol: summary.downstream, line, fields: fieldsOf(request.headers) },
      sent: null,
      body: bodyOf(posted, post._encoding, post.mimeType, positive(request.bodySize) || null),
    },
    response: {
      received: summary.status ? { protocol: summary.upstream, line: statusLine, fields: fieldsOf(response.headers) } : null,
      sent: null,
      body: bodyOf(text(content.text), content.encoding, content.mimeType, content.size),
    },
  };
}

/** The WebSocket messages of an entry. */
export function messagesOf(entry) {
  return list(entry._webSocketMessages)
    .filter(isObject)
    .map((message, i) => {
      const opcode = number(message.opcode) ?? 1;
      const { data, kept } = bodyOf(text(message.data), opcode === 1 ? null : 'base64');
      const time = number(message.time);
      return {
        n: i + 1,
        at: time === null || Math.abs(time) > 8.6e12 ? null : new Date(time * 1000).toISOString(),
        from: message.type === 'send' ? 'client' : 'server',
        kind: kMessage[opcode] ?? 'binary',
        size: kept,
        kept,
        data,
        note: null,
      };
    });
}
