/**
 * The manifest of one rendition, as a peer comes to know it.
 *
 * The machine is told which segments matter (`need`) and sees to it that they become known:
 *
 *     unknown --FetchManifest--> record --FetchHashes--> unproved hashes --Check--> known
 *        |  '----FetchRecords----^                                                    ^
 *        '--offered over a link: records and hashes --Verify, Check-------------------'
 *
 * A hash list may come from anybody, since it must hash to the record's root. A record counts if it
 * came from the origin, or with its signature, by a key that the origin has told us. Only a *known*
 * segment may be asked of peers. What is older than the rendition's oldest segment will never be
 * known, and is not asked for, unless all that is needed is: then the rendition may have begun anew.
 *
 * Whoever brings records has to bring them in time. A page that is old, by what the origin's clock
 * says at least, may be of a rendition that has begun anew since; it is not looked at.
 */

import type { Bytes, Span } from "../model";
import {
  PAGE_RECORDS,
  fromBase64,
  fromHex,
  rootInput,
  splitHashes,
  type Key,
  type Records,
  type RenditionManifest,
  type SegmentRecord,
} from "../wire/manifest";
import { FEW, News, type Learned } from "./news";
import { Offers, type Forged, type Offer } from "./offers";
import type { Event, HashesArrived, ManifestArrived, ManifestFailed } from "./ports";
import { Question } from "./question";
import { Segments } from "./segments";

/** Gives out the numbers by which things are known: each is one more than the last. */
export type Numbers = () => number;

/** The origin's public keys by their ids, as its own pages tell them. */
export type Keys = Map<string, Key>;

/** Segments of a recording whose hashes are asked for at once, a request for each being dear. */
const BATCH = 6;

/** How many segments' durations old a page may be that somebody offers. */
const MOST_AGE = 5;

/** The segment can be verified from now on. */
export interface Known {
  readonly type: "Known";
  readonly sequence: number;
}

/** The rendition has begun anew: nothing is what its record said. */
export interface Renewed {
  readonly type: "Renewed";
}

export type ManifestEvent = Event | Known | Renewed | Learned | Forged;

/** Hashes that are said to be those of a record, until the check has answered. */
type Claim = readonly [SegmentRecord, Bytes];

/**
 * The records and hashes of one rendition of `content`.
 *
 * `keys` may be shared by the renditions of a content; without it, each learns its own.
 */
export class Manifest {
  private readonly _segments = new Segments();
  private readonly _offers: Offers;
  private readonly _news = new News(this._segments);
  /** By the number of the check that decides. */
  private readonly _claims = new Map<number, Claim>();
  private _needed: readonly number[] = [];
  /** Until when a segment is not asked for. */
  private _hold: ReadonlyMap<number, number> = new Map();
  private _heldUntil: number | null = null;
  private readonly _page = new Question();
  /** The segments that the page was asked for. */
  private _pageFor: Span = [0, 0];
  /** Whether just their records were asked for. */
  private _pageIsShort = false;
  /** Hashes; it is answered when they have been checked. */
  private readonly _proof = new Question();
  /** What the origin's clock is ahead of ours at least, in milliseconds. */
  private _clock = -Infinity;
  private readonly _events: ManifestEvent[] = [];

  constructor(
    readonly content: string,
    readonly rendition: string,
    private readonly _numbers: Numbers,
    private readonly _keys: Keys = new Map(),
  ) {
    this._offers = new Offers(_numbers);
  }

  // What is known

  record(sequence: number): SegmentRecord | undefined {
    return this._segments.record(sequence);
  }

  /** The proved hashes of a segment's chunks, one after the other; none if they are not known. */
  hashes(sequence: number): Bytes | undefined {
    return this._segments.hashes(sequence);
  }

  /** Whether every chunk of the segment can be verified. */
  knows(sequence: number): boolean {
    return this._segments.knows(sequence);
  }

  /** What a segment weighs on average; 0 if there is no record of any. */
  usualBytes(): number {
    return this._segments.usualBytes();
  }

  /** How long a segment lasts on average, in milliseconds; 0 if that is not known. */
  usualDuration(): number {
    return this._segments.usualDuration();
  }

  /** When the rendition began, as far as that is known; 0 if it is not. */
  get era(): number {
    return Math.max(this._segments.era, 0);
  }

  /** The newest segment that could be verified so far; -1 if there was none. */
  get newestKnown(): number {
    return this._segments.newestKnown;
  }

  // The five verbs

  /**
   * These segments matter now, in this order. Those that `hold` names are not asked for before
   * then, since others are about to offer them, unless we could not verify that.
   */
  need(
    sequences: readonly number[],
    now: number,
    hold: ReadonlyMap<number, number> = new Map(),
  ): void {
    this._needed = sequences;
    this._hold = this._keys.size ? hold : new Map<number, number>();
    this._ask(now);
  }

  /** Take an answer of the origin in. */
  receive(message: ManifestArrived | ManifestFailed | HashesArrived, now: number): void {
    switch (message.type) {
      case "ManifestArrived":
        this._takePage(message.page, now);
        break;
      case "ManifestFailed":
        this._page.failed(now);
        break;
      case "HashesArrived":
        this._takeHashes(message.sequences, message.data, now);
        break;
    }
    this._ask(now);
  }

  /**
   * The origin gives out something else than what the segment's record says: has the rendition begun
   * anew?
   */
  doubt(sequence: number, now: number): void {
    if (!this._page.mayAsk(now)) return;
    this._page.since = now;
    this._pageFor = [sequence, sequence];
    this._pageIsShort = false;
    this._events.push({ type: "FetchManifest", rendition: this.rendition, sequence });
  }

  /**
   * Somebody who need not be believed says what some live segments are: over a link, or (null) over
   * the tracker's socket.
   */
  offered({ page, hashes }: Records, link: number | null, now: number): void {
    if (!this._mayBelieve(page) || !page.live || !this._segments.lacks(page)) return;
    const signatures = page.signatures.filter(
      ({ key, algorithm }) => this._keys.get(key)?.algorithm === algorithm,
    );
    if (!signatures.length || this._isOld(page, now)) return;
    const proofs = signatures.map(({ key, algorithm, value }) => ({
      algorithm,
      key: bytesOf(this._keys.get(key)?.public),
      signature: bytesOf(value),
    }));
    // Whatever else stands beside the page is not passed on with it.
    const bare = { ...page, signatures, keys: [] };
    this._offers.take({ type: "records", page: bare, hashes }, proofs, link, now);
  }

  /** The answer to one of our checks. */
  checked(check: number, ok: boolean, now: number): void {
    const claim = this._claims.get(check);
    const offer = this._offers.checked(check, ok);
    this._claims.delete(check);
    if (claim) this._decide(claim, ok, now);
    else if (offer) this._takeOffer(offer, now);
    this._ask(now);
  }

  timerAt(): number | null {
    const { _page: page, _proof: proof, _offers: offers } = this;
    return earliest([page.timerAt(), proof.timerAt(), offers.timerAt(), this._heldUntil]);
  }

  onTimer(now: number): void {
    this._page.onTimer(now);
    this._proof.onTimer(now);
    this._offers.onTimer(now);
    this._ask(now);
  }

  takeEvents(): ManifestEvent[] {
    return [...this._events.splice(0), ...this._offers.takeEvents()];
  }

  // Asking

  private _ask(now: number): void {
    const { rendition } = this;
    const unknown = this._run((sequence) => this._hasNoRecord(sequence), now);
    if (this._page.mayAsk(now) && unknown) {
      this._page.since = now;
      this._pageFor = unknown;
      this._events.push(this._question());
    }
    const sequences = this._run((sequence) => this._hasNoHashes(sequence), now);
    if (this._proof.mayAsk(now) && sequences) {
      this._proof.since = now;
      this._claims.clear();
      this._events.push({
        type: "FetchHashes",
        rendition,
        sequences: this._withNext(sequences),
      });
    }
    const held = this._needed.map((needed) => (this.knows(needed) ? 0 : this._heldTo(needed)));
    this._heldUntil = earliest(held.filter((at) => at > now));
  }

  private _question(): Event {
    const { rendition, _pageFor: sequences } = this;
    const [sequence, last] = sequences;
    this._pageIsShort = this._segments.live && last - sequence < FEW;
    return this._pageIsShort
      ? { type: "FetchRecords", rendition, sequences }
      : { type: "FetchManifest", rendition, sequence };
  }

  private _hasNoRecord(sequence: number): boolean {
    const oldest = Math.min(this._segments.first, Math.max(...this._needed));
    return !this.record(sequence) && sequence >= oldest;
  }

  private _hasNoHashes(sequence: number): boolean {
    return this.record(sequence) !== undefined && !this.knows(sequence);
  }

  private _heldTo(sequence: number): number {
    return this._hold.get(sequence) ?? -Infinity;
  }

  /**
   * The first run of needed segments that lack something, no longer than a page; without those that
   * others have offered or are about to.
   */
  private _run(lacks: (sequence: number) => boolean, now: number): Span | null {
    const due = (sequence: number): boolean =>
      lacks(sequence) && this._heldTo(sequence) <= now && !this._offers.covers(sequence);
    const first = this._needed.find(due);
    if (first === undefined) return null;
    let last = first;
    while (last - first + 1 < PAGE_RECORDS && this._needed.includes(last + 1) && due(last + 1)) {
      last += 1;
    }
    return [first, last];
  }

  /** Of a recording with those that follow: they will be needed, too. */
  private _withNext([first, last]: Span): Span {
    if (!this._segments.live) {
      while (last - first + 1 < BATCH && this._hasNoHashes(last + 1)) last += 1;
    }
    return [first, last];
  }

  // Taking in

  private _mayBelieve(page: RenditionManifest): boolean {
    const ours = page.content === this.content && page.rendition === this.rendition;
    return ours && this._segments.fits(page);
  }

  private _isOld({ time }: RenditionManifest, now: number): boolean {
    const most = MOST_AGE * this.usualDuration();
    return most > 0 && now * 1_000 + this._clock - time > most;
  }

  private _takePage(page: RenditionManifest, now: number): void {
    if (!this._mayBelieve(page)) {
      this._page.failed(now);
      return;
    }
    this._learnKeys(page.keys);
    this._believe(page, now);
    if (this._pageIsShort) {
      this._news.page(page);
      this._events.push(...this._news.ripe());
    }
    if (this.record(this._pageFor[0])) this._page.answered();
    else this._page.failed(now); // not there yet, or not any more
  }

  /** The last page says which keys there are. */
  private _learnKeys(keys: readonly Key[]): void {
    if (keys.length) this._keys.clear();
    for (const key of keys) this._keys.set(key.id, key);
  }

  /** An offer is proved, and counts unless something newer has come meanwhile. */
  private _takeOffer({ records, hashes, link }: Offer, now: number): void {
    const { page } = records;
    if (!this._segments.fits(page)) return;
    this._believe(page, now);
    page.segments.forEach((record, i) => {
      this._know(record, hashes[i]);
    });
    this._events.push(...this._news.proved(records, link));
  }

  private _believe(page: RenditionManifest, now: number): void {
    this._clock = Math.max(this._clock, page.time - now * 1_000);
    if (!this._segments.believe(page)) return;
    this._news.renewed();
    this._events.push({ type: "Renewed" });
  }

  private _know(record: SegmentRecord, hashes: Bytes | undefined): void {
    const { sequence } = record;
    if (hashes && this._segments.know(record, hashes)) {
      this._events.push({ type: "Known", sequence });
    }
  }

  private _takeHashes([first, last]: Span, data: Bytes | null, now: number): void {
    const known: SegmentRecord[] = [];
    for (let sequence = first; sequence <= last; sequence++) {
      const record = this.record(sequence);
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

  /** A check has answered. */
  private _decide([record, hashes]: Claim, ok: boolean, now: number): void {
    if (!ok) {
      this._proof.failed(now);
      return;
    }
    if (!this._claims.size && this._proof.since !== null) this._proof.answered();
    this._know(record, hashes);
    this._events.push(...this._news.ripe());
  }
}

function bytesOf(text: string | undefined): Bytes {
  return fromBase64(text ?? "") ?? new Uint8Array();
}

/** The first of some times; null if there is none. */
export function earliest(times: Iterable<number | null>): number | null {
  let first: number | null = null;
  for (const at of times) if (at !== null) first = Math.min(at, first ?? at);
  return first;
}
