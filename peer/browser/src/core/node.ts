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

import type { ErrorCode } from "../errors";
import { PROTOCOL, chunkLength, numbersOf, segmentId, type SegmentKey } from "../model";
import type { Hello } from "../wire/link";
import type { SegmentRecord } from "../wire/manifest";
import type { FromTracker } from "../wire/tracker";
import { Leases } from "./leases";
import { reasonFor, type Announcement } from "./link";
import { earliest } from "./manifest";
import { Neighbours, type Chunks, type Down, type NeighbourEvent } from "./neighbours";
import { Playhead } from "./playhead";
import type { Allow, Event, Input, Outgoing } from "./ports";
import { Reporter } from "./reporter";
import { plan, type AskOrigin, type AskPeer } from "./scheduler";
import { Signaling, type Identity } from "./signaling";
import { newStats, type Stats } from "./stats";
import { Store } from "./store";
import { Survey } from "./survey";
import { Transfers, type TransferEvent } from "./transfers";
import { Trust } from "./trust";

/** Seconds between two decisions at least: what arrives in between is decided about together. */
const DECIDE_EVERY = 0.05;
/** The same while a fast link is about to have nothing to do. */
const HURRY = 0.01;
/** Seconds by which a timer has to be late for us to have overslept: browsers are never exact. */
const LATE = 0.1;
/** Seconds after that in which it may happen again: little is asked for that is not due soon. */
const STARVED = 1;
const STORE_BYTES = 128 * 1024 * 1024;

/** Refusals after which we may share nothing; after all others links do well without a tracker. */
const UNWELCOME = new Set<ErrorCode>([
  "unknown_site",
  "bad_token",
  "expired",
  "revoked",
  "wrong_origin",
  "site_off",
]);

/** One peer in one swarm. */
export class Node {
  private readonly _stats = newStats();
  private readonly _signaling: Signaling;
  private readonly _neighbours = new Neighbours();
  private readonly _transfers: Transfers;
  private readonly _playhead = new Playhead();
  private readonly _trust = new Trust();
  private readonly _leases = new Leases();
  private readonly _survey: Survey;
  private readonly _reporter: Reporter;
  private readonly _governor = this._neighbours.governor;
  private _p2p = true;
  /** Whether we have yet to learn where the player is since peers are allowed. */
  private _anew = false;
  /** Whether the governor is open, as far as others were told. */
  private _uploads = true;
  private _dirty = false;
  private _decidedAt: number;
  /** Seconds from then to the next decision, if there is something to decide. */
  private _pause = DECIDE_EVERY;
  private _wakeAt: number | null = null;
  /** When we asked to be woken; infinity once we were, or are too late. */
  private _dueAt = Infinity;
  /** When we were called last: a time that passed before that has been seen to. */
  private _calledAt = -Infinity;
  /** Whether a decision waits for what we overslept. */
  private _waits = false;
  /** Whether others than the neighbours may want to be woken at another time than before. */
  private _settled = true;
  private _othersAt = Infinity;
  private readonly _events: Event[] = [];

  constructor(
    private readonly _identity: Identity,
    now: number,
    storeBytes = STORE_BYTES,
  ) {
    let last = 0;
    const numbers = (): number => ++last;
    const { content } = _identity;
    const { _neighbours: neighbours, _playhead: playhead } = this;
    const signaling = new Signaling(_identity, numbers);
    const transfers = new Transfers(content, new Store(storeBytes), this._stats, numbers);
    this._signaling = signaling;
    this._transfers = transfers;
    this._survey = new Survey(
      signaling,
      neighbours,
      transfers,
      playhead,
      this._trust,
      this._leases,
      now,
    );
    this._reporter = new Reporter(signaling, neighbours, transfers, playhead);
    this._decidedAt = now - DECIDE_EVERY;
  }

  /** What came from where. */
  get stats(): Stats {
    return Object.assign(this._stats, {
      links: this._neighbours.up().length,
      uploadedBytes: this._neighbours.sent,
      wasteBytes: this._transfers.wasted + this._neighbours.wasted,
    });
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

  /** What the origin says of a segment, as far as that is known. */
  record({ rendition, sequence }: SegmentKey): SegmentRecord | undefined {
    return this._transfers.manifest(rendition).record(sequence);
  }

  // The five verbs

  /** Take in anything that arrived; see `ports` for what there is. */
  receive(message: Input, now: number): void {
    this._lookAtTheClock(now);
    switch (message.type) {
      case "LinkSends":
        this._neighbours.receive(message, now);
        if (this._neighbours.hasEvents) this._settle(now);
        return;
      case "LinkDrained":
        this._neighbours.drained(message.link, message.buffered, now);
        return;
      case "LinkSays":
        this._neighbours.receive(message, now);
        this._settle(now);
        return;
      case "RangeData":
        this._settled = true;
        this._transfers.receive(message, now);
        this._settle(now);
        return;
      case "TrackerSays":
        if (!this._p2p) return; // the shell closes the socket as soon as it can
        this._instructed(message.message, now);
        this._signaling.receive(message, now);
        this._reporter.begin(now);
        break;
      case "Demand":
        this._playhead.asked(message.key);
        this._transfers.demand(message, this._survey.hasCompany(now), now);
        this._hurry();
        break;
      case "Release":
        this._transfers.release(message.key);
        this._hurry();
        break;
      case "Playing":
        if (this._playhead.moved(message, now)) this._trust.stalled(now);
        this._reporter.moved(this._uploads);
        break;
      case "Allow":
        this._permit(message, now);
        break;
      case "Device":
        this._governor.device = message;
        this._weigh(now);
        break;
      case "LinkBroke":
        this._neighbours.end(message.link, reasonFor(message.code), now, message.code);
        break;
      case "LinkOpened":
        this._signaling.receive(message, now);
        if (this._signaling.pairingOf(message.link) !== null) {
          this._neighbours.opened(message.link, this._hello(), now);
        }
        break;
      case "LinkRouted":
        this._neighbours.routed(message.link, message.route, message.rtt);
        break;
      case "LinkClosed":
        this._neighbours.closed(message.link, message.reason, now);
        this._passOn(now); // before the pairing is forgotten: its figures count
        this._signaling.receive(message, now);
        break;
      case "TrackerDown":
        this._leases.importers = false; // nobody names any now
        this._signaling.receive(message, now);
        break;
      case "Proved":
      case "Described":
      case "CandidateFound":
        this._signaling.receive(message, now);
        break;
      default:
        if (message.type === "Loaded") this._playhead.started = true;
        this._transfers.receive(message, now);
    }
    this._settled = true;
    if (this._anew) this._takeStock(now);
    this._dirty = true;
    this._settle(now);
  }

  timerAt(): number | null {
    if (this._settled) {
      this._settled = false;
      const machines = [this._signaling, this._transfers, this._reporter];
      const times = machines.map((machine) => machine.timerAt());
      this._othersAt = earliest([...times, this._wakeAt]) ?? Infinity;
    }
    const decideAt = this._dirty ? this._decidedAt + this._pause : Infinity;
    this._dueAt = Math.min(this._othersAt, this._neighbours.alarm, decideAt);
    return this._dueAt === Infinity ? null : this._dueAt;
  }

  onTimer(now: number): void {
    this._lookAtTheClock(now);
    this._dueAt = Infinity;
    const others = this._settled || this._othersAt <= now;
    if (others) {
      this._settled = true;
      this._signaling.onTimer(now);
    }
    this._neighbours.onTimer(now);
    if (others) {
      this._transfers.onTimer(now);
      if (this._wakeAt !== null && this._wakeAt <= now) {
        this._wakeAt = null;
        this._dirty = true;
      }
      this._reporter.onTimer(this._uploads, now);
    }
    this._settle(now);
  }

  takeMessages(): Outgoing[] {
    return [...this._signaling.takeMessages(), ...this._neighbours.takeMessages()];
  }

  takeEvents(): Event[] {
    return this._events.splice(0);
  }

  /** Say the last figures and leave the swarm. Links stay; the page may be closing. */
  farewell(): void {
    this._reporter.farewell();
    this._signaling.leave();
  }

  // What the viewer and the tracker say

  private _permit(allow: Allow, now: number): void {
    const { p2p, upload, token = false, mode = "any", caps = {} } = allow;
    if (p2p && (!this._p2p || !this._playhead.playing)) {
      this._playhead.forgetAll();
      this._anew = true;
    }
    this._p2p = this._survey.p2p = p2p;
    this._signaling.mode = mode;
    this._signaling.token = token;
    this._governor.permitted = upload;
    this._neighbours.limit(caps);
    this._hurry();
    if (!p2p) {
      this.farewell();
      this._part(now);
    }
    this._weigh(now);
  }

  /** Once we know where the player is: it may have been playing for long. */
  private _takeStock(now: number): void {
    const { playing } = this._playhead;
    const duration = playing && this._transfers.manifest(playing.rendition).usualDuration();
    if (!duration) return;
    this._anew = false;
    this._playhead.takeStock(duration / 1000, now);
  }

  /** See whether we give anything; who counts on it is told when that changes. */
  private _weigh(now: number): void {
    const uploads = this._governor.open;
    if (uploads === this._uploads) return;
    this._uploads = this._signaling.upload = this._survey.upload = uploads;
    if (!uploads) this._neighbours.withdraw();
    this._neighbours.announce(uploads ? "have" : "gone", this._holdings(), now);
    this._reporter.tellPosition(uploads);
  }

  private _instructed(message: FromTracker, now: number): void {
    if (message.type === "leases") this._leases.granted(message.leases, now);
    else if (message.type === "joined") this._leases.importers = false; // it may be another network
    else if (message.type === "importers") this._leases.importers = message.named;
    else if (message.type === "fetching") this._leases.begun(message, message.stripe, now);
    else if (message.type === "records") this._transfers.offered(message, null, now);
    else if (message.type === "error" && message.fatal && UNWELCOME.has(message.code)) {
      this._part(now);
    } else if (message.type === "moved" && this._signaling.state === "in") {
      this._reporter.farewell(); // the next node knows nothing of our pairings
    }
  }

  /** End all links. */
  private _part(now: number): void {
    for (const link of this._neighbours.all()) this._neighbours.end(link, "closed", now);
  }

  // Putting things together

  private _lookAtTheClock(now: number): void {
    const since = Math.max(this._dueAt, this._calledAt);
    this._calledAt = now;
    if (now >= since + LATE) this._overslept(now - since, now);
  }

  /**
   * We are called later than we asked for: the machine had no time for us. Others have not been
   * silent meanwhile; what they said waits to be heard, and the decision waits for that.
   */
  private _overslept(seconds: number, now: number): void {
    // And a moment more, until what waits is heard.
    const late = seconds + DECIDE_EVERY;
    this._dueAt = Infinity;
    // Timers of a hidden page are late by a browser's intent, not for want of time.
    if (!this._governor.device.hidden) this._survey.starvedUntil = now + STARVED;
    this._neighbours.overslept(late, now);
    this._transfers.overslept(late, now);
    this._settled = true;
    if (this._waits && this._dirty) return; // no decision is put off twice
    this._waits = true;
    this._decidedAt = now;
  }

  /** What has just been said is to be decided about at once. */
  private _hurry(): void {
    this._decidedAt = -DECIDE_EVERY;
  }

  /** Pass events between the machines, and decide anew if anything changed. */
  private _settle(now: number): void {
    this._passOn(now);
    if (!this._dirty || this._decidedAt + this._pause > now) return;
    this._dirty = false;
    this._pause = DECIDE_EVERY;
    this._decidedAt = now;
    this._decide(now);
    this._passOn(now);
  }

  private _passOn(now: number): void {
    this._signal(now);
    while (this._neighbours.hasEvents || this._transfers.hasEvents) {
      for (const event of this._neighbours.takeEvents()) this._hear(event, now);
      for (const event of this._transfers.takeEvents()) {
        this._settled = true;
        this._take(event, now);
      }
      this._signal(now);
    }
  }

  private _signal(now: number): void {
    for (const event of this._signaling.takeEvents()) {
      if (event.type === "CloseLink") this._neighbours.closed(event.link, "closed", now);
      this._dirty = true;
      this._events.push(event);
    }
    this._stats.linkAttempts = this._signaling.attempts;
  }

  /** Something that a link did. */
  private _hear(event: NeighbourEvent, now: number): void {
    this._settled ||= event.type !== "Asked" && event.type !== "Noted";
    switch (event.type) {
      case "Delivered":
        if (!this._transfers.fromLink(event.link, event.key, event.data, now)) {
          this._neighbours.debit(event.link, event.data.length);
        }
        this._dirty = true;
        if (this._neighbours.runsDry(event.link)) this._pause = HURRY;
        break;
      case "Asked": {
        const ours = event.era === this._transfers.era(event.key.rendition);
        const chunk = this._uploads && ours ? this.store.get(event.key) : undefined;
        const received = this._stats.originBytes + this._stats.peerBytes;
        // Where nobody names importers whoever says that it is one would always be first.
        const need = event.need === "imports" && !this._leases.importers ? "usual" : event.need;
        this._neighbours.answer({ ...event, need }, chunk, received, now);
        this._weigh(now);
        break;
      }
      case "Undelivered":
        this._transfers.lost(event.key);
        this._dirty = true;
        break;
      case "Noted":
        if (event.lostBy !== null && this._uploads) {
          this._neighbours.introduce(event.lostBy, this._holdings(event.segments), []);
        }
        this._dirty ||= event.segments.some((segment) => this._isOfUse(segment, event.offeredBy, now));
        break;
      case "Heard":
        this._transfers.offered(event.records, event.link, now);
        break;
      case "Up": {
        const { link, peer } = event;
        if (this._uploads) this._neighbours.introduce(link, this._holdings(), this._transfers.loading());
        this._events.push({ type: "LinkUp", link, peer });
        this._changed();
        break;
      }
      case "Down":
        this._down(event);
    }
  }

  /**
   * Whether it matters to us now what a neighbour says of a segment. What `link` offers of one that
   * is on its way does if it can be asked for it at once: when it is free again, that is news by
   * itself.
   */
  private _isOfUse(segment: SegmentKey, link: number | null, now: number): boolean {
    const transfer = this._transfers.transfer(segment);
    if (!transfer) return !this._transfers.holds(segment);
    const chunks = transfer.missing | this._transfers.fetched(segment, now).late;
    if (link === null || !chunks) return chunks !== 0n;
    return this._neighbours.canSend(link, segment, chunks, now);
  }

  /** There are other neighbours than before. */
  private _changed(): void {
    this._survey.forgetRanks();
    this._dirty = true;
  }

  private _holdings(segments: readonly SegmentKey[] = this.store.segments()): Chunks {
    return segments.map((segment) => [segment, this.store.chunks(segment)]);
  }

  /** Tell all neighbours; who does not upload has nothing to tell. */
  private _announce(
    kind: Announcement["type"],
    segment: SegmentKey,
    chunks: Iterable<number>,
    now: number,
  ): void {
    if (this._uploads) this._neighbours.announce(kind, [[segment, chunks]], now);
  }

  /** What came over a link was wrong; it may be over by now. */
  private _lied(link: number | null, now: number): void {
    if (link === null) return;
    if (this._neighbours.all().includes(link)) this._neighbours.end(link, "integrity", now);
    else this._signaling.lied(link);
  }

  private _down(event: Down): void {
    const { link, reason } = event;
    this._reporter.ended(event);
    this._signaling.over(link, reason);
    this._events.push({ type: "CloseLink", link });
    if (event.greeted) this._events.push({ type: "LinkDown", link, reason });
    this._changed();
  }

  /** Something that became of a transfer. */
  private _take(event: TransferEvent, now: number): void {
    switch (event.type) {
      case "Kept": {
        const { key, size, link } = event;
        this._neighbours.cancel(key);
        if (link !== null) this._neighbours.credit(link, key, size);
        this._announce("have", key, [key.chunk], now);
        this._dirty = true;
        return;
      }
      case "Forgotten":
        for (let chunk = 0; chunk < event.chunks; chunk++) {
          this._neighbours.cancel({ ...event.segment, chunk });
        }
        return;
      case "Anew":
        this._playhead.forget(event.rendition);
        this._survey.forgetSeen();
        this._dirty = true;
        return;
      case "Dropped":
        this._survey.forgetHeld();
        this._announce("gone", event.segment, event.chunks, now);
        this._dirty = true;
        return;
      case "Learned":
        if (this._uploads) this._neighbours.passOn(event.records, event.link);
        this._dirty = true;
        return;
      case "Forged":
        this._lied(event.link, now);
        return;
      case "ChunkRejected":
        this._dirty = true;
        if (event.link !== null) {
          const length = this.record(event.key)?.length;
          const size = length ? chunkLength(length, event.chunk) : 0;
          this._neighbours.debit(event.link, size, event.proved);
        }
        if (event.proved) this._lied(event.link, now);
        else if (event.link !== null) this._neighbours.end(event.link, "timeout", now);
        break;
      case "SegmentReady":
        this._playhead.started = true;
        this._leases.done(event.key);
        this._trust.delivered(event.peerBytes / Math.max(event.data.length, 1));
        break;
      default:
    }
    this._events.push(event);
  }

  // Deciding

  private _decide(now: number): void {
    this._settled = true;
    this._waits = false;
    const wanted = this._survey.wanted(now);
    const ids = new Set(wanted.map(segmentId));
    this._transfers.need(...this._survey.needed(wanted), now);
    for (const key of wanted) this._transfers.begin(key, now);
    this._transfers.keepOnly(ids);
    const { asks, wakeAt } = plan(this._survey.view(ids, now), now);
    for (const ask of asks) {
      if (ask.type === "AskPeer") this._askPeer(ask, now);
      else this._askOrigin(ask, now);
    }
    this._wakeAt = earliest([wakeAt, this._transfers.lateAt(now)]);
    const { playing } = this._playhead;
    if (playing) this._transfers.evict(playing.head, ids);
  }

  private _askPeer({ link, key, chunk, need }: AskPeer, now: number): void {
    const transfer = this._transfers.transfer(key);
    if (!transfer) return;
    transfer.askedPeer(chunk);
    this._neighbours.want(link, { ...key, chunk }, transfer.lengthOf(chunk), need, now, this._transfers.era(key.rendition));
  }

  private _askOrigin({ key, chunks, rule, rescue }: AskOrigin, now: number): void {
    const transfer = this._transfers.transfer(key);
    if (!transfer) return;
    this._transfers.fetch(transfer, chunks, rule, now);
    this._announce("loading", key, numbersOf([chunks]), now);
    for (const stripe of this._leases.use(key, transfer.chunks, chunks)) {
      this._signaling.tell({ type: "fetching", ...key, stripe });
    }
    if (!rescue || transfer.rescued) return;
    transfer.rescued = true;
    const share = transfer.bytesMissing() / transfer.record.length;
    const duration = this._survey.duration(key.rendition);
    this._trust.rescued(share, duration, this._playhead.target, now);
  }

  // The other ends

  private _hello(): Hello {
    const { content } = this._identity;
    const { _uploads: upload } = this;
    return { type: "hello", protocol: PROTOCOL, content, peer: this.peer, upload };
  }
}
