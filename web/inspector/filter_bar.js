// The field for the filter, with what may follow at the caret.
import { completions } from './filter.js';
import { visibleLine } from './format.js';
import { contexts, dialog, filterProblems, filterText, source } from './state.js';
import { html, useRef, useState } from './ui.js';

const kLookedAt = 2000;  // of the latest rows, for values that there are
const kMostValues = 50;

const kRead = {
  method: (row) => row.summary.method,
  type: (row) => row.summary.type,
  ctx: (row) => row.summary.context,
  host: (row) => row.host,
  to: (row) => row.summary.destination,
  error: (row) => row.summary.error,
  status: (row) => row.summary.status || null,
  protocol: (row) => row.summary.upstream,
};

/** Values of a key that there are, each with what it means. */
function seen(key) {
  const found = new Map();
  if (key === 'ctx') for (const { id, label } of contexts.peek()) found.set(id, label ?? '');
  const read = kRead[key];
  if (!read) return found;
  for (const row of source.peek().exchanges.rows.slice(-kLookedAt)) {
    const value = read(row);
    if (value && !found.has(String(value)) && found.size < kMostValues) found.set(String(value), '');
  }
  return found;
}

export function FilterBar({ field, onDone }) {
  const [offered, setOffered] = useState([]);
  const [at, setAt] = useState(-1);
  const list = useRef(null);

  const offer = () => {
    const { value, selectionStart } = field.current;
    setOffered(document.activeElement === field.current ? completions(value, selectionStart, seen) : []);
    setAt(-1);
  };
  const close = () => {
    setOffered([]);
    setAt(-1);
  };
  const take = ({ text, from, to }) => {
    const { value } = field.current;
    const next = value.slice(0, from) + text + value.slice(to).replace(/^ +/, '');
    filterText.value = next;
    field.current.value = next;
    field.current.focus();
    field.current.setSelectionRange(from + text.length, from + text.length);
    offer();
  };
  const onKeyDown = (event) => {
    const open = offered.length > 0;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && open) {
      const next = (at + step + offered.length + 1) % (offered.length + 1);
      setAt(next === offered.length ? -1 : next);
      list.current?.children[next]?.scrollIntoView({ block: 'nearest' });
    } else if (step === 1 || (event.key === 'Enter' && at < 0)) {
      close();
      onDone();
    } else if (event.key === 'Enter') {
      take(offered[at]);
    } else if (event.key === 'Tab' && !event.shiftKey && open && field.current.value) {
      take(offered[Math.max(0, at)]);
    } else if (event.key === 'Escape') {
      if (open) close();
      else if (filterText.peek()) filterText.value = '';
      else onDone();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };

  const problems = filterProblems.value;
  return html`<div class="filter" role="search">
    <div class="field">
      <input ref=${field} type="text" role="combobox" aria-label="Filter" aria-autocomplete="list"
        aria-expanded=${String(offered.length > 0)}
        aria-controls="filter-list" aria-activedescendant=${at >= 0 ? `filter-${at}` : undefined}
          aria-invalid=${String(problems.length > 0)}
        aria-describedby="filter-problem" autocomplete="off" autocapitalize="off" spellcheck=${false}
        placeholder="Filter: text, method:POST, status:5xx, -type:image, slower:200ms …      /"
        value=${filterText.value} onInput=${(event) => {
          filterText.value = event.target.value;
          offer();
        }}
        onFocus=${offer} onClick=${offer} onBlur=${close} onKeyDown=${onKeyDown} />
      ${
        filterText.value
          ? html`<button type="button" class="clear" aria-label="Clear the filter" onClick=${() => {
              filterText.value = '';
              field.current.focus();
            }}>✕</button>`
          : null
      }
      <ul id="filter-list" role="listbox" aria-label="What may follow" ref=${list} hidden=${offered.length === 0}>
        ${offered.map(
          (one, i) => html`<li key=${one.text} id=${`filter-${i}`} role="option" aria-selected=${String(i === at)}
          onMouseDown=${(event) => {
            event.preventDefault();
            take(one);
          }}><b>${visibleLine(one.text)}</b><span>${visibleLine(one.hint)}</span></li>`,
        )}
      </ul>
    </div>
    <button type="button" class="quiet" title="How to filter, and all keys (?)" aria-label="Help"
      onClick=${() => (dialog.value = { kind: 'help' })}>?</button>
    <p id="filter-problem" class="problem" role="status">${problems.map(visibleLine).join('; ')}</p>
  </div>`;
}
