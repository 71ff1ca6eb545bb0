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
  segmentId,
  type Bytes,
  type ChunkKey,
  type SegmentKey,
  type Span,
} from "../model";
import { Manifest, earliest, type Numbers } from "./manifest";
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
} from "./ports";
import type { Http } from "./scheduler";
import type { Stats } from "./stats";
import type { Store } from "./store";
import { Fetch, Transfer, type Copy } from "./transfer";

/** So often the origin may fail a segment before the player is told to try by itself. */
const MOST_FAILURES = 3;
/** Segments loaded past us that may wait for their hashes. */
const MOST_WAITING = 8;
const SMOOTHING = 0.3;
/** Bytes below which a fetch says nothing about throughput. */
const LEAST_MEASURED = 32_768;

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

export type TransferEvent = Event | Kept | Dropped;

type Input =
  | ManifestArrived
  | ManifestFailed
  | HashesArrived
  | Loaded
  | RangeData
  | RangeDone
  | RangeFailed
  | Checked;

/** The incoming half of a node for one content. */
export class Transfers {
  http: Http = { ttfb: 0.2, rate: 250_000 };
  private readonly manifests = new Map<string, Manifest>();
  private readonly transfers = new Map<string, Transfer>();
  private readonly fetches = new Map<number, Fetch>();
  private readonly checks = new Map<number, Manifest | Transfer>();
  private readonly waiting = new Map<string, Loaded>();
  private events: TransferEvent[] = [];

  constructor(
    private readonly content: string,
    readonly store: Store,
    private readonly stats: Stats,
    private readonly numbers: Numbers,
  ) {}

  // What is known

  /** What is known of a rendition. */
  manifest(rendition: string): Manifest {
    let manifest = this.manifests.get(rendition);
    if (!manifest) {
      manifest = new Manifest(this.content, rendition, this.numbers);
      this.manifests.set(rendition, manifest);
    }
    return manifest;
  }

  /** Whether the segment can be verified, and so be had from anybody. */
  knows({ rendition, sequence }: SegmentKey): boolean {
    return this.manifests.get(rendition)?.knows(sequence) ?? false;
  }

  /** The transfers that are not complete. */
  open(): Transfer[] {
    return [...this.transfers.values()];
  }

  transfer(key: SegmentKey): Transfer | undefined {
    return this.transfers.get(segmentId(key));
  }

  // What is wanted

  /** The player asks for a segment. */
  demand({ key, within }: Demand, now: number): void {
    const transfer = this.begin(key, now);
    if (!transfer) {
      this.events.push({ type: "SegmentFailed", key, reason: "missing" });
      return;
    }
    if (transfer.demanded === null) transfer.since = now;
    transfer.demanded = now + within;
    this.finish(transfer);
  }

  /** The player no longer asks for it; what has arrived stays. */
  release(key: SegmentKey): void {
    const transfer = this.transfer(key);
    if (!transfer) return;
    transfer.demanded = null;
    for (const fetch of this.fetchesOf(key)) {
      this.abort(fetch);
      this.dropped(fetch);
    }
  }

  /** The transfer of a segment, begun if need be; none if it can't be verified yet. */
  begin(key: SegmentKey, now: number): Transfer | undefined {
    const begun = this.transfer(key);
    if (begun || !this.knows(key)) return begun;
    const record = this.manifest(key.rendition).record(key.sequence);
    if (!record) return undefined;
    const transfer = new Transfer(key, record, this.store.chunks(key), now);
    this.transfers.set(segmentId(key), transfer);
    return transfer;
  }

  /** End the transfers that are neither demanded nor wanted ahead. */
  keepOnly(wanted: ReadonlySet<string>): void {
    for (const [id, transfer] of this.transfers) {
      const idle = !transfer.chunksIn("peer", "origin", "checking").length;
      if (transfer.demanded === null && !wanted.has(id) && idle) this.transfers.delete(id);
    }
  }

  /** These segments' records and hashes are needed, in this order. */
  need(wanted: Map<string, number[]>, now: number): void {
    for (const { key } of this.waiting.values()) {
      const sequences = wanted.get(key.rendition) ?? [];
      wanted.set(key.rendition, sequences);
      if (!sequences.includes(key.sequence)) sequences.push(key.sequence);
    }
    for (const [rendition, sequences] of wanted) {
      const manifest = this.manifest(rendition);
      manifest.need(sequences, now);
      this.gather(manifest);
    }
  }

  /** Ask the origin for a run of chunks. */
  fetch(transfer: Transfer, chunks: Span): void {
    transfer.askedOrigin(chunks);
    const { key, stale: fresh } = transfer;
    const { length } = transfer.record;
    const fetch = new Fetch(this.numbers(), key, length, chunks);
    this.fetches.set(fetch.number, fetch);
    const span = bytesOf(length, chunks);
    const whole = span[0] === 0 && span[1] === length - 1;
    this.events.push({ type: "FetchRange", fetch: fetch.number, key, span, whole, fresh });
  }

  /** A link brought a chunk. */
  fromLink(link: number, key: ChunkKey, data: Bytes, now: number): void {
    const transfer = this.transfer(key);
    if (transfer) this.arrived(transfer, { chunk: key.chunk, data, link }, now);
    else this.stats.wasteBytes += data.length;
  }

  /** A link will not bring a chunk. */
  lost(key: ChunkKey): void {
    this.transfer(key)?.lost(key.chunk, "peer");
  }

  /** Keep the store within its bound. */
  evict(head: number, ahead: ReadonlySet<string>): void {
    if (this.store.size <= this.store.limit) return;
    const pinned = new Set([...ahead, ...this.transfers.keys()]);
    for (const [segment, chunks] of this.store.evict(head, pinned)) {
      this.events.push({ type: "Dropped", segment, chunks });
    }
  }

  // The five verbs

  receive(message: Input, now: number): void {
    switch (message.type) {
      case "ManifestArrived":
        this.hear(message.page.rendition, message, now);
        break;
      case "ManifestFailed":
      case "HashesArrived":
        this.hear(message.rendition, message, now);
        break;
      case "Loaded":
        this.loaded(message, now);
        break;
      case "RangeData":
        this.rangeData(message.fetch, message.data, now);
        break;
      case "RangeDone":
        this.rangeDone(message, now);
        break;
      case "RangeFailed":
        this.rangeFailed(message.fetch, message.reason, now);
        break;
      case "Checked":
        this.checked(message.check, message.ok, now);
        break;
    }
  }

  timerAt(): number | null {
    const machines = [...this.manifests.values(), ...this.transfers.values()];
    return earliest(machines.map((machine) => machine.timerAt()));
  }

  onTimer(now: number): void {
    for (const manifest of this.manifests.values()) {
      manifest.onTimer(now);
      this.gather(manifest);
    }
    for (const transfer of this.open()) {
      for (const check of transfer.checksBefore(now)) this.checked(check, false, now);
    }
  }

  takeEvents(): TransferEvent[] {
    const events = this.events;
    this.events = [];
    return events;
  }

  // Manifests

  private hear(
    rendition: string,
    message: ManifestArrived | ManifestFailed | HashesArrived,
    now: number,
  ): void {
    const manifest = this.manifest(rendition);
    for (const sequence of manifest.receive(message, now)) this.forget({ rendition, sequence });
    this.gather(manifest);
  }

  private gather(manifest: Manifest): void {
    for (const event of manifest.takeEvents()) {
      if (event.type === "Check") this.checks.set(event.check, manifest);
      this.events.push(event);
    }
  }

  /** The segment is no longer what it was. */
  private forget(key: SegmentKey): void {
    const demanded = this.transfer(key)?.demanded ?? null;
    this.transfers.delete(segmentId(key));
    if (demanded !== null) this.events.push({ type: "SegmentFailed", key, reason: "integrity" });
    for (const fetch of this.fetchesOf(key)) this.abort(fetch);
    const chunks = this.store.drop(key);
    if (chunks.length) this.events.push({ type: "Dropped", segment: key, chunks });
  }

  // Arrivals

  private loaded(loaded: Loaded, now: number): void {
    this.stats[loaded.cached ? "cacheBytes" : "originBytes"] += loaded.data.length;
    if (this.knows(loaded.key)) this.adopt(loaded, now);
    else if (this.waiting.size < MOST_WAITING) this.waiting.set(segmentId(loaded.key), loaded);
  }

  /** Take what was loaded past us apart, to check and share it. */
  private adopt({ key, data }: Loaded, now: number): void {
    const transfer = this.begin(key, now);
    // Not what the manifest says: of no use to anybody else.
    if (transfer?.record.length !== data.length) return;
    for (let chunk = 0; chunk < chunkCount(data.length); chunk++) {
      const start = chunk * CHUNK_SIZE;
      this.arrived(transfer, { chunk, data: data.slice(start, start + CHUNK_SIZE) }, now);
    }
  }

  private arrived(transfer: Transfer, copy: Copy, now: number): void {
    const { rendition, sequence } = transfer.key;
    const digest = this.manifest(rendition).hashOf(sequence, copy.chunk);
    const check = digest && transfer.arrived(copy, digest, this.numbers, now);
    if (check) {
      this.checks.set(check.check, transfer);
      this.events.push(check);
    } else if (copy.link !== undefined || copy.fetch) {
      this.stats.wasteBytes += copy.data.length;
    }
  }

  private checked(check: number, ok: boolean, now: number): void {
    const owner = this.checks.get(check);
    this.checks.delete(check);
    if (owner instanceof Manifest) {
      const sequence = owner.checked(check, ok, now);
      this.gather(owner);
      if (sequence === null) return;
      const id = segmentId({ rendition: owner.rendition, sequence });
      const loaded = this.waiting.get(id);
      this.waiting.delete(id);
      if (loaded) this.adopt(loaded, now);
    } else if (owner) {
      const copy = owner.checked(check, ok);
      if (copy) this.decide(owner, copy, ok, now);
    }
  }

  private decide(transfer: Transfer, copy: Copy, ok: boolean, now: number): void {
    const { chunk, data, link = null } = copy;
    const size = data.length;
    if (!ok) {
      this.stats.rejectedChunks += 1;
      this.stats.wasteBytes += size;
      this.events.push({ type: "ChunkRejected", key: transfer.key, chunk, link });
      if (link === null) {
        transfer.stale = true;
        this.originFailed(transfer, "integrity", now);
      }
      return;
    }
    const key = { ...transfer.key, chunk };
    this.store.put(key, data);
    this.count(copy);
    this.events.push({ type: "Kept", key, size, link });
    this.spare(transfer);
    this.finish(transfer);
  }

  private count({ link, fetch, data }: Copy): void {
    if (link !== undefined) this.stats.peerBytes += data.length;
    else if (fetch) {
      fetch.kept += data.length;
      if (!this.fetches.has(fetch.number)) this.settle(fetch);
    }
  }

  /** Enter what a fetch has brought, which is over, into the figures. */
  private settle(fetch: Fetch): void {
    this.stats[fetch.cached ? "cacheBytes" : "originBytes"] += fetch.kept;
    fetch.kept = 0;
  }

  /** Hand a complete segment to the player, if he asked for it. */
  private finish(transfer: Transfer): void {
    if (!transfer.complete) return;
    const { key, demanded, originBytes, peerBytes } = transfer;
    this.transfers.delete(segmentId(key));
    if (demanded === null) return;
    const data = this.store.assemble(key);
    this.events.push({ type: "SegmentReady", key, data, originBytes, peerBytes });
  }

  // The origin

  private fetchesOf(key: SegmentKey): Fetch[] {
    return [...this.fetches.values()].filter((fetch) => segmentId(fetch.key) === segmentId(key));
  }

  private rangeData(number: number, data: Bytes, now: number): void {
    const fetch = this.fetches.get(number);
    if (!fetch) return;
    const whole = fetch.take(data);
    if (!whole) {
      this.abort(fetch);
      this.failed(fetch, "length", now);
      return;
    }
    const transfer = this.transfer(fetch.key);
    for (const [chunk, piece] of whole) {
      if (transfer) this.arrived(transfer, { chunk, data: piece, fetch }, now);
      else this.stats.wasteBytes += piece.length;
    }
  }

  private rangeDone(done: RangeDone, now: number): void {
    const fetch = this.take(done.fetch);
    if (!fetch) return;
    fetch.cached = done.cached;
    this.settle(fetch);
    if (!done.cached) this.measure(fetch.received, done);
    if (fetch.left().length) this.failed(fetch, "length", now);
  }

  private rangeFailed(number: number, reason: SourceReason, now: number): void {
    const fetch = this.take(number);
    if (!fetch) return;
    this.settle(fetch);
    this.failed(fetch, reason, now);
  }

  /** A fetch that is over. */
  private take(number: number): Fetch | undefined {
    const fetch = this.fetches.get(number);
    this.fetches.delete(number);
    return fetch;
  }

  private failed(fetch: Fetch, reason: SourceReason, now: number): void {
    this.dropped(fetch);
    const transfer = this.transfer(fetch.key);
    if (transfer) this.originFailed(transfer, reason, now);
  }

  /** What a fetch has not brought may come from elsewhere; whoever waits for us should know. */
  private dropped(fetch: Fetch): void {
    const chunks = fetch.left();
    const transfer = this.transfer(fetch.key);
    for (const chunk of chunks) transfer?.lost(chunk, "origin");
    if (chunks.length) this.events.push({ type: "Dropped", segment: fetch.key, chunks });
  }

  private originFailed(transfer: Transfer, reason: SourceReason, now: number): void {
    transfer.originFailed(now);
    if (transfer.originFailures < MOST_FAILURES || transfer.demanded === null) return;
    transfer.demanded = null;
    this.events.push({ type: "SegmentFailed", key: transfer.key, reason });
  }

  private measure(received: number, { ttfb, took }: RangeDone): void {
    let { rate } = this.http;
    if (received >= LEAST_MEASURED && took > 0) {
      rate += SMOOTHING * (received / Math.max(took - ttfb, 0.001) - rate);
    }
    this.http = { ttfb: this.http.ttfb + SMOOTHING * (ttfb - this.http.ttfb), rate };
  }

  /** Abort the fetches of a transfer that have nothing left to bring. */
  private spare(transfer: Transfer): void {
    const needed = transfer.chunksIn("missing", "peer", "origin");
    for (const fetch of this.fetchesOf(transfer.key)) {
      const left = fetch.left();
      if (left.length && !left.some((chunk) => needed.includes(chunk))) this.abort(fetch);
    }
  }

  private abort(fetch: Fetch): void {
    if (!this.take(fetch.number)) return;
    this.settle(fetch);
    this.events.push({ type: "AbortRange", fetch: fetch.number });
  }
}
