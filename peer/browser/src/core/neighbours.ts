/**
 * The links that are open, what they announced, and what they are asked for.
 *
 * Each link is a machine of its own; this one feeds them, gathers what they say, and knows whom a
 * chunk may be asked of.
 */

import type { ErrorCode } from "../errors";
import type { Bytes, ChunkKey, SegmentKey } from "../model";
import type { Hello } from "../wire/link";
import { Availability } from "./availability";
import { Link, type Announcement, type Chunks, type LinkEvent } from "./link";
import { earliest } from "./manifest";
import type { LinkReason, LinkSays, LinkSends, Outgoing } from "./ports";
import type { LinkView } from "./scheduler";

/** Seconds for which a link that let a want time out is not asked for anything. */
const REST = 2;
/**
 * Seconds from a link's opening in which its first announcement is awaited: a hello has to go each
 * way before it, which takes 0.3 s around the world.
 */
const FIRST_WORDS = 0.5;

/** A link has been greeted by its other end. */
export interface Up {
  readonly type: "Up";
  readonly link: number;
  readonly peer: string;
}

/** A link is over; `received` and `sent` are its verified and its sent media bytes. */
export interface Down {
  readonly type: "Down";
  readonly link: number;
  readonly reason: LinkReason;
  /** Whether it had been up. */
  readonly greeted: boolean;
  readonly received: number;
  readonly sent: number;
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
}

export type NeighbourEvent = Up | Down | Delivered | Undelivered | Asked;

/** All open links of a node. */
export class Neighbours {
  private readonly _links = new Map<number, Link>();
  private readonly _availability = new Availability();
  private readonly _restUntil = new Map<number, number>();
  /** Links that have announced nothing yet. */
  private readonly _quietUntil = new Map<number, number>();
  private _messages: Outgoing[] = [];
  private _events: NeighbourEvent[] = [];
  private _wastedBefore = 0;
  private _sentBefore = 0;

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
  views(): LinkView[] {
    return this.up().map(({ number, inFlight, busyUntil }) => ({
      number,
      inFlight,
      busyUntil: Math.max(busyUntil, this._restUntil.get(number) ?? 0),
    }));
  }

  /**
   * The links that have just opened, and until when they may be about to say what they hold.
   */
  quiet(now: number): Map<number, number> {
    return new Map([...this._quietUntil].filter(([, until]) => until > now));
  }

  /** Which of these links hold the chunk. */
  holders(segment: SegmentKey, chunk: number, among: readonly number[]): number[] {
    const held = this._availability.holders(segment, chunk);
    return among.filter((number) => held.includes(number));
  }

  loadedUntil(segment: SegmentKey, chunk: number, now: number): number | null {
    return this._availability.loadedUntil(segment, chunk, now);
  }

  /** Bytes that came over links after they were no longer wanted. */
  get wasted(): number {
    return [...this._links.values()].reduce((sum, link) => sum + link.wasted, this._wastedBefore);
  }

  /** Bytes of chunks that went out over links. */
  get sent(): number {
    return [...this._links.values()].reduce((sum, link) => sum + link.sent, this._sentBefore);
  }

  // What is asked and said

  want(number: number, key: ChunkKey, length: number, now: number): void {
    this._links.get(number)?.want(key, length, now);
  }

  /** Nobody need send this chunk any more. */
  cancel(key: ChunkKey): void {
    for (const link of this._links.values()) link.cancel(key);
  }

  /** Give a link what it wants, or say that we can't. */
  answer({ link, want }: Asked, chunk: Bytes | undefined): void {
    if (chunk) this._links.get(link)?.supply(want, chunk);
    else this._links.get(link)?.lack(want);
  }

  /** Tell every link. */
  announce(kind: Announcement["type"], holdings: Chunks, now: number): void {
    for (const link of this.up()) link.announce(kind, holdings, now);
  }

  /** Tell one link, which is new, all that we hold. */
  introduce(number: number, holdings: Chunks, now: number): void {
    this._links.get(number)?.announce("have", holdings, now);
  }

  /** A chunk that this link delivered was verified. */
  credit(number: number, size: number): void {
    const link = this._links.get(number);
    if (link) link.received += size;
  }

  // The five verbs

  /** Both channels of a link are open. */
  opened(number: number, hello: Hello, now: number): void {
    this._links.set(number, new Link(number, hello, now));
    this._quietUntil.set(number, now + FIRST_WORDS);
  }

  receive(message: LinkSays | LinkSends, now: number): void {
    const link = this._links.get(message.link);
    link?.receive(message.type === "LinkSays" ? message.message : message.frame, now);
    this._gather(link, now);
  }

  drained(number: number, buffered: number): void {
    this._links.get(number)?.drained(buffered);
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

  timerAt(): number | null {
    return earliest(Array.from(this._links.values(), (link) => link.timerAt()));
  }

  onTimer(now: number): void {
    for (const link of this._links.values()) {
      const at = link.timerAt();
      if (at === null || at > now) continue;
      link.onTimer(now);
      this._gather(link, now);
    }
  }

  takeMessages(): Outgoing[] {
    const links = [...this._links.values()];
    const messages = [...this._messages, ...links.flatMap((link) => link.takeMessages())];
    this._messages = [];
    return messages;
  }

  takeEvents(): NeighbourEvent[] {
    const events = this._events;
    this._events = [];
    return events;
  }

  // What the links say

  private _gather(link: Link | undefined, now: number): void {
    for (const event of link?.takeEvents() ?? []) if (link) this._hear(link, event, now);
  }

  private _hear(link: Link, event: LinkEvent, now: number): void {
    const { number, received, sent } = link;
    switch (event.type) {
      case "Greeted":
        this._events.push({ type: "Up", link: number, peer: event.hello.peer });
        break;
      case "Announced":
        this._note(number, event.message, now);
        break;
      case "ChunkCame":
        this._events.push({ type: "Delivered", link: number, key: event.key, data: event.data });
        break;
      case "WantFailed": {
        const { key, reason } = event;
        if (reason === "missing") this._availability.lacks(number, key, key.chunk);
        else if (reason === "timeout") this._restUntil.set(number, now + REST);
        this._events.push({ type: "Undelivered", key });
        break;
      }
      case "Wanted":
        this._events.push({ type: "Asked", link: number, want: event.want, key: event.key });
        break;
      case "Ended": {
        this._forget(link);
        const greeted = link.peer !== "";
        const { reason } = event;
        this._events.push({ type: "Down", link: number, reason, greeted, received, sent });
        break;
      }
    }
  }

  private _note(number: number, { type, holdings }: Announcement, now: number): void {
    this._quietUntil.delete(number);
    if (type === "have") this._availability.have(number, holdings);
    else if (type === "gone") this._availability.gone(number, holdings);
    else this._availability.loads(number, holdings, now);
  }

  private _forget(link: Link): void {
    this._messages.push(...link.takeMessages());
    this._wastedBefore += link.wasted;
    this._sentBefore += link.sent;
    this._availability.forget(link.number);
    this._restUntil.delete(link.number);
    this._quietUntil.delete(link.number);
    this._links.delete(link.number);
  }
}
