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
 * learns them, if they are not pinned, and nobody believes those that somebody else sends along.
 */

import { CHUNK_SIZE, HASH_SIZE, chunkCount, joined, utf8, type Bytes } from "../model";
import type { PresentationManifest, RenditionManifest, SegmentRecord, Signature } from "./schema";

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

/** How a signature was made. */
export type Algorithm = Signature["algorithm"];

/** Records a page: about 11 KB of JSON, so that little comes before a peer's first chunk. */
export const PAGE_RECORDS = 64;

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** Characters of the hashes in `Records`, at most. */
export const BASE64_LENGTH = 32_768;

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

/** The canonical bytes of a manifest that its signatures cover. */
export function signedBytes(manifest: PresentationManifest | RenditionManifest): Bytes {
  if (manifest.type === "presentation") return presentationBytes(manifest);
  return joined([
    utf8("p2pcdn rendition v1\n"),
    text(manifest.site),
    text(manifest.content),
    text(manifest.rendition),
    u32(manifest.chunk_size),
    [manifest.live ? 1 : 0],
    u64(manifest.era),
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
  let text = "";
  let bits = 0;
  let rest = 0;
  for (const byte of data) {
    rest = ((rest & 63) << 8) | byte;
    for (bits += 8; bits >= 6; bits -= 6) text += DIGITS.charAt((rest >> (bits - 6)) & 63);
  }
  return bits ? text + DIGITS.charAt((rest << (6 - bits)) & 63) : text;
}

/** What `toBase64` was given; null if the text is nothing of the kind. */
export function fromBase64(text: string): Bytes | null {
  const data = new Uint8Array(Math.floor((text.length * 3) / 4));
  let bits = 0;
  let rest = 0;
  let at = 0;
  for (const letter of text) {
    const digit = DIGITS.indexOf(letter);
    if (digit < 0) return null;
    rest = ((rest & 63) << 6) | digit;
    bits += 6;
    if (bits >= 8) data[at++] = rest >> (bits -= 8);
  }
  return bits < 6 ? data : null;
}

/** A digest out of its hexadecimal form. */
export function fromHex(hex: string): Bytes {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

function presentationBytes({ site, content, renditions }: PresentationManifest): Bytes {
  return joined([
    utf8("p2pcdn presentation v1\n"),
    text(site),
    text(content),
    u32(renditions.length),
    ...renditions.flatMap(({ rendition, uri }) => [text(rendition), text(uri)]),
  ]);
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
