// The messages of a WebSocket: a list that grows, and the one that is selected as text, JSON or hex.
import { asUtf8, fromBase64 } from './bytes.js';
import { Bytes } from './body.js';
import { clock, plural, size, visibleLine } from './format.js';
import { VirtualRows } from './rows.js';
import { html, useEffect, useMemo, useRef, useState } from './ui.js';

const kPage = 500;
const kMost = 50_000;  // that the page holds of one socket
const kPreview = 300;  // characters
const kHeight = 24;

function previewOf(message) {
  if (message.kind === 'broken') return message.note ?? '';
  const bytes = fromBase64(message.data);
  const text = message.kind === 'binary' ? null : asUtf8(message.kind === 'close' ? bytes.subarray(2) : bytes, message.kept < message.size);
  if (message.kind === 'close' && bytes.length >= 2) return `${(bytes[0] << 8) | bytes[1]} ${text ?? ''}`;
  if (text !== null) return text.slice(0, kPreview);
  return [...bytes.subarray(0, 32)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
}

/** All messages by now, and those that come: `count` grows with them. */
function useMessages(source, id, count) {
  const [all, setAll] = useState([]);
  const held = useRef({ id: null, all: [], next: 0, busy: false });
  const [error, setError] = useState(null);
  useEffect(() => {
    const mine = held.current.id === id ? held.current : (held.current = { id, all: [], next: 0, busy: false });
    if (mine.all.length === 0) setAll([]);
    const get = async () => {
      if (mine.busy) return;
      mine.busy = true;
      try {
        for (;;) {
          const { messages, next } = await source.messages(id, mine.next, kPage);
          if (held.current !== mine || messages.length === 0) break;
          mine.next = next;
          mine.all = mine.all.concat(messages.map((message) => ({ ...message, preview: visibleLine(previewOf(message)) }))).slice(-kMost);
          setAll(mine.all);
          if (messages.length < kPage) break;
        }
        setError(null);
      } catch (failure) {
        setError(failure.message);
      }
      mine.busy = false;
    };
    get();
  }, [source, id, count]);
  return { all, error };
}

const Head = () =>
  ['', 'Time', 'Kind', 'Size', 'Message'].map(
    (title, i) => html`<div role="columnheader" key=${i} class=${`m-${i}`}>${title || html`<span class="unseen">From</span>`}</div>`,
  );

const cells = (message) => html`
  <div role="gridcell" class="m-0" title=${`from the ${message.from}`}>
    <span aria-label=${`from the ${message.from}`} role="img">${message.from === 'client' ? '↑' : '↓'}</span>
  </div>
  <div role="gridcell" class="m-1">${clock(Date.parse(message.at))}</div>
  <div role="gridcell" class="m-2">${visibleLine(message.kind)}</div>
  <div role="gridcell" class="m-3">${size(message.size)}</div>
  <div role="gridcell" class="m-4"><bdi>${message.preview}</bdi></div>`;

function Message({ message }) {
  const { n, kind, from, kept, note, data } = message;
  const facts = [`#${n}`, `from the ${from}`, size(message.size), kept < message.size ? `the first ${size(kept)} kept` : null, visibleLine(note)];
  const bytes = useMemo(() => fromBase64(data), [data]);
  const type = kind === 'binary' ? 'application/octet-stream' : 'text/plain';
  return html`<div class="message">
    <${Bytes} bytes=${bytes} type=${type} label="The message" note=${facts.filter(Boolean).join(' · ')} />
  </div>`;
}

export function Messages({ source, id, count }) {
  const { all, error } = useMessages(source, id, count);
  const [chosen, setChosen] = useState(null);
  const [text, setText] = useState('');
  const shown = text ? all.filter((message) => message.preview.toLowerCase().includes(text.toLowerCase())) : all;
  const message = shown.find(({ n }) => n === chosen);
  return html`<div class="messages">
    <div class="body-bar"><input type="search" class="small" aria-label="Search in the messages" placeholder="Search" value=${text}
      onInput=${({ target }) => setText(target.value)} />
      <span class="soft" role="status">${text ? `${shown.length} of ` : ''}${plural(all.length, 'message')}</span></div>
    ${error ? html`<p class="note warn">${error}</p>` : null}
    <div class="message-list"><${VirtualRows} items=${shown} name="m" label="Messages" height=${kHeight} head=${html`<${Head} />`}
      cells=${cells} rowClass=${({ from }) => `from-${from}`}
      activeIndex=${message ? shown.indexOf(message) : -1} onActivate=${(index) => setChosen(shown[index].n)} /></div>
    ${message ? html`<${Message} key=${message.n} message=${message} />` : null}
  </div>`;
}
