// What is looked at: the source, the filter, the exchange that is selected. Components read these signals; actions.js changes most of them.
import { effect, signal } from './vendor/signals-core.js';
import { View } from './exchanges.js';
import { parse } from './filter.js';

export const page = signal('traffic');  // traffic, contexts, plots
export const source = signal(null);  // a LiveSource or HarSource
export const view = signal(null);  // the View of its exchanges
export const filterText = signal('');
export const filterProblems = signal([]);
export const sorting = signal({ key: 'time', descending: false });
export const selected = signal(null);  // an id
export const base = signal(null);  // an id: what others are compared with
export const tab = signal('overview');  // of the details
export const details = signal({ id: null, data: null, error: null });
export const notice = signal(null);  // {text, bad}: shown for a while
export const dialog = signal(null);  // {kind: 'help' | 'edit' | 'compare', …}
export const contexts = signal([]);

const kFilterPause = 80;  // milliseconds after the last key
const kRefresh = 400;  // between two requests for the same exchange's details

/** Shows another source, from its beginning. */
export function use(next) {
  view.peek()?.stop();
  selected.value = null;
  base.value = null;
  source.value = next;
  view.value = new View(next.exchanges);
}

export function tell(text, bad = false) {
  notice.value = { text, bad };
}

// The filter, a moment after the last key.
let typing = null;
effect(() => {
  const text = filterText.value;
  const into = view.value;
  clearTimeout(typing);
  typing = setTimeout(() => {
    const filter = parse(text);
    filterProblems.value = filter.problems;
    into?.setFilter(filter);
  }, kFilterPause);
});
effect(() => view.value?.setSorting(sorting.value.key, sorting.value.descending));

// The details of what is selected, and again when there is news of it.
let loaded = { row: null, revision: 0 };
let refresh = null;

async function load(from, id) {
  const row = from.exchanges.get(id);
  loaded = { row, revision: row?.revision };
  try {
    const data = await from.details(id);
    if (id !== selected.peek() || from !== source.peek()) return;
    const shown = details.peek();
    if (shown.id === id && shown.data?.revealed) return;  // it was revealed meanwhile
    details.value = { id, data, error: null };
  } catch (error) {
    if (id === selected.peek() && from === source.peek())
      details.value = { id, data: details.peek().id === id ? details.peek().data : null, error: error.message };
  }
}

effect(() => {
  const id = selected.value;
  clearTimeout(refresh);
  refresh = null;
  details.value = { id, data: null, error: null };
  if (id !== null) load(source.peek(), id);
});
effect(() => {
  const from = source.value;
  from?.exchanges.version.value;
  const id = selected.peek();
  if (!from || id === null || refresh !== null) return;
  const row = from.exchanges.get(id);
  if (!row || (row === loaded.row && row.revision === loaded.revision)) return;
  refresh = setTimeout(() => {
    refresh = null;
    // What was revealed stays so: nobody asked to hide it again.
    if (id === selected.peek() && !details.peek().data?.revealed) load(from, id);
  }, kRefresh);
});
