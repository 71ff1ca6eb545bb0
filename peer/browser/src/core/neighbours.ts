/**
 * The links that are open, what they announced, and what they are asked for.
 *
 * Each link is a machine of its own; this one feeds them, gathers what they say, knows whom a chunk
 * may be asked of, and shares our uplink among those who ask us: a chunk of each link, in turn. What
 * we announce is gathered and told to all links at once, `ANNOUNCE_EVERY` seconds apart; but to none
 * who has brought something what it holds itself.
 */

import type { ErrorCode } from "../errors";
import {
  CHUNK_SIZE,
  chunkId,
  segmentId,
  type Bytes,
  type ChunkKey,
  type SegmentKey,
} from "../model";
import type { Hello } from "../wire/link";
import type { Records } from "../wire/manifest";
import type { Account } from "./account";
import { Availability, holdingOf, type Load } from "./availability";
import { Goodput } from "./goodput";
import { Governor } from "./governor";
import { Link, type Announcement, type LinkEvent, type Need } from "./link";
import type { Caps, LinkReason, LinkSays, LinkSends, Outgoing, Route } from "./ports";
import { Uplink } from "./uplink";

/** Seconds for which a link that let a want time out is not asked for anything. */
const REST = 2;
/**
 * Seconds from a link's opening in which its first announcement is awaited: a hello has to go each
 * way before it, which takes 0.3 s around the world.
 */
const FIRST_WORDS = 0.5;
/** Announcements are gathered for so long: ten a second at most. */
const ANNOUNCE_EVERY = 0.1;
/** Holdings a message: however ragged they are, it stays below the limit of a control message. */
const HOLDINGS = 32;
/** Seconds of backlog above which the answer to a want is busy. */
const PATIENCE = { spare: 0.05, usual: 0.35, soon: 1, imports: 1 };
/** The same for what somebody else is being sent, who has it to give in a moment. */
const RELAYED = 0.15;
/** The share of what peers bring that may be asked for a second time, elsewhere. */
const DUPLICATES = 0.05;
/** Bytes that may be asked for twice before anything has come. */
const FIRST_DUPLICATES = 524_288;

/** A link has been greeted by its other end. */
export interface Up {
  readonly type: "Up";
  readonly link: number;
  readonly peer: string;
}

/** A link is over. */
export interface Down {
  readonly type: "Down";
  readonly link: number;
  readonly reason: LinkReason;
  /** Whether it had been up. */
  readonly greeted: boolean;
  /** What has gone over it since the last report. */
  readonly account: Account;
}

/** A link brought a whole chunk, still unproved. */
export interface Delivered {
  readonly type: "Delivered";
  readonly link: number;
  readonly key: ChunkKey;
  readonly data: Bytes;
}

/** A link will not bring a chunk that it was asked for. */
export interface Undelivered {
  readonly type: "Undelivered";
  readonly key: ChunkKey;
}

/** A link wants a chunk: answer with `Neighbours.answer`. */
export interface Asked {
  readonly type: "Asked";
  readonly link: number;
  readonly want: number;
  readonly key: ChunkKey;
  readonly need: Need;
  readonly era: number;
}

/** A link has announced something about these segments. */
export interface Noted {
  readonly type: "Noted";
  readonly segments: readonly SegmentKey[];
  /** The link, if it no longer holds some of it: it has not been told who else does. */
  readonly lostBy: number | null;
  /** The link, if all that is new is what it may be asked for. */
  readonly offeredBy: number | null;
}

/** A link passes records on. */
export interface Heard {
  readonly type: "Heard";
  readonly link: number;
  readonly records: Records;
}

export type NeighbourEvent = Up | Down | Delivered | Undelivered | Asked | Noted | Heard;

type Kind = Announcement["type"];

/** Some chunks of some segments. */
export type Chunks = Iterable<readonly [SegmentKey, Iterable<number>]>;

/** All open links of a node. */
export class Neighbours {
  readonly uplink = new Uplink();
  readonly governor = new Governor();
  readonly goodput = new Goodput();
  private readonly _links = new Map<number, Link>();
  private readonly _availability = new Availability();
  /** Links that have announced nothing yet. */
  private readonly _quietUntil = new Map<number, number>();
  /** The link that each chunk is asked of. */
  private readonly _asked = new Map<string, number>();
  /** Bytes that may still be asked for a second time. */
  private _duplicates = FIRST_DUPLICATES;
  private _news = new Map<Kind, Map<string, readonly [SegmentKey, Set<number>]>>();
  private _announcedAt = -ANNOUNCE_EVERY;
  /** When a link has to look at the clock, or earlier. */
  private _alarm = Infinity;
  /** The link that was the last to send a frame. */
  private _turn = 0;
  private _pumpAt = Infinity;
  /** Bytes of chunks that went out over links. */
  sent = 0;
  private readonly _messages: Outgoing[] = [];
  private readonly _events: NeighbourEvent[] = [];
  private _wastedBefore = 0;

  // What is known

  /** The links that are open, greeted or not. */
  all(): number[] {
    return [...this._links.keys()];
  }

  /** The links that have been greeted. */
  up(): Link[] {
    return [...this._links.values()].filter(({ state }) => state === "up");
  }

  /** The ids of the peers at the other ends, but for those that said they don't upload. */
  peers(): string[] {
    return this.up().flatMap(({ peer, uploads }) => (uploads ? [peer] : []));
  }

  /** The links that may be asked for something. */
  views(now: number): Link[] {
    const quiet = this.quiet(now);
    return this.up().filter(({ number }) => !quiet.has(number));
  }

  /**
   * The links that have just opened, and until when they may be about to say what they hold.
   */
  quiet(now: number): Map<number, number> {
    return new Map([...this._quietUntil].filter(([, until]) => until > now));
  }

  /** Whether a neighbour holds any of a segment. */
  offers(segment: SegmentKey): boolean {
    return this._availability.offers(segment);
  }

  /** Whether a link may be asked now for any of these chunks of a segment. */
  canSend(number: number, segment: SegmentKey, chunks: bigint, now: number): boolean {
    const link = this._links.get(number);
    if (!link?.isFree(now)) return false;
    return ((link.held.get(segmentId(segment)) ?? 0n) & chunks) !== 0n;
  }

  /** Whether a fast link has brought most of what it was asked for. */
  runsDry(number: number): boolean {
    return this._links.get(number)?.runsDry ?? false;
  }

  /** Which chunks of a segment a neighbour is loading, and until when that is believed. */
  loading(segment: SegmentKey, now: number): Load {
    return this._availability.loading(segment, now);
  }

  /** Bytes that came over links after they were no longer wanted. */
  get wasted(): number {
    return [...this._links.values()].reduce((sum, link) => sum + link.wasted, this._wastedBefore);
  }

  // What is asked and said

  want(number: number, key: ChunkKey, length: number, need: Need, now: number, era = 0): void {
    const link = this._links.get(number);
    if (!link) return;
    link.want(key, length, need, now, era);
    this._asked.set(chunkId(key), number);
    this._alarm = Math.min(this._alarm, link.alarm);
    this.goodput.asking(now);
  }

  /** Nobody need send this chunk any more. */
  cancel(key: ChunkKey): void {
    this._links.get(this._asked.get(chunkId(key)) ?? -1)?.cancel(key);
    this._settled(key);
  }

  /**
   * Give a link what it wants, or say that we can't, or not now. `received` are the bytes of media
   * that we have got so far.
   */
  answer(asked: Asked, chunk: Bytes | undefined, received: number, now: number): void {
    const { link: number, want, key, need } = asked;
    const link = this._links.get(number);
    if (!link || link.state === "over") return;
    if (!chunk) {
      link.lack(want);
      return;
    }
    const owed = this._owed();
    // Nobody else will have it to give in a moment whom an importer could ask.
    const relayed = need !== "imports" && [...this._links.values()].some((other) => other.owes(key));
    const patience = Math.min(PATIENCE[need], relayed ? RELAYED : Infinity);
    const wait =
      this.governor.wait(chunk.length, this.sent, owed, received) ??
      this.uplink.busy(owed, patience, now);
    if (wait !== null) {
      link.refuse(want, wait);
    } else {
      link.supply(want, key, chunk, need);
      this._pump(now);
    }
  }

  /** Hold to these caps from now on. */
  limit(caps: Caps): void {
    this.governor.limit(caps);
    this.uplink.cap = this.governor.rate;
  }

  /** Take back all that is promised. */
  withdraw(): void {
    for (const link of this._links.values()) link.withdraw();
  }

  /**
   * A link goes this way, now. What has ever gone through a relay has to be paid for; and how far the
   * other end is tells the least round trip, since queues add to the others.
   */
  routed(number: number, route: Route, rtt = 0): void {
    const link = this._links.get(number);
    if (!link) return;
    if (rtt) link.rtt = Math.min(link.rtt || rtt, rtt);
    if (link.account.route !== "relay") link.account.route = route;
  }

  /** Tell every link, soon. What is gone is no longer announced as held or loading. */
  announce(kind: Kind, holdings: Chunks, now: number): void {
    for (const [segment, chunks] of holdings) {
      const id = segmentId(segment);
      const news = this._news.get(kind) ?? new Map<string, readonly [SegmentKey, Set<number>]>();
      const [, told] = news.get(id) ?? [segment, new Set<number>()];
      this._news.set(kind, news.set(id, [segment, told]));
      for (const chunk of chunks) {
        told.add(chunk);
        if (kind !== "gone") continue;
        for (const other of ["have", "loading"] as const) {
          this._news.get(other)?.get(id)?.[1].delete(chunk);
        }
      }
    }
    // That somebody loads something is news to act upon at once.
    if (kind === "loading" || now >= this._announcedAt + ANNOUNCE_EVERY) this._tellNews(now);
  }

  /** Tell one link, which is new or has lost something, what we hold, and what will follow. */
  introduce(number: number, holdings: Chunks, loading: Chunks): void {
    const link = this._links.get(number);
    if (!link) return;
    say(link, "have", holdings);
    say(link, "loading", loading);
  }

  /** Tell records to every link but the one that told us. */
  passOn(records: Records, but: number | null): void {
    for (const link of this.up()) {
      if (link.number !== but) link.tell(records);
    }
  }

  /** A chunk that this link delivered was verified, and is kept. */
  credit(number: number, key: ChunkKey, size: number): void {
    const link = this._links.get(number);
    if (!link) return;
    link.received += size;
    link.account.received.add(key, size);
  }

  /** A chunk that it delivered is of no use, perhaps since it was wrong. */
  debit(number: number, size: number, rejected = false): void {
    const account = this._links.get(number)?.account;
    if (!account) return;
    account.waste += size;
    account.rejected += Number(rejected);
  }

  // The five verbs

  /** Both channels of a link are open. */
  opened(number: number, hello: Hello, now: number): void {
    const link = new Link(number, hello, now, this._messages);
    link.held = this._availability.held(number);
    this._links.set(number, link);
    this._alarm = Math.min(this._alarm, link.alarm);
    this._quietUntil.set(number, now + FIRST_WORDS);
  }

  receive(message: LinkSays | LinkSends, now: number): void {
    const link = this._links.get(message.link);
    link?.receive(message.type === "LinkSays" ? message.message : message.frame, now);
    this._gather(link, now);
  }

  /** So many bytes are left in the buffer of a link's data channel. */
  drained(number: number, buffered: number, now: number): void {
    if (!this._links.has(number)) return;
    this.uplink.drained(number, buffered, now);
    this._pump(now);
  }

  /** End a link, telling the other end why. */
  end(number: number, reason: LinkReason, now: number, code: ErrorCode | null = null): void {
    const link = this._links.get(number);
    link?.end(reason, code);
    this._gather(link, now);
  }

  /** The connection is gone already. */
  closed(number: number, reason: LinkReason, now: number): void {
    const link = this._links.get(number);
    link?.closed(reason);
    this._gather(link, now);
  }

  /** When to look at the clock; infinity if there is no need. */
  get alarm(): number {
    const news = this._news.size && this._links.size;
    const newsAt = news ? this._announcedAt + ANNOUNCE_EVERY : Infinity;
    return Math.min(this._alarm, this._pumpAt, newsAt);
  }

  timerAt(): number | null {
    return this.alarm === Infinity ? null : this.alarm;
  }

  onTimer(now: number): void {
    if (this._news.size && this._announcedAt + ANNOUNCE_EVERY <= now) this._tellNews(now);
    if (this._pumpAt <= now) this._pump(now);
    if (this._alarm > now) return;
    for (const link of this._links.values()) if (link.alarm <= now) this._lookAt(link, now);
    this._rearm();
  }

  private _rearm(): void {
    this._alarm = Math.min(...Array.from(this._links.values(), ({ alarm }) => alarm));
  }

  /** For so many seconds nobody was heard: that is nobody's fault. */
  overslept(late: number, now: number): void {
    for (const link of this._links.values()) link.overslept(late, now);
    this._rearm();
    for (const [number, until] of this._quietUntil) this._quietUntil.set(number, until + late);
    this.goodput.overslept(late, now);
    this.uplink.overslept(now);
  }

  /**
   * A link may have been silent for too long. What it is given up for is asked elsewhere and may
   * still arrive: that is not to happen too often. Who never brought anything will not.
   */
  private _lookAt(link: Link, now: number): void {
    const late = link.late(now).length;
    if (link.received) {
      if (late && this._duplicates <= 0) {
        link.bearWith(now);
        return;
      }
      this._duplicates -= late * CHUNK_SIZE;
    }
    link.onTimer(now);
    this._gather(link, now);
  }

  takeMessages(): Outgoing[] {
    return this._messages.splice(0); // the links go on filling it
  }

  /** Whether `takeEvents` would bring any. */
  get hasEvents(): boolean {
    return this._events.length > 0;
  }

  takeEvents(): NeighbourEvent[] {
    return this._events.splice(0);
  }

  // What the links say

  private _gather(link: Link | undefined, now: number): void {
    for (const event of link?.takeEvents() ?? []) if (link) this._hear(link, event, now);
  }

  private _hear(link: Link, event: LinkEvent, now: number): void {
    const { number } = link;
    switch (event.type) {
      case "Greeted":
        this._events.push({ type: "Up", link: number, peer: event.hello.peer });
        break;
      case "Announced":
        this._note(number, event.message, now);
        break;
      case "Told":
        this._events.push({ type: "Heard", link: number, records: event.records });
        break;
      case "ChunkCame":
        this._came(event.key, event.data.length, now);
        this._events.push({ type: "Delivered", link: number, key: event.key, data: event.data });
        break;
      case "WantFailed": {
        const { key, reason } = event;
        this._settled(key);
        if (reason === "missing") this._availability.lacks(number, key, key.chunk);
        else if (reason === "timeout") link.busyUntil = Math.max(link.busyUntil, now + REST);
        this._events.push({ type: "Undelivered", key });
        break;
      }
      case "Wanted":
        this._events.push({ ...event, type: "Asked", link: number });
        break;
      case "Ended": {
        this._forget(link);
        const greeted = link.peer !== "";
        const { reason } = event;
        const { account } = link;
        this._events.push({ type: "Down", link: number, reason, greeted, account });
        break;
      }
    }
  }

  private _note(number: number, { type, holdings }: Announcement, now: number): void {
    const first = this._quietUntil.delete(number);
    if (type === "have") this._availability.have(number, holdings, now);
    else if (type === "gone") this._availability.gone(number, holdings);
    else this._availability.loads(number, holdings, now);
    const lostBy = type === "gone" ? number : null;
    const offeredBy = type === "gone" || first ? null : number;
    this._events.push({ type: "Noted", segments: holdings, lostBy, offeredBy });
  }

  private _came(key: ChunkKey, size: number, now: number): void {
    this._duplicates = Math.min(this._duplicates + DUPLICATES * size, FIRST_DUPLICATES);
    this.goodput.brought(size, now);
    this._settled(key);
  }

  /** The chunk is asked of nobody any more. */
  private _settled(key: ChunkKey): void {
    this._asked.delete(chunkId(key));
    if (!this._asked.size) this.goodput.rests();
  }

  // What we send

  /** Bytes promised over all links. */
  private _owed(): number {
    return [...this._links.values()].reduce((sum, { owed }) => sum + owed, 0);
  }

  /** Fill the channels' buffers, a chunk of each link after the other. */
  private _pump(now: number): void {
    this._pumpAt = Infinity;
    // A chunk can be passed on once it is whole: so they go one after the other.
    const turn = ({ hasBegun, imports, number }: Link): number =>
      Number(!hasBegun) * 4 + Number(!imports) * 2 + Number(number <= this._turn);
    let owing = [...this._links.values()]
      .filter(({ owed }) => owed)
      .sort((a, b) => turn(a) - turn(b) || a.number - b.number);
    while (owing.length) owing = owing.filter((link) => this._sendChunk(link, now));
    if (this._owed()) this._pumpAt = Math.max(this.uplink.roomAt(now), this.governor.roomAt());
  }

  /** Send what is left of a link's next chunk; whether there was room for it. */
  private _sendChunk(link: Link, now: number): boolean {
    const { number } = link;
    while (this.governor.hasRoom(now) && this.uplink.hasRoom(number, now)) {
      const frame = link.nextFrame();
      if (!frame) break;
      this._turn = number;
      this.uplink.sent(number, frame.payload.length, now);
      this.governor.sent(frame.payload.length, now);
      this.sent += frame.payload.length;
      this._messages.push({ type: "SendFrame", link: number, frame });
      if (!link.hasBegun) return true;
    }
    return false;
  }

  /** Say what is new to all who listen. */
  private _tellNews(now: number): void {
    this._announcedAt = now;
    const news = this._news;
    this._news = new Map();
    // What is gone first: a segment that was dropped and came back is held.
    for (const kind of ["gone", "loading", "have"] as const) {
      for (const link of this.up()) say(link, kind, news.get(kind)?.values() ?? []);
    }
  }

  private _forget(link: Link): void {
    this._wastedBefore += link.wasted;
    this._availability.forget(link.number);
    this.uplink.forget(link.number);
    this._quietUntil.delete(link.number);
    this._links.delete(link.number);
  }
}

/**
 * Announce these chunks to a link, but for what it has announced itself, as far as its word counts:
 * whoever has brought nothing may be boasting, and would load all from the origin that it is not
 * told of.
 */
function say(link: Link, type: Kind, holdings: Chunks): void {
  const all = Array.from(holdings, ([segment, chunks]) => {
    const counts = type !== "gone" && link.received > 0;
    const held = counts ? (link.held.get(segmentId(segment)) ?? 0n) : 0n;
    return holdingOf(segment, [...chunks].filter((chunk) => !((held >> BigInt(chunk)) & 1n)));
  });
  const some = all.filter(({ chunks }) => chunks.length);
  for (let at = 0; at < some.length; at += HOLDINGS) {
    link.tell({ type, holdings: some.slice(at, at + HOLDINGS) });
  }
}
