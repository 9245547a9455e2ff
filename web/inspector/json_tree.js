// A JSON document as a tree that opens step by step. Numbers that JavaScript cannot hold stay as they were written.
import { visible, visibleLine } from './format.js';
import { html, useState } from './ui.js';

class Exact {
  constructor(source) {
    this.source = source;
  }
}

/** The value, or undefined where the text is no JSON. */
export function parseJson(text) {
  try {
    return JSON.parse(text, (key, value, context) =>
      typeof value === 'number' &&
      context?.source !== undefined &&
      !Object.is(Number(context.source), NaN) &&
      String(value) !== context.source &&
      !Number.isSafeInteger(value)
        ? new Exact(context.source)
        : value,
    );
  } catch {
    return undefined;
  }
}

const kPart = 100;  // members that are shown at once
const kOpenDepth = 3;
const kLongestString = 2000;

function Leaf({ value }) {
  if (value instanceof Exact) return html`<span class="j-number">${value.source}</span>`;
  if (typeof value !== 'string') return html`<span class=${value === null ? 'j-null' : `j-${typeof value}`}>${String(value)}</span>`;
  const text = JSON.stringify(value);
  return html`<span class="j-string">
    <bdi>${visible(text.length > kLongestString ? `${text.slice(0, kLongestString)}… (${text.length} characters)` : text)}</bdi></span>`;
}

function Label({ name }) {
  return name === undefined
    ? null
    : html`<span class="j-name"><bdi>${typeof name === 'number' ? name : visibleLine(name.slice(0, 300))}</bdi></span><span
      class="soft">: </span>`;
}

const isBranch = (value) => typeof value === 'object' && value !== null && !(value instanceof Exact);

export function JsonTree({ value, name, depth = 0 }) {
  const branch = isBranch(value);
  const keys = branch ? (Array.isArray(value) ? value : Object.keys(value)) : [];
  const [open, setOpen] = useState(depth < kOpenDepth && keys.length <= kPart);
  const [most, setMost] = useState(kPart);
  if (!branch || keys.length === 0) {
    return html`<div class="j-line"><${Label} name=${name} />${branch ? html`<span class="soft">${Array.isArray(value) ? '[]' : '{}'}
      </span>` : html`<${Leaf} value=${value} />`}</div>`;
  }
  const members = open ? keys.slice(0, most).map((key, i) => (Array.isArray(value) ? [i, key] : [key, value[key]])) : [];
  return html`<details class="j-branch" open=${open} onToggle=${(event) => {
    event.stopPropagation();
    setOpen(event.currentTarget.open);
  }}>
    <summary><${Label} name=${name} /><span class="soft">${Array.isArray(value) ? `[${keys.length}]` : `{${keys.length}}`}</span></summary>
    ${members.map(([key, member]) => html`<${JsonTree} key=${key} name=${key} value=${member} depth=${depth + 1} />`)}
    ${open && keys.length > most ? html`<button type="button" class="quiet more"
      onClick=${() => setMost(most + 10 * kPart)}>… ${keys.length - most} more</button>` : null}
  </details>`;
}
