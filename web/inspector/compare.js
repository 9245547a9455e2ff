// Two exchanges side by side: what differs between their lines, fields and bodies.
import { decode, isTextual } from './bytes.js';
import { diffFields, diffLines, folded, kMostLines } from './diff.js';
import { count, duration, plural, size, visible, visibleLine } from './format.js';
import { parseJson } from './json_tree.js';
import { html, useMemo } from './ui.js';

/** A body as lines that can be compared: JSON one member a line. */
function linesOf({ bytes }, type) {
  if (!isTextual(bytes, type)) return null;
  const { text } = decode(bytes, type);
  // Only what parses as it stands: large numbers would come out as others.
  const value = /^\s*[[{]/.test(text) && !/\d{16}/.test(text) ? parseJson(text) : undefined;
  return value === undefined ? text : JSON.stringify(value, null, 2);
}

const kMostShown = 3000;  // lines

const isLong = (text) => text.split('\n', kMostLines + 1).length > kMostLines;

const equal = (a, b) => a.length === b.length && a.every((byte, i) => byte === b[i]);

function Bodies({ a, b, types }) {
  const lines = useMemo(() => {
    if (equal(a.bytes, b.bytes)) return [];
    const texts = [linesOf(a, types[0]), linesOf(b, types[1])];
    if (texts.includes(null)) return null;
    const found = folded(diffLines(...texts));
    return texts.some(isLong) ? [...found, { mark: '!', text: `Only the first ${count(kMostLines)} lines are compared.` }] : found;
  }, [a, b]);
  if (lines === null) return html`<p class="note">They differ, and are no text: ${size(a.bytes.length)} and ${size(b.bytes.length)}.</p>`;
  if (lines.length === 0) return html`<p class="note">${a.bytes.length ? 'The same.' : 'Neither has one.'}</p>`;
  return html`<div class="diff" role="list">${lines.slice(0, kMostShown).map((line, i) => html`<${Line} key=${i} ...${line} />`)}</div>`;
}

const kClasses = { '-': 'removed', '+': 'added', ' ': 'same', '…': 'fold', '!': 'fold' };

function Line({ mark, text, count: lines }) {
  return html`<div role="listitem" class=${kClasses[mark]}>
    <span class="sign">${mark}</span>
    ${mark === '…' ? html`<span>${plural(lines, 'line')} the same</span>` : html`<bdi>${visible(text)}</bdi>`}
  </div>`;
}

function Rows({ rows }) {
  const differing = rows.filter(({ a, b }) => a !== b);
  if (differing.length === 0) return html`<p class="note">The same${rows.length ? `, ${rows.length} of them` : ''}.</p>`;
  const cell = (value, mark) =>
    html`<td class=${value === null ? 'absent' : mark}>${value === null ? '–' : html`<bdi>${visible(value)}</bdi>`}</td>`;
  return html`<table class="pairs two"><tbody>${differing.map(({ name, a, b }) => html`<tr key=${name}><th scope="row">
    <bdi>${visibleLine(name)}</bdi></th>${cell(a, 'removed')}${cell(b, 'added')}</tr>`)}</tbody></table>
    ${rows.length > differing.length ? html`<p class="note">${rows.length - differing.length} more are the same.</p>` : null}`;
}

const kMembers = [
  ['Method', 'method'],
  ['URL', 'url'],
  ['Status', 'status'],
  ['Context', 'context'],
  ['Went to', 'destination'],
  ['From client', 'downstream'],
  ['To workspace', 'upstream'],
  ['Error', 'error'],
];
const written = (value) => (value === null || value === undefined ? null : String(value));

export function Comparison({ a, b, bodies, close }) {
  const members = kMembers.map(([name, key]) => ({ name, a: written(a[key]), b: written(b[key]) }));
  members.push({ name: 'Total', a: duration(a.timing?.total), b: duration(b.timing?.total) });
  const fields = (side) => diffFields(a[side].received?.fields, b[side].received?.fields);
  const types = (side) => [a[side].body.type, b[side].body.type];
  return html`<div class="comparison">
    <header class="title"><h2>${visibleLine(a.id)} <span class="soft">and</span> ${visibleLine(b.id)}</h2><button type="button"
      class="quiet close" aria-label="Close" onClick=${close}>✕</button></header>
    <div class="panel" tabindex="0">
      <section><h3>Exchange</h3><${Rows} rows=${members} /></section>
      <section><h3>Request fields</h3><${Rows} rows=${fields('request')} /></section>
      <section><h3>Request body</h3><${Bodies} a=${bodies[0]} b=${bodies[2]} types=${types('request')} /></section>
      <section><h3>Response fields</h3><${Rows} rows=${fields('response')} /></section>
      <section><h3>Response body</h3><${Bodies} a=${bodies[1]} b=${bodies[3]} types=${types('response')} /></section>
    </div>
  </div>`;
}
