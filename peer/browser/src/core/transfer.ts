/**
 * One segment on its way in, chunk by chunk, from whichever sources.
 *
 *               asked of a link              arrived            hash right
 *     missing ------------------> peer -------------> checking ------------> have
 *        |  ^----- lost ----------'  '--- deadline --.   |  |
 *        |  '------ hash wrong ----------------------|---'  |
 *        '---- asked of the origin ---> origin <-----' -----'
 *
 * A chunk in `peer` that is asked of the origin as well becomes `origin`, and whichever copy
 * arrives first is checked; the other one is waste. Bytes count for nothing before they have been
 * verified.
 */

import {
  CHUNK_SIZE,
  HASH_SIZE,
  bytesOf,
  chunkCount,
  chunkLength,
  joined,
  type Bytes,
  type SegmentKey,
  type Span,
} from "../model";
import type { SegmentRecord } from "../wire/manifest";
import { bitOf, numbersIn, run, type Mask } from "./bits";
import { earliest, type Numbers } from "./manifest";
import type { Check } from "./ports";

/** Seconds before the origin is asked again for what it did not deliver. */
const FIRST_PAUSE = 0.25;
/** Seconds without a byte after which an answer of the origin is late. */
export const SILENCE = 1;
/** A verifier that does not answer by then has said no. */
const CHECK_TIMEOUT = 5;

/** A byte range on its way from the origin, cut into the chunks of one segment. */
export class Fetch {
  received = 0;
  /** Bytes that were verified while the fetch was under way, not in the figures yet. */
  kept = 0;
  /** Whether it came from an HTTP cache; null while that is not known. */
  cached: boolean | null = null;
  /** Whether something that it brought was wrong: however much, it is one failure. */
  blamed = false;
  /** What links had brought in all when it was asked for. */
  beside = 0;
  /** When the last of it came, or else when it was asked for. */
  heard = 0;
  /** When all of it should be there. */
  expected = Infinity;
  private _next: number;
  private _rest: Bytes = new Uint8Array();

  /** `length` is of the whole segment. */
  constructor(
    readonly number: number,
    readonly key: SegmentKey,
    readonly length: number,
    readonly chunks: Span,
    /** Whether it went past every cache. */
    readonly fresh = false,
  ) {
    this._next = chunks[0];
  }

  /** The chunks that `data` completes; null if it is more than was asked for. */
  take(data: Bytes): [number, Bytes][] | null {
    this.received += data.length;
    this._rest = joined([this._rest, data]);
    const [first, last] = bytesOf(this.length, this.chunks);
    if (this.received > last - first + 1) return null;
    const whole: [number, Bytes][] = [];
    for (; this._next <= this.chunks[1]; this._next++) {
      const size = chunkLength(this.length, this._next);
      if (this._rest.length < size) break;
      whole.push([this._next, this._rest.slice(0, size)]);
      this._rest = this._rest.slice(size);
    }
    return whole;
  }

  /** Bytes that arrived and make no whole chunk. */
  rest(): number {
    return this._rest.length;
  }

  /** The chunks that have not arrived. */
  left(): number[] {
    const left = [];
    for (let chunk = this._next; chunk <= this.chunks[1]; chunk++) left.push(chunk);
    return left;
  }

  /** Bytes that have not arrived. */
  get due(): number {
    const [first, last] = bytesOf(this.length, this.chunks);
    return last + 1 - first - this.received;
  }

  /** When it is late, unless more of it comes: links are asked for the rest then, too. */
  get lateAt(): number {
    return Math.min(this.heard + SILENCE, this.expected);
  }
}

/** A chunk's bytes and where they came from: a link, a fetch, or (neither) the shell. */
export interface Copy {
  readonly chunk: number;
  readonly data: Bytes;
  readonly link?: number;
  readonly fetch?: Fetch;
}

/** The chunks of `record` that are not held yet: each is in exactly one of the five masks. */
export class Transfer {
  /** How many chunks it has. */
  readonly chunks: number;
  missing: Mask;
  peer: Mask = 0n;
  origin: Mask = 0n;
  checking: Mask = 0n;
  /** When the play head gets there, if the player asked for the segment. */
  demanded: number | null = null;
  /** Whether the origin had to bring what peers had been trusted with. */
  rescued = false;
  originBytes = 0;
  peerBytes = 0;
  /** How often the origin failed to deliver, or delivered something wrong. */
  originFailures = 0;
  /** Before this the origin is not asked again. */
  originAfter = 0;
  /** Whether what the origin's cache gave was wrong, so that the next fetch goes past it. */
  stale = false;
  private readonly _checks = new Map<number, readonly [Copy, since: number]>();

  /**
   * A transfer of what the mask `have` leaves to be had. The manifest may forget the segment while
   * it is on its way, so its hashes are here: one a chunk.
   *
   * `since` is when the player asked for it, or else when it came to lie ahead; `knownAt` is when
   * its hashes became known: of a live segment, its publication as far as we are concerned.
   */
  constructor(
    readonly key: SegmentKey,
    readonly record: SegmentRecord,
    readonly hashes: Bytes,
    public have: Mask,
    public since: number,
    readonly knownAt: number,
  ) {
    this.chunks = chunkCount(record.length);
    this.missing = run(0, this.chunks - 1) & ~have;
  }

  get complete(): boolean {
    return !this.missing && !this.busy;
  }

  /** Whether anything is on its way. */
  get busy(): boolean {
    return (this.peer | this.origin | this.checking) !== 0n;
  }

  lengthOf(chunk: number): number {
    return chunkLength(this.record.length, chunk);
  }

  /** What has not arrived yet, asked for or not. */
  bytesMissing(): number {
    return this._bytesOf(this.missing | this.peer | this.origin);
  }

  /** What has arrived and may be held in a moment. */
  bytesChecking(): number {
    return this._bytesOf(this.checking);
  }

  private _bytesOf(left: Mask): number {
    const last = this.chunks - 1;
    const short = left & bitOf(last) ? CHUNK_SIZE - this.lengthOf(last) : 0;
    return numbersIn(left).length * CHUNK_SIZE - short;
  }

  // What is asked

  askedPeer(chunk: number): void {
    const bit = bitOf(chunk);
    this.missing &= ~bit;
    this.origin &= ~bit;
    this.peer |= bit;
  }

  askedOrigin(chunks: Span): void {
    const asked = run(...chunks) & (this.missing | this.peer);
    this.missing &= ~asked;
    this.peer &= ~asked;
    this.origin |= asked;
  }

  // What comes of it

  /** A source will not deliver the chunk; the other kind of source may still. */
  lost(chunk: number, source: "peer" | "origin"): void {
    const bit = bitOf(chunk) & this[source];
    this[source] &= ~bit;
    this.missing |= bit;
  }

  /** A whole chunk; the check that decides about it, or null if it is not needed. */
  arrived(copy: Copy, numbers: Numbers, now: number): Check | null {
    const bit = bitOf(copy.chunk);
    if ((this.checking | this.have) & bit) return null;
    this.missing &= ~bit;
    this.peer &= ~bit;
    this.origin &= ~bit;
    this.checking |= bit;
    const check = numbers();
    this._checks.set(check, [copy, now]);
    const digest = this.hashes.slice(copy.chunk * HASH_SIZE, (copy.chunk + 1) * HASH_SIZE);
    return { type: "Check", check, data: copy.data, digest };
  }

  /** A chunk that needs no check is there; whether it is one more. */
  recalled(chunk: number): boolean {
    const bit = bitOf(chunk);
    if ((this.checking | this.have) & bit || chunk >= this.chunks) return false;
    this.missing &= ~bit;
    this.peer &= ~bit;
    this.origin &= ~bit;
    this.have |= bit;
    return true;
  }

  /** The origin did not deliver, or not the right thing: give it a pause that doubles. */
  originFailed(now: number): void {
    this.originAfter = now + FIRST_PAUSE * 2 ** Math.min(this.originFailures, 4);
    this.originFailures += 1;
  }

  /** The answer to one of our checks: the copy, which is now held or was thrown away. */
  checked(check: number, ok: boolean): Copy | null {
    const copy = this._checks.get(check)?.[0];
    this._checks.delete(check);
    if (!copy) return null;
    const bit = bitOf(copy.chunk);
    this.checking &= ~bit;
    this[ok ? "have" : "missing"] |= bit;
    if (ok) this[copy.link === undefined ? "originBytes" : "peerBytes"] += copy.data.length;
    return copy;
  }

  /** The checks that have been waiting for too long. */
  checksBefore(now: number): number[] {
    return [...this._checks].flatMap(([check, [, since]]) =>
      since + CHECK_TIMEOUT <= now ? [check] : [],
    );
  }

  /** Nobody heard for so many seconds how checks came out. */
  overslept(late: number, now: number): void {
    for (const [check, [copy, since]] of this._checks) {
      this._checks.set(check, [copy, Math.min(since + late, now)]);
    }
  }

  timerAt(): number | null {
    return earliest(Array.from(this._checks.values(), ([, since]) => since + CHECK_TIMEOUT));
  }
}
