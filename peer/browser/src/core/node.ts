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
  private readonly signaling: Signaling;
  private readonly neighbours = new Neighbours();
  private readonly transfers: Transfers;
  private allow = { p2p: true, upload: true };
  private playing: Playing | null = null;
  /** The newest segment of each rendition that the player asked for. */
  private readonly reached = new Map<string, number>();
  private started = false;
  private dirty = false;
  private wakeAt: number | null = null;
  private reportAt: number | null = null;
  private reported: Report | null = null;
  private moved: Position | null = null;
  /** Links that ended since the last report, or before it could be sent. */
  private ended: PairReport[] = [];
  private events: Event[] = [];

  constructor(
    private readonly identity: Identity,
    private readonly born: number,
    storeBytes = STORE_BYTES,
  ) {
    let last = 0;
    const numbers = (): number => ++last;
    this.signaling = new Signaling(identity, numbers);
    this.transfers = new Transfers(identity.content, new Store(storeBytes), this.stats, numbers);
  }

  /** What this peer holds. */
  get store(): Store {
    return this.transfers.store;
  }

  /** Our id in the swarm; empty until the tracker has let us in. */
  get peer(): string {
    return this.signaling.peer;
  }

  /** Whether the segment can be verified, and so be demanded. */
  knows(key: SegmentKey): boolean {
    return this.transfers.knows(key);
  }

  // The five verbs

  /** Take in anything that arrived; see `ports` for what there is. */
  receive(message: Input, now: number): void {
    switch (message.type) {
      case "LinkDrained":
        this.neighbours.drained(message.link, message.buffered);
        return;
      case "LinkSends":
        this.neighbours.receive(message, now);
        this.settle(now);
        return;
      case "RangeData":
        this.transfers.receive(message, now);
        this.settle(now);
        return;
      case "Demand":
        this.reached.set(message.key.rendition, message.key.sequence);
        this.transfers.demand(message, now);
        break;
      case "Release":
        this.transfers.release(message.key);
        break;
      case "Playing":
        this.playing = message;
        break;
      case "Allow":
        this.permit(message, now);
        break;
      case "LinkSays":
        this.neighbours.receive(message, now);
        break;
      case "LinkBroke":
        this.neighbours.end(message.link, "protocol", now, message.code);
        break;
      case "LinkOpened":
        this.signaling.receive(message, now);
        this.neighbours.opened(message.link, this.hello(), now);
        break;
      case "LinkClosed":
        this.neighbours.closed(message.link, message.reason, now);
        this.passOn(now); // before the pairing is forgotten: its figures count
        this.signaling.receive(message, now);
        break;
      case "TrackerSays":
      case "TrackerDown":
      case "Described":
      case "CandidateFound":
        this.signaling.receive(message, now);
        this.reportFrom(now);
        break;
      default:
        if (message.type === "Loaded") this.started = true;
        this.transfers.receive(message, now);
    }
    this.dirty = true;
    this.settle(now);
  }

  timerAt(): number | null {
    const machines = [this.signaling, this.neighbours, this.transfers];
    const times = machines.map((machine) => machine.timerAt());
    return earliest([...times, this.wakeAt, this.reportAt]);
  }

  onTimer(now: number): void {
    this.signaling.onTimer(now);
    this.neighbours.onTimer(now);
    this.transfers.onTimer(now);
    if (this.wakeAt !== null && this.wakeAt <= now) this.dirty = true;
    if (this.reportAt !== null && this.reportAt <= now) this.report(now);
    this.settle(now);
  }

  takeMessages(): Outgoing[] {
    return [...this.signaling.takeMessages(), ...this.neighbours.takeMessages()];
  }

  takeEvents(): Event[] {
    const events = this.events;
    this.events = [];
    return events;
  }

  /** Say the last figures and leave: the page is closing. */
  farewell(): void {
    this.signaling.tell(this.figures());
    this.signaling.leave();
  }

  // The player

  private permit({ p2p, upload }: Allow, now: number): void {
    this.allow = { p2p, upload };
    this.signaling.upload = upload;
    if (!p2p) {
      for (const { number } of this.neighbours.up()) this.neighbours.end(number, "closed", now);
      this.signaling.leave();
    } else {
      this.signaling.tell({ type: "move", upload, position: this.position() });
    }
  }

  /** The segments that lie ahead of what the player has asked for. */
  private ahead(): SegmentKey[] {
    const { playing } = this;
    if (!playing) return [];
    const { rendition, head, last } = playing;
    const reached = this.reached.get(rendition) ?? head - 1;
    const most = Math.min(Math.max(Math.trunc(AHEAD / this.duration(playing)), 1), MOST_AHEAD);
    const first = Math.max(reached + 1, head);
    return range(first, Math.min(last, first + most - 1)).map((sequence) => ({
      rendition,
      sequence,
    }));
  }

  private duration({ rendition, head }: Playing): number {
    const milliseconds = this.transfers.manifest(rendition).record(head)?.duration;
    return milliseconds ? milliseconds / 1000 : USUAL_DURATION;
  }

  // Putting things together

  /** Pass events between the machines, and decide anew if anything changed. */
  private settle(now: number): void {
    this.passOn(now);
    if (this.dirty) {
      this.dirty = false;
      this.decide(now);
      this.passOn(now);
    }
    this.stats.links = this.neighbours.up().length;
    this.stats.uploadedBytes = this.neighbours.sent;
  }

  private passOn(now: number): void {
    for (;;) {
      const heard = this.neighbours.takeEvents();
      const came = this.transfers.takeEvents();
      this.signal(now);
      if (!heard.length && !came.length) return;
      for (const event of heard) this.hear(event, now);
      for (const event of came) this.take(event, now);
    }
  }

  private signal(now: number): void {
    for (const event of this.signaling.takeEvents()) {
      if (event.type === "MakeOffer" || event.type === "MakeAnswer") this.stats.linkAttempts += 1;
      else if (event.type === "CloseLink") this.neighbours.closed(event.link, "closed", now);
      this.dirty = true;
      this.events.push(event);
    }
  }

  /** Something that a link did. */
  private hear(event: NeighbourEvent, now: number): void {
    if (event.type === "Asked") {
      const chunk = this.allow.upload ? this.store.get(event.key) : undefined;
      this.neighbours.answer(event, chunk);
      return;
    }
    this.dirty = true;
    switch (event.type) {
      case "Up": {
        const { link, peer } = event;
        const held = this.store.segments().map((s) => [s, this.store.chunks(s)] as const);
        this.neighbours.introduce(link, held, now);
        this.events.push({ type: "LinkUp", link, peer });
        break;
      }
      case "Down":
        this.down(event);
        break;
      case "Delivered":
        this.transfers.fromLink(event.link, event.key, event.data, now);
        break;
      case "Undelivered":
        this.transfers.lost(event.key);
        break;
    }
  }

  private down({ link, reason, greeted, received, sent }: Down): void {
    const pairing = this.signaling.pairingOf(link);
    if (pairing !== null) this.ended.push({ pairing, received, sent });
    this.signaling.over(link, reason);
    this.events.push({ type: "CloseLink", link });
    if (greeted) this.events.push({ type: "LinkDown", link, reason });
  }

  /** Something that became of a transfer. */
  private take(event: TransferEvent, now: number): void {
    switch (event.type) {
      case "Kept": {
        const { key, size, link } = event;
        this.neighbours.cancel(key);
        if (link !== null) this.neighbours.credit(link, size);
        this.neighbours.announce("have", [[key, [key.chunk]]], now);
        this.dirty = true;
        return;
      }
      case "Dropped":
        this.neighbours.announce("gone", [[event.segment, event.chunks]], now);
        this.dirty = true;
        return;
      case "ChunkRejected":
        this.dirty = true;
        if (event.link !== null) this.neighbours.end(event.link, "integrity", now);
        break;
      case "SegmentReady":
        this.started = true;
        break;
      default:
    }
    this.events.push(event);
  }

  // Deciding

  private decide(now: number): void {
    const ahead = this.ahead();
    const ids = new Set(ahead.map(segmentId));
    this.need(ahead, now);
    for (const key of ahead) if (!this.held(key)) this.transfers.begin(key, now);
    this.transfers.keepOnly(ids);
    const { asks, wakeAt } = plan(this.view(now), now);
    this.wakeAt = wakeAt;
    for (const ask of asks) {
      const transfer = this.transfers.transfer(ask.key);
      if (!transfer) continue;
      if (ask.type === "AskPeer") {
        transfer.askedPeer(ask.key.chunk);
        this.neighbours.want(ask.link, ask.key, transfer.lengthOf(ask.key.chunk), now);
      } else {
        this.transfers.fetch(transfer, ask.chunks);
        this.neighbours.announce("loading", [[ask.key, range(...ask.chunks)]], now);
      }
    }
    if (this.playing) this.transfers.evict(this.playing.head, ids);
  }

  private need(ahead: readonly SegmentKey[], now: number): void {
    const wanted = new Map<string, number[]>();
    if (this.playing) {
      // The segments around the play head: what is loaded past us is to be shared too.
      const { rendition, head } = this.playing;
      const reached = this.reached.get(rendition) ?? -1;
      const near = range(Math.max(head, reached - MOST_AHEAD), reached);
      wanted.set(rendition, [...near, ...ahead.map(({ sequence }) => sequence)]);
    }
    this.transfers.need(wanted, now);
  }

  private held(key: SegmentKey): boolean {
    const record = this.transfers.manifest(key.rendition).record(key.sequence);
    return record !== undefined && this.store.chunks(key).length === chunkCount(record.length);
  }

  private view(now: number): View {
    const { playing } = this;
    const links = this.neighbours.views();
    const transfers = this.transfers.open().sort(byUrgency);
    const numbers = links.map(({ number }) => number);
    let hopefulUntil = this.born + HOPE;
    if (this.signaling.connecting()) hopefulUntil = Math.max(hopefulUntil, now + CONNECT_TIMEOUT);
    return {
      started: this.started,
      live: playing?.live ?? false,
      buffer: playing?.buffer ?? 0,
      hopefulUntil: this.allow.p2p ? hopefulUntil : now,
      http: this.transfers.http,
      segments: transfers.map((transfer) => this.segmentView(transfer, numbers, now)),
      links,
    };
  }

  private segmentView(transfer: Transfer, links: readonly number[], now: number): SegmentView {
    const { key, demanded, since, originAfter } = transfer;
    return {
      key,
      demanded: demanded !== null,
      deadline: demanded ?? Infinity,
      since,
      rank: rankOf(this.peer, this.neighbours.peers(), key),
      originAfter,
      missingBytes: transfer.bytesMissing(),
      chunks: transfer.chunksIn("missing", "peer").map((number) => ({
        number,
        holders: this.neighbours.holders(key, number, links),
        loadingUntil: this.neighbours.loadedUntil(key, number, now),
        asked: transfer.states[number] === "peer",
      })),
    };
  }

  // The tracker

  private hello(): Hello {
    const { content } = this.identity;
    const { upload } = this.allow;
    return { type: "hello", protocol: PROTOCOL, content, peer: this.peer, upload };
  }

  private position(): Position | null {
    if (!this.playing) return null;
    const { rendition, head } = this.playing;
    const held = this.store
      .segments()
      .flatMap((segment) => (segment.rendition === rendition ? [segment.sequence] : []));
    const [first, last] = held.length ? [Math.min(...held), Math.max(...held)] : [head, head];
    return { rendition, first, head, last };
  }

  /** Begin to report, once we are in; and keep the join's position fresh. */
  private reportFrom(now: number): void {
    this.signaling.position = this.position();
    const { welcome } = this.signaling;
    if (this.reportAt === null && this.peer && welcome) this.reportAt = now + welcome.report_every;
  }

  private report(now: number): void {
    const { welcome } = this.signaling;
    if (!welcome) return;
    this.reportAt = now + welcome.report_every;
    const position = this.position();
    if (!same(position, this.moved)) {
      this.moved = position;
      this.signaling.tell({ type: "move", upload: this.allow.upload, position });
    }
    const report = this.figures();
    if (!same(report, this.reported) && this.signaling.state === "in") {
      this.reported = report;
      this.signaling.tell(report);
      this.ended = [];
    }
  }

  private figures(): Report {
    const pairs = [...this.ended];
    for (const { number, received, sent } of this.neighbours.up()) {
      const pairing = this.signaling.pairingOf(number);
      if (pairing !== null && (received || sent)) pairs.push({ pairing, received, sent });
    }
    return {
      type: "report",
      origin_bytes: this.stats.originBytes,
      peer_bytes: this.stats.peerBytes,
      cache_bytes: this.stats.cacheBytes,
      waste_bytes: this.stats.wasteBytes + this.neighbours.wasted,
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
