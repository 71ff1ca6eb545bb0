/**
 * What is known of one rendition: its records, and the chunk hashes behind their roots.
 *
 * The machine is told which segments matter (`need`) and sees to it that they become known:
 *
 *     unknown --FetchManifest--> record --FetchHashes--> unproved hashes --Check--> known
 *
 * A hash list may come from anybody, since it must hash to the record's root. What fails is asked
 * for again, after a pause that doubles. Only a *known* segment may be asked of peers. What is older
 * than the rendition's oldest segment will never be known, and is not asked for.
 */

import type { Bytes, Span } from "../model";
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

/** Something that the origin is asked for, once at a time and with a pause after a failure. */
class Question {
  /** When it was asked, if it is not answered yet. */
  since: number | null = null;
  /** When the pause ends, if there is one. */
  private _until: number | null = null;
  private _pause = FIRST_PAUSE;

  mayAsk(now: number): boolean {
    if (this._until !== null && this._until <= now) this._until = null;
    return this.since === null && this._until === null;
  }

  answered(): void {
    this.since = this._until = null;
    this._pause = FIRST_PAUSE;
  }

  failed(now: number): void {
    if (this.since === null) return;
    this.since = null;
    this._until = now + this._pause;
    this._pause = Math.min(this._pause * 2, LONGEST_PAUSE);
  }

  timerAt(): number | null {
    return this.since === null ? this._until : this.since + ANSWER_TIMEOUT;
  }

  onTimer(now: number): void {
    if (this.since !== null && this.since + ANSWER_TIMEOUT <= now) this.failed(now);
  }
}

/** Hashes that are said to be those of a record, until the check has answered. */
type Claim = readonly [SegmentRecord, Bytes];

/** The records and hashes of one rendition of `content`. */
export class Manifest {
  private readonly _records = new Map<number, SegmentRecord>();
  private readonly _hashes = new Map<number, Bytes>();
  /** By the number of the check that decides. */
  private readonly _claims = new Map<number, Claim>();
  private _time = -1;
  /** Sequence of the oldest segment of the rendition. */
  private _first = 0;
  private _needed: readonly number[] = [];
  private readonly _page = new Question();
  /** The segment that the page was asked for. */
  private _pageFor = 0;
  /** Hashes; it is answered when they have been checked. */
  private readonly _proof = new Question();
  private _events: Event[] = [];

  constructor(
    readonly content: string,
    readonly rendition: string,
    private readonly _numbers: Numbers,
  ) {}

  // What is known

  record(sequence: number): SegmentRecord | undefined {
    return this._records.get(sequence);
  }

  /** The proved hashes of a segment's chunks, one after the other; none if they are not known. */
  hashes(sequence: number): Bytes | undefined {
    return this._hashes.get(sequence);
  }

  /** Whether every chunk of the segment can be verified. */
  knows(sequence: number): boolean {
    return this._hashes.has(sequence);
  }

  // The five verbs

  /** These segments matter now, in this order. */
  need(sequences: readonly number[], now: number): void {
    this._needed = sequences;
    this._ask(now);
  }

  /** Take an answer in; returns the segments whose records have changed since. */
  receive(message: ManifestArrived | ManifestFailed | HashesArrived, now: number): number[] {
    let changed: number[] = [];
    switch (message.type) {
      case "ManifestArrived":
        changed = this._takePage(message.page, now);
        break;
      case "ManifestFailed":
        this._page.failed(now);
        break;
      case "HashesArrived":
        this._takeHashes(message.sequences, message.data, now);
        break;
    }
    this._ask(now);
    return changed;
  }

  /** The answer to one of our checks; returns the segment that is known from now on. */
  checked(check: number, ok: boolean, now: number): number | null {
    const claim = this._claims.get(check);
    this._claims.delete(check);
    if (!claim) return null;
    const [record, hashes] = claim;
    if (!ok) this._proof.failed(now);
    else if (!this._claims.size && this._proof.since !== null) this._proof.answered();
    if (!ok || !same(this._records.get(record.sequence), record)) return null;
    this._hashes.set(record.sequence, hashes);
    return record.sequence;
  }

  timerAt(): number | null {
    return earliest([this._page.timerAt(), this._proof.timerAt()]);
  }

  onTimer(now: number): void {
    this._page.onTimer(now);
    this._proof.onTimer(now);
    this._ask(now);
  }

  takeEvents(): Event[] {
    const events = this._events;
    this._events = [];
    return events;
  }

  // Asking

  /** The first needed segment that has no record and may have one. */
  private _unknown(): number | undefined {
    return this._needed.find((needed) => !this._records.has(needed) && needed >= this._first);
  }

  private _ask(now: number): void {
    const { rendition } = this;
    const sequence = this._unknown();
    if (this._page.mayAsk(now) && sequence !== undefined) {
      this._page.since = now;
      this._pageFor = sequence;
      this._events.push({ type: "FetchManifest", rendition, sequence });
    }
    const sequences = this._unproved();
    if (this._proof.mayAsk(now) && sequences) {
      this._proof.since = now;
      this._claims.clear();
      this._events.push({ type: "FetchHashes", rendition, sequences });
    }
  }

  /** The first run of needed segments with a record and no hashes, no longer than a page. */
  private _unproved(): Span | null {
    const lacks = (sequence: number): boolean =>
      this._records.has(sequence) && !this._hashes.has(sequence);
    const first = this._needed.find(lacks);
    if (first === undefined) return null;
    let last = first;
    while (last - first + 1 < PAGE_RECORDS && this._needed.includes(last + 1) && lacks(last + 1)) {
      last += 1;
    }
    return [first, last];
  }

  // Taking in

  private _takePage(page: RenditionManifest, now: number): number[] {
    const ours = page.content === this.content && page.rendition === this.rendition;
    if (!ours || page.time < this._time) {
      // A rolled-back or stale page would bring old segments back.
      this._page.failed(now);
      return [];
    }
    this._time = page.time;
    const changed: number[] = [];
    for (const record of page.segments) {
      const { sequence } = record;
      const known = this._records.get(sequence);
      if (known && !same(known, record)) {
        changed.push(sequence);
        this._hashes.delete(sequence);
      }
      this._records.set(sequence, record);
    }
    this._forgetBefore(page.first);
    if (this._records.has(this._pageFor)) this._page.answered();
    else this._page.failed(now); // not there yet, or not any more
    return changed;
  }

  private _forgetBefore(first: number): void {
    this._first = first;
    for (const sequence of this._records.keys()) {
      if (sequence >= first) continue;
      this._records.delete(sequence);
      this._hashes.delete(sequence);
    }
  }

  private _takeHashes([first, last]: Span, data: Bytes | null, now: number): void {
    const known: SegmentRecord[] = [];
    for (let sequence = first; sequence <= last; sequence++) {
      const record = this._records.get(sequence);
      if (record) known.push(record);
    }
    const lists = data && known.length === last - first + 1 ? splitHashes(data, known) : null;
    if (!lists?.length) {
      this._proof.failed(now);
      return;
    }
    this._proof.since = now; // the checks are given their time, too
    known.forEach((record, i) => {
      const hashes = lists[i];
      if (hashes) this._prove(record, hashes);
    });
  }

  private _prove(record: SegmentRecord, hashes: Bytes): void {
    const { sequence, length, root } = record;
    const check = this._numbers();
    this._claims.set(check, [record, hashes]);
    const data = rootInput(this.content, this.rendition, sequence, length, [hashes]);
    this._events.push({ type: "Check", check, data, digest: fromHex(root) });
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
