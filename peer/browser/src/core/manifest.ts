/**
 * What is known of one rendition: its records, and the chunk hashes behind their roots.
 *
 * The machine is told which segments matter (`need`) and sees to it that they become known:
 *
 *     unknown --FetchManifest--> record --FetchHashes--> unproved hashes --Check--> known
 *
 * A hash list may come from anybody, since it must hash to the record's root. What fails is asked
 * for again, after a pause that doubles. Only a *known* segment may be asked of peers.
 */

import { RemoteError } from "../errors";
import { HASH_SIZE, type Bytes, type Span } from "../model";
import {
  PAGE_RECORDS,
  fromHex,
  rootInput,
  splitHashes,
  type RenditionManifest,
  type SegmentRecord,
} from "../wire/manifest";
import type { Event, HashesArrived, ManifestArrived, ManifestFailed } from "./ports";

const FIRST_PAUSE = 0.5;
const LONGEST_PAUSE = 8;
/** A fetch that is not answered by then counts as failed; the shell has time-outs of its own. */
const ANSWER_TIMEOUT = 10;

/** Gives out the numbers by which things are known: each is one more than the last. */
export type Numbers = () => number;

/** The records and hashes of one rendition of `content`. */
export class Manifest {
  private readonly records = new Map<number, SegmentRecord>();
  private readonly hashes = new Map<number, Bytes>();
  private readonly checks = new Map<number, readonly [SegmentRecord, Bytes]>();
  private time = -1;
  private needed: readonly number[] = [];
  private pageSince: number | null = null;
  private hashesSince: number | null = null;
  /** When something that failed may be tried again, and how long the next pause will be. */
  private pauseUntil = 0;
  private pause = FIRST_PAUSE;
  private events: Event[] = [];

  constructor(
    readonly content: string,
    readonly rendition: string,
    private readonly numbers: Numbers,
  ) {}

  // What is known

  record(sequence: number): SegmentRecord | undefined {
    return this.records.get(sequence);
  }

  /** The proved hash of a chunk, if it is known. */
  hashOf(sequence: number, chunk: number): Bytes | null {
    const hashes = this.hashes.get(sequence);
    const at = chunk * HASH_SIZE;
    return hashes && at < hashes.length ? hashes.subarray(at, at + HASH_SIZE) : null;
  }

  /** Whether every chunk of the segment can be verified. */
  knows(sequence: number): boolean {
    return this.hashes.has(sequence);
  }

  // The five verbs

  /** These segments matter now, in this order. */
  need(sequences: readonly number[], now: number): void {
    this.needed = sequences;
    this.ask(now);
  }

  /** Take an answer in; returns the segments whose records have changed since. */
  receive(message: ManifestArrived | ManifestFailed | HashesArrived, now: number): number[] {
    let changed: number[] = [];
    switch (message.type) {
      case "ManifestArrived":
        this.pageSince = null;
        changed = this.takePage(message.page, now);
        break;
      case "ManifestFailed":
        this.pageSince = null;
        this.failed(now);
        break;
      case "HashesArrived":
        this.hashesSince = null;
        this.takeHashes(message.sequences, message.data, now);
        break;
    }
    this.ask(now);
    return changed;
  }

  /** The answer to one of our checks; returns the segment that is known from now on. */
  checked(check: number, ok: boolean, now: number): number | null {
    const asked = this.checks.get(check);
    this.checks.delete(check);
    if (!asked) return null;
    const [record, hashes] = asked;
    if (!same(this.records.get(record.sequence), record)) return null;
    if (!ok) {
      this.failed(now);
      return null;
    }
    this.succeeded();
    this.hashes.set(record.sequence, hashes);
    return record.sequence;
  }

  timerAt(): number | null {
    const times = this.underWay().map((since) => since + ANSWER_TIMEOUT);
    if (this.pauseUntil && this.lacks()) times.push(this.pauseUntil);
    return earliest(times);
  }

  onTimer(now: number): void {
    if (this.underWay().some((since) => since + ANSWER_TIMEOUT <= now)) {
      this.pageSince = this.hashesSince = null;
      this.failed(now);
    }
    this.ask(now);
  }

  takeEvents(): Event[] {
    const events = this.events;
    this.events = [];
    return events;
  }

  // Asking

  private failed(now: number): void {
    this.pauseUntil = now + this.pause;
    this.pause = Math.min(this.pause * 2, LONGEST_PAUSE);
  }

  private succeeded(): void {
    this.pauseUntil = 0;
    this.pause = FIRST_PAUSE;
  }

  private underWay(): number[] {
    return [this.pageSince, this.hashesSince].filter((since) => since !== null);
  }

  private lacks(): boolean {
    return this.needed.some((sequence) => !this.knows(sequence));
  }

  private ask(now: number): void {
    if (now < this.pauseUntil) return;
    const { rendition } = this;
    if (this.pageSince === null) {
      const sequence = this.needed.find((needed) => !this.records.has(needed));
      if (sequence !== undefined) {
        this.pageSince = now;
        this.events.push({ type: "FetchManifest", rendition, sequence });
      }
    }
    if (this.hashesSince === null && !this.checks.size) {
      const sequences = this.unproved();
      if (sequences) {
        this.hashesSince = now;
        this.events.push({ type: "FetchHashes", rendition, sequences });
      }
    }
  }

  /** The first run of needed segments with a record and no hashes, no longer than a page. */
  private unproved(): Span | null {
    const lacks = (sequence: number): boolean =>
      this.records.has(sequence) && !this.hashes.has(sequence);
    const first = this.needed.find(lacks);
    if (first === undefined) return null;
    let last = first;
    while (last - first + 1 < PAGE_RECORDS && this.needed.includes(last + 1) && lacks(last + 1)) {
      last += 1;
    }
    return [first, last];
  }

  // Taking in

  private takePage(page: RenditionManifest, now: number): number[] {
    if (page.content !== this.content || page.rendition !== this.rendition) {
      throw new RemoteError("wrong_content", `a manifest of ${page.rendition}`);
    }
    if (page.time < this.time) {
      // A rolled-back or stale page would bring old segments back.
      this.failed(now);
      return [];
    }
    this.time = page.time;
    const changed: number[] = [];
    for (const record of page.segments) {
      const { sequence } = record;
      const known = this.records.get(sequence);
      if (known && !same(known, record)) {
        changed.push(sequence);
        this.hashes.delete(sequence);
      }
      this.records.set(sequence, record);
    }
    this.forgetBefore(page.first);
    const unknown = this.needed.filter((sequence) => !this.records.has(sequence));
    if (unknown.some((sequence) => sequence <= page.last)) return changed; // on another page
    if (unknown.length) this.failed(now); // not there yet
    else this.succeeded();
    return changed;
  }

  private forgetBefore(first: number): void {
    for (const sequence of this.records.keys()) {
      if (sequence >= first) continue;
      this.records.delete(sequence);
      this.hashes.delete(sequence);
    }
  }

  private takeHashes([first, last]: Span, data: Bytes | null, now: number): void {
    const known: SegmentRecord[] = [];
    for (let sequence = first; sequence <= last; sequence++) {
      const record = this.records.get(sequence);
      if (record) known.push(record);
    }
    const lists = data && known.length === last - first + 1 ? splitHashes(data, known) : null;
    if (!lists) {
      this.failed(now);
      return;
    }
    known.forEach((record, i) => {
      const hashes = lists[i];
      if (hashes) this.prove(record, hashes);
    });
  }

  private prove(record: SegmentRecord, hashes: Bytes): void {
    const { sequence, length, root } = record;
    const check = this.numbers();
    this.checks.set(check, [record, hashes]);
    const data = rootInput(this.content, this.rendition, sequence, length, [hashes]);
    this.events.push({ type: "Check", check, data, digest: fromHex(root) });
  }
}

/** Whether two records say the same; the decoder names their fields in one order. */
function same(a: SegmentRecord | undefined, b: SegmentRecord): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** The first of some times; null if there is none. */
export function earliest(times: Iterable<number | null>): number | null {
  let first: number | null = null;
  for (const at of times) if (at !== null) first = Math.min(at, first ?? at);
  return first;
}
