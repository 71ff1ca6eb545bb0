/**
 * The values that everything else speaks of.
 *
 * A content has renditions, a rendition has segments, a segment has chunks, a chunk travels as
 * frames. Sizes are bytes, times are seconds unless a name says otherwise.
 */

/** Version of the tracker and link protocols; it also stands in the WebSocket's path. */
export const PROTOCOL = 1;

/** One hash, one sender. */
export const CHUNK_SIZE = 65_536;

/** What one data-channel message carries of a chunk. */
export const FRAME_PAYLOAD = 16_384;

/** SHA-256: the one fast hash that every browser has. */
export const HASH_SIZE = 32;

/** Bytes that nobody shares with another thread: what WebCrypto and data channels take. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** One segment of one rendition of the content at hand. */
export interface SegmentKey {
  readonly rendition: string;
  readonly sequence: number;
}

/** One chunk of one segment. */
export interface ChunkKey extends SegmentKey {
  readonly chunk: number;
}

/** A run of whole numbers, both ends included, as HTTP writes byte ranges. */
export type Span = readonly [first: number, last: number];

/** A key by which maps and sets know a segment. */
export function segmentId({ rendition, sequence }: SegmentKey): string {
  return `${sequence} ${rendition}`;
}

/** A key by which maps and sets know a chunk. */
export function chunkId(key: ChunkKey): string {
  return `${key.chunk} ${segmentId(key)}`;
}

/** The shortest list of ascending spans that holds exactly these numbers. */
export function spansOf(numbers: Iterable<number>): Span[] {
  const spans: [number, number][] = [];
  for (const number of [...new Set(numbers)].sort((a, b) => a - b)) {
    const previous = spans.at(-1);
    if (previous?.[1] === number - 1) previous[1] = number;
    else spans.push([number, number]);
  }
  return spans;
}

/** Every number of the spans, in their order. */
export function* numbersOf(spans: Iterable<Span>): Generator<number> {
  for (const [first, last] of spans) for (let at = first; at <= last; at++) yield at;
}

/** Forgets the oldest entries of a map or set that has more than so many. */
export function forgetOldest(map: Map<unknown, unknown> | Set<unknown>, most: number): void {
  for (const key of map.keys()) if (map.size > most) map.delete(key);
}

/** How many chunks a segment of `length` bytes has. */
export function chunkCount(length: number): number {
  return Math.ceil(length / CHUNK_SIZE);
}

/** The bytes of chunk number `chunk` in a segment of `length` bytes; the last is shorter. */
export function chunkLength(length: number, chunk: number): number {
  if (!(chunk >= 0 && chunk < chunkCount(length))) {
    throw new RangeError(`chunk ${chunk} of a segment of ${chunkCount(length)} chunks`);
  }
  return Math.min(CHUNK_SIZE, length - chunk * CHUNK_SIZE);
}

/** The byte range, within its segment, of a run of chunks. */
export function bytesOf(length: number, [first, last]: Span): Span {
  return [first * CHUNK_SIZE, Math.min(length, (last + 1) * CHUNK_SIZE) - 1];
}

/** The parts one after the other. */
export function joined(parts: readonly ArrayLike<number>[]): Bytes {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** The text's UTF-8 bytes. (The language itself has no TextEncoder: that is a platform's.) */
export function utf8(text: string): Bytes {
  const bytes = encodeURIComponent(text).replace(/%(..)/g, (_, hex: string) =>
    String.fromCharCode(parseInt(hex, 16)),
  );
  return Uint8Array.from(bytes, (byte) => byte.charCodeAt(0));
}
