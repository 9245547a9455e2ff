// VirtualRows: a grid of rows of one height, of which only those exist that are seen: 50,000 cost what 50 do. The grid has the focus, and
// says which row is meant by aria-activedescendant.
import { classes, html, useEffect, useLayoutEffect, useRef, useState } from './ui.js';

const kMargin = 5;  // rows beyond what is seen, each way

export function VirtualRows({
  items,
  name,
  label,
  height,
  head,
  cells,
  rowClass,
  activeIndex,
  onActivate,
  onOpen,
  removedAbove = 0,
  follow = true,
  empty,
}) {
  const box = useRef(null);
  const follows = useRef(true);
  const seenAbove = useRef(removedAbove);
  const [frame, setFrame] = useState({ first: 0, count: 60, atEnd: true });

  const measure = () => {
    if (!box.current) return;  // an observer may speak after the end
    const { scrollTop, clientHeight, scrollHeight } = box.current;
    const first = Math.max(0, Math.floor(scrollTop / height) - kMargin);
    const count = Math.ceil(clientHeight / height) + 2 * kMargin;
    const atEnd = scrollTop + clientHeight >= scrollHeight - height;
    follows.current = atEnd;
    setFrame((before) => (before.first === first && before.count === count && before.atEnd === atEnd ? before : { first, count, atEnd }));
  };
  useEffect(() => {
    const observer = new ResizeObserver(measure);
    observer.observe(box.current);
    return () => observer.disconnect();
  }, []);

  // The list stays with its end, or with what is seen. One that is selected shall not run away.
  useLayoutEffect(() => {
    const gone = removedAbove - seenAbove.current;
    seenAbove.current = removedAbove;
    if (follow && follows.current && activeIndex < 0) box.current.scrollTop = box.current.scrollHeight;
    else if (gone > 0) box.current.scrollTop -= gone * height;
    measure();
  }, [items]);
  const active = items[activeIndex];
  useLayoutEffect(() => {
    if (activeIndex < 0) return;
    const headHeight = box.current.firstElementChild.offsetHeight;
    const top = activeIndex * height;
    const { scrollTop, clientHeight } = box.current;
    if (top < scrollTop) box.current.scrollTop = top;
    else if (top + height > scrollTop + clientHeight - headHeight) box.current.scrollTop = top + height - clientHeight + headHeight;
  }, [active]);

  const keys = (event) => {
    const pageful = Math.max(1, Math.floor(box.current.clientHeight / height) - 2);
    const from = activeIndex < 0 ? items.length : activeIndex;  // from none one comes to the latest
    const places = {
      ArrowDown: from + 1,
      ArrowUp: from - 1,
      PageDown: from + pageful,
      PageUp: from - pageful,
      Home: 0,
      End: items.length - 1,
    };
    const to = places[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (to !== undefined && items.length > 0) onActivate(Math.min(items.length - 1, Math.max(0, to)));
    else if (event.key === 'Enter' && activeIndex >= 0) onOpen?.();
    else return;
    event.preventDefault();
  };

  const seen = items.slice(frame.first, frame.first + frame.count);
  return html`<div class="grid" role="grid" tabindex="0" ref=${box} aria-label=${label} aria-rowcount=${items.length + 1}
      aria-readonly="true" aria-activedescendant=${activeIndex < 0 ? undefined : `${name}-${activeIndex}`} onScroll=${measure} onKeyDown=${keys}>
    <div class="head" role="row" aria-rowindex="1">${head}</div>
    <div class="space" role="presentation" style=${{ height: `${items.length * height}px` }}>
      ${seen.map((item, i) => {
        const index = frame.first + i;
        return html`<div key=${index % frame.count} id=${`${name}-${index}`} role="row" aria-rowindex=${index + 2}
          aria-selected=${String(index === activeIndex)} class=${classes('row', index % 2 && 'odd', rowClass?.(item))}
          style=${{ transform: `translateY(${index * height}px)` }}
          onMouseDown=${(event) => event.button === 0 && onActivate(index)} onDblClick=${() => onOpen?.()}>${cells(item)}</div>`;
      })}
    </div>
    ${items.length === 0 && empty ? html`<div class="empty">${empty}</div>` : null}
  </div>
  ${follow && items.length > 0 && !frame.atEnd ? html`<button type="button" class="to-end"
    onClick=${() => (box.current.scrollTop = box.current.scrollHeight)}>Newest ↓</button>` : null}`;
}
