/**
 * One link, once its channels are open: greetings, wants both ways, frames, announcements.
 *
 *     greeting --hello--> up --bye, broken, closed--> over
 *         '----- no hello in 5 s, wrong content ------^
 *
 * What comes in is a want's frames, in any order; a whole chunk leaves as `ChunkCame`, still
 * unproved. What goes out is paced by the data channel: at most `HIGH_WATER` bytes are buffered
 * there, so that a `cancel` still finds something to drop, and control messages never wait behind
 * media.
 */

import { RemoteError, type ErrorCode, type SourceReason } from "../errors";
import {
  PROTOCOL,
  chunkId,
  segmentId,
  type Bytes,
  type ChunkKey,
  type SegmentKey,
} from "../model";
import { framesOf, type Frame } from "../wire/chunk";
import type { Gone, Have, Hello, LinkMessage, Loading, Want } from "../wire/link";
import { holdingOf } from "./availability";
import { earliest } from "./manifest";
import type { LinkReason, Outgoing } from "./ports";

const HELLO_TIMEOUT = 5;
/** Bytes in the data channel's buffer above which nothing is added. */
const HIGH_WATER = 131_072;
/** Bytes of media promised to the other end above which the answer is `busy`. */
const QUEUE = 524_288;
const BUSY_WAIT = 0.3;
/** Wants that the other end may have open with us; ours are far fewer. */
const MOST_WANTS = 16;
/** Announcements are gathered for so long: ten a second at most. */
const ANNOUNCE_EVERY = 0.1;
/** Holdings a message: however ragged they are, it stays below the limit of a control message. */
const HOLDINGS = 32;
const LEAST_PATIENCE = 0.4;
/** No byte for so long, whatever was usual, and a want has failed. */
const MOST_PATIENCE = 2;
/**
 * So often in a row wants may fail without a word in between. ICE needs half a minute to notice that
 * the other end is gone; whoever is only slow says something now and then.
 */
const MOST_SILENCES = 3;

export type Announcement = Have | Gone | Loading;

/** The other end has said who it is. */
export interface Greeted {
  readonly type: "Greeted";
  readonly hello: Hello;
}

/** The other end holds, no longer holds, or is loading something. */
export interface Announced {
  readonly type: "Announced";
  readonly message: Announcement;
}

/** Every byte of a chunk that we wanted. */
export interface ChunkCame {
  readonly type: "ChunkCame";
  readonly key: ChunkKey;
  readonly data: Bytes;
}

/** A chunk that we wanted will not come over this link, for now. */
export interface WantFailed {
  readonly type: "WantFailed";
  readonly key: ChunkKey;
  readonly reason: SourceReason;
}

/** The other end wants a chunk: answer with `Link.supply` or `Link.lack`. */
export interface Wanted {
  readonly type: "Wanted";
  readonly want: number;
  readonly key: ChunkKey;
}

/** The link is over; nothing more is sent. */
export interface Ended {
  readonly type: "Ended";
  readonly reason: LinkReason;
}

export type LinkEvent = Greeted | Announced | ChunkCame | WantFailed | Wanted | Ended;

/** A chunk that we asked for. */
interface OwnWant {
  readonly key: ChunkKey;
  readonly data: Bytes;
  readonly since: number;
  /**
   * When we asked, or when the last frame came of it or of what we asked for before it: the other
   * end sends one chunk after the other.
   */
  heard: number;
  received: number;
  readonly offsets: Set<number>;
}

/** A chunk that the other end asked for. */
interface Upload {
  readonly want: number;
  left: number;
  readonly frames: Iterator<Frame>;
}

/** Some chunks of some segments. */
export type Chunks = Iterable<readonly [SegmentKey, readonly number[]]>;

/** The core's half of one link. `number` is how the node calls it. */
export class Link {
  state: "greeting" | "up" | "over" = "greeting";
  peer = "";
  /**
   * Whether the other end said in its hello that it uploads. If it changes its mind, its
   * announcements show it.
   */
  uploads = true;
  busyUntil = 0;
  received = 0;
  /** Bytes of whole chunks handed to the data channel. */
  sent = 0;
  /** Bytes received that were no longer wanted. */
  wasted = 0;
  private readonly _own = new Map<number, OwnWant>();
  /** Wants that we gave up, and the bytes that may still come for them. */
  private readonly _over = new Map<number, number>();
  private _nextWant = 0;
  /** How often in a row wants failed without a word from the other end. */
  private _silences = 0;
  private _response = LEAST_PATIENCE / 3;
  private _queue: Upload[] = [];
  private _buffered = 0;
  private _announcedAt = -ANNOUNCE_EVERY;
  private readonly _news = new Map<Announcement["type"], Map<string, [SegmentKey, Set<number>]>>();
  private _messages: Outgoing[] = [];
  private _events: LinkEvent[] = [];

  constructor(
    readonly number: number,
    private readonly _hello: Hello,
    private readonly _opened: number,
  ) {
    this._tell(_hello);
  }

  // What we want

  /** How many of our wants are open. */
  get inFlight(): number {
    return this._own.size;
  }

  /** Ask for a chunk of `length` bytes. */
  want(key: ChunkKey, length: number, now: number): void {
    const want = this._nextWant++;
    const data = new Uint8Array(length);
    this._own.set(want, { key, data, since: now, heard: now, received: 0, offsets: new Set() });
    const { rendition, sequence, chunk } = key;
    this._tell({ type: "want", want, rendition, sequence, chunk });
  }

  /** We no longer want the chunk. */
  cancel(key: ChunkKey): void {
    for (const [number, want] of this._own) {
      if (chunkId(want.key) !== chunkId(key)) continue;
      this._giveUp(number, want);
      this._tell({ type: "cancel", want: number });
    }
  }

  // What they want

  /** Send a chunk that `Wanted` asked for, when its turn comes; or say that we are busy. */
  supply(want: number, chunk: Bytes): void {
    if (this._promised() > QUEUE) {
      this._tell({ type: "busy", want, wait: BUSY_WAIT });
      return;
    }
    this._queue.push({ want, left: chunk.length, frames: framesOf(want, chunk) });
    this._pump();
  }

  /** Say that we don't have (or don't give) what `Wanted` asked for. */
  lack(want: number): void {
    this._tell({ type: "missing", want });
  }

  /** Tell the other end, soon. What is gone is no longer announced as held or loading. */
  announce(kind: Announcement["type"], holdings: Chunks, now: number): void {
    const news = this._news.get(kind) ?? new Map<string, [SegmentKey, Set<number>]>();
    for (const [segment, chunks] of holdings) {
      const id = segmentId(segment);
      this._news.set(kind, news);
      news.set(id, [segment, new Set([...(news.get(id)?.[1] ?? []), ...chunks])]);
      if (kind !== "gone") continue;
      for (const other of ["have", "loading"] as const) {
        for (const chunk of chunks) this._news.get(other)?.get(id)?.[1].delete(chunk);
      }
    }
    this._tellNews(now);
  }

  // The five verbs

  /** Take in what came over either channel; what breaks the protocol ends the link. */
  receive(message: LinkMessage | Frame, now: number): void {
    if (this.state === "over") return;
    this._silences = 0;
    try {
      if ("payload" in message) this._takeFrame(message, now);
      else this._take(message, now);
    } catch (error) {
      if (!(error instanceof RemoteError)) throw error;
      this.end("protocol", error.code, error.detail);
    }
  }

  /** So many bytes are left in the data channel's buffer. */
  drained(buffered: number): void {
    this._buffered = buffered;
    this._pump();
  }

  /** End the link, saying why. */
  end(reason: LinkReason, code: ErrorCode | null = null, detail = ""): void {
    if (this.state === "over") return;
    this._tell({ type: "bye", code, detail });
    this._finish(reason);
  }

  /** The connection is gone. */
  closed(reason: LinkReason): void {
    if (this.state !== "over") this._finish(reason);
  }

  timerAt(): number | null {
    if (this.state === "over") return null;
    const patience = this._patience();
    const times = Array.from(this._own.values(), (want) => want.heard + patience);
    if (this.state === "greeting") times.push(this._opened + HELLO_TIMEOUT);
    else if (this._news.size) times.push(this._announcedAt + ANNOUNCE_EVERY);
    return earliest(times);
  }

  onTimer(now: number): void {
    if (this.state === "greeting" && this._opened + HELLO_TIMEOUT <= now) {
      this.end("timeout", "timeout");
      return;
    }
    this._tellNews(now);
    const patience = this._patience();
    const late = [...this._own].filter(([, want]) => want.heard + patience <= now);
    if (!late.length) return;
    // Slower than ever, or gone: a patience that only followed successes would never learn.
    this._response = Math.min(this._response * 2, MOST_PATIENCE / 3);
    for (const [number] of late) {
      this._tell({ type: "cancel", want: number });
      this._fail(number, "timeout");
    }
    if (++this._silences >= MOST_SILENCES) this.end("timeout", "timeout");
  }

  takeMessages(): Outgoing[] {
    const messages = this._messages;
    this._messages = [];
    return messages;
  }

  takeEvents(): LinkEvent[] {
    const events = this._events;
    this._events = [];
    return events;
  }

  // Incoming

  private _take(message: LinkMessage, now: number): void {
    if (message.type === "bye") {
      this._finish(message.code ? "protocol" : "closed");
      return;
    }
    if (message.type === "hello") {
      this._greet(message);
      return;
    }
    if (this.state === "greeting") throw new RemoteError("unexpected", "something before hello");
    switch (message.type) {
      case "have":
      case "gone":
      case "loading":
        this._events.push({ type: "Announced", message });
        break;
      case "want":
        this._takeWant(message);
        break;
      case "cancel":
        this._queue = this._queue.filter(({ want }) => want !== message.want);
        break;
      case "busy":
        this.busyUntil = now + Math.min(message.wait, MOST_PATIENCE);
        this._fail(message.want, "busy");
        break;
      case "missing":
        this._fail(message.want, "missing");
        break;
    }
  }

  private _greet(hello: Hello): void {
    if (this.state !== "greeting") throw new RemoteError("unexpected", "a second hello");
    if (hello.protocol !== PROTOCOL) {
      throw new RemoteError("unsupported_protocol", `${hello.protocol}`);
    }
    if (hello.content !== this._hello.content) {
      throw new RemoteError("wrong_content", hello.content);
    }
    this.state = "up";
    this.peer = hello.peer;
    this.uploads = hello.upload;
    this._events.push({ type: "Greeted", hello });
  }

  private _takeWant({ want, rendition, sequence, chunk }: Want): void {
    if (this._queue.length >= MOST_WANTS) {
      throw new RemoteError("too_many", `more than ${MOST_WANTS} wants at once`);
    }
    if (this._queue.some((upload) => upload.want === want)) {
      throw new RemoteError("unexpected", `want ${want} twice`);
    }
    this._events.push({ type: "Wanted", want, key: { rendition, sequence, chunk } });
  }

  private _takeFrame(frame: Frame, now: number): void {
    const want = this._own.get(frame.want);
    if (!want) {
      this._takeLate(frame);
      return;
    }
    const { key, data, offsets } = want;
    const { offset, payload } = frame;
    if (offset + payload.length > data.length || offsets.has(offset)) {
      throw new RemoteError("bad_frame", `offset ${offset} of want ${frame.want}`);
    }
    offsets.add(offset);
    want.received += payload.length;
    if (want.received > data.length) {
      throw new RemoteError("bad_frame", `more than the chunk of want ${frame.want}`);
    }
    data.set(payload, offset);
    for (const [number, waiting] of this._own) if (number >= frame.want) waiting.heard = now;
    if (want.received === data.length) {
      this._own.delete(frame.want);
      this._response += (now - want.since - this._response) / 4;
      this._events.push({ type: "ChunkCame", key, data });
    }
  }

  /** A frame of a want that we gave up may still come, as far as its chunk goes. */
  private _takeLate({ want, payload }: Frame): void {
    const left = (this._over.get(want) ?? 0) - payload.length;
    if (left < 0) throw new RemoteError("bad_frame", `nobody wants want ${want}`);
    this.wasted += payload.length;
    if (left) this._over.set(want, left);
    else this._over.delete(want);
  }

  private _patience(): number {
    return Math.min(Math.max(3 * this._response, LEAST_PATIENCE), MOST_PATIENCE);
  }

  private _giveUp(number: number, { data, received }: OwnWant): void {
    this._own.delete(number);
    this.wasted += received;
    this._over.set(number, data.length - received);
    for (const oldest of this._over.keys()) {
      if (this._over.size <= 4 * MOST_WANTS) break;
      this._over.delete(oldest);
    }
  }

  private _fail(number: number, reason: SourceReason): void {
    const want = this._own.get(number);
    if (!want) return;
    this._giveUp(number, want);
    this._events.push({ type: "WantFailed", key: want.key, reason });
  }

  // Outgoing

  private _tell(message: LinkMessage): void {
    this._messages.push({ type: "TellLink", link: this.number, message });
  }

  private _promised(): number {
    return this._queue.reduce((sum, { left }) => sum + left, this._buffered);
  }

  private _pump(): void {
    for (;;) {
      const upload = this._queue[0];
      if (!upload || this._buffered >= HIGH_WATER || this.state === "over") return;
      const next = upload.frames.next();
      if (!next.done) {
        const size = next.value.payload.length;
        this._messages.push({ type: "SendFrame", link: this.number, frame: next.value });
        this._buffered += size;
        this.sent += size;
        upload.left -= size;
      }
      if (next.done || !upload.left) this._queue.shift();
    }
  }

  private _tellNews(now: number): void {
    if (this.state !== "up" || !this._news.size) return;
    if (now < this._announcedAt + ANNOUNCE_EVERY) return;
    this._announcedAt = now;
    // What is gone first: a segment that was dropped and came back is held.
    for (const type of ["gone", "loading", "have"] as const) {
      const news = [...(this._news.get(type)?.values() ?? [])].filter(([, chunks]) => chunks.size);
      this._news.delete(type);
      for (let at = 0; at < news.length; at += HOLDINGS) {
        const some = news.slice(at, at + HOLDINGS);
        this._tell({ type, holdings: some.map(([segment, chunks]) => holdingOf(segment, chunks)) });
      }
    }
  }

  private _finish(reason: LinkReason): void {
    this.state = "over";
    this._queue = [];
    for (const number of this._own.keys()) this._fail(number, "closed");
    this._events.push({ type: "Ended", reason });
  }
}
