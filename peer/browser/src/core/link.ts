/**
 * One link, once its channels are open: greetings, wants both ways, frames, announcements.
 *
 *     greeting --hello--> up --bye, broken, closed--> over
 *         '----- no hello in 5 s, wrong content ------^
 *
 * What comes in is a want's frames, in any order; a whole chunk leaves as `ChunkCame`, still
 * unproved. What goes out waits here until its owner, who knows how fast all links together can
 * send, takes it frame by frame (`nextFrame`); so a `cancel` still finds something to drop.
 */

import { RemoteError, type ErrorCode, type SourceReason } from "../errors";
import { PROTOCOL, chunkId, forgetOldest, joined, type Bytes, type ChunkKey } from "../model";
import { framesOf, type Frame } from "../wire/chunk";
import type { Gone, Have, Hello, LinkMessage, Loading, Want } from "../wire/link";
import type { Records } from "../wire/manifest";
import { Account } from "./account";
import { NOTHING, type Held } from "./availability";
import type { LinkReason, Outgoing } from "./ports";

/** The share of a chunk that a frame has to bring to count as a word of it: who drips is silent. */
const PROGRESS = 1 / 16;
/** With so much of a chunk there, that the rest is late is no broken promise. */
const MOVES = 1 / 4;
/** Seconds after it was first asked in which a link is believed that has brought nothing yet. */
const GRACE = 2;
/** Promises in a row that a slow link may fail to keep. */
const MOST_BROKEN = 2;

const HELLO_TIMEOUT = 5;
/** Wants that the other end may have open with us; ours are fewer. */
const MOST_WANTS = 16;
const FIRST_WINDOW = 2;
/** Our wants that may be open at one end. */
const USUAL_IN_FLIGHT = 4;
/**
 * Seconds within which chunks come over a fast line: then more are asked for, so that it is busy
 * from one decision to the next,
 */
const PROMPT = 0.1;
/** up to so many; */
const MOST_IN_FLIGHT = 12;
/**
 * one more with as many chunks as are asked for, where the other end was busy within so many
 * seconds: else with each.
 */
const CALM = 10;
/** Seconds within which a chunk comes whose sender had nothing to do before. */
const QUICK = 0.025;
/** Bytes a second that a link is taken to bring before it has brought anything. */
const FIRST_RATE = 250_000;
const SMOOTHING = 0.25;
const LEAST_PATIENCE = 0.4;
/** No byte for so long, whatever was usual, and a want has failed. */
const MOST_PATIENCE = 2;
/** Nor may a want take longer, however steadily it drips. */
const LONGEST = 4;
/**
 * So often in a row wants may fail without a word in between. ICE needs half a minute to notice that
 * the other end is gone; whoever is only slow says something now and then.
 */
const MOST_SILENCES = 3;

/**
 * How much a chunk matters to who wants it: it is for later, due soon, or to be brought into a
 * network, where others wait for it.
 */
export type Need = "spare" | "usual" | "soon" | "imports";

/** What goes before what. */
const RANKS = { spare: 0, usual: 0, soon: 1, imports: 2 };

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

/** The other end passes on what has just come out, or what it was told of it. */
export interface Told {
  readonly type: "Told";
  readonly records: Records;
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

/** The other end wants a chunk: answer with `Link.supply`, `Link.refuse` or `Link.lack`. */
export interface Wanted {
  readonly type: "Wanted";
  readonly want: number;
  readonly key: ChunkKey;
  readonly need: Need;
  readonly era: number;
}

/** The link is over; nothing more is sent. */
export interface Ended {
  readonly type: "Ended";
  readonly reason: LinkReason;
}

export type LinkEvent = Greeted | Announced | Told | ChunkCame | WantFailed | Wanted | Ended;

/** A chunk that we asked for. */
interface OwnWant {
  readonly key: ChunkKey;
  readonly length: number;
  since: number;
  /**
   * When we asked, or when the last frame came of it or of what we asked for before it: the other
   * end sends one chunk after the other.
   */
  heard: number;
  received: number;
  /** By their offsets. */
  readonly frames: Map<number, Bytes>;
}

/** A chunk that the other end asked for. */
interface Upload {
  readonly want: number;
  readonly key: ChunkKey;
  readonly size: number;
  /** The chunk's id. */
  readonly id: string;
  left: number;
  readonly need: Need;
  readonly frames: Iterator<Frame, undefined>;
  begun: boolean;
}

/**
 * The core's half of one link.
 *
 * `number` is how the node calls it; what it has to say goes into `messages`, if somebody collects
 * it there.
 */
export class Link {
  state: "greeting" | "up" | "over" = "greeting";
  peer = "";
  /**
   * Whether the other end said in its hello that it uploads. If it changes its mind, its
   * announcements show it.
   */
  uploads = true;
  /** What the other end has announced, as whoever keeps that knows it. */
  held: Held = NOTHING;
  /** Before this it is not asked for anything. */
  busyUntil = 0;
  received = 0;
  /** Bytes of chunks handed to the data channel. */
  sent = 0;
  /** Bytes that we have promised to the other end and not sent. */
  owed = 0;
  /** Seconds to the other end and back, the least that was told; 0 if that is not known. */
  rtt = 0;
  /** What has gone over it since the last report. */
  account = new Account();
  /** Bytes received that were no longer wanted. */
  wasted = 0;
  /** Bytes a second that the other end brings us when we ask. */
  rate = FIRST_RATE;
  /** How many promises in a row it has not kept. */
  private _broken = 0;
  /** Wants that may be open: more as chunks come, after a `busy` as many as were taken. */
  window = FIRST_WINDOW;
  /** Chunks that have come since there were more, or fewer. */
  private _sinceWider = 0;
  /** When it was busy last, */
  private _busyAt = -Infinity;
  /** and until when it said that it would be. */
  private _refusedUntil = 0;
  /** When to look at the clock, at the latest; infinity if there is no need. */
  alarm: number;
  private readonly _own = new Map<number, OwnWant>();
  /** Wants that we gave up, and the bytes that may still come for them. */
  private readonly _over = new Map<number, number>();
  private _nextWant = 0;
  /** When we first asked for something. */
  private _askedAt = Infinity;
  private _response = LEAST_PATIENCE / 3;
  /** When the last chunk was complete. */
  private _arrivedAt: number;
  /** How often in a row wants failed without a word from the other end. */
  private _silences = 0;
  private _uploads: Upload[] = [];
  private readonly _events: LinkEvent[] = [];

  constructor(
    readonly number: number,
    private readonly _hello: Hello,
    private _opened: number,
    private readonly _messages: Outgoing[] = [],
  ) {
    this.alarm = _opened + HELLO_TIMEOUT;
    this._arrivedAt = _opened;
    this.tell(_hello);
  }

  // What we want

  /**
   * Whether it brings something when it is asked, and keeps its promises at least now and then. Else
   * what it says it holds counts for nothing: or one liar would keep everybody from asking the
   * origin.
   */
  isCredible(now: number): boolean {
    if (this._broken >= MOST_BROKEN) return false;
    return this.received > 0 || now < this._askedAt + GRACE;
  }

  /** How many of our wants are open. */
  get inFlight(): number {
    return this._own.size;
  }

  /** Whether a fast link has so little left to bring that it will soon have nothing to do. */
  get runsDry(): boolean {
    const fast = this.window > USUAL_IN_FLIGHT || this._response < QUICK;
    return fast && 2 * this._own.size <= this.window;
  }

  /** Whether it may be asked for one more chunk. */
  isFree(now: number): boolean {
    return this._own.size < this.window && this.busyUntil <= now;
  }

  /** Ask for a chunk of `length` bytes. */
  want(key: ChunkKey, length: number, need: Need, now: number, era = 0): void {
    const want = this._nextWant++;
    this._askedAt = Math.min(this._askedAt, now);
    const frames = new Map<number, Bytes>();
    this._own.set(want, { key, length, since: now, heard: now, received: 0, frames });
    this.alarm = Math.min(this.alarm, now + this._patience());
    const { rendition, sequence, chunk } = key;
    const [spare, soon, imports] = [need === "spare", need === "soon", need === "imports"];
    this.tell({ type: "want", want, rendition, sequence, chunk, spare, soon, imports, era });
  }

  /** We no longer want the chunk. */
  cancel(key: ChunkKey): void {
    for (const [number, want] of this._own) {
      if (chunkId(want.key) !== chunkId(key)) continue;
      this._giveUp(number, want);
      this.tell({ type: "cancel", want: number });
    }
  }

  // What they want

  /**
   * Send a chunk that `Wanted` asked for, when its turn comes: before those that matter less and
   * have not begun.
   */
  supply(want: number, key: ChunkKey, chunk: Bytes, need: Need): void {
    const { length: size } = chunk;
    const frames = framesOf(want, chunk);
    const upload = { want, key, size, id: chunkId(key), left: size, need, frames, begun: false };
    let at = this._uploads.length;
    const matters = (upload: Upload | undefined): number => (upload ? RANKS[upload.need] : Infinity);
    while (at > +this.hasBegun && matters(this._uploads[at - 1]) < RANKS[need]) at--;
    this._uploads.splice(at, 0, upload);
    this.owed += size;
  }

  /** Whether the chunk is promised, and has not gone. */
  owes(key: ChunkKey): boolean {
    const id = chunkId(key);
    return this._uploads.some((upload) => upload.id === id);
  }

  /** Say that we are busy for so many seconds. */
  refuse(want: number, wait: number): void {
    this.tell({ type: "busy", want, wait: Math.floor(wait * 1_000 + 0.5) / 1_000 });
  }

  /** Say that we don't have (or don't give) what `Wanted` asked for. */
  lack(want: number): void {
    this.tell({ type: "missing", want });
  }

  /** Take back what was promised and not sent. */
  withdraw(): void {
    for (const { want } of this._uploads.splice(0)) this.lack(want);
    this.owed = 0;
  }

  /** Whether a part of a chunk has gone, and the rest has not. */
  get hasBegun(): boolean {
    return this._uploads[0]?.begun === true;
  }

  /** Whether what we owe next is brought into a network. */
  get imports(): boolean {
    return this._uploads[0]?.need === "imports";
  }

  /** The next frame that we owe; none if there is none. */
  nextFrame(): Frame | undefined {
    const upload = this._uploads[0];
    const frame = upload?.frames.next().value;
    if (!upload || !frame) return undefined;
    const size = frame.payload.length;
    upload.begun = true;
    upload.left -= size;
    this.sent += size;
    this.owed -= size;
    if (!upload.left) {
      this._uploads.shift();
      this.account.sent.add(upload.key, upload.size);
    }
    return frame;
  }

  /** Say something to the other end. */
  tell(message: LinkMessage): void {
    this._messages.push({ type: "TellLink", link: this.number, message });
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
      this.end(reasonFor(error.code), error.code, error.detail);
    }
  }

  /** End the link, saying why. */
  end(reason: LinkReason, code: ErrorCode | null = null, detail = ""): void {
    if (this.state === "over") return;
    this.tell({ type: "bye", code, detail });
    this._finish(reason);
  }

  /** The connection is gone. */
  closed(reason: LinkReason): void {
    if (this.state !== "over") this._finish(reason);
  }

  timerAt(): number | null {
    return this.alarm === Infinity ? null : this.alarm;
  }

  onTimer(now: number): void {
    if (this.state === "greeting" && this._opened + HELLO_TIMEOUT <= now) {
      this.end("timeout", "timeout");
      return;
    }
    const late = this.late(now);
    if (late.length) this._complain(late);
    this._rearm();
  }

  /** We have listened to nobody for so many seconds, which count for nothing. */
  overslept(late: number, now: number): void {
    for (const want of this._own.values()) {
      want.since = Math.min(want.since + late, now);
      want.heard = Math.min(want.heard + late, now);
    }
    this._arrivedAt = Math.min(this._arrivedAt + late, now);
    if (this._askedAt < Infinity) this._askedAt = Math.min(this._askedAt + late, now);
    this._opened = Math.min(this._opened + late, now);
    this._rearm();
  }

  /** Give what is late another while. */
  bearWith(now: number): void {
    for (const number of this.late(now)) {
      const want = this._own.get(number);
      if (want) want.since = want.heard = now;
    }
    this._rearm();
  }

  /** The wants of which nothing, or not enough, has come for too long. */
  late(now: number): number[] {
    const patience = this._patience();
    return [...this._own].flatMap(([number, want]) =>
      givesUpAt(want, patience) <= now ? [number] : [],
    );
  }

  takeMessages(): Outgoing[] {
    return this._messages.splice(0);
  }

  takeEvents(): LinkEvent[] {
    return this._events.splice(0);
  }

  // Incoming

  private _take(message: LinkMessage, now: number): void {
    if (message.type === "bye") {
      this._finish(message.code ? "protocol" : "closed");
      return;
    }
    if (message.type === "hello") {
      this._greet(message);
      this._rearm();
      return;
    }
    if (this.state === "greeting") throw new RemoteError("unexpected", "something before hello");
    switch (message.type) {
      case "have":
      case "gone":
      case "loading":
        this._events.push({ type: "Announced", message });
        break;
      case "records":
        this._events.push({ type: "Told", records: message });
        break;
      case "want":
        this._takeWant(message);
        break;
      case "cancel":
        this._uploads = this._uploads.filter(({ want }) => want !== message.want);
        this.owed = this._uploads.reduce((sum, { left }) => sum + left, 0);
        break;
      case "busy":
        // What was given up: nobody waits for the link to be free again.
        if (!this._own.has(message.want)) break;
        this.busyUntil = this._refusedUntil = now + Math.min(message.wait, MOST_PATIENCE);
        this._busyAt = now;
        this._fail(message.want, "busy");
        this._sinceWider = 0;
        this.window = Math.max(this._own.size, 1);
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

  private _takeWant({ want, rendition, sequence, chunk, spare, soon, imports, era }: Want): void {
    if (this._uploads.length >= MOST_WANTS) {
      throw new RemoteError("too_many", `more than ${MOST_WANTS} wants at once`);
    }
    if (this._uploads.some((upload) => upload.want === want)) {
      throw new RemoteError("unexpected", `want ${want} twice`);
    }
    const need = imports ? "imports" : soon ? "soon" : spare ? "spare" : "usual";
    this._events.push({ type: "Wanted", want, key: { rendition, sequence, chunk }, need, era });
  }

  private _takeFrame(frame: Frame, now: number): void {
    const want = this._own.get(frame.want);
    if (!want) {
      this._takeLate(frame);
      return;
    }
    const { length, frames } = want;
    const { offset, payload } = frame;
    want.received += payload.length;
    if (offset + payload.length > length || frames.has(offset) || want.received > length) {
      throw new RemoteError("bad_frame", `offset ${offset} of want ${frame.want}`);
    }
    frames.set(offset, payload);
    if (payload.length >= PROGRESS * length || want.received === length) {
      for (const [number, waiting] of this._own) if (number >= frame.want) waiting.heard = now;
    }
    if (want.received === length) this._complete(frame.want, want, now);
  }

  private _complete(number: number, { key, length, since, frames }: OwnWant, now: number): void {
    const data = whole(frames);
    if (!data) throw new RemoteError("bad_frame", `holes in the chunk of want ${number}`);
    this._own.delete(number);
    this._response += (now - since - this._response) / 4;
    // It is faster than it thought when it refused what came next.
    if (now < since + QUICK && this.busyUntil === this._refusedUntil) this.busyUntil = now;
    const took = Math.max(now - Math.max(since, this._arrivedAt), 0.001);
    this.rate += SMOOTHING * (length / took - this.rate);
    this._arrivedAt = now;
    this._broken = 0;
    this._widen(now);
    this._events.push({ type: "ChunkCame", key, data });
  }

  /** A chunk has come: perhaps more may be under way than before. */
  private _widen(now: number): void {
    const prompt = this._response < PROMPT;
    const most = prompt ? MOST_IN_FLIGHT : Math.max(this.window - 1, USUAL_IN_FLIGHT);
    const careful = this.window >= USUAL_IN_FLIGHT && now < this._busyAt + CALM;
    if (++this._sinceWider >= (careful ? this.window : 1)) {
      this._sinceWider = 0;
      this.window++;
    }
    this.window = Math.min(this.window, most);
  }

  /** A frame of a want that we gave up may still come, as far as its chunk goes. */
  private _takeLate({ want, payload }: Frame): void {
    const left = (this._over.get(want) ?? 0) - payload.length;
    if (left < 0) throw new RemoteError("bad_frame", `nobody wants want ${want}`);
    this._waste(payload.length);
    if (left) this._over.set(want, left);
    else this._over.delete(want);
  }

  private _patience(): number {
    return Math.min(Math.max(3 * this._response, LEAST_PATIENCE), MOST_PATIENCE);
  }

  private _waste(size: number): void {
    this.wasted += size;
    this.account.waste += size;
  }

  /** `more` of it may still come. */
  private _giveUp(number: number, { length, received }: OwnWant, more = true): void {
    this._own.delete(number);
    this._waste(received);
    if (more) this._over.set(number, length - received);
    forgetOldest(this._over, 4 * MOST_WANTS);
  }

  /**
   * Who is busy says so before the first frame; who lacks a chunk may have sent a part, and the two
   * channels do not wait for each other.
   */
  private _fail(number: number, reason: SourceReason): void {
    const want = this._own.get(number);
    if (!want) return;
    this._giveUp(number, want, reason !== "busy");
    this._events.push({ type: "WantFailed", key: want.key, reason });
  }

  // Outgoing

  /**
   * Give up what is late. Slower than ever, or gone: a patience that only followed successes would
   * never learn.
   */
  private _complain(late: readonly number[]): void {
    this._response = Math.min(this._response * 2, MOST_PATIENCE / 3);
    this.rate /= 2;
    if (!late.some((number) => this._moves(number))) this._broken += 1;
    for (const number of late) {
      this.tell({ type: "cancel", want: number });
      this._fail(number, "timeout");
    }
    if (++this._silences >= MOST_SILENCES) this.end("timeout", "timeout");
  }

  /** Whether a want was on its way, however slowly. */
  private _moves(number: number): boolean {
    const want = this._own.get(number);
    return want !== undefined && want.received >= MOVES * want.length;
  }

  private _rearm(): void {
    const patience = this._patience();
    this.alarm =
      this.state === "greeting"
        ? this._opened + HELLO_TIMEOUT
        : Math.min(...Array.from(this._own.values(), (want) => givesUpAt(want, patience)));
  }

  private _finish(reason: LinkReason): void {
    this.state = "over";
    this.alarm = Infinity;
    this._uploads = [];
    this.owed = 0;
    for (const number of this._own.keys()) this._fail(number, "closed");
    this._events.push({ type: "Ended", reason });
  }
}

/** Why a link ends on which the other end broke the protocol: bytes that nobody asked for are as bad
 * as wrong ones. */
export function reasonFor(error: ErrorCode): LinkReason {
  return error === "bad_frame" ? "integrity" : "protocol";
}

function givesUpAt({ heard, since }: OwnWant, patience: number): number {
  return Math.min(heard + patience, since + LONGEST);
}

/** The frames one after the other; null if one does not begin where the one before it ends. */
function whole(frames: ReadonlyMap<number, Bytes>): Bytes | null {
  const sorted = [...frames].sort(([a], [b]) => a - b);
  let end = 0;
  for (const [offset, payload] of sorted) {
    if (offset !== end) return null;
    end += payload.length;
  }
  return joined(sorted.map(([, payload]) => payload));
}
