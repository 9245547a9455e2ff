// The bar above: which page, the capture, HAR files; and the line below with the figures.
import { backToLive, clear, exportShown, openHar, setCapture } from './actions.js';
import { count, plural, size, visibleLine } from './format.js';
import { outcome } from './row.js';
import { page, source, view } from './state.js';
import { Choice, classes, html, useEffect, useRef, useState } from './ui.js';

const kPages = [
  ['traffic', 'Traffic'],
  ['contexts', 'Contexts'],
  ['plots', 'Plots'],
];
const kModes = [
  ['off', 'Off'],
  ['heads', 'Heads'],
  ['bodies', 'Bodies'],
];
const kStates = { connecting: 'Connecting', live: 'Live', lost: 'The instance does not answer', stranger: 'The session is over' };

function Capture({ capture }) {
  const { used, limit } = capture.memory ?? {};
  const text = `${size(used)} of ${size(limit)}: the oldest exchanges go when it is full`;
  return html`<span class="capture"><span class="soft">Capture</span>
    <${Choice} label="Capture" value=${capture.mode} onChoose=${setCapture} options=${kModes} />
    ${limit ? html`<meter class="memory" min="0" max=${limit} value=${used} title=${text} aria-label="Memory of the capture"></meter>` : null}
  </span>`;
}

export function Header() {
  const file = useRef(null);
  const from = source.value;
  const state = from.state.value;
  return html`<header class="bar">
    <h1><span class="brand">cmux</span>proxy <span class="soft">inspector</span></h1>
    <nav aria-label="Pages">${kPages.map(([key, name]) => html`<button type="button" key=${key}
      aria-current=${page.value === key ? 'page' : undefined} onClick=${() => (page.value = key)}>${name}</button>`)}</nav>
    <span class=${classes('state', from.live ? state : 'file')} role="status">${from.live ? kStates[state] : 'A file'}</span>
    <span class="grow"></span>
    ${from.live && from.capture.value ? html`<${Capture} capture=${from.capture.value} />` : null}
    <span class="group">
      <button type="button" title="Look at a HAR file. It stays in this page." onClick=${() => file.current.click()}>Open HAR…</button>
      ${
        from.live
          ? html`<button type="button" title="Save what the list shows as a HAR file" onClick=${exportShown}>Save HAR</button>
        <button type="button" title="Forget all exchanges, here and in the instance" onClick=${clear}>Clear</button>`
          : null
      }
    </span>
    <input ref=${file} type="file" accept=".har,application/json" hidden aria-label="A HAR file" onChange=${({ target }) => {
      openHar(target.files[0]);
      target.value = '';
    }} />
  </header>`;
}

export function Banner() {
  const from = source.value;
  if (!from.live) {
    return html`<div class="banner" role="note"><span>Exchanges of the file <b><bdi>${visibleLine(from.name)}</bdi></b></span><button
      type="button" onClick=${backToLive}>Back to what is live</button></div>`;
  }
  if (from.state.value === 'stranger') {
    return html`<div class="banner bad" role="alert">
      <span>This page's session is over, or its address was used before. Run <code>cmuxproxy inspect</code> again.</span></div>`;
  }
  return null;
}

const kSumPause = 300;  // milliseconds between two times that all rows are added up

function useSums(rows) {
  const [sums, setSums] = useState({ failed: 0, bytes: 0 });
  const at = useRef(0);
  useEffect(() => {
    const add = () => {
      at.current = performance.now();
      let failed = 0;
      let bytes = 0;
      for (const row of rows) {
        if (outcome(row.summary) === 'failed') ++failed;
        bytes += row.bytes;
      }
      setSums({ failed, bytes });
    };
    const timer = setTimeout(add, Math.max(0, at.current + kSumPause - performance.now()));
    return () => clearTimeout(timer);
  }, [rows]);
  return sums;
}

export function Footer() {
  const from = source.value;
  const shown = view.value.shown.value;
  const all = from.exchanges.rows.length;
  const { failed, bytes } = useSums(shown);
  const { used, limit } = from.capture.value?.memory ?? {};
  return html`<footer class="figures">
    <span>${shown.length === all ? plural(all, 'exchange') : `${count(shown.length)} of ${plural(all, 'exchange')}`}</span>
    ${failed ? html`<span class="bad">${count(failed)} failed</span>` : null}
    <span>${size(bytes)}</span>
    <span class="grow"></span>
    ${from.lost.value ? html`<span class="warn">${count(from.lost.value)} not told: too fast for this page</span>` : null}
    ${limit ? html`<span>${size(used)} of ${size(limit)} kept</span>` : null}
  </footer>`;
}
