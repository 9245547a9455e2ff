// Lines over time as SVG, with a cross-hair that tells the figures. A step of which nothing is known leaves a gap.
import { hour } from './format.js';
import { html, useRef, useState } from './ui.js';

const kWidth = 600;
const kHeight = 120;

/** The least round number that is no less. */
export function roundUp(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return power * [1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((factor) => factor * power >= value * 0.999999);
}

/** The path of a line: pieces between gaps. A lone point becomes a short stroke, or it would not be seen. */
export function pathOf(values, most, width = kWidth, height = kHeight) {
  const step = width / Math.max(1, values.length - 1);
  let path = '';
  values.forEach((value, i) => {
    if (value === null || value === undefined) return;
    const x = (i * step).toFixed(1);
    const y = (height - (height * Math.min(value, most)) / most).toFixed(1);
    const begins = i === 0 || values[i - 1] === null || values[i - 1] === undefined;
    const alone = begins && (i === values.length - 1 || values[i + 1] === null || values[i + 1] === undefined);
    path += `${begins ? 'M' : 'L'}${x} ${y}${alone ? `h${Math.max(1, step / 2).toFixed(1)}` : ''}`;
  });
  return path;
}

/** `lines`: [{name, values, tone}]; `write` makes a text of a value; `end` in milliseconds, `step` in seconds. */
export function Chart({ title, lines, write, end, step }) {
  const box = useRef(null);
  const [at, setAt] = useState(null);
  const length = Math.max(0, ...lines.map(({ values }) => values.length));
  const known = lines.flatMap(({ values }) => values.filter((value) => value !== null && value !== undefined));
  const most = roundUp(Math.max(0, ...known));
  const time = (i) => end - (length - 1 - i) * step * 1000;
  const onMove = (event) => {
    const { left, width } = box.current.getBoundingClientRect();
    setAt(Math.min(length - 1, Math.max(0, Math.round(((event.clientX - left) / width) * (length - 1)))));
  };
  const onKeyDown = (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!move || length === 0) return;
    event.preventDefault();
    setAt(Math.min(length - 1, Math.max(0, (at ?? length) + move)));
  };
  const last = (values) => values.findLast((value) => value !== null && value !== undefined);
  const summary = lines.map(({ name, values }) => `${name} ${last(values) === undefined ? 'nothing' : write(last(values))}`).join(', ');
  return html`<figure class="chart">
    <figcaption><h2>${title}</h2>
      <ul class="legend">${lines.map(
        ({ name, values, tone }) => html`<li key=${name} class=${`tone-${tone}`}><span class="swatch" aria-hidden="true"></span>${name}
        <b>${at === null ? '' : values[at] === null || values[at] === undefined ? '–' : write(values[at])}</b></li>`,
      )}</ul>
    </figcaption>
    ${
      known.length === 0
        ? html`<p class="note nothing">Nothing in the last hour.</p>`
        : html`<div class="plot">
      <svg ref=${box} viewBox=${`0 0 ${kWidth} ${kHeight}`} preserveAspectRatio="none" role="img" tabindex="0"
        aria-label=${`${title} over the last hour; latest: ${summary}`}
          onPointerMove=${onMove} onPointerLeave=${() => setAt(null)} onKeyDown=${onKeyDown} onBlur=${() => setAt(null)}>
        ${[0.25, 0.5, 0.75].map((part) => html`<line key=${part} class="rule" x1="0" x2=${kWidth} y1=${part * kHeight}
          y2=${part * kHeight} />`)}
        ${lines.map(({ name, values, tone }) => html`<path key=${name} class=${`line tone-${tone}`} d=${pathOf(values, most)} />`)}
        ${at === null ? null : html`<line class="cursor" x1=${(at * kWidth) / Math.max(1, length - 1)}
          x2=${(at * kWidth) / Math.max(1, length - 1)} y1="0" y2=${kHeight} />`}
      </svg>
      <span class="most">${write(most)}</span>
      <div class="times"><span>${hour(time(0))}</span>
        <span>${at === null ? hour(time(Math.floor(length / 2))) : hour(time(at), true)}</span><span>${hour(end)}
        </span></div>
    </div>`
    }
  </figure>`;
}
