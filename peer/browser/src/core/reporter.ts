/** What the tracker is told of us: where we are, how fast we send, and what we have moved. */

import type { Move, PairReport, Position, Report } from "../wire/tracker";
import type { Down, Neighbours } from "./neighbours";
import type { Playhead } from "./playhead";
import type { Signaling } from "./signaling";
import type { Transfers } from "./transfers";

/** Pairings a report (the wire's own bound). */
const MOST_PAIRS = 64;

/** Tells the tracker, every so often as its welcome says, what has changed. */
export class Reporter {
  private _reportAt: number | null = null;
  private _reported: Report | null = null;
  /** What the tracker was last told of where we are. */
  private _moved: Move | null = null;
  /** Links that ended since the last report, or before it could be sent. */
  private _ended: PairReport[] = [];

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
    const { peer, welcome } = signaling;
    if (this._reportAt === null && peer && welcome) this._reportAt = now + welcome.report_every;
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

  /** A link is over; its figures count all the same. */
  ended({ link, received, sent, relayed }: Down): void {
    const pairing = this._signaling.pairingOf(link);
    if (pairing !== null) this._ended.push({ pairing, received, sent, relayed });
  }

  timerAt(): number | null {
    return this._reportAt;
  }

  onTimer(upload: boolean, now: number): void {
    const { welcome, state } = this._signaling;
    if (this._reportAt === null || this._reportAt > now || !welcome) return;
    this._reportAt = now + welcome.report_every;
    if (!same(this._move(upload), this._moved)) this.tellPosition(upload);
    const report = this._figures();
    if (same(report, this._reported) || state !== "in") return;
    this._reported = report;
    this._signaling.tell(report);
    this._ended = [];
  }

  /** Say the last figures. */
  farewell(): void {
    this._signaling.tell(this._figures());
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

  private _figures(): Report {
    const pairs = [...this._ended];
    for (const { number, received, sent, relayed } of this._neighbours.up()) {
      const pairing = this._signaling.pairingOf(number);
      if (pairing === null || !(received || sent)) continue;
      pairs.push({ pairing, received, sent, relayed });
    }
    const { stats, wasted } = this._transfers;
    return {
      type: "report",
      origin_bytes: stats.originBytes,
      peer_bytes: stats.peerBytes,
      cache_bytes: stats.cacheBytes,
      waste_bytes: wasted + this._neighbours.wasted,
      rejected_chunks: stats.rejectedChunks,
      origin_mismatches: stats.originMismatches,
      pairs: pairs.slice(-MOST_PAIRS),
    };
  }
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
