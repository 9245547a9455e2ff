// The filter's language and the keys, made from what the program itself reads.
import { kKeys, kStates } from './filter.js';
import { html } from './ui.js';

const kShortcuts = [
  ['↑ ↓ PgUp PgDn Home End', 'through the list'],
  ['Enter', 'the details of the selected exchange'],
  ['Escape', 'closes what is open; in the filter, clears it'],
  ['/', 'the filter'],
  ['r', 'replay'],
  ['e', 'edit and replay'],
  ['c', 'copy as curl'],
  ['d', 'mark for comparison, or compare with the marked one'],
  ['1 2 3 4', 'overview, request, response, messages'],
  ['?', 'this'],
];
const kExamples = [
  ['method:POST status:5xx', 'POSTs that the workspace failed to answer'],
  ['-type:image,font', 'without images and fonts'],
  ['url:/api larger:10k slower:200ms', 'under /api, large and slow'],
  ['is:websocket ctx:alpha', "a context's WebSockets"],
  ['is:failed since:5m', 'what failed in the last five minutes'],
  ['"not found"', 'a text with a space'],
];

const Rows = ({ rows }) =>
  html`<table class="pairs"><tbody>${rows.map(([name, text]) => html`<tr key=${name}><th scope="row"><code>${name}</code></th><td>${text}
    </td></tr>`)}</tbody></table>`;

export function Help({ close }) {
  return html`<div class="help">
    <header class="title"><h2>Filter and keys</h2><button type="button" class="quiet close" aria-label="Close" onClick=${close}>✕</button>
      </header>
    <div class="panel" tabindex="0">
      <section><p>All words must fit. <code>-</code> before a word turns it round, a comma in a value means either, <code>"…"</code> keeps spaces. What is
        ${' '}no <code>key:value</code> is searched for in method, URL, status, type, context and error.</p>
        <${Rows} rows=${kExamples} /></section>
      <section><h3>Keys of the filter</h3><${Rows} rows=${Object.entries(kKeys).map(([key, { hint }]) => [`${key}:`, hint])} /></section>
      <section><h3>is:</h3><${Rows} rows=${Object.entries(kStates).map(([name, [hint]]) => [`is:${name}`, hint])} /></section>
      <section><h3>Keyboard</h3><${Rows} rows=${kShortcuts} /></section>
      <p class="soft">With Preact, its signals, and htm: <a href="vendor/LICENSES.txt" target="_blank"
        rel="noreferrer">their licences</a>.</p>
    </div>
  </div>`;
}
