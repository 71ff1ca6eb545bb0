/**
 * Rendezvous hashing: everybody who knows the same peers ranks them alike, without a word said.
 *
 * Thaler and Ravishankar, "Using name-based mappings to increase hit rates", 1998. The hash need
 * not resist anybody (whoever lies about his rank only fetches more, or later, himself); it has to
 * be the same in Python and in a browser, without waiting: FNV-1a with MurmurHash3's finaliser,
 * 32 bits.
 */

import { utf8, type SegmentKey } from "../model";

/** A well-mixed 32-bit hash of the text's UTF-8 bytes. */
export function hash32(text: string): number {
  let value = 0x811c_9dc5;
  for (const byte of utf8(text)) value = Math.imul(value ^ byte, 0x0100_0193);
  value = Math.imul(value ^ (value >>> 16), 0x85eb_ca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2_ae35);
  return (value ^ (value >>> 16)) >>> 0;
}

/** How many of `others` come before `me` for this segment: 0 is the first to go. */
export function rankOf(me: string, others: Iterable<string>, segment: SegmentKey): number {
  const score = (peer: string): number =>
    hash32(`${segment.rendition}\n${segment.sequence}\n${peer}`);
  const mine = score(me);
  let rank = 0;
  for (const other of others) {
    const theirs = score(other);
    if (theirs < mine || (theirs === mine && other < me)) rank += 1;
  }
  return rank;
}
