// What all components use: the library in one place, and a few small parts.
import { h } from './vendor/preact.js';
import htm from './vendor/htm.js';

export { render } from './vendor/preact.js';
export { useEffect, useLayoutEffect, useMemo, useRef, useState } from './vendor/hooks.js';
export { batch, computed, effect, signal, useComputed, useSignal, useSignalEffect } from './vendor/signals.js';

export const html = htm.bind(h);

/** Class names, without those that do not hold. */
export const classes = (...names) => names.filter(Boolean).join(' ');

/** One of eight hues for a name, so that two contexts are told apart at a glance. */
export function hueOf(name) {
  let sum = 0;
  for (let i = 0; i < name.length; ++i) sum = (sum * 31 + name.charCodeAt(i)) >>> 0;
  return sum % 8;
}

/** A choice of few: [[value, label]…]. */
export function Choice({ label, options, value, onChoose }) {
  return html`<div class="choice" role="group" aria-label=${label}>
    ${options.map(([key, text]) => html`<button type="button" key=${key} aria-pressed=${String(key === value)}
      onClick=${() => onChoose(key)}>${text}</button>`)}
  </div>`;
}

/** Tabs: [[value, label]…]; arrows go from one to the next, as the pattern of WAI-ARIA has it. */
export function Tabs({ label, options, value, onChoose, panel }) {
  const onKeyDown = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const at = options.findIndex(([key]) => key === value);
    const [key] = options[(at + step + options.length) % options.length];
    onChoose(key);
    event.currentTarget.querySelector(`[data-tab="${key}"]`)?.focus();
  };
  return html`<div class="tabs" role="tablist" aria-label=${label} onKeyDown=${onKeyDown}>
    ${options.map(
      ([key, text, badge]) => html`<button type="button" role="tab" key=${key} data-tab=${key} aria-controls=${panel}
      aria-selected=${String(key === value)} tabindex=${key === value ? 0 : -1} onClick=${() => onChoose(key)}>
      ${text}${badge ? html`<span class="badge">${badge}</span>` : null}</button>`,
    )}
  </div>`;
}
