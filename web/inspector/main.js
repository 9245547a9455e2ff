// The inspector's page. It begins here: the session first, then what the instance holds, then what happens.
import { compare, copyAs, editAndReplay, live, move, openHar, replay, select } from './actions.js';
import { ApiError, askJson, openSession } from './api.js';
import { Details } from './details.js';
import { contextLabels } from './filter.js';
import { FilterBar } from './filter_bar.js';
import { Banner, Footer, Header } from './header.js';
import { later } from './later.js';
import { List } from './list.js';
import { Splitter } from './splitter.js';
import { contexts, dialog, notice, page, selected, tab, use } from './state.js';
import { classes, effect, html, render, useEffect, useRef } from './ui.js';

const kContextsPause = 2000,
  kNotice = 6000;

function Traffic() {
  const field = useRef(null);
  const area = useRef(null);
  const toList = () => area.current.querySelector('.list .grid')?.focus();
  const toDetails = () => area.current.querySelector('.details [role=tab][aria-selected=true]')?.focus();
  useEffect(() => {
    toList();
    const onKeyDown = (event) => shortcut(event, { field, toList, toDetails });
    document.addEventListener('keydown', onKeyDown);
    return () => document.removeEventListener('keydown', onKeyDown);
  }, []);
  const close = () => {
    select(null);
    toList();
  };
  const open = selected.value !== null;
  return html`<main class=${classes('traffic', open && 'with-details')} ref=${area} aria-label="Traffic">
    <${FilterBar} field=${field} onDone=${toList} />
    <div class="split">
      <div class="list"><${List} onOpen=${toDetails} /></div>
      ${open ? html`<${Splitter} area=${area} /><${Details} onClose=${close} />` : null}
    </div>
    <${Footer} />
  </main>`;
}

const kTabs = { 1: 'overview', 2: 'request', 3: 'response', 4: 'messages' };

/** The keys of the page, where nobody is typing. */
function shortcut(event, { field, toList }) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || dialog.peek()) return;
  if (event.target.closest('input, textarea, select')) return;
  const keys = {
    '/': () => field.current.focus(),
    '?': () => (dialog.value = { kind: 'help' }),
    Escape: () => {
      select(null);
      toList();
    },
    j: () => move(1),
    k: () => move(-1),
    r: replay,
    e: editAndReplay,
    c: () => copyAs('curl'),
    d: compare,
  };
  const run = keys[event.key] ?? (kTabs[event.key] && (() => (tab.value = kTabs[event.key])));
  if (!run) return;
  event.preventDefault();
  run();
}

const kDialogs = {
  help: later(() => import('./help.js').then((module) => module.Help)),
  edit: later(() => import('./edit.js').then((module) => module.Editor)),
  compare: later(() => import('./compare.js').then((module) => module.Comparison)),
};

function Dialog() {
  const box = useRef(null);
  const shown = dialog.value;
  const close = () => (dialog.value = null);
  useEffect(() => {
    if (shown) box.current.showModal();
  }, [shown]);
  if (!shown) return null;
  return html`<dialog ref=${box} class=${shown.kind} onClose=${close}
    onClick=${(event) => event.target === box.current && shown.kind !== 'edit' && close()}><${kDialogs[shown.kind]} ...${shown}
    close=${close} /></dialog>`;
}

function Notice() {
  const shown = notice.value;
  useEffect(() => {
    if (!shown) return undefined;
    const timer = setTimeout(() => (notice.value = null), kNotice);
    return () => clearTimeout(timer);
  }, [shown]);
  return html`<div class="notices" role="status" aria-live="polite">${shown ? html`<p
    class=${classes('notice', shown.bad && 'bad')}>${shown.text}</p>` : null}</div>`;
}

const kPages = {
  traffic: Traffic,
  contexts: later(() => import('./contexts.js').then((module) => module.Contexts)),
  plots: later(() => import('./plots.js').then((module) => module.Plots)),
};

function App() {
  return html`<${Header} /><${Banner} /><${kPages[page.value]} /><${Dialog} /><${Notice} />`;
}

async function followContexts() {
  for (;;) {
    if (!document.hidden) {
      try {
        contexts.value = (await askJson('/v1/contexts')).contexts;
        for (const { id, label } of contexts.value) if (label) contextLabels.set(id, label);
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        if (error.status === 401) return;
      }
    }
    await new Promise((done) => setTimeout(done, kContextsPause));
  }
}

function acceptDrops() {
  document.addEventListener('dragover', (event) => event.preventDefault());
  document.addEventListener('drop', (event) => {
    event.preventDefault();
    openHar(event.dataTransfer?.files[0]);
  });
}

const kRemembered = 'cmuxproxy-inspector-page';

async function begin() {
  const asked = openSession();
  page.value = { contexts: 'contexts', plots: 'plots' }[sessionStorage.getItem(kRemembered)] ?? 'traffic';
  effect(() => sessionStorage.setItem(kRemembered, page.value));
  use(live);
  const root = document.getElementById('page');
  root.replaceChildren();
  render(html`<${App} />`, root);
  acceptDrops();
  try {
    await asked;
  } catch {
    // The address was used before: the session may stand all the same, as after a reload. What is asked next tells.
  }
  live.start();
  followContexts();
}

begin();
