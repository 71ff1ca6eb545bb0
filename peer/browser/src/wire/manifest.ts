/**
 * Manifests: what a content consists of, and what each segment must hash to.
 *
 *     root = SHA-256( "p2pcdn segment v1\n"
 *                     text(content) text(rendition)
 *                     u64(sequence) u64(length) u32(chunk size)
 *                     hash of chunk 0, hash of chunk 1, ... )
 *
 * where `text(s)` is u16(bytes) followed by the UTF-8 bytes and all numbers are unsigned,
 * big-endian. Binding content, rendition and sequence into the root is what stops a valid segment
 * from being passed off as another one.
 *
 * What a signature covers is `signedBytes`, never the JSON text, which any proxy may re-serialise.
 * The keys stand beside the signatures and are not covered: whoever fetches a page from the origin
 * learns them, and nobody believes those that somebody else sends along.
 */

import { CHUNK_SIZE, HASH_SIZE, chunkCount, joined, utf8, type Bytes } from "../model";
import type { RenditionManifest, SegmentRecord } from "./schema";

export type {
  Key,
  Manifest,
  PresentationManifest,
  Records,
  RenditionManifest,
  RenditionRef,
  SegmentRecord,
  Signature,
} from "./schema";

/** Records a page: about 11 KB of JSON, so that little comes before a peer's first chunk. */
export const PAGE_RECORDS = 64;

/** The bytes whose SHA-256 is a segment's root. */
export function rootInput(
  content: string,
  rendition: string,
  sequence: number,
  length: number,
  hashes: Iterable<Uint8Array>,
): Bytes {
  return joined([
    utf8("p2pcdn segment v1\n"),
    text(content),
    text(rendition),
    u64(sequence),
    u64(length),
    u32(CHUNK_SIZE),
    ...hashes,
  ]);
}

/** The canonical bytes of a page that its signatures cover. */
export function signedBytes(manifest: RenditionManifest): Bytes {
  return joined([
    utf8("p2pcdn rendition v1\n"),
    text(manifest.site),
    text(manifest.content),
    text(manifest.rendition),
    u32(manifest.chunk_size),
    [manifest.live ? 1 : 0],
    u64(manifest.time),
    u64(manifest.first),
    u64(manifest.last),
    u32(manifest.segments.length),
    ...manifest.segments.flatMap(recordBytes),
  ]);
}

/** Cut the binary answer for several segments into one hash list each; none if it doesn't fit. */
export function splitHashes(data: Bytes, records: Iterable<SegmentRecord>): Bytes[] | null {
  const lists = [];
  let at = 0;
  for (const { length } of records) {
    lists.push(data.subarray(at, (at += chunkCount(length) * HASH_SIZE)));
  }
  return at === data.length ? lists : null;
}

/** Base64url without padding, as signatures, keys and the hashes of `Records` are written. */
export function toBase64(data: Uint8Array): string {
  const letters = Array.from(data, (byte) => String.fromCharCode(byte)).join("");
  return btoa(letters).replace(/[+/=]/g, (sign) => ({ "+": "-", "/": "_" })[sign] ?? "");
}

/** What `toBase64` was given; null if the text is nothing of the kind. */
export function fromBase64(text: string): Bytes | null {
  if (/[^\w-]/.test(text) || text.length % 4 === 1) return null;
  const letters = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
  return Uint8Array.from(letters, (letter) => letter.charCodeAt(0));
}

/** A digest out of its hexadecimal form. */
export function fromHex(hex: string): Bytes {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

function recordBytes(record: SegmentRecord): ArrayLike<number>[] {
  const { sequence, length, duration, offset, uri, root } = record;
  return [...[sequence, length, duration, offset].map(u64), text(uri), fromHex(root)];
}

function text(value: string): Bytes {
  const data = utf8(value);
  return joined([[data.length >> 8, data.length & 255], data]);
}

function u32(value: number): ArrayLike<number> {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255);
}

function u64(value: number): ArrayLike<number> {
  return joined([u32(Math.floor(value / 2 ** 32)), u32(value)]);
}
