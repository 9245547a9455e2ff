// The list of exchanges.
import { select } from './actions.js';
import { clock, duration, size, visibleLine } from './format.js';
import { outcome } from './row.js';
import { VirtualRows } from './rows.js';
import { base, contexts, filterText, selected, sorting, source, view } from './state.js';
import { classes, html, hueOf } from './ui.js';

const kRowHeight = 26;

const kColumns = [
  ['time', 'Time'],
  ['method', 'Method'],
  ['status', 'Status'],
  ['url', 'URL'],
  ['context', 'Context'],
  ['type', 'Type'],
  ['size', 'Size'],
  ['duration', 'Duration'],
];

/** What a context is called: its label where it has one. */
export const contextName = (id) => contexts.value.find((context) => context.id === id)?.label || id;

function sortBy(key) {
  const { key: now, descending } = sorting.peek();
  sorting.value = key === now ? { key, descending: !descending } : { key, descending: key === 'size' || key === 'duration' };
}

const kSigns = { ascending: '↑', descending: '↓', none: '' };

const Head = () =>
  kColumns.map(([key, title]) => {
    const { key: now, descending } = sorting.value;
    const order = key !== now ? 'none' : descending ? 'descending' : 'ascending';
    return html`<div role="columnheader" key=${key} class=${`c-${key}`} aria-sort=${order}>
      <button type="button" tabindex="-1" onClick=${() => sortBy(key)}>
        ${title}<span class="order" aria-hidden="true">${kSigns[order]}</span>
      </button>
    </div>`;
  });

/** A duration from 1 ms to 10 s as a part of the cell's width, by its logarithm. */
const widthOf = (us) => `${Math.min(100, Math.max(3, 25 * Math.log10(Math.max(1, us / 1000))))}%`;

const statusText = ({ status, state, error }) => status || (state === 'open' ? '···' : error ? '✕' : '–');

/** The media type as one says it: json, html, image/png. */
function kindText({ websocket, tunnel, type }) {
  if (websocket) return 'websocket';
  if (tunnel) return 'tunnel';
  return visibleLine(type).replace(/^(application|text)\//, '') || '–';
}

function Context({ id }) {
  if (!id) return '–';
  return html`<span class=${`dot hue-${hueOf(id)}`}></span>${visibleLine(contextName(id))}`;
}

const kLoopback = /^(localhost|127\.|\[::1\]|.*\.localhost)/;

function cells(row) {
  const { summary, scheme, host, path } = row;
  const origin = visibleLine(scheme && scheme !== 'http' ? `${scheme}://${host}` : host);
  return html`
    <div role="gridcell" class="c-time">${clock(row.time)}</div>
    <div role="gridcell" class="c-method">
      ${visibleLine(summary.method ?? '–')}
      ${summary.replayOf ? html`<span class="replayed" title="sent from here" role="img" aria-label="replayed">↻</span>` : null}
    </div>
    <div role="gridcell" class="c-status">${statusText(summary)}</div>
    <div role="gridcell" class="c-url" title=${visibleLine(summary.url).slice(0, 1000)}>
      <bdi class=${classes('host', !kLoopback.test(host) && 'far')}>${origin}</bdi><bdi>${visibleLine(path.slice(0, 300))}</bdi>
    </div>
    <div role="gridcell" class="c-context" title=${visibleLine(summary.context)}><${Context} id=${summary.context} /></div>
    <div role="gridcell" class="c-type" title=${visibleLine(summary.type)}>${kindText(summary)}</div>
    <div role="gridcell" class="c-size">${size(row.bytes)}</div>
    <div role="gridcell" class="c-duration">
      ${summary.state !== 'open' && row.total
        ? html`${duration(row.total)}<span class="bar" aria-hidden="true" style=${{ width: widthOf(row.total) }}></span>`
        : null}
    </div>`;
}

const kSlow = 1e6;  // microseconds
const rowClass = (row) => classes(outcome(row.summary), row.total > kSlow && 'slow', row.id === base.value && 'base');

function Empty() {
  if (source.value.exchanges.rows.length > 0) {
    return html`<p>Nothing fits this filter.</p><p><button type="button" onClick=${() => (filterText.value = '')}>Show all</button></p>`;
  }
  if (!source.value.live) return html`<p>This file holds no exchanges.</p>`;
  return html`<p class="big">Nothing has come through yet.</p>
    <p>What clients send by a context of this instance appears here as it happens: open a page of a workspace, or try</p>
    <pre>cmuxproxy run --from-url URL -- curl http://localhost:3000/</pre>`;
}

export function List({ onOpen }) {
  const rows = view.value.shown.value;
  const id = selected.value;
  const { key, descending } = sorting.value;
  const activeIndex = id === null ? -1 : rows.indexOf(source.value.exchanges.get(id));
  return html`<${VirtualRows} items=${rows} name="x" label="Exchanges" height=${kRowHeight} head=${html`<${Head} />`} cells=${cells}
    rowClass=${rowClass} activeIndex=${activeIndex} onActivate=${(index) => select(rows[index].id)} onOpen=${onOpen}
    removedAbove=${view.value.removedAbove} follow=${key === 'time' && !descending} empty=${html`<${Empty} />`} />`;
}
