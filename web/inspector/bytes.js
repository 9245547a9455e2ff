// Bodies as bytes: from base64, to text, as hex, and what kind they are. Nothing here trusts what a header says about them.

export function fromBase64(text) {
  const binary = atob(text ?? '');
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; ++i) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

export function toBase64(bytes) {
  let binary = '';
  for (let i = 0; i < bytes.length; i += 0x8000) binary += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  return btoa(binary);
}

/** The media type alone, in small letters. */
export const essence = (type) =>
  String(type ?? '')
    .split(';', 1)[0]
    .trim()
    .toLowerCase();

export function charsetOf(type) {
  const found = /;\s*charset\s*=\s*"?([^";\s]+)/i.exec(String(type ?? ''));
  return found ? found[1].toLowerCase() : null;
}

/** As text: {text, charset, broken}. An unknown charset is read as UTF-8; `broken`: some bytes were not of the charset. */
export function decode(bytes, type) {
  let charset = charsetOf(type) ?? 'utf-8';
  let strict;
  try {
    strict = new TextDecoder(charset, { fatal: true });
  } catch {
    charset = 'utf-8';
    strict = new TextDecoder(charset, { fatal: true });
  }
  try {
    return { text: strict.decode(bytes), charset, broken: false };
  } catch {
    return { text: new TextDecoder(charset).decode(bytes), charset, broken: true };
  }
}

/** UTF-8 without a NUL, as a string; null where it is anything else. `bytes` may end within a character where `cut`. */
export function asUtf8(bytes, cut = false) {
  if (bytes.includes(0)) return null;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes, { stream: cut });
  } catch {
    return null;
  }
}

const kSignatures = [
  ['image/png', [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]],
  ['image/jpeg', [0xff, 0xd8, 0xff]],
  ['image/gif', [0x47, 0x49, 0x46, 0x38]],
  ['image/bmp', [0x42, 0x4d]],
  ['image/x-icon', [0, 0, 1, 0]],
];

/** The type of a raster image by its first bytes; null for all else, SVG among it, which is a document that can hold scripts. */
export function imageType(bytes) {
  const has = (wanted, from = 0) => wanted.every((byte, i) => bytes[from + i] === byte);
  const ascii = (text, from) =>
    has(
      [...text].map((c) => c.charCodeAt(0)),
      from,
    );
  for (const [type, signature] of kSignatures) if (has(signature)) return type;
  if (ascii('RIFF', 0) && ascii('WEBP', 8)) return 'image/webp';
  if (ascii('ftypavif', 4) || ascii('ftypavis', 4)) return 'image/avif';
  return null;
}

const kTextual = /^text\/|[/+](json|xml|javascript|ecmascript|x-www-form-urlencoded|graphql|yaml|toml|x-ndjson|sql)\b/;

/** Is it to be read by people? By its type, or by its look: UTF-8 without control characters. */
export function isTextual(bytes, type) {
  if (kTextual.test(essence(type))) return true;
  const start = bytes.subarray(0, 2048);
  const text = asUtf8(start, start.length < bytes.length);
  // eslint-disable-next-line no-control-regex
  return text !== null && !/[\u0001-\u0008\u000e-\u001a\u001c-\u001f]/.test(text);
}

export const isJson = (type) => /[/+](json|x-ndjson)$/.test(essence(type));

/** Sixteen bytes a line: offset, hex, and the characters of ASCII. */
export function hex(bytes, from = 0, length = bytes.length) {
  const lines = [];
  const end = Math.min(bytes.length, from + length);
  for (let at = from; at < end; at += 16) {
    let digits = '';
    let characters = '';
    for (let i = at; i < at + 16; ++i) {
      if (i === at + 8) digits += ' ';
      if (i >= end) {
        digits += '   ';
        continue;
      }
      digits += `${bytes[i].toString(16).padStart(2, '0')} `;
      characters += bytes[i] >= 0x20 && bytes[i] < 0x7f ? String.fromCharCode(bytes[i]) : '\u00b7';
    }
    lines.push(`${at.toString(16).padStart(8, '0')}  ${digits} ${characters}`);
  }
  return lines.join('\n');
}
