/** What the tracker is told of us: where we are, how fast we send, and what we have moved. */

import { spansOf } from "../model";
import type { Move, PairReport, Position, Quality, Report } from "../wire/tracker";
import { Account, Moved, Room, type Runs } from "./account";
import type { Down, Neighbours } from "./neighbours";
import type { Playhead } from "./playhead";
import type { Watched } from "./ports";
import type { Signaling } from "./signaling";
import type { Transfers } from "./transfers";

/** Pairings a report (the wire's own bound). */
const MOST_PAIRS = 64;
/** Reports at a time; what they have no room for waits until the next time. */
const MOST_REPORTS = 8;
/** Of the stretches that lie ahead in a rendition (the wire's own bound). */
const MOST_BOUNDS = 128;
/** Milliseconds played before we came in that may be told; the tracker believes 60,000. */
const GAP = 30_000;

/** Tells the tracker, every so often as its welcome says, what has changed. */
export class Reporter {
  private _reportAt: number | null = null;
  /** What the tracker was last told of where we are. */
  private _moved: Move | null = null;
  /** What we are called there; reports are numbered anew whenever that changes. */
  private _session = "";
  private _number = 0;
  /** The figures that have been told. */
  private _told: Figures = {};
  /** What has been told of how it played. */
  private _watched: Watched = {};
  /** What has been told of what lies ahead. */
  private _ahead: Ahead = [];
  /** Links that ended since the last report, by their pairings. */
  private _ended: (readonly [pairing: string, account: Account])[] = [];

  constructor(
    private readonly _signaling: Signaling,
    private readonly _neighbours: Neighbours,
    private readonly _transfers: Transfers,
    private readonly _playhead: Playhead,
  ) {}

  /** Begin to report, once we are in; and keep the join's position fresh. */
  begin(now: number): void {
    const { _signaling: signaling } = this;
    signaling.position = this._position();
    signaling.uplink = this._uplink();
    const { peer, welcome, state } = signaling;
    if (this._reportAt === null && peer && welcome) this._reportAt = now + welcome.report_every;
    if (state !== "in" || peer === this._session) return;
    this._session = peer;
    this._number = 0;
    this._ahead = [];
    this._forgetWhatWasBefore();
  }

  /**
   * The player has said where it is: for the first time, or in another rendition, that is news to
   * tell at once.
   */
  moved(upload: boolean): void {
    const known = this._moved ? this._moved.position : this._signaling.joinedAt;
    const { playing } = this._playhead;
    if (playing && known?.rendition !== playing.rendition) this.tellPosition(upload);
  }

  /** Tell where we are, if the tracker has let us in. */
  tellPosition(upload: boolean): void {
    if (this._signaling.state !== "in") return;
    this._moved = this._move(upload);
    this._signaling.tell(this._moved);
  }

  /** A link is over; what went over it counts all the same. */
  ended({ link, account }: Down): void {
    const pairing = this._signaling.pairingOf(link);
    if (pairing !== null) this._ended.push([pairing, account]);
  }

  timerAt(): number | null {
    return this._reportAt;
  }

  onTimer(upload: boolean, now: number): void {
    const { welcome } = this._signaling;
    if (this._reportAt === null || this._reportAt > now || !welcome) return;
    this._reportAt = now + welcome.report_every;
    if (!same(this._move(upload), this._moved)) this.tellPosition(upload);
    this._report();
  }

  /** Say the last figures. */
  farewell(): void {
    this._report();
  }

  /**
   * Tell what is new, in as many reports as it takes. What there is nobody to tell of, nobody will
   * ever ask for.
   */
  private _report(): void {
    const { _signaling: signaling } = this;
    const isIn = signaling.state === "in";
    this._forgetStrangers(isIn);
    for (let left = isIn ? MOST_REPORTS : 0; left; left--) {
      const report = this._next();
      if (!report) return;
      signaling.tell(report);
    }
  }

  private _move(upload: boolean): Move {
    return { type: "move", upload, position: this._position(), uplink: this._uplink() };
  }

  /** Bytes a second that we have been seen to send; in steps, so that it is seldom news. */
  private _uplink(): number {
    const { measured, rate, cap } = this._neighbours.uplink;
    return measured ? Math.floor(Math.min(rate, cap) / 10_000 + 0.5) * 10_000 : 0;
  }

  private _position(): Position | null {
    const { playing } = this._playhead;
    if (!playing) return null;
    const { rendition, head, last: newest, live } = playing;
    const held = this._transfers.store
      .segments()
      .flatMap((segment) => (segment.rendition === rendition ? [segment.sequence] : []));
    const manifest = this._transfers.manifest(rendition);
    return {
      rendition,
      first: held.length ? Math.min(...held) : head,
      head,
      last: held.length ? Math.max(...held) : head,
      newest,
      duration: manifest.usualDuration(),
      size: manifest.usualBytes(),
      live,
    };
  }

  /**
   * If it has played for long with nobody to tell it to, that is never told: it would be more than
   * can have been played since we came in, and the whole report would be refused.
   */
  private _forgetWhatWasBefore(): void {
    const watched = this._playhead.playing?.watched;
    if (!watched || time(watched) - time(this._watched) <= GAP) return;
    this._told = this._figures();
    this._watched = { ...watched, startup: this._watched.startup };
  }

  /** What belongs to pairings of a socket that is gone is of no interest to anybody. */
  private _forgetStrangers(isIn: boolean): void {
    if (!isIn) {
      this._ended = [];
      this._transfers.fromOrigin = new Moved();
    }
    for (const link of this._neighbours.up()) {
      if (this._signaling.pairingOf(link.number) !== null) continue;
      link.account = new Account(link.account.route);
    }
  }

  /** What there is to report, as far as there is room; null if there is nothing. */
  private _next(): Report | null {
    const room = new Room();
    const origin = this._transfers.fromOrigin.take(room);
    const pairs = this._pairs(room);
    const figures = this._figures();
    const quality = this._quality();
    const ahead = this._liesAhead();
    const news = filled({ ...since(figures, this._told), origin, pairs, quality });
    this._told = figures;
    // What the player has been given of what lay ahead counts from then on.
    if (!news && same(ahead, this._ahead)) return null;
    this._ahead = ahead;
    const numbered = ahead.flatMap(([rendition, bounds]): Runs[] => {
      const number = room.number(rendition);
      return number === undefined ? [] : [[number, ...bounds]];
    });
    numbered.sort(([a = 0], [b = 0]) => a - b);
    return {
      type: "report",
      number: ++this._number,
      ...news,
      ...filled({ renditions: room.renditions, ahead: numbered }),
    };
  }

  /** What peers have brought for a viewer and the player has not been given (yet). */
  private _liesAhead(): Ahead {
    const ahead = new Map<string, number[]>();
    // If nobody looks on, all of it is what it is for.
    if (!this._playhead.playing?.watched) return [];
    for (const { rendition, sequence } of this._transfers.ahead.values()) {
      const sequences = ahead.get(rendition);
      if (sequences) sequences.push(sequence);
      else ahead.set(rendition, [sequence]);
    }
    return [...ahead].map(([rendition, sequences]) => {
      const bounds = spansOf(sequences).flat();
      bounds.splice(MOST_BOUNDS - 1, bounds.length - MOST_BOUNDS); // too many become one
      return [rendition, bounds];
    });
  }

  /** What went over links, those that ended first. */
  private _pairs(room: Room): PairReport[] {
    const accounts = [...this._ended];
    for (const { number, account } of this._neighbours.up()) {
      const pairing = this._signaling.pairingOf(number);
      if (pairing !== null) accounts.push([pairing, account]);
    }
    const pairs: PairReport[] = [];
    for (const [pairing, account] of accounts) {
      if (account.empty || pairs.length >= MOST_PAIRS) continue;
      const { waste, rejected, route } = account;
      const received = account.received.take(room);
      const sent = account.sent.take(room);
      account.waste = account.rejected = 0;
      const moved = filled({ received, sent, waste, rejected });
      if (moved) pairs.push({ pairing, ...moved, ...(route && { route }) });
    }
    this._ended = this._ended.filter(([, account]) => !account.empty);
    return pairs;
  }

  private _figures(): Figures {
    const { stats, wasted } = this._transfers;
    return {
      origin_bytes: stats.originBytes,
      peer_bytes: stats.peerBytes,
      cache_bytes: stats.cacheBytes,
      waste_bytes: wasted + this._neighbours.wasted,
      rejected_chunks: stats.rejectedChunks,
      origin_mismatches: stats.originMismatches,
    };
  }

  /** How it has played since that was last told. */
  private _quality(): Quality | null {
    const { playing } = this._playhead;
    const watched = playing?.watched;
    if (!playing || !watched) return null;
    const fresh = filled(since({ ...watched }, { ...this._watched }));
    this._watched = watched;
    const manifest = this._transfers.manifest(playing.rendition);
    const duration = manifest.usualDuration();
    const rate = duration && Math.floor((manifest.usualBytes() * 1_000) / duration + 0.5);
    return fresh && { ...fresh, ...filled({ rate }) };
  }
}

/** First and last of each stretch, by rendition. */
type Ahead = readonly (readonly [rendition: string, bounds: readonly number[]])[];

type Figures = Readonly<Record<string, number | null | undefined>>;

function time({ played = 0, stalled = 0 }: Watched): number {
  return played + stalled;
}

/** By how much figures have grown; NaN where there is none. */
function since(now: Figures, before: Figures): Figures {
  const grown = Object.entries(now).map(([name, to]) => [name, (to ?? NaN) - (before[name] ?? 0)]);
  return Object.fromEntries(grown) as Figures;
}

/** The fields that say something; null if none does. */
function filled<T extends object>(fields: T): Partial<T> | null {
  const said = Object.entries(fields).filter(([, value]: [string, unknown]) =>
    Array.isArray(value) ? value.length : value,
  );
  return said.length ? (Object.fromEntries(said) as Partial<T>) : null;
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
