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
import { Link, type Announcement, type LinkEvent } from "./link";
import { earliest } from "./manifest";
import type { LinkReason, LinkSays, LinkSends, Outgoing } from "./ports";
import type { LinkView } from "./scheduler";

/** Seconds for which a link that let a want time out is not asked for anything. */
const REST = 2;

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

/** Some chunks of some segments. */
export type Chunks = Iterable<readonly [SegmentKey, Iterable<number>]>;

/** All open links of a node. */
export class Neighbours {
  private readonly links = new Map<number, Link>();
  private readonly availability = new Availability();
  private readonly restUntil = new Map<number, number>();
  private messages: Outgoing[] = [];
  private events: NeighbourEvent[] = [];
  private wastedBefore = 0;
  private sentBefore = 0;

  // What is known

  /** The links that have been greeted. */
  up(): Link[] {
    return [...this.links.values()].filter(({ state }) => state === "up");
  }

  /** The ids of the peers at the other ends. */
  peers(): string[] {
    return this.up().map(({ peer }) => peer);
  }

  /** The links that may be asked for something. */
  views(): LinkView[] {
    const uploaders = this.up().filter(({ uploads }) => uploads);
    return uploaders.map(({ number, inFlight, busyUntil }) => ({
      number,
      inFlight,
      busyUntil: Math.max(busyUntil, this.restUntil.get(number) ?? 0),
    }));
  }

  /** Which of these links hold the chunk. */
  holders(segment: SegmentKey, chunk: number, among: readonly number[]): number[] {
    const held = this.availability.holders(segment, chunk);
    return among.filter((number) => held.includes(number));
  }

  loadedUntil(segment: SegmentKey, chunk: number, now: number): number | null {
    return this.availability.loadedUntil(segment, chunk, now);
  }

  /** Bytes that came over links after they were no longer wanted. */
  get wasted(): number {
    return [...this.links.values()].reduce((sum, link) => sum + link.wasted, this.wastedBefore);
  }

  /** Bytes of chunks that went out over links. */
  get sent(): number {
    return [...this.links.values()].reduce((sum, link) => sum + link.sent, this.sentBefore);
  }

  // What is asked and said

  want(number: number, key: ChunkKey, length: number, now: number): void {
    this.links.get(number)?.want(key, length, now);
  }

  /** Nobody need send this chunk any more. */
  cancel(key: ChunkKey): void {
    for (const link of this.links.values()) link.cancel(key);
  }

  /** Give a link what it wants, or say that we can't. */
  answer({ link, want }: Asked, chunk: Bytes | undefined): void {
    if (chunk) this.links.get(link)?.supply(want, chunk);
    else this.links.get(link)?.lack(want);
  }

  /** Tell every link. */
  announce(kind: Announcement["type"], chunks: Chunks, now: number): void {
    for (const link of this.up()) {
      for (const [segment, numbers] of chunks) link.announce(kind, segment, numbers, now);
    }
  }

  /** Tell one link, which is new, all that we hold. */
  introduce(number: number, chunks: Chunks, now: number): void {
    for (const [segment, numbers] of chunks) {
      this.links.get(number)?.announce("have", segment, numbers, now);
    }
  }

  /** A chunk that this link delivered was verified. */
  credit(number: number, size: number): void {
    const link = this.links.get(number);
    if (link) link.received += size;
  }

  // The five verbs

  /** Both channels of a link are open. */
  opened(number: number, hello: Hello, now: number): void {
    this.links.set(number, new Link(number, hello, now));
  }

  receive(message: LinkSays | LinkSends, now: number): void {
    const link = this.links.get(message.link);
    link?.receive(message.type === "LinkSays" ? message.message : message.frame, now);
    this.gather(link, now);
  }

  drained(number: number, buffered: number): void {
    this.links.get(number)?.drained(buffered);
  }

  /** End a link, telling the other end why. */
  end(number: number, reason: LinkReason, now: number, code: ErrorCode | null = null): void {
    const link = this.links.get(number);
    link?.end(reason, code);
    this.gather(link, now);
  }

  /** The connection is gone already. */
  closed(number: number, reason: LinkReason, now: number): void {
    const link = this.links.get(number);
    link?.closed(reason);
    this.gather(link, now);
  }

  timerAt(): number | null {
    return earliest(Array.from(this.links.values(), (link) => link.timerAt()));
  }

  onTimer(now: number): void {
    for (const link of this.links.values()) {
      const at = link.timerAt();
      if (at === null || at > now) continue;
      link.onTimer(now);
      this.gather(link, now);
    }
  }

  takeMessages(): Outgoing[] {
    const links = [...this.links.values()];
    const messages = [...this.messages, ...links.flatMap((link) => link.takeMessages())];
    this.messages = [];
    return messages;
  }

  takeEvents(): NeighbourEvent[] {
    const events = this.events;
    this.events = [];
    return events;
  }

  // What the links say

  private gather(link: Link | undefined, now: number): void {
    for (const event of link?.takeEvents() ?? []) if (link) this.hear(link, event, now);
  }

  private hear(link: Link, event: LinkEvent, now: number): void {
    const { number, received, sent } = link;
    switch (event.type) {
      case "Greeted":
        this.events.push({ type: "Up", link: number, peer: event.hello.peer });
        break;
      case "Announced":
        this.note(number, event.message, now);
        break;
      case "ChunkCame":
        this.events.push({ type: "Delivered", link: number, key: event.key, data: event.data });
        break;
      case "WantFailed": {
        const { key, reason } = event;
        if (reason === "missing") this.availability.lacks(number, key, key.chunk);
        else if (reason === "timeout") this.restUntil.set(number, now + REST);
        this.events.push({ type: "Undelivered", key });
        break;
      }
      case "Wanted":
        this.events.push({ type: "Asked", link: number, want: event.want, key: event.key });
        break;
      case "Ended": {
        this.forget(link);
        const greeted = link.peer !== "";
        const { reason } = event;
        this.events.push({ type: "Down", link: number, reason, greeted, received, sent });
        break;
      }
    }
  }

  private note(number: number, { type, holdings }: Announcement, now: number): void {
    if (type === "have") this.availability.have(number, holdings);
    else if (type === "gone") this.availability.gone(number, holdings);
    else this.availability.loads(number, holdings, now);
  }

  private forget(link: Link): void {
    this.messages.push(...link.takeMessages());
    this.wastedBefore += link.wasted;
    this.sentBefore += link.sent;
    this.availability.forget(link.number);
    this.restUntil.delete(link.number);
    this.links.delete(link.number);
  }
}
