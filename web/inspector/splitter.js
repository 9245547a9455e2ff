// The bar between list and details: dragged, or moved by the arrow keys. The details' part of the width is remembered.
import { html, useEffect, useState } from './ui.js';

const kKey = 'cmuxproxy-inspector-split';
const kLeast = 25,
  kMost = 80,
  kUsual = 50;  // percent

function remembered() {
  try {
    return within(Number(localStorage.getItem(kKey)) || kUsual);
  } catch {
    return kUsual;
  }
}
const within = (percent) => Math.min(kMost, Math.max(kLeast, percent));

export function Splitter({ area }) {
  const [part, setPart] = useState(remembered);
  useEffect(() => {
    area.current.style.setProperty('--details', `${part}%`);
    try {
      localStorage.setItem(kKey, String(part));
    } catch {
      // Where the browser keeps nothing, nothing is remembered.
    }
  }, [part]);
  const onPointerDown = (event) => {
    event.currentTarget.setPointerCapture(event.pointerId);
    event.preventDefault();
  };
  const onPointerMove = (event) => {
    if (!event.currentTarget.hasPointerCapture(event.pointerId)) return;
    const { right, width } = event.currentTarget.parentElement.getBoundingClientRect();
    setPart(within(Math.round((1000 * (right - event.clientX)) / width) / 10));
  };
  const onKeyDown = (event) => {
    const step = { ArrowLeft: 2, ArrowRight: -2 }[event.key];
    if (!step) return;
    event.preventDefault();
    setPart((before) => within(before + step));
  };
  return html`<div class="splitter" role="separator" tabindex="0" aria-orientation="vertical" aria-label="Width of the details"
    aria-valuenow=${Math.round(part)}
    aria-valuemin=${kLeast} aria-valuemax=${kMost} onPointerDown=${onPointerDown} onPointerMove=${onPointerMove} onKeyDown=${onKeyDown}>
      </div>`;
}
