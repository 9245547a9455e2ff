// The contexts of the instance with their counters.
import { ago, count, hour, visible, visibleLine } from './format.js';
import { contexts, filterText, page } from './state.js';
import { html, hueOf } from './ui.js';

/** A route in a line. */
export function routeText(route) {
  if (!route) return 'no route';
  const { template, cmuxProxyOrigin, morphId, scope, domainSuffix, morphDomainSuffix, suffix } = route;
  if (template) return template;
  const workspace = [morphId, scope, domainSuffix ?? morphDomainSuffix ?? suffix].filter(Boolean).join(' · ');
  return cmuxProxyOrigin ? [workspace, `by ${cmuxProxyOrigin}`].filter(Boolean).join(', ') : workspace || 'a route of its own';
}

function show(id) {
  filterText.value = `ctx:${id} `;
  page.value = 'traffic';
}

function Context({ context }) {
  const { id, label, route, usage, dedicatedPort, forwards, createdAt, expiresAt, lastTunnelFailure } = context;
  const ports = [
    dedicatedPort ? `own port ${dedicatedPort}` : null,
    ...(forwards ?? []).map(({ port, local }) => `${local} → ${port}`),
  ].filter(Boolean);
  return html`<tr>
    <th scope="row"><span class=${`dot hue-${hueOf(id)}`}></span><b>${visibleLine(label || id)}</b>${label ? html`<br /><code
      class="soft">${visibleLine(id)}</code>` : null}</th>
    <td><bdi>${visibleLine(routeText(route))}</bdi>${lastTunnelFailure ? html`<br /><span class="warn"
      title=${visible(lastTunnelFailure.detail)}>tunnel to ${visibleLine(lastTunnelFailure.target)}: ${visibleLine(lastTunnelFailure.error)}
      </span>` : null}</td>
    <td>${ports.join(', ') || html`<span class="soft">credentials</span>`}</td>
    <td class="figure">${count(usage?.requests ?? 0)}</td>
    <td class="figure">${count(usage?.open ?? 0)}</td>
    <td>${usage?.lastAt ? ago(Date.parse(usage.lastAt)) : html`<span class="soft">never</span>`}</td>
    <td>${ago(Date.parse(createdAt))}${expiresAt ? html`<br /><span class="soft">ends ${hour(Date.parse(expiresAt))}
      </span>` : null}</td>
    <td><button type="button" onClick=${() => show(id)}>Traffic</button></td>
  </tr>`;
}

export function Contexts() {
  const all = contexts.value;
  return html`<main class="sheet" aria-label="Contexts">
    ${
      all.length === 0
        ? html`<div class="empty"><p class="big">There are no contexts.</p><pre>cmuxproxy ctx create --from-url URL</pre></div>`
        : html`<table class="table">
      <thead><tr>${['Context', 'Route', 'Reached by', 'Requests', 'Open', 'Last use', 'Made', ''].map((title) => html`<th scope="col"
        key=${title} class=${title === 'Requests' || title === 'Open' ? 'figure' : ''}>${title || html`<span class="unseen">Show</span>`}
        </th>`)}</tr></thead>
      <tbody>${all.map((context) => html`<${Context} key=${context.id} context=${context} />`)}</tbody>
    </table>`
    }
  </main>`;
}
