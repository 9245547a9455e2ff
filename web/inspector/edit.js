// The editor of a request that is sent again, changed.
import { send } from './actions.js';
import { asUtf8, fromBase64, toBase64 } from './bytes.js';
import { html, useState } from './ui.js';

// What the proxy makes anew for every request.
const kMade = new Set([
  'content-length',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'upgrade',
]);

/** Fields as lines `name: value`, and back; throws an Error that names the line. */
export const asLines = (fields) =>
  fields
    .filter(([name]) => !kMade.has(name.toLowerCase()))
    .map(([name, value]) => `${name}: ${value}`)
    .join('\n');
export function fromLines(text) {
  return text.split('\n').flatMap((line, i) => {
    if (line.trim() === '') return [];
    const found = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t\r]*$/.exec(line);
    if (!found) throw new Error(`line ${i + 1} of the fields is no "name: value"`);
    return [[found[1], found[2]]];
  });
}

export function Editor({ details, close }) {
  const { request } = details;
  const bytes = fromBase64(request.body.data);
  const text = asUtf8(bytes);
  const [method, setMethod] = useState(details.method ?? 'GET');
  const [url, setUrl] = useState(details.url ?? '');
  const [fields, setFields] = useState(asLines(request.received?.fields ?? []));
  const [body, setBody] = useState(text ?? '');
  const [keep, setKeep] = useState(text === null || !request.body.complete);
  const [error, setError] = useState('');
  const [busy, setBusy] = useState(false);

  const submit = async (event) => {
    event.preventDefault();
    try {
      const edited = { method: method.trim(), url: url.trim(), fields: fromLines(fields) };
      if (!keep) edited.body = toBase64(new TextEncoder().encode(body));
      setBusy(true);
      await send(edited);
      close();
    } catch (failure) {
      setError(failure.message);
    }
    setBusy(false);
  };
  return html`<form class="editor" onSubmit=${submit}>
    <h2>Edit and replay</h2>
    <div class="request-line">
      <label>Method <input class="mono" value=${method} size="8" required onInput=${({ target }) => setMethod(target.value)}
        spellcheck=${false} /></label>
      <label class="grow">URL <input class="mono" value=${url} required onInput=${({ target }) => setUrl(target.value)}
        spellcheck=${false} /></label>
    </div>
    <label>Fields, a line each <textarea class="mono" rows="9" value=${fields} onInput=${({ target }) => setFields(target.value)}
      spellcheck=${false}></textarea></label>
    ${
      keep
        ? html`<p class="note">The body (${request.body.size} bytes) ${text === null ? 'is no text and ' : ''}is sent as it was.
          <button type="button" onClick=${() => setKeep(false)}>Write another</button></p>`
        : html`<label>Body <textarea class="mono" rows="8" value=${body} onInput=${({ target }) => setBody(target.value)}
          spellcheck=${false}></textarea></label>`
    }
    ${details.revealed ? null : html`<p class="note">Where <code>•••</code> stays, what is hidden is sent as
      it was, and to this server alone: for another scheme, host or port reveal it first, or take it out.</p>`}
    <p class="problem" role="alert">${error}</p>
    <div class="buttons"><button type="button" onClick=${close}>Cancel</button><button type="submit" class="strong"
      disabled=${busy}>Send</button></div>
  </form>`;
}
