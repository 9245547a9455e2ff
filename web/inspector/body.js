// A body, as text, a JSON tree, a form's fields, an image or hex; never as a document. Images are raster images alone, by their first bytes,
// from a blob: of that type; SVG is text.
import { decode, essence, hex, imageType, isJson, isTextual } from './bytes.js';
import { count, size, visible, visibleLine } from './format.js';
import { JsonTree, parseJson } from './json_tree.js';
import { Choice, html, useEffect, useMemo, useState } from './ui.js';

const kText = 200_000;  // characters that are shown at first
const kHex = 32_768;  // bytes

function Text({ text }) {
  const [most, setMost] = useState(kText);
  return html`<pre class="text" tabindex="0"><bdi>${visible(text.slice(0, most))}</bdi></pre>
    ${text.length > most ? html`<p class="note"><button type="button"
      onClick=${() => setMost(most + 10 * kText)}>Show more</button> ${count(text.length - most)} characters are not shown.</p>` : null}`;
}

function Hex({ bytes }) {
  const [most, setMost] = useState(kHex);
  return html`<pre class="hex" tabindex="0">${hex(bytes, 0, most)}</pre>
    ${bytes.length > most ? html`<p class="note"><button type="button"
      onClick=${() => setMost(most * 4)}>Show more</button> ${size(bytes.length - most)} are not shown.</p>` : null}`;
}

function Image({ bytes, type }) {
  const [url, setUrl] = useState(null);
  const [said, setSaid] = useState('');
  useEffect(() => {
    const made = URL.createObjectURL(new Blob([bytes], { type }));
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [bytes, type]);
  return html`<figure class="image">
    ${url ? html`<img src=${url} alt="The body as an image"
      onLoad=${({ target }) => setSaid(`${target.naturalWidth} × ${target.naturalHeight}`)}
      onError=${() => setSaid('the browser cannot show it')} />` : null}
    <figcaption>${type} ${said}</figcaption>
  </figure>`;
}

export function Pairs({ pairs, label }) {
  return html`<table class="pairs" aria-label=${label}><tbody>
    ${pairs.slice(0, 500).map(([name, value], i) => html`<tr key=${i}><th scope="row"><bdi>${visibleLine(name)}</bdi></th><td>
      <bdi>${visible(value)}</bdi></td></tr>`)}
  </tbody></table>`;
}

/** The forms in which these bytes can be shown, the best first: [[key, name, component]…]. */
function formsOf(bytes, type) {
  const forms = [];
  const image = imageType(bytes);
  if (image) forms.push(['image', 'Image', () => html`<${Image} bytes=${bytes} type=${image} />`]);
  const { text, charset, broken } = decode(bytes, type);
  const textual = isTextual(bytes, type);
  if (textual && (isJson(type) || /^\s*[[{]/.test(text.slice(0, 100)))) {
    const value = parseJson(text);
    if (value !== undefined) forms.push(['json', 'JSON', () => html`<div class="json"><${JsonTree} value=${value} /></div>`]);
  }
  if (essence(type) === 'application/x-www-form-urlencoded') {
    forms.push(['form', 'Form', () => html`<${Pairs} label="Form" pairs=${[...new URLSearchParams(text)]} />`]);
  }
  const warning = broken ? html`<p class="note warn">Some bytes are no ${charset}; each shows as \ufffd.</p>` : null;
  const asText = ['text', 'Text', () => html`${warning}<${Text} text=${text} />`];
  const asHex = ['hex', 'Hex', () => html`<${Hex} bytes=${bytes} />`];
  return forms.concat(textual ? [asText, asHex] : [asHex, asText]);
}

/** Bytes with the choice of their forms. */
export function Bytes({ bytes, type, note, label }) {
  const forms = useMemo(() => formsOf(bytes, type), [bytes, type]);
  const [wanted, setWanted] = useState(null);
  const [key, , show] = forms.find(([one]) => one === wanted) ?? forms[0];
  return html`<div class="body" data-form=${key}>
    <div class="body-bar"><${Choice} label=${`${label} as`} value=${key} onChoose=${setWanted}
      options=${forms.map(([one, name]) => [one, name])} /><span class="soft">${note}</span></div>
    ${show()}
  </div>`;
}

/** The body of one side of an exchange. */
export function Body({ source, id, side, body }) {
  const [got, setGot] = useState(null);
  useEffect(() => {
    let current = true;
    if (body.kept > 0)
      source.body(id, side, body).then(
        (value) => current && setGot(value),
        (error) => current && setGot({ error: error.message }),
      );
    else setGot(null);
    return () => (current = false);
  }, [source, id, side, body]);

  if (body.size === 0) return html`<p class="note">No body.</p>`;
  if (body.kept === 0)
    return html`<p class="note">
      ${size(body.size)} went through, and nothing of it was kept: capture of bodies was off, or there was no room.
    </p>`;
  if (!got) return null;
  if (got.error) return html`<p class="note warn">${got.error}</p>`;
  const facts = [size(got.bytes.length), visibleLine(body.type), got.note, got.cut ? `cut: ${size(body.size)} went through` : null];
  return html`<${Bytes} bytes=${got.bytes} type=${body.type} label=${`The ${side}'s body`} note=${facts.filter(Boolean).join(' · ')} />`;
}
