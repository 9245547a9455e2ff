// How figures, times and the texts of others are written.

const kUnits = ['B', 'kB', 'MB', 'GB', 'TB'];

/** A number of bytes, by thousands as browsers count them: 812 B, 1.2 kB, 34 MB. */
export function size(bytes) {
  if (bytes == null) return '';
  let unit = 0;
  let value = bytes;
  while (value >= 999.5 && unit < kUnits.length - 1) {
    value /= 1000;
    ++unit;
  }
  return `${unit && value < 9.95 ? value.toFixed(1) : Math.round(value)} ${kUnits[unit]}`;
}

/** Microseconds: 0.42 ms, 8.4 ms, 234 ms, 1.23 s, 2 min 3 s. */
export function duration(us) {
  if (us == null) return '';
  const ms = us / 1000;
  if (ms < 1) return `${ms.toFixed(2)} ms`;
  if (ms < 9.95) return `${ms.toFixed(1)} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59_995) return `${(ms / 1000).toFixed(ms < 9_995 ? 2 : 1)} s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** Milliseconds with two decimals, as `cmuxproxy probe` prints them. */
export const inMs = (us) => (us / 1000).toFixed(2);

export const count = (n) => n.toLocaleString('en-US');
export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

const two = (n) => String(n).padStart(2, '0');

/** The time of day here: 14:30, or with seconds. `time` is in milliseconds since the epoch. */
export function hour(time, seconds = false) {
  const at = new Date(time);
  return `${two(at.getHours())}:${two(at.getMinutes())}${seconds ? `:${two(at.getSeconds())}` : ''}`;
}

/** The same with milliseconds; nothing where there is none. */
export function clock(time) {
  if (!Number.isFinite(time)) return '';
  const at = new Date(time);
  return `${hour(time, true)}.${String(at.getMilliseconds()).padStart(3, '0')}`;
}

export function moment(time) {
  if (!Number.isFinite(time)) return '';
  const at = new Date(time);
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${clock(time)}`;
}

/** How long ago `time` was: 4 s, 12 min, 3 h, 2 d. */
export function ago(time, now = Date.now()) {
  const seconds = Math.max(0, Math.round((now - time) / 1000));
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  return seconds < 86_400 ? `${Math.floor(seconds / 3600)} h ago` : `${Math.floor(seconds / 86_400)} d ago`;
}

// What a font does not show, or what turns the order of what stands around it: a name could look like another by it.
// eslint-disable-next-line no-control-regex
const kUnseen =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\ufff9-\ufffb]/g;

function shown(character) {
  const code = character.charCodeAt(0);
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  if (code === 0x7f) return '\u2421';
  return `\u27e8U+${code.toString(16).toUpperCase().padStart(4, '0')}\u27e9`;
}

/** A text of others with nothing in it that hides: control characters, and those that turn the direction of writing, become visible. */
export function visible(text) {
  const all = String(text ?? '');
  return all.search(kUnseen) < 0 ? all : all.replace(/\r\n/g, '\n').replace(kUnseen, shown);
}

/** The same in one line. */
export const visibleLine = (text) => visible(text).replace(/\n/g, '\u240a');
