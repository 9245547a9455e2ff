// The last hour: requests, latency, open connections, errors; by phase and by context.
import { askJson } from './api.js';
import { Chart } from './chart.js';
import { duration, visibleLine } from './format.js';
import { contextName } from './list.js';
import { Choice, html, useEffect, useState } from './ui.js';

const kPause = 10_000;  // a step of the series
const kMostLines = 6;  // in one chart

const kPercentiles = [
  ['p50', 'p50'],
  ['p90', 'p90'],
  ['p99', 'p99'],
];
const kPhases = [
  ['dns', 'DNS'],
  ['connect', 'Connect'],
  ['tls', 'TLS'],
  ['firstByte', 'First byte'],
];

const rate = (value) => `${value < 10 ? Number(value.toFixed(1)) : Math.round(value).toLocaleString('en-US')}/s`;
const whole = (value) => Math.round(value).toLocaleString('en-US');
const sum = (values) => (values ?? []).reduce((total, value) => total + (value ?? 0), 0);
const kSteps = 60;  // at the least: an instance that is young has fewer
const padded = (values) => (values ? [...Array(Math.max(0, kSteps - values.length)).fill(null), ...values] : []);
const perSecond = (values, step) => padded(values).map((value) => (value === null ? null : value / step));

/** The largest few of an object of lists, as lines of a chart. */
function largest(object, listOf, name = (key) => key) {
  return Object.entries(object ?? {})
    .map(([key, value]) => ({ key, values: listOf(value) ?? [], weight: sum(listOf(value)) }))
    .filter(({ weight }) => weight > 0)
    .sort((a, b) => b.weight - a.weight)
    .slice(0, kMostLines)
    .map(({ key, values }, i) => ({ name: visibleLine(name(key)), values, tone: i }));
}

function useSeries() {
  const [got, setGot] = useState({ series: null, error: null });
  useEffect(() => {
    let timer = null;
    let current = true;
    const get = async () => {
      try {
        const series = await askJson('/v1/series');
        if (current) setGot({ series, error: null });
      } catch (error) {
        if (current) setGot((before) => ({ ...before, error: error.message }));
      }
      if (current) timer = setTimeout(get, kPause);
    };
    get();
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, []);
  return got;
}

export function Plots() {
  const { series, error } = useSeries();
  const [percentile, setPercentile] = useState('p50');
  if (!series) return html`<main class="sheet plots" aria-label="Plots"><p class="note">${error ?? ''}</p></main>`;
  const { step, byPhase, byContext, errors } = series;
  const when = { step, end: typeof series.end === 'number' ? series.end * 1000 : Date.parse(series.end) };
  const phaseLines = kPhases
    .map(([key, name], i) => ({ name, values: padded(byPhase?.[key]?.[percentile]), tone: i }))
    .filter(({ values }) => sum(values) > 0);
  const contextLines = (key) =>
    largest(byContext, (one) => (key === 'requests' ? perSecond(one.requests, step) : padded(one[key])), contextName);
  return html`<main class="sheet plots" aria-label="Plots">
    ${error ? html`<p class="note warn">${error}</p>` : null}
    <${Chart} title="Requests" write=${rate} ...${when} lines=${[{ name: 'all', values: perSecond(series.requests, step), tone: 0 }]} />
    <${Chart} title="Latency" write=${duration} ...${when}
      lines=${kPercentiles.map(([key, name], i) => ({ name, values: padded(series[key]), tone: i }))} />
    <${Chart} title="Errors by cause" write=${rate} ...${when} lines=${largest(errors, (values) => perSecond(values, step))} />
    <${Chart} title="Open connections" write=${whole} ...${when} lines=${[{ name: 'open', values: padded(series.open), tone: 0 }]} />
    <div class="chart-choice"><h2>By phase and by context</h2><${Choice} label="Percentile" value=${percentile} onChoose=${setPercentile}
      options=${kPercentiles.filter(([key]) => key !== 'p90')} /></div>
    <${Chart} title=${`Phases, ${percentile}`} write=${duration} ...${when}
      lines=${phaseLines} />
    <${Chart} title=${`Latency by context, ${percentile}`} write=${duration} ...${when} lines=${contextLines(percentile)} />
    <${Chart} title="Requests by context" write=${rate} ...${when} lines=${contextLines('requests')} />
  </main>`;
}
