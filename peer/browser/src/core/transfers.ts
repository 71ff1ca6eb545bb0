/**
 * Everything that is on its way in, and what has arrived: manifests, transfers, fetches, the store.
 *
 * This machine knows sources only by what they bring; whom to ask is the scheduler's business. A
 * chunk that passes its check is stored and reported as `Kept`; one that fails as `ChunkRejected`.
 */

import type { SourceReason } from "../errors";
import {
  CHUNK_SIZE,
  bytesOf,
  chunkCount,
  chunkLength,
  forgetOldest,
  segmentId,
  type Bytes,
  type ChunkKey,
  type SegmentKey,
  type Span,
} from "../model";
import type { Records } from "../wire/manifest";
import { Moved } from "./account";
import { bitOf, maskOf, run, type Mask } from "./bits";
import { Http } from "./http";
import { Manifest, earliest, type Keys, type Numbers } from "./manifest";
import type { Learned } from "./news";
import type { Forged } from "./offers";
import type {
  Checked,
  Demand,
  Event,
  HashesArrived,
  Loaded,
  ManifestArrived,
  ManifestFailed,
  RangeData,
  RangeDone,
  RangeFailed,
  Recalled,
  Rule,
} from "./ports";
import type { Stats } from "./stats";
import type { Store } from "./store";
import { Fetch, SILENCE, Transfer, type Copy } from "./transfer";

/** So often the origin may fail a segment before the player is told to try by itself. */
const MOST_FAILURES = 3;
/** Of a segment, where nothing is known of its like. */
const USUAL_BYTES = 1_000_000;
/** Segments loaded past us that may wait for their hashes. */
const MOST_WAITING = 8;
/**
 * Segments of which it is remembered that the player was not given what has come of them: twice as
 * many as the account keeps waiting, so that none counts as given because it was forgotten.
 */
const MOST_AHEAD = 1024;
/** Segments of which it is remembered when they became known. */
const MOST_KNOWN = 256;

/** A chunk was verified and is held now. `link` is who brought it, if a link did. */
export interface Kept {
  readonly type: "Kept";
  readonly key: ChunkKey;
  readonly size: number;
  readonly link: number | null;
}

/** A chunk is held no longer, or will not come from the origin after all. */
export interface Dropped {
  readonly type: "Dropped";
  readonly segment: SegmentKey;
  readonly chunks: readonly number[];
}

/** A demand for a segment that is not known yet. */
interface Awaited {
  readonly key: SegmentKey;
  /** When the play head gets there. */
  readonly deadline: number;
  /** When the player is told to load it by itself. */
  readonly until: number;
}

/** A segment of so many chunks is no longer what was asked of links. */
export interface Forgotten {
  readonly type: "Forgotten";
  readonly segment: SegmentKey;
  readonly chunks: number;
}

/** A rendition has begun anew; what was held of it, or on its way, is given up. */
export interface Anew {
  readonly type: "Anew";
  readonly rendition: string;
}

export type TransferEvent = Event | Kept | Dropped | Forgotten | Anew | Learned | Forged;

type Input =
  | ManifestArrived
  | ManifestFailed
  | HashesArrived
  | Loaded
  | Recalled
  | RangeData
  | RangeDone
  | RangeFailed
  | Checked;

/** The incoming half of a node for one content. */
export class Transfers {
  readonly http = new Http();
  /** Bytes that arrived and were not kept. */
  wasted = 0;
  private readonly _manifests = new Map<string, Manifest>();
  private readonly _keys: Keys = new Map();
  private readonly _transfers = new Map<string, Transfer>();
  private readonly _fetches = new Map<number, Fetch>();
  /** Bytes that links have brought, of whatever use. */
  private _fromLinks = 0;
  /** Chunks of which the origin has sent something, of whatever use, since the last report. */
  fromOrigin = new Moved();
  /**
   * Segments of which links, or the origin before the player had asked for it, have brought us
   * something, and the player was not given.
   */
  readonly ahead = new Map<string, SegmentKey>();
  private readonly _checks = new Map<number, Manifest | Transfer>();
  /** Demanded, and not known yet. */
  private readonly _awaited = new Map<string, Awaited>();
  private readonly _waiting = new Map<string, Loaded>();
  private readonly _knownAt = new Map<string, number>();
  private readonly _events: TransferEvent[] = [];

  constructor(
    private readonly _content: string,
    readonly store: Store,
    readonly stats: Stats,
    private readonly _numbers: Numbers,
  ) {}

  // What is known

  /** What is known of a rendition. */
  manifest(rendition: string): Manifest {
    let manifest = this._manifests.get(rendition);
    if (!manifest) {
      manifest = new Manifest(this._content, rendition, this._numbers, this._keys);
      this._manifests.set(rendition, manifest);
    }
    return manifest;
  }

  /** When a rendition began, as far as that is known; 0 if it is not. */
  era(rendition: string): number {
    return this._manifests.get(rendition)?.era ?? 0;
  }

  /** Whether the segment can be verified, and so be had from anybody. */
  knows({ rendition, sequence }: SegmentKey): boolean {
    return this._manifests.get(rendition)?.knows(sequence) ?? false;
  }

  /** When a segment became known. */
  knownAt(key: SegmentKey, now: number): number {
    return this._knownAt.get(segmentId(key)) ?? now;
  }

  /** Whether all of a segment is held. */
  holds(key: SegmentKey): boolean {
    const record = this.manifest(key.rendition).record(key.sequence);
    if (!record) return false;
    return this.store.mask(key) === run(0, chunkCount(record.length) - 1);
  }

  /** What a segment of a rendition weighs, as far as we know. */
  usualBytes(rendition: string): number {
    return this.manifest(rendition).usualBytes() || USUAL_BYTES;
  }

  /** The transfers that are not complete. */
  open(): Transfer[] {
    return [...this._transfers.values()];
  }

  transfer(key: SegmentKey): Transfer | undefined {
    return this._transfers.get(segmentId(key));
  }

  // What is wanted

  /**
   * The player asks for a segment. One that is not known yet may become so, if there is time and
   * somebody who could bring it: records of a live stream come from neighbours, a moment after the
   * playlist that names their segment.
   */
  demand({ key, within }: Demand, company: boolean, now: number): void {
    this._awaited.delete(segmentId(key));
    const deadline = now + within;
    if (this._demand(key, deadline, now)) return;
    const until = deadline - this.http.takes(this.usualBytes(key.rendition));
    // Who is in no hurry may wait for what the origin says, too.
    const patient = company || within === Infinity;
    if (patient && until > now) this._awaited.set(segmentId(key), { key, deadline, until });
    else this._events.push({ type: "SegmentFailed", key, reason: "missing" });
  }

  private _demand(key: SegmentKey, deadline: number, now: number): boolean {
    const transfer = this.begin(key, now);
    if (!transfer) return false;
    if (transfer.demanded === null) transfer.since = now;
    transfer.demanded = deadline;
    this._finish(transfer);
    return true;
  }

  /** The player no longer asks for it; what has arrived stays. */
  release(key: SegmentKey): void {
    this._awaited.delete(segmentId(key));
    const transfer = this.transfer(key);
    if (!transfer) return;
    transfer.demanded = null;
    for (const fetch of this._fetchesOf(key)) {
      this._abort(fetch);
      this._dropped(fetch);
    }
  }

  /** The transfer of a segment, begun if need be; none if it can't be verified yet. */
  begin(key: SegmentKey, now: number): Transfer | undefined {
    const begun = this.transfer(key);
    if (begun || !this.knows(key)) return begun;
    const manifest = this.manifest(key.rendition);
    const record = manifest.record(key.sequence);
    const hashes = manifest.hashes(key.sequence);
    if (!record || !hashes) return undefined;
    const held = this.store.mask(key);
    const transfer = new Transfer(key, record, hashes, held, now, this.knownAt(key, now));
    this._transfers.set(segmentId(key), transfer);
    return transfer;
  }

  /** End the transfers that are neither demanded nor wanted ahead. */
  keepOnly(wanted: ReadonlySet<string>): void {
    for (const [id, transfer] of this._transfers) {
      const { demanded, busy } = transfer;
      if (demanded === null && !wanted.has(id) && !busy) this._transfers.delete(id);
    }
  }

  /**
   * These segments' records and hashes are needed, in this order; those that `hold` names not
   * before then, since neighbours are about to tell them.
   */
  need(wanted: Map<string, number[]>, hold: ReadonlyMap<number, number>, now: number): void {
    for (const { key } of [...this._awaited.values(), ...this._waiting.values()]) {
      const sequences = wanted.get(key.rendition) ?? [];
      wanted.set(key.rendition, sequences);
      if (!sequences.includes(key.sequence)) sequences.push(key.sequence);
    }
    for (const [rendition, sequences] of wanted) {
      const manifest = this.manifest(rendition);
      manifest.need(sequences, now, hold);
      this._gather(manifest, now);
    }
  }

  /** Somebody says what some live segments are, over a link or over the tracker's socket. */
  offered(records: Records, link: number | null, now: number): void {
    const manifest = this._manifests.get(records.page.rendition);
    if (!manifest) return;
    manifest.offered(records, link, now);
    this._gather(manifest, now);
  }

  /** Ask the origin for a run of chunks. */
  fetch(transfer: Transfer, chunks: Span, rule: Rule, now: number): void {
    transfer.askedOrigin(chunks);
    const { key, stale: fresh } = transfer;
    const { length } = transfer.record;
    const fetch = new Fetch(this._numbers(), key, length, chunks, fresh);
    fetch.beside = this._fromLinks;
    fetch.heard = now;
    this._fetches.set(fetch.number, fetch);
    let coming = 0; // they share the line
    for (const other of this._fetches.values()) coming += other.due;
    fetch.expected = now + this.http.takes(coming);
    const span = bytesOf(length, chunks);
    const whole = span[0] === 0 && span[1] === length - 1;
    this._events.push({ type: "FetchRange", fetch: fetch.number, key, span, whole, fresh, rule });
  }

  /**
   * The chunks of a segment that answers of the origin are still to bring, and those of them that
   * are late.
   */
  fetched(key: SegmentKey, now: number): { left: Mask; late: Mask } {
    let [left, late] = [0n, 0n];
    for (const fetch of this._fetchesOf(key)) {
      const chunks = maskOf(fetch.left());
      left |= chunks;
      if (fetch.lateAt <= now) late |= chunks;
    }
    return { left, late };
  }

  /** Until when the origin counts as bringing some of a segment, unless more of it comes. */
  comesUntil(key: SegmentKey): number {
    return Math.max(...this._fetchesOf(key).map(({ heard }) => heard + SILENCE));
  }

  /** When the next answer of the origin will be late; null if none is that is not late already. */
  lateAt(now: number): number | null {
    const times = Array.from(this._fetches.values(), ({ lateAt }) => lateAt);
    return earliest(times.filter((at) => at > now && at < Infinity));
  }

  /** For so many seconds nobody took in what the origin brought, nor what was checked. */
  overslept(late: number, now: number): void {
    for (const fetch of this._fetches.values()) {
      fetch.heard = Math.min(fetch.heard + late, now);
      fetch.expected += late;
    }
    for (const transfer of this.open()) transfer.overslept(late, now);
  }

  /** What the origin is about to bring. */
  loading(): (readonly [SegmentKey, number[]])[] {
    return this.open().map(({ key }) => [key, this._fetchesOf(key).flatMap((fetch) => fetch.left())]);
  }

  /** A link brought a chunk; whether anybody still has a use for it. */
  fromLink(link: number, key: ChunkKey, data: Bytes, now: number): boolean {
    this._fromLinks += data.length;
    const transfer = this.transfer(key);
    if (transfer) return this._arrived(transfer, { chunk: key.chunk, data, link }, now);
    this.wasted += data.length;
    return false;
  }

  /** A link will not bring a chunk. */
  lost(key: ChunkKey): void {
    const transfer = this.transfer(key);
    transfer?.lost(key.chunk, "peer");
    if (transfer) this._backToOrigin(transfer, key.chunk);
  }

  /** Keep the store within its bound. */
  evict(head: number, ahead: ReadonlySet<string>): void {
    if (this.store.size <= this.store.limit) return;
    const pinned = new Set([...ahead, ...this._transfers.keys()]);
    for (const [segment, chunks] of this.store.evict(head, pinned)) {
      this._events.push({ type: "Dropped", segment, chunks });
    }
  }

  // The five verbs

  receive(message: Input, now: number): void {
    switch (message.type) {
      case "ManifestArrived":
        this._hear(message.page.rendition, message, now);
        break;
      case "ManifestFailed":
      case "HashesArrived":
        this._hear(message.rendition, message, now);
        break;
      case "Loaded":
        this._loaded(message, now);
        break;
      case "Recalled":
        this._recalled(message, now);
        break;
      case "RangeData":
        this._rangeData(message.fetch, message.data, now);
        break;
      case "RangeDone":
        this._rangeDone(message, now);
        break;
      case "RangeFailed":
        this._rangeFailed(message.fetch, message.reason, now);
        break;
      case "Checked":
        this._checked(message.check, message.ok, now);
        break;
    }
  }

  timerAt(): number | null {
    const machines = [...this._manifests.values(), ...this._transfers.values()];
    const awaited = [...this._awaited.values()].map(({ until }) => until);
    return earliest([...machines.map((machine) => machine.timerAt()), ...awaited]);
  }

  onTimer(now: number): void {
    for (const [id, { key, until }] of this._awaited) {
      if (until > now) continue;
      this._awaited.delete(id);
      this._events.push({ type: "SegmentFailed", key, reason: "missing" });
    }
    for (const manifest of this._manifests.values()) {
      if ((manifest.timerAt() ?? Infinity) > now) continue;
      manifest.onTimer(now);
      this._gather(manifest, now);
    }
    for (const transfer of this.open()) {
      for (const check of transfer.checksBefore(now)) this._checked(check, null, now);
    }
  }

  /** Whether `takeEvents` would bring any. */
  get hasEvents(): boolean {
    return this._events.length > 0;
  }

  takeEvents(): TransferEvent[] {
    return this._events.splice(0);
  }

  // Manifests

  private _hear(
    rendition: string,
    message: ManifestArrived | ManifestFailed | HashesArrived,
    now: number,
  ): void {
    const manifest = this.manifest(rendition);
    manifest.receive(message, now);
    this._gather(manifest, now);
  }

  private _gather(manifest: Manifest, now: number): void {
    const { rendition } = manifest;
    for (const event of manifest.takeEvents()) {
      if (event.type === "Known") {
        this._known({ rendition, sequence: event.sequence }, now);
      } else if (event.type === "Renewed") {
        this._renew(rendition);
      } else {
        if ("check" in event) this._checks.set(event.check, manifest);
        this._events.push(event);
      }
    }
  }

  /** The rendition has begun anew: nothing that is held of it is what it was. */
  private _renew(rendition: string): void {
    const keys = [...[...this.open()].map(({ key }) => key), ...this.store.segments()];
    for (const key of keys) if (key.rendition === rendition) this._forget(key);
    this._events.push({ type: "Anew", rendition });
  }

  /** The segment is no longer what it was. */
  private _forget(key: SegmentKey): void {
    this._knownAt.delete(segmentId(key));
    const transfer = this.transfer(key);
    const demanded = transfer?.demanded ?? null;
    this._transfers.delete(segmentId(key));
    if (demanded !== null) this._events.push({ type: "SegmentFailed", key, reason: "integrity" });
    for (const fetch of this._fetchesOf(key)) {
      this._abort(fetch);
      this._dropped(fetch);
    }
    const chunks = this.store.drop(key);
    if (chunks.length) this._events.push({ type: "Dropped", segment: key, chunks });
    if (!transfer) return;
    this._events.push({ type: "Forgotten", segment: key, chunks: chunkCount(transfer.record.length) });
  }

  // Arrivals

  private _loaded(loaded: Loaded, now: number): void {
    const { key, data, cached, ttfb = 0, took = 0, at } = loaded;
    // What is being checked will count for whoever brought it.
    const there = this.store.sizeOf(key) + (this.transfer(key)?.bytesChecking() ?? 0);
    const held = Math.min(there, data.length);
    this.wasted += held;
    this.stats[cached ? "cacheBytes" : "originBytes"] += data.length - held;
    if (!cached) {
      const last = chunkCount(data.length) - 1;
      this.fromOrigin.addRun(key, [0, last], data.length - last * CHUNK_SIZE);
    }
    if (took && !cached) this.http.answered(data.length, ttfb, took, at ?? now);
    if (this.knows(key)) {
      this._adopt(loaded, now);
      return;
    }
    this._waiting.set(segmentId(key), loaded);
    forgetOldest(this._waiting, MOST_WAITING);
  }

  /** Take what was loaded past us apart, to check and share it. */
  private _adopt({ key, data }: Loaded, now: number): void {
    const transfer = this.begin(key, now);
    // Not what the manifest says: of no use to anybody else.
    if (transfer?.record.length !== data.length) return;
    for (let chunk = 0; chunk < chunkCount(data.length); chunk++) {
      const start = chunk * CHUNK_SIZE;
      this._arrived(transfer, { chunk, data: data.slice(start, start + CHUNK_SIZE) }, now);
    }
  }

  /** What is still there from before is held again, and announced. */
  private _recalled({ key: segment, chunk, data }: Recalled, now: number): void {
    const transfer = this.begin(segment, now);
    if (!transfer?.recalled(chunk)) return;
    const key = { ...segment, chunk };
    this.store.put(key, data);
    this._events.push({ type: "Kept", key, size: data.length, link: null });
    this._spare(transfer);
    this._finish(transfer);
  }

  /** Whether a chunk that is there now is one more. */
  private _arrived(transfer: Transfer, copy: Copy, now: number): boolean {
    const check = transfer.arrived(copy, this._numbers, now);
    if (check) {
      this._checks.set(check.check, transfer);
      this._events.push(check);
    } else {
      this._waste(copy);
    }
    return check !== null;
  }

  /** The copy is not kept. What the shell loaded past us went to the player all the same. */
  private _waste({ link, fetch, data }: Copy): void {
    if (link !== undefined || fetch) this.wasted += data.length;
  }

  /** What a check said; null: nothing, for too long. */
  private _checked(check: number, ok: boolean | null, now: number): void {
    const owner = this._checks.get(check);
    this._checks.delete(check);
    if (owner instanceof Manifest) {
      owner.checked(check, ok === true, now);
      this._gather(owner, now);
    } else if (owner) {
      const copy = owner.checked(check, ok === true);
      if (!copy) return;
      // The segment may no longer be what the copy was checked against.
      if (this.transfer(owner.key) !== owner) this._waste(copy);
      else if (ok) this._keep(owner, copy);
      else this._reject(owner, copy, ok !== null, now);
    }
  }

  /** The segment can be verified from now on. */
  private _known(key: SegmentKey, now: number): void {
    const id = segmentId(key);
    this._knownAt.set(id, now);
    forgetOldest(this._knownAt, MOST_KNOWN);
    const loaded = this._waiting.get(id);
    this._waiting.delete(id);
    if (loaded) this._adopt(loaded, now);
    const awaited = this._awaited.get(id);
    this._awaited.delete(id);
    if (awaited) this._demand(key, awaited.deadline, now);
  }

  private _keep(transfer: Transfer, copy: Copy): void {
    const { chunk, data, link = null } = copy;
    const key = { ...transfer.key, chunk };
    this.store.put(key, data);
    this._count(copy);
    // What the player has asked the origin for, a plain one would have asked for as well.
    if (link !== null || (copy.fetch && transfer.demanded === null)) {
      // Nor has the player been given it if the store drops it.
      this.ahead.delete(segmentId(key));
      forgetOldest(this.ahead.set(segmentId(key), transfer.key), MOST_AHEAD);
    }
    this._events.push({ type: "Kept", key, size: data.length, link });
    this._spare(transfer);
    this._finish(transfer);
  }

  private _reject(transfer: Transfer, copy: Copy, proved: boolean, now: number): void {
    const { key } = transfer;
    const { chunk, fetch, link = null } = copy;
    this.stats.rejectedChunks += 1;
    this._waste(copy);
    this._events.push({ type: "ChunkRejected", key, chunk, link, proved });
    if (!this._backToOrigin(transfer, chunk) && fetch) {
      this._events.push({ type: "Dropped", segment: key, chunks: [chunk] });
    }
    if (link === null) {
      this.stats.originMismatches += 1;
      transfer.stale = true;
    }
    if (fetch) this._blame(fetch, "integrity", now);
  }

  /** Somebody does not bring the chunk: an answer of the origin may still be about to. */
  private _backToOrigin(transfer: Transfer, chunk: number): boolean {
    const coming = this._fetchesOf(transfer.key).some((fetch) => fetch.left().includes(chunk));
    if (coming && transfer.missing & bitOf(chunk)) transfer.askedOrigin([chunk, chunk]);
    return coming;
  }

  private _count({ link, fetch, data }: Copy): void {
    if (link !== undefined) this.stats.peerBytes += data.length;
    else if (fetch) {
      fetch.kept += data.length;
      if (!this._fetches.has(fetch.number)) this._settle(fetch);
    }
  }

  /** Enter what a fetch has brought, which is over, into the figures. */
  private _settle(fetch: Fetch): void {
    this.stats[fetch.cached ? "cacheBytes" : "originBytes"] += fetch.kept;
    fetch.kept = 0;
  }

  /** Hand a complete segment to the player, if he asked for it. */
  private _finish(transfer: Transfer): void {
    if (!transfer.complete) return;
    const { key, demanded, originBytes, peerBytes } = transfer;
    this._transfers.delete(segmentId(key));
    if (demanded === null) return;
    this.ahead.delete(segmentId(key));
    const data = this.store.assemble(key);
    this._events.push({ type: "SegmentReady", key, data, originBytes, peerBytes });
  }

  // The origin

  private _fetchesOf(key: SegmentKey): Fetch[] {
    return [...this._fetches.values()].filter((fetch) => segmentId(fetch.key) === segmentId(key));
  }

  private _rangeData(number: number, data: Bytes, now: number): void {
    const fetch = this._fetches.get(number);
    if (!fetch) {
      this.wasted += data.length;
      return;
    }
    fetch.heard = now;
    const whole = fetch.take(data);
    if (!whole) {
      this._abort(fetch);
      this._failed(fetch, "length", now);
      return;
    }
    const transfer = this.transfer(fetch.key);
    for (const [chunk, piece] of whole) {
      if (transfer) this._arrived(transfer, { chunk, data: piece, fetch }, now);
      else this.wasted += piece.length;
    }
  }

  private _rangeDone(done: RangeDone, now: number): void {
    const fetch = this._fetches.get(done.fetch);
    if (!fetch) return;
    fetch.cached = done.cached;
    this._close(fetch);
    if (!done.cached) {
      const beside = this._fromLinks - fetch.beside;
      this.http.answered(fetch.received, done.ttfb, done.took, now, beside);
    }
    if (fetch.left().length) this._failed(fetch, "length", now);
  }

  private _rangeFailed(number: number, reason: SourceReason, now: number): void {
    const fetch = this._fetches.get(number);
    if (!fetch) return;
    this._close(fetch);
    this._failed(fetch, reason, now);
  }

  private _failed(fetch: Fetch, reason: SourceReason, now: number): void {
    this._dropped(fetch);
    this._blame(fetch, reason, now);
  }

  /** What a fetch has not brought may come from elsewhere, and nobody need wait for us. */
  private _dropped(fetch: Fetch): void {
    const { key: segment } = fetch;
    const transfer = this.transfer(segment);
    for (const chunk of fetch.left()) transfer?.lost(chunk, "origin");
    const held = this.store.chunks(segment);
    const chunks = fetch.left().filter((chunk) => !held.includes(chunk));
    if (chunks.length) this._events.push({ type: "Dropped", segment, chunks });
  }

  /**
   * The origin failed, once a fetch; after too many the player has to try by itself, and at once if
   * no cache is to blame for what is wrong.
   */
  private _blame(fetch: Fetch, reason: SourceReason, now: number): void {
    const { key } = fetch;
    const transfer = this.transfer(key);
    if (!transfer || fetch.blamed) return;
    fetch.blamed = true;
    transfer.originFailed(now);
    const hopeless = reason === "integrity" && fetch.fresh;
    if (!hopeless && transfer.originFailures < MOST_FAILURES) return;
    if (transfer.demanded !== null) {
      this.release(key);
      this._events.push({ type: "SegmentFailed", key, reason });
    }
    if (!hopeless) return;
    const manifest = this.manifest(key.rendition);
    manifest.doubt(key.sequence, now);
    this._gather(manifest, now);
  }

  /** Abort the fetches of a transfer that have nothing left to bring. */
  private _spare(transfer: Transfer): void {
    const needed = transfer.missing | transfer.peer | transfer.origin;
    for (const fetch of this._fetchesOf(transfer.key)) {
      const left = maskOf(fetch.left());
      if (left && !(left & needed)) this._abort(fetch);
    }
  }

  private _abort(fetch: Fetch): void {
    this._close(fetch);
    this._events.push({ type: "AbortRange", fetch: fetch.number });
  }

  /** A fetch is over, however it went. */
  private _close(fetch: Fetch): void {
    this._fetches.delete(fetch.number);
    this._settle(fetch);
    const { key, cached, length, chunks } = fetch;
    // A chunk of which it has brought a part cost the origin that part; no chunk is what it
    // brought after the last.
    const last = Math.min(chunks[1] - fetch.left().length + (fetch.rest() ? 1 : 0), chunks[1]);
    if (!cached && last >= chunks[0]) {
      this.fromOrigin.addRun(key, [chunks[0], last], chunkLength(length, last));
    }
    this.wasted += fetch.rest();
  }
}
