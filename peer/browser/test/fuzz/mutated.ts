/** Inputs made out of known ones: as text, and as JSON by its parts. */

import fc from "fast-check";

const NUMBERS = [0, 1, -1, 2, 255, 65_535, 65_536, 2 ** 31, 2 ** 32, 2 ** 53, 1e308, 0.5, -0];
const TEXTS = ["", "a".repeat(65), "a".repeat(2049), "\0", "\ud800", "__proto__", "constructor", ".."];
const PIECES = ['"', "{", "[", "]}", "\\u0000", "\\ud800", "1e999", "-0", "9".repeat(30), "null", ","];

const anything = fc.oneof(
  fc.constantFrom<unknown>(...NUMBERS, ...TEXTS, null, true, false, [], {}, [[[[[]]]]]),
  fc.jsonValue({ maxDepth: 2 }),
);
const place = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const places = fc.array(place, { minLength: 1, maxLength: 5 });

/** Texts that are nearly those of the corpus. */
export function mutatedTexts(corpus: readonly string[]): fc.Arbitrary<string> {
  const known = fc.constantFrom(...corpus);
  const asJson = fc
    .tuple(known, fc.array(fc.tuple(places, anything), { minLength: 1, maxLength: 3 }))
    .map(([text, changes]) => {
      try {
        return JSON.stringify(
          changes.reduce<unknown>((value, [at, part]) => changed(value, at, part), JSON.parse(text)),
        );
      } catch {
        return text; // the vectors have some that are no JSON
      }
    });
  const asText = fc
    .tuple(known, place, fc.nat(20), fc.nat(300), fc.constantFrom(...PIECES), fc.nat(3))
    .map(([text, where, size, times, piece, kind]) => {
      const at = Math.floor(where * (text.length + 1));
      const part = text.slice(at, at + size);
      const middle = [piece, "", part.repeat(times), String.fromCharCode(times)][kind] ?? "";
      return text.slice(0, at) + middle + text.slice(kind === 0 ? at : at + size);
    });
  return fc.oneof({ weight: 3, arbitrary: asJson }, { weight: 2, arbitrary: asText });
}

/** Bytes that are nearly those of the corpus. */
export function mutatedBytes(corpus: readonly Uint8Array[]): fc.Arbitrary<Uint8Array<ArrayBuffer>> {
  return fc
    .tuple(fc.constantFrom(...corpus), place, fc.nat(255), fc.nat(3), fc.nat(40_000))
    .map(([data, where, byte, kind, size]) => {
      const at = Math.floor(where * data.length);
      if (kind === 0) return data.slice(0, at);
      if (kind === 1) {
        const long = new Uint8Array(size + 1);
        long.set(data.subarray(0, long.length));
        return long;
      }
      const copy = data.slice();
      copy[kind === 2 ? at : at % 8] = byte;
      return copy;
    });
}

/** The value with the part at the end of this way another; `null` there takes it away. */
function changed(value: unknown, [at = 0, ...way]: number[], part: unknown): unknown {
  if (Array.isArray(value) && value.length) {
    const copy: unknown[] = [...(value as unknown[])];
    const i = Math.floor(at * copy.length);
    copy.splice(i, 1, ...(part === null ? [] : [way.length ? changed(copy[i], way, part) : part]));
    return copy;
  }
  if (typeof value === "object" && value && Object.keys(value).length) {
    const entries: [string, unknown][] = Object.entries(value);
    const i = Math.floor(at * entries.length);
    const [name, old] = entries[i] ?? ["", null];
    if (part === null && !way.length) entries.splice(i, 1);
    else entries[i] = [name, way.length ? changed(old, way, part) : part];
    return Object.fromEntries(entries);
  }
  return part;
}
