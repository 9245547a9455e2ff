// An exchange's request as a command for a shell, or as a call of fetch. What others wrote ends up in a terminal here: no text of theirs
// may end a quotation, be taken for an option, or reach the terminal as a control character, which could end a bracketed paste.
import { asUtf8, fromBase64, toBase64 } from './bytes.js';

// Fields that belong to a connection, or that who sends makes anew.
const kNotCopied = new Set([
  'host',
  'content-length',
  'connection',
  'proxy-connection',
  'proxy-authorization',
  'keep-alive',
  'te',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
  'expect',
  'trailer',
]);
const kToken = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
// eslint-disable-next-line no-control-regex
const kControl = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/;

/** One word of a POSIX shell; with control characters in it, of bash, zsh and ksh: $'…'. */
export function quoted(text) {
  if (/^[A-Za-z0-9_./:=@%+,-]+$/.test(text) && !text.startsWith('-')) return text;
  if (!kControl.test(text)) return `'${text.replaceAll("'", "'\\''")}'`;
  let out = '';
  for (const byte of new TextEncoder().encode(text)) {
    const character = String.fromCharCode(byte);
    if (character === '\n') out += '\\n';
    else if (character === '\t') out += '\\t';
    else if (character === "'" || character === '\\') out += `\\${character}`;
    else if (byte < 0x20 || byte > 0x7e) out += `\\${byte.toString(8).padStart(3, '0')}`;
    else out += character;
  }
  return `$'${out}'`;
}

/** A string of JavaScript, with all that is not plain ASCII as an escape. */
const literal = (text) =>
  JSON.stringify(text).replace(/[^\x20-\x7e]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** What both forms need: {url, method, fields, body, warnings}; throws where there is nothing to copy. */
function requestOf({ method, url, request }) {
  const target = String(url ?? '').replace(/^ws/i, 'http');
  if (!/^https?:\/\/[^/]/i.test(target)) throw new Error('only requests with an http URL can be copied, and this is a tunnel');
  if (!kToken.test(method ?? '')) throw new Error('its method is none that a client could send');
  const warnings = [];
  const isHandshake = /^ws/i.test(url) || (request.received?.fields ?? []).some(([name]) => name.toLowerCase() === 'sec-websocket-key');
  const fields = (request.received?.fields ?? []).filter(([name]) => kToken.test(name) && !kNotCopied.has(name.toLowerCase()));
  if (isHandshake) warnings.push('this asked for a WebSocket');
  if (fields.some(([, value]) => value.includes('•••')) || target.includes('•••')) warnings.push('secrets are hidden: reveal them first');
  const { body } = request;
  if (body.size > 0 && !body.complete) warnings.push(`only ${body.kept} of the body's ${body.size} bytes were kept`);
  return { url: target, method, fields, body: fromBase64(body.data), warnings };
}

/** {text, warnings} */
export function asCurl(details) {
  const { url, method, fields, body, warnings } = requestOf(details);
  const words = [];
  const add = (...parts) => words.push(parts.join(' '));
  const globs = /[[\]{}]/.test(url) ? '--globoff ' : '';
  add(`curl ${globs}${quoted(url)}`);
  if (method === 'HEAD') add('--head');
  else if (method !== (body.length > 0 ? 'POST' : 'GET')) add('-X', quoted(method));
  for (const [name, value] of fields) add('-H', quoted(value === '' ? `${name};` : `${name}: ${value}`));
  if (fields.some(([name]) => name.toLowerCase() === 'accept-encoding')) add('--compressed');
  let before = '';
  if (body.length > 0) {
    if (!fields.some(([name]) => name.toLowerCase() === 'content-type')) add('-H', "'content-type:'");  // curl would make one up
    const text = asUtf8(body);
    if (text === null) {
      before = `printf %s ${quoted(toBase64(body))} | base64 -d | `;
      add('--data-binary', '@-');
    } else {
      add('--data-raw', quoted(text));
    }
  }
  return { text: before + words.join(' \\\n  '), warnings };
}

/** {text, warnings} */
export function asFetch(details) {
  const { url, method, fields, body, warnings } = requestOf(details);
  const lines = [`await fetch(${literal(url)}, {`, `  method: ${literal(method)},`];
  if (fields.length > 0) {
    lines.push('  headers: [');
    for (const [name, value] of fields) lines.push(`    [${literal(name)}, ${literal(value)}],`);
    lines.push('  ],');
  }
  if (body.length > 0) {
    if (method === 'GET' || method === 'HEAD') {
      warnings.push(`fetch sends no body with ${method}`);
    } else {
      const text = asUtf8(body);
      lines.push(`  body: ${text === null ? `Uint8Array.from(atob('${toBase64(body)}'), (c) => c.charCodeAt(0))` : literal(text)},`);
    }
  }
  lines.push("  redirect: 'manual',", '});');
  return { text: lines.join('\n'), warnings };
}
