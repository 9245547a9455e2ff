// The details of the exchange that is selected.
import { compare, copyAs, editAndReplay, exportOne, replay, reveal, select } from './actions.js';
import { Body, Pairs } from './body.js';
import { duration, moment, plural, size, visible, visibleLine } from './format.js';
import { Head } from './heads.js';
import { later } from './later.js';
import { contextName } from './list.js';
import { outcome } from './row.js';
import { base, details, selected, source, tab } from './state.js';
import { Tabs, classes, html, useComputed } from './ui.js';
import { Waterfall } from './waterfall.js';

const Messages = later(() => import('./messages.js').then((module) => module.Messages));

const Fact = ({ name, children }) => html`<div class="fact"><dt>${name}</dt><dd>${children}</dd></div>`;

function protocols({ downstream, upstream, reused, parent }) {
  const way = `${visibleLine(downstream ?? '–')} → ${visibleLine(upstream ?? '–')}`;
  return [way, upstream ? (reused ? 'connection reused' : 'new connection') : null, parent ? `through ${visibleLine(parent)}` : null]
    .filter(Boolean)
    .join(', ');
}

function contextText(id) {
  if (!id) return 'none';
  const name = contextName(id);
  return visibleLine(name === id ? id : `${name} (${id})`);
}

function Trouble({ data }) {
  if (!data.error && !data.detail && !data.advice) return null;
  return html`<section class="trouble" role="note" aria-label="Error">
    <p><code>${visibleLine(data.error ?? 'error')}</code> ${visible(data.detail)}</p>
    ${data.advice ? html`<p class="advice"><b>Try</b> ${visible(data.advice)}</p>` : null}
  </section>`;
}

function Overview({ data }) {
  const open = data.state === 'open';
  return html`<${Trouble} data=${data} />
    <section><h3>Way</h3><dl class="facts">
      ${data.why ? html`<${Fact} name="Why there">${visible(data.why)}<//>` : null}
      <${Fact} name="Went to">${data.destination ? html`<code><bdi>${visibleLine(data.destination)}</bdi></code>` : 'nowhere'}<//>
      <${Fact} name="Context">${contextText(data.context)}<//>
      <${Fact} name="Protocols">${protocols(data)}<//>
      ${data.retries > 0 ? html`<${Fact} name="Sent again">${plural(data.retries, 'time')} by the proxy<//>` : null}
      ${data.replayOf ? html`<${Fact} name="Replay of"><button type="button" class="link"
        onClick=${() => select(data.replayOf)}>${visibleLine(data.replayOf)}</button><//>` : null}
    </dl></section>
    <section><h3>Time</h3><${Waterfall} timing=${data.timing} reused=${data.reused} open=${open} /></section>
    <section><h3>Size</h3><dl class="facts">
      <${Fact} name=${data.tunnel ? 'From the client' : 'Request body'}>${size(data.sent ?? 0)}<//>
      <${Fact} name=${data.tunnel ? 'To the client' : 'Response body'}>
        ${size(data.received ?? 0)} <span class="soft">${visibleLine(data.type)}</span>
      <//>
      <${Fact} name="Began">${moment(Date.parse(data.at))}<//>
      <${Fact} name="Id"><code>${visibleLine(data.id)}</code><//>
    </dl></section>`;
}

function queryOf(url) {
  const at = String(url ?? '').indexOf('?');
  return at < 0 ? [] : [...new URLSearchParams(url.slice(at).split('#')[0])];
}

function Message({ data, side }) {
  const from = source.value;
  const query = side === 'request' ? queryOf(data.url) : [];
  const message = data[side];
  return html`<section><h3>Head</h3><${Head} pair=${message} to=${side === 'request' ? 'workspace' : 'client'} /></section>
    ${query.length ? html`<section><h3>Query</h3><${Pairs} label="Query" pairs=${query} /></section>` : null}
    ${data.websocket && side === 'response' ? null : html`<section><h3>Body</h3><${Body} key=${`${data.id}-${side}`} source=${from}
      id=${data.id} side=${side} body=${message.body} /></section>`}`;
}

function Send() {
  return html`<span class="group">
    <button type="button" class="strong" title="Send the same request again (r)" onClick=${replay}>Replay</button>
    <button type="button" title="Change it, then send it (e)" onClick=${editAndReplay}>Edit…</button>
  </span>`;
}

function Copy() {
  return html`<span class="group" role="group" aria-label="Copy as">
    <span class="soft" aria-hidden="true">Copy</span>
    <button type="button" title="Copy as a command of curl (c)" onClick=${() => copyAs('curl')}>curl</button>
    <button type="button" title="Copy as a call of fetch" onClick=${() => copyAs('fetch')}>fetch</button>
    <button type="button" title="Copy the URL" onClick=${() => copyAs('url')}>URL</button>
  </span>`;
}

const kReveal = 'Show credentials and cookies of this exchange. The instance logs that.';

function Toolbar({ data }) {
  const isLive = source.value.live;
  const isHttp = !data.tunnel || data.websocket;
  const isBase = base.value === data.id;
  return html`<div class="toolbar" role="toolbar" aria-label="Actions">
    ${isLive && !data.tunnel && !data.websocket ? html`<${Send} />` : null}
    ${isHttp ? html`<${Copy} />` : null}
    <span class="group">
      <button type="button" aria-pressed=${String(isBase)} title="Mark it; select another one; compare (d)" onClick=${compare}>
        ${base.value === null ? 'Compare' : isBase ? 'Marked' : 'Compare with the marked'}
      </button>
      ${isLive ? html`<button type="button" title="As a HAR file" onClick=${exportOne}>HAR</button>` : null}
      ${isLive && !data.revealed ? html`<button type="button" title=${kReveal} onClick=${reveal}>Reveal</button>` : null}
    </span>
  </div>`;
}

function Panel({ now, data, messages }) {
  if (now === 'overview') return html`<${Overview} data=${data} />`;
  if (now === 'messages') return html`<${Messages} source=${source.value} id=${data.id} count=${messages} />`;
  return html`<${Message} data=${data} side=${now} />`;
}

function Content({ data }) {
  // What was revealed is not asked for again; how many messages there are by now the list knows.
  const counted = useComputed(() => {
    const { exchanges } = source.value;
    exchanges.version.value;
    return exchanges.get(data.id)?.summary.messages;
  });
  const messages = counted.value ?? data.messages;
  const now = tab.value === 'messages' && !data.websocket ? 'overview' : tab.value;
  const tabs = [
    ['overview', 'Overview'],
    ['request', 'Request'],
    ['response', 'Response'],
  ];
  if (data.websocket) tabs.push(['messages', 'Messages', messages || null]);
  return html`<${Toolbar} data=${data} />
    <${Tabs} label="Details" options=${tabs} value=${now} onChoose=${(key) => (tab.value = key)} panel="details-panel" />
    <div class=${classes('panel', now)} id="details-panel" role="tabpanel" aria-label=${now} tabindex="0" key=${`${data.id}-${now}`}>
      ${data.revealed ? html`<p class="note warn">Secrets of this exchange are shown.</p>` : null}
      <${Panel} now=${now} data=${data} messages=${messages} />
    </div>`;
}

export function Details({ onClose }) {
  const id = selected.value;
  const { data, error } = details.value;
  const summary = data ?? source.value.exchanges.get(id)?.summary ?? {};
  return html`<aside class=${classes('details', outcome(summary))}
    aria-label=${`Details of ${visibleLine(summary.method)} ${visibleLine(summary.url).slice(0, 200)}`}>
    <header class="title">
      <button type="button" class="quiet close" title="Close (Escape)" aria-label="Close the details" onClick=${onClose}>✕</button>
      <h2><span class="method">${visibleLine(summary.method)}</span> <bdi>${visible((summary.url ?? '').slice(0, 2000))}</bdi></h2>
      <p class="result"><b class="status">${summary.status || (summary.state === 'open' ? 'open' : 'no answer')}</b>
        <span class="soft">${summary.timing?.total ? duration(summary.timing.total) : ''}</span></p>
    </header>
    ${error ? html`<p class="note warn">${visible(error)}</p>` : null}
    ${data ? html`<${Content} data=${data} />` : null}
  </aside>`;
}
