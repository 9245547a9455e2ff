// A message's head: as it came, as it was sent on, or both in one with what the proxy added, changed and removed.
import { visible, visibleLine } from './format.js';
import { Choice, classes, html, useState } from './ui.js';

/** Both heads as one list: [{mark, name, value, was}], in the order of what came, with what was added behind. */
export function merged(received, sent) {
  if (!sent) return (received?.fields ?? []).map(([name, value]) => ({ mark: null, name, value }));
  const changed = sent.fields.filter(([, , mark]) => mark === 'changed');
  const lines = (received?.fields ?? []).map(([name, value, mark]) => {
    if (mark !== 'changed') return { mark, name, value };
    const at = changed.findIndex(([other]) => other.toLowerCase() === name.toLowerCase());
    if (at < 0) return { mark, name, value };
    const [[nameNow, now]] = changed.splice(at, 1);
    return { mark, name: nameNow, value: now, was: value };
  });
  const added = sent.fields.filter(([, , mark]) => mark === 'added').concat(changed);
  return [...lines, ...added.map(([name, value, mark]) => ({ mark, name, value }))];
}

const kSign = { added: '+', changed: '~', removed: '−' };
const kMostShown = 500;

function Fields({ lines }) {
  return html`<div class="fields" role="list">
    ${lines.slice(0, kMostShown).map(
      ({ mark, name, value, was }, i) => html`<div key=${i} role="listitem" class=${classes('field-line', mark)}>
      <span class="sign" aria-label=${mark ?? undefined} role=${mark ? 'img' : undefined}>${kSign[mark] ?? ''}</span>
      <span class="name"><bdi>${visibleLine(name)}</bdi></span>
      <span class="value">${was === undefined ? null : html`<del><bdi>${visible(was)}</bdi></del>`}${mark === 'removed' ? html`<del>
        <bdi>${visible(value)}</bdi></del>` : html`<bdi>${visible(value)}</bdi>`}</span>
    </div>`,
    )}
    ${lines.length > kMostShown ? html`<p class="note">… and ${lines.length - kMostShown} more fields</p>` : null}
  </div>`;
}

const plain = (head) => head.fields.map(([name, value]) => ({ mark: null, name, value }));

/** `to`: who the second head was for. */
export function Head({ pair, to }) {
  const [form, setForm] = useState('changes');
  const { received, sent } = pair;
  if (!received && !sent) return html`<p class="note">There is none.</p>`;
  const shown = !sent ? 'received' : !received ? 'sent' : form;
  const line = (shown === 'received' ? received : sent).line;
  const changes = received && sent ? merged(received, sent) : [];
  const marked = changes.filter(({ mark }) => mark).length;
  return html`<div class="head-block">
    <div class="head-bar">
      <code class="line"><bdi>${visibleLine(line)}</bdi> <span
        class="soft">${visibleLine((shown === 'received' ? received : sent).protocol)}</span></code>
      ${
        received && sent
          ? html`<${Choice} label="Which head" value=${shown} onChoose=${setForm}
        options=${[
          ['changes', marked ? `Changes (${marked})` : 'Changes'],
          ['received', 'As received'],
          ['sent', `Sent to the ${to}`],
        ]} />`
          : null
      }
    </div>
    <${Fields} lines=${shown === 'changes' ? changes : plain(shown === 'received' ? received : sent)} />
  </div>`;
}
