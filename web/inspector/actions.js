// What people can do, by button or key.
import { asCurl, asFetch } from './copy.js';
import { LiveSource } from './live.js';
import { plural } from './format.js';
import { base, details, dialog, filterText, selected, source, tell, tab, use, view } from './state.js';

export const live = new LiveSource();
const kMostIds = 400;  // in one request's address

/** Runs what may fail, and says so where it does. */
async function trying(what, run) {
  try {
    return await run();
  } catch (error) {
    tell(`${what}: ${error.message}`, true);
    return null;
  }
}

export async function copyText(text, said) {
  await trying('Not copied', async () => {
    await navigator.clipboard.writeText(text);
    tell(said);
  });
}

export async function copyAs(kind) {
  const { data } = details.peek();
  if (!data) return;
  if (kind === 'url') return copyText(data.url ?? '', 'The URL is copied');
  await trying('Not copied', async () => {
    const { text, warnings } = kind === 'curl' ? asCurl(data) : asFetch(data);
    await copyText(text, [`Copied as ${kind}`, ...warnings].join('; '));
  });
}

export async function reveal() {
  const id = selected.peek();
  if (id === null || !source.peek().live) return;
  await trying('Not revealed', async () => {
    const data = await live.reveal(id);
    if (id === selected.peek()) details.value = { id, data, error: null };
  });
}

/** Sends it again, changed where `edited` says so, and shows the new exchange; throws where that is refused. */
export async function send(edited) {
  selected.value = await live.replay(selected.peek(), edited);
  tell('Sent again: this is the new exchange');
}

export async function replay() {
  if (selected.peek() === null) return;
  if (!source.peek().live) return tell('What a file holds cannot be sent again');
  await trying('Not sent', () => send());
}

export function editAndReplay() {
  const { data } = details.peek();
  if (data && source.peek().live) dialog.value = { kind: 'edit', details: data };
}

/** The first time marks what is compared with, the second time compares. */
export async function compare() {
  const id = selected.peek();
  const other = base.peek();
  if (id === null) return;
  if (other === null || other === id) {
    base.value = other === id ? null : id;
    tell(other === id ? 'No longer marked' : 'Marked: select another one, and compare');
    return;
  }
  await trying('Not compared', async () => {
    const from = source.peek();
    const [a, b] = await Promise.all([from.details(other), from.details(id)]);
    const bodies = await Promise.all(
      [a, b].flatMap((one) => ['request', 'response'].map((side) => from.body(one.id, side, one[side].body))),
    );
    dialog.value = { kind: 'compare', a, b, bodies };
  });
}

function download(href) {
  const link = document.createElement('a');
  link.href = href;
  link.download = '';
  link.click();
}

/** What the filter lets through, as a HAR file. */
export function exportShown() {
  const shown = view.peek().shown.peek();
  if (!source.peek().live) return tell('This is a HAR file already');
  if (shown.length === source.peek().exchanges.rows.length) return download('/v1/har');
  if (shown.length === 0) return tell('Nothing is shown', true);
  if (shown.length > kMostIds)
    return tell(
      `A part of ${kMostIds} exchanges at the most, and these are ${plural(shown.length, 'exchange')}: filter further, or export all`,
      true,
    );
  download(`/v1/har?ids=${shown.map((row) => encodeURIComponent(row.id)).join(',')}`);
}

export const exportOne = () => download(`/v1/har?ids=${encodeURIComponent(selected.peek())}`);

export async function openHar(file) {
  if (!file) return;
  await trying(`${file.name} cannot be shown`, async () => {
    const { HarSource } = await import('./har_source.js');
    const next = await HarSource.open(file);
    backToLive();
    filterText.value = '';
    use(next);
    if (next.unread) tell(`${plural(next.unread, 'entry', 'entries')} of it could not be read`, true);
  });
}

export function backToLive() {
  if (source.peek() === live) return;
  source.peek()?.close();
  use(live);
}

export async function clear() {
  await trying('Not cleared', async () => {
    await live.clear();
    selected.value = null;
    base.value = null;
  });
}

export const setCapture = (mode) => trying('Not changed', () => live.setCapture(mode));

/** To the row that is `step` further; from none to the latest. */
export function move(step) {
  const rows = view.peek().shown.peek();
  if (rows.length === 0) return;
  const at = rows.findIndex((row) => row.id === selected.peek());
  select(rows[Math.min(rows.length - 1, Math.max(0, (at < 0 ? rows.length : at) + step))].id);
}

export function select(id) {
  if (selected.peek() === id) return;
  selected.value = id;
  if (id === null) return;
  // A WebSocket's messages are what one looks at; another exchange has none.
  if (tab.peek() === 'messages' && !source.peek().exchanges.get(id)?.summary.websocket) tab.value = 'overview';
}
