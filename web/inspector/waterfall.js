// Where the time of an exchange went.
import { inMs } from './format.js';
import { html } from './ui.js';

/**
 * The phases in their order: [{key, name, from, length}] in microseconds. dns, connect and tls are durations, and 0 where a connection was
 * there; firstByte and total count from the beginning.
 */
export function phasesOf(timing) {
  const { dns, connect, tls, firstByte, total } = timing ?? {};
  const phases = [];
  let at = 0;
  const add = (key, name, length) => {
    if (length > 0) phases.push({ key, name, from: at, length });
    at += Math.max(0, length);
  };
  add('dns', 'DNS', dns ?? 0);
  add('connect', 'Connect', connect ?? 0);
  add('tls', 'TLS', tls ?? 0);
  if (firstByte > 0) add('wait', 'Wait for the first byte', firstByte - at);
  if (total > 0) add(firstByte > 0 ? 'receive' : 'wait', firstByte > 0 ? 'Receive' : 'Wait', total - at);
  return phases;
}

const percent = (part, whole) => `${(100 * part) / Math.max(1, whole)}%`;

export function Waterfall({ timing, reused, open }) {
  const phases = phasesOf(timing);
  const { firstByte, total } = timing ?? {};
  const whole = Math.max(total ?? 0, ...phases.map(({ from, length }) => from + length));
  if (phases.length === 0) return html`<p class="note">${open ? 'It goes on.' : 'No times are known.'}</p>`;
  return html`<table class="waterfall">
    <caption class="unseen">Where the time went, in milliseconds</caption>
    <tbody>
      ${phases.map(
        ({ key, name, from, length }) => html`<tr key=${key} data-phase=${key}>
        <th scope="row">${name}</th>
        <td class="track"><span class=${`phase ${key}`} style=${{ marginLeft: percent(from, whole), width: percent(length, whole) }}>
          </span></td>
        <td class="figure">${inMs(length)}</td>
      </tr>`,
      )}
      ${firstByte > 0 ? html`<tr class="sum" data-phase="firstByte"><th scope="row">First byte after</th><td class="track"></td><td
        class="figure">${inMs(firstByte)}</td></tr>` : null}
      ${total > 0 ? html`<tr class="sum" data-phase="total"><th scope="row">Total</th><td
        class="track soft">${reused ? 'over a connection that was there' : ''}</td><td class="figure">${inMs(total)} ms</td></tr>` : null}
    </tbody>
  </table>`;
}
