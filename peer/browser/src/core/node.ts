/**
 * A peer: its machines, put together.
 *
 *     player   --Demand, Playing-->  +----------------------------------+ --SegmentReady--> player
 *     origin   --RangeData, pages--> | transfers (manifests, the store) | --FetchRange----> origin
 *     tracker  --TrackerSays-->      | signaling        scheduler       | --TellTracker---> tracker
 *     links    --LinkSays, frames--> | neighbours (links)               | --TellLink------> links
 *                                    +----------------------------------+
 *
 * A chunk's way is always the same: asked for by the scheduler's plan, arrived from a link or a
 * range, checked, and only then stored, used, announced, passed on and counted.
 */

import { PROTOCOL, chunkCount, segmentId, type SegmentKey } from "../model";
import type { Hello } from "../wire/link";
import type { PairReport, Position, Report } from "../wire/tracker";
import type { Announcement } from "./link";
import { earliest } from "./manifest";
import { Neighbours, type Down, type NeighbourEvent } from "./neighbours";
import type { Allow, Event, Input, Outgoing, Playing } from "./ports";
import { rankOf } from "./rank";
import { plan, type SegmentView, type View } from "./scheduler";
import { CONNECT_TIMEOUT, Signaling, type Identity } from "./signaling";
import { newStats, type Stats } from "./stats";
import { Store } from "./store";
import type { Transfer } from "./transfer";
import { Transfers, type TransferEvent } from "./transfers";

/** Seconds of media ahead of what the player has asked for that peers may bring. */
const AHEAD = 60;
/** The same in segments, whatever their length. */
const MOST_AHEAD = 64;
/** Seconds a segment, where no record says otherwise. */
const USUAL_DURATION = 4;
/** Seconds after the start for which a first link is waited for, where there is time to wait. */
const HOPE = 2;
const STORE_BYTES = 128 * 1024 * 1024;
/** Pairs a report (the wire's own bound). */
const MOST_PAIRS = 64;

/** One peer in one swarm. */
export class Node {
  readonly stats: Stats = newStats();
  private readonly _signaling: Signaling;
  private readonly _neighbours = new Neighbours();
  private readonly _transfers: Transfers;
  private _allow = { p2p: true, upload: true };
  private _playing: Playing | null = null;
  /** The newest segment of each rendition that the player asked for. */
  private readonly _reached = new Map<string, number>();
  private _started = false;
  private _dirty = false;
  private _wakeAt: number | null = null;
  private _reportAt: number | null = null;
  private _reported: Report | null = null;
  private _moved: Position | null = null;
  /** Links that ended since the last report, or before it could be sent. */
  private _ended: PairReport[] = [];
  private _events: Event[] = [];

  constructor(
    private readonly _identity: Identity,
    private readonly _born: number,
    storeBytes = STORE_BYTES,
  ) {
    let last = 0;
    const numbers = (): number => ++last;
    this._signaling = new Signaling(_identity, numbers);
    this._transfers = new Transfers(_identity.content, new Store(storeBytes), this.stats, numbers);
  }

  /** What this peer holds. */
  get store(): Store {
    return this._transfers.store;
  }

  /** Our id in the swarm; empty until the tracker has let us in. */
  get peer(): string {
    return this._signaling.peer;
  }

  /** Whether the segment can be verified, and so be demanded. */
  knows(key: SegmentKey): boolean {
    return this._transfers.knows(key);
  }

  // The five verbs

  /** Take in anything that arrived; see `ports` for what there is. */
  receive(message: Input, now: number): void {
    switch (message.type) {
      case "LinkDrained":
        this._neighbours.drained(message.link, message.buffered);
        this._settle(now);
        return;
      case "LinkSends":
        this._neighbours.receive(message, now);
        this._settle(now);
        return;
      case "RangeData":
        this._transfers.receive(message, now);
        this._settle(now);
        return;
      case "Demand":
        this._reached.set(message.key.rendition, message.key.sequence);
        this._transfers.demand(message, this._neighbours.up().length > 0, now);
        break;
      case "Release":
        this._transfers.release(message.key);
        break;
      case "Playing":
        this._playing = message;
        break;
      case "Allow":
        this._permit(message, now);
        break;
      case "LinkSays":
        this._neighbours.receive(message, now);
        break;
      case "LinkBroke":
        this._neighbours.end(message.link, "protocol", now, message.code);
        break;
      case "LinkOpened":
        this._signaling.receive(message, now);
        if (this._signaling.pairingOf(message.link) !== null) {
          this._neighbours.opened(message.link, this._hello(), now);
        }
        break;
      case "LinkClosed":
        this._neighbours.closed(message.link, message.reason, now);
        this._passOn(now); // before the pairing is forgotten: its figures count
        this._signaling.receive(message, now);
        break;
      case "TrackerSays":
      case "TrackerDown":
      case "Described":
      case "CandidateFound":
        // Without peers, the shell closes the socket as soon as it can.
        if (message.type === "TrackerSays" && !this._allow.p2p) return;
        this._signaling.receive(message, now);
        this._reportFrom(now);
        break;
      default:
        if (message.type === "Loaded") this._started = true;
        this._transfers.receive(message, now);
    }
    this._dirty = true;
    this._settle(now);
  }

  timerAt(): number | null {
    const machines = [this._signaling, this._neighbours, this._transfers];
    const times = machines.map((machine) => machine.timerAt());
    return earliest([...times, this._wakeAt, this._reportAt]);
  }

  onTimer(now: number): void {
    this._signaling.onTimer(now);
    this._neighbours.onTimer(now);
    this._transfers.onTimer(now);
    if (this._wakeAt !== null && this._wakeAt <= now) this._dirty = true;
    if (this._reportAt !== null && this._reportAt <= now) this._report(now);
    this._settle(now);
  }

  takeMessages(): Outgoing[] {
    return [...this._signaling.takeMessages(), ...this._neighbours.takeMessages()];
  }

  takeEvents(): Event[] {
    const events = this._events;
    this._events = [];
    return events;
  }

  /** Say the last figures and leave the swarm. Links stay; the page may be closing. */
  farewell(): void {
    this._signaling.tell(this._figures());
    this._signaling.leave();
  }

  // The player

  private _permit({ p2p, upload }: Allow, now: number): void {
    const before = this._allow;
    this._allow = { p2p, upload };
    this._signaling.upload = upload;
    if (!p2p) {
      this.farewell();
      for (const link of this._neighbours.all()) this._neighbours.end(link, "closed", now);
      return;
    }
    if (upload !== before.upload) {
      this._neighbours.announce(upload ? "have" : "gone", this._holdings(), now);
    }
    this._signaling.tell({ type: "move", upload, position: this._position() });
  }

  /**
   * The segments that lie ahead of what the player has asked for: at least one, but no more than
   * fit into half of the store, or they would drive one another out.
   */
  private _ahead(): SegmentKey[] {
    const { _playing: playing } = this;
    if (!playing) return [];
    const { rendition, head, last } = playing;
    const reached = this._reached.get(rendition) ?? head - 1;
    const most = Math.min(Math.max(Math.trunc(AHEAD / this._duration(playing)), 1), MOST_AHEAD);
    const first = Math.max(reached + 1, head);
    let room = Math.floor(this.store.limit / 2);
    const ahead: SegmentKey[] = [];
    for (const sequence of range(first, Math.min(last, first + most - 1))) {
      room -= this._transfers.manifest(rendition).record(sequence)?.length ?? 0;
      if (ahead.length && room < 0) break;
      ahead.push({ rendition, sequence });
    }
    return ahead;
  }

  private _duration({ rendition, head }: Playing): number {
    const milliseconds = this._transfers.manifest(rendition).record(head)?.duration;
    return milliseconds ? milliseconds / 1000 : USUAL_DURATION;
  }

  // Putting things together

  /** Pass events between the machines, and decide anew if anything changed. */
  private _settle(now: number): void {
    this._passOn(now);
    if (this._dirty) {
      this._dirty = false;
      this._decide(now);
      this._passOn(now);
    }
    this.stats.links = this._neighbours.up().length;
    this.stats.uploadedBytes = this._neighbours.sent;
    this.stats.wasteBytes = this._transfers.wasted + this._neighbours.wasted;
  }

  private _passOn(now: number): void {
    for (;;) {
      const heard = this._neighbours.takeEvents();
      const came = this._transfers.takeEvents();
      this._signal(now);
      if (!heard.length && !came.length) return;
      for (const event of heard) this._hear(event, now);
      for (const event of came) this._take(event, now);
    }
  }

  private _signal(now: number): void {
    for (const event of this._signaling.takeEvents()) {
      if (event.type === "MakeOffer" || event.type === "MakeAnswer") this.stats.linkAttempts += 1;
      else if (event.type === "CloseLink") this._neighbours.closed(event.link, "closed", now);
      this._dirty = true;
      this._events.push(event);
    }
  }

  /** Something that a link did. */
  private _hear(event: NeighbourEvent, now: number): void {
    if (event.type === "Asked") {
      const chunk = this._allow.upload ? this.store.get(event.key) : undefined;
      this._neighbours.answer(event, chunk);
      return;
    }
    this._dirty = true;
    switch (event.type) {
      case "Up": {
        const { link, peer } = event;
        if (this._allow.upload) this._neighbours.introduce(link, this._holdings(), now);
        this._events.push({ type: "LinkUp", link, peer });
        break;
      }
      case "Down":
        this._down(event);
        break;
      case "Delivered":
        this._transfers.fromLink(event.link, event.key, event.data, now);
        break;
      case "Undelivered":
        this._transfers.lost(event.key);
        break;
    }
  }

  private _holdings(): (readonly [SegmentKey, number[]])[] {
    return this.store.segments().map((segment) => [segment, this.store.chunks(segment)]);
  }

  /** Tell all neighbours; who does not upload has nothing to tell. */
  private _announce(
    kind: Announcement["type"],
    segment: SegmentKey,
    chunks: readonly number[],
    now: number,
  ): void {
    if (this._allow.upload) this._neighbours.announce(kind, [[segment, chunks]], now);
  }

  private _down({ link, reason, greeted, received, sent }: Down): void {
    const pairing = this._signaling.pairingOf(link);
    if (pairing !== null) this._ended.push({ pairing, received, sent });
    this._signaling.over(link, reason);
    this._events.push({ type: "CloseLink", link });
    if (greeted) this._events.push({ type: "LinkDown", link, reason });
  }

  /** Something that became of a transfer. */
  private _take(event: TransferEvent, now: number): void {
    switch (event.type) {
      case "Kept": {
        const { key, size, link } = event;
        this._neighbours.cancel(key);
        if (link !== null) this._neighbours.credit(link, size);
        this._announce("have", key, [key.chunk], now);
        this._dirty = true;
        return;
      }
      case "Dropped":
        this._announce("gone", event.segment, event.chunks, now);
        this._dirty = true;
        return;
      case "ChunkRejected":
        this._dirty = true;
        if (event.link !== null) this._neighbours.end(event.link, "integrity", now);
        break;
      case "SegmentReady":
        this._started = true;
        break;
      default:
    }
    this._events.push(event);
  }

  // Deciding

  private _decide(now: number): void {
    const ahead = this._ahead();
    const ids = new Set(ahead.map(segmentId));
    this._need(ahead, now);
    for (const key of ahead) if (!this._held(key)) this._transfers.begin(key, now);
    this._transfers.keepOnly(ids);
    const { asks, wakeAt } = plan(this._view(ids, now), now);
    this._wakeAt = wakeAt;
    for (const ask of asks) {
      const transfer = this._transfers.transfer(ask.key);
      if (!transfer) continue;
      if (ask.type === "AskPeer") {
        transfer.askedPeer(ask.key.chunk);
        this._neighbours.want(ask.link, ask.key, transfer.lengthOf(ask.key.chunk), now);
      } else {
        this._transfers.fetch(transfer, ask.chunks);
        this._announce("loading", ask.key, range(...ask.chunks), now);
      }
    }
    if (this._playing) this._transfers.evict(this._playing.head, ids);
  }

  private _need(ahead: readonly SegmentKey[], now: number): void {
    const wanted = new Map<string, number[]>();
    if (this._playing) {
      // The segments around the play head: what is loaded past us is to be shared too.
      const { rendition, head } = this._playing;
      const reached = this._reached.get(rendition) ?? -1;
      const near = range(Math.max(head, reached - MOST_AHEAD), reached);
      wanted.set(rendition, [...near, ...ahead.map(({ sequence }) => sequence)]);
    }
    this._transfers.need(wanted, now);
  }

  private _held(key: SegmentKey): boolean {
    const record = this._transfers.manifest(key.rendition).record(key.sequence);
    return record !== undefined && this.store.chunks(key).length === chunkCount(record.length);
  }

  private _view(ahead: ReadonlySet<string>, now: number): View {
    const { _playing: playing } = this;
    const quiet = this._neighbours.quiet(now);
    const links = this._neighbours.views().filter(({ number }) => !quiet.has(number));
    const transfers = this._transfers
      .open()
      .filter(({ demanded, key }) => demanded !== null || ahead.has(segmentId(key)))
      .sort(byUrgency);
    const numbers = links.map(({ number }) => number);
    let hopefulUntil = Math.max(this._born + HOPE, ...quiet.values());
    if (this._signaling.connecting()) hopefulUntil = Math.max(hopefulUntil, now + CONNECT_TIMEOUT);
    return {
      started: this._started,
      live: playing?.live ?? false,
      buffer: playing?.buffer ?? 0,
      hopefulUntil: this._allow.p2p ? hopefulUntil : now,
      http: this._transfers.http,
      segments: transfers.map((transfer) => this._segmentView(transfer, numbers, now)),
      links,
    };
  }

  private _segmentView(transfer: Transfer, links: readonly number[], now: number): SegmentView {
    const { key, demanded, since, originAfter } = transfer;
    return {
      key,
      demanded: demanded !== null,
      deadline: demanded ?? Infinity,
      since,
      rank: this._rank(key),
      originAfter,
      missingBytes: transfer.bytesMissing(),
      chunks: transfer.chunksIn("missing", "peer").map((number) => ({
        number,
        holders: this._neighbours.holders(key, number, links),
        loadingUntil: this._neighbours.loadedUntil(key, number, now),
        asked: transfer.states[number] === "peer",
      })),
    };
  }

  /** When it is our turn; who does not upload waits for all who do. */
  private _rank(segment: SegmentKey): number {
    const peers = this._neighbours.peers();
    return this._allow.upload ? rankOf(this.peer, peers, segment) : peers.length;
  }

  // The tracker

  private _hello(): Hello {
    const { content } = this._identity;
    const { upload } = this._allow;
    return { type: "hello", protocol: PROTOCOL, content, peer: this.peer, upload };
  }

  private _position(): Position | null {
    if (!this._playing) return null;
    const { rendition, head } = this._playing;
    const held = this.store
      .segments()
      .flatMap((segment) => (segment.rendition === rendition ? [segment.sequence] : []));
    const [first, last] = held.length ? [Math.min(...held), Math.max(...held)] : [head, head];
    return { rendition, first, head, last };
  }

  /** Begin to report, once we are in; and keep the join's position fresh. */
  private _reportFrom(now: number): void {
    this._signaling.position = this._position();
    const { welcome } = this._signaling;
    if (this._reportAt === null && this.peer && welcome) this._reportAt = now + welcome.report_every;
  }

  private _report(now: number): void {
    const { welcome } = this._signaling;
    if (!welcome) return;
    this._reportAt = now + welcome.report_every;
    const position = this._position();
    if (!same(position, this._moved)) {
      this._moved = position;
      this._signaling.tell({ type: "move", upload: this._allow.upload, position });
    }
    const report = this._figures();
    if (!same(report, this._reported) && this._signaling.state === "in") {
      this._reported = report;
      this._signaling.tell(report);
      this._ended = [];
    }
  }

  private _figures(): Report {
    const pairs = [...this._ended];
    for (const { number, received, sent } of this._neighbours.up()) {
      const pairing = this._signaling.pairingOf(number);
      if (pairing !== null && (received || sent)) pairs.push({ pairing, received, sent });
    }
    return {
      type: "report",
      origin_bytes: this.stats.originBytes,
      peer_bytes: this.stats.peerBytes,
      cache_bytes: this.stats.cacheBytes,
      waste_bytes: this.stats.wasteBytes,
      rejected_chunks: this.stats.rejectedChunks,
      pairs: pairs.slice(-MOST_PAIRS),
    };
  }
}

/** Sorts by when the play head gets there; what nobody asked for yet comes last. */
function byUrgency(a: Transfer, b: Transfer): number {
  const [first, second] = [a.demanded ?? Infinity, b.demanded ?? Infinity];
  return first === second ? a.key.sequence - b.key.sequence : first - second;
}

function range(first: number, last: number): number[] {
  return Array.from({ length: Math.max(last - first + 1, 0) }, (_, i) => first + i);
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
