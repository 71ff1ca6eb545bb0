/**
 * What we can send: measured, and shared fairly between those who ask.
 *
 *     wanted --admitted?--> queued at its link --pumped, in turn--> channel's buffer --drains--> gone
 *        '--- no: busy, come back in so many seconds
 *
 * A peer that queues what it cannot send soon keeps its neighbours waiting for what others could
 * have sent; so beyond some tenths of a second of backlog the answer is *busy*. Whoever is told so is
 * told to come back at a time of his own, one after the other, or they would all be refused again.
 * What is in the channels' buffers can no longer be taken back, so no more than `IN_BUFFERS` seconds
 * of it are kept there.
 *
 * The rate is measured where there is something to measure: while bytes are waiting, how many go.
 * Shells tell when half of what is in a channel's buffer after sending has gone: until then that
 * half is there, whatever the rate says, and for the rest the measured rate says how much is left. So
 * a rate that is thought too high is found out, rather than believed more and more.
 *
 * A fast line is done with what little is asked for before that says anything, each time. What goes
 * within a second it can do at least, however many pauses there were: so its rate is found step by
 * step, as more is promised. What SCTP may still hold of each link has not gone; so that this does not
 * hide all that many links carry, they are looked at for as many seconds. A rate lower than this has
 * to last: else what a busy machine is late to tell would count, and what goes at once would not.
 */

import { CHUNK_SIZE } from "../model";

/** Bytes a second, until something has been measured: 5 Mbit/s, a usual uplink of a home. */
const FIRST_RATE = 625_000;
const LEAST_RATE = 8_000;
const MOST_RATE = 125_000_000;
const LEAST_WAIT = 0.02;
const MOST_WAIT = 2;
/** Those who are told when to come back come so many chunks apart: some find another sender. */
const OVERBOOKED = 0.25;
/** Seconds of media in the channels' buffers. */
const IN_BUFFERS = 0.15;
const LEAST_BUFFERED = 32_768;
const MOST_BUFFERED = 262_144;
/** Bytes that have to go before they say something about the rate. */
const MEASURED = 16_384;
/** Seconds below which no rate is taken: what goes is told in lumps. */
const MEASURED_FOR = 0.02;
/** The same of a rate below what was believed: what goes at once is not measured at all. */
const SLOWER_FOR = 0.1;
const LEAST_WHILE = 0.5;
/** Seconds for each link: what goes within them, pauses or not, the line can do. */
const WHILE = 1;
/**
 * Bytes that may be told to have gone and are still on this machine: what SCTP takes at once, of each
 * link.
 */
const HELD = 262_144;
/** Seconds after which a channel that tells nothing no longer counts: its other end may be gone. */
const STUCK = 2;
const SMOOTHING = 0.25;

/** The one way out of this machine, over all links. */
export class Uplink {
  /** Bytes a second. */
  rate = FIRST_RATE;
  /** Bytes a second that we are allowed. */
  cap = Infinity;
  measured = false;
  /**
   * Whether our own player needs the line: then nobody is kept waiting but those who already are.
   */
  yielding = false;
  /** By link: what is in its channel's buffer, as far as we were told. */
  private readonly _buffered = new Map<number, number>();
  /** Links whose channels have told nothing since they were last given something, then. */
  private readonly _untold = new Map<number, number>();
  /** In all buffers, as of `_asOf`. */
  private _left = 0;
  private _asOf = 0;
  /**
   * Since when bytes have been waiting without a pause, how many have gone since, and which links
   * told us.
   */
  private _since = 0;
  private _gone = 0;
  private readonly _told = new Set<number>();
  /** Links whose next word tells what went while nobody listened. */
  private readonly _unheard = new Set<number>();
  /** When this while began, and how many bytes of each link have gone in it. */
  private _whileSince = 0;
  private readonly _went = new Map<number, number>();
  /** When the next one who is refused may come back. */
  private _nextTurn = 0;

  /**
   * How long somebody who asks for a chunk, and would wait for `patience` seconds, should wait
   * before asking again, with `queued` bytes promised already; null if the chunk will be sent.
   */
  busy(queued: number, patience: number, now: number): number | null {
    const rate = Math.min(this.rate, this.cap);
    const waiting = (queued + this._inBuffers(now)) / rate;
    const most = this.yielding ? patience / 4 : patience;
    if (waiting <= most) return null;
    const turn = Math.max(this._nextTurn, now + Math.max(waiting - most / 2, LEAST_WAIT));
    if (turn >= now + MOST_WAIT) return MOST_WAIT;
    this._nextTurn = turn + (OVERBOOKED * CHUNK_SIZE) / rate;
    return turn - now;
  }

  /** Whether a link's channel may be given a frame: one slow link must not fill it all. */
  hasRoom(link: number, now: number): boolean {
    const left = this._inBuffers(now);
    const high = this._high();
    const there = this._buffered.get(link) ?? 0;
    return left < high && (this._untold.has(link) ? there : Math.min(there, left)) < high / 2;
  }

  /** When there will be room, if no channel tells us earlier. */
  roomAt(now: number): number {
    return now + Math.max(this._inBuffers(now) - this._high() / 2, 0) / this.rate + 0.01;
  }

  /** A frame of a queued chunk has been given to a link's channel. */
  sent(link: number, size: number, now: number): void {
    const left = this._inBuffers(now);
    if (left <= 0) {
      this._begin(now);
      this._buffered.clear();
      this._untold.clear();
      this._unheard.clear();
    }
    if (now >= this._whileSince + WHILE * Math.max(this._went.size, 1)) this._beginWhile(now);
    this._buffered.set(link, (this._buffered.get(link) ?? 0) + size);
    this._untold.set(link, now);
    this._left = left + size;
    this._asOf = now;
  }

  /** So many bytes are left in a link's channel. */
  drained(link: number, buffered: number, now: number): void {
    const gone = Math.max((this._buffered.get(link) ?? 0) - buffered, 0);
    if (!this._unheard.delete(link)) this._gone += gone;
    else if (!this._unheard.size) this._begin(now);
    this._went.set(link, (this._went.get(link) ?? 0) + gone);
    this._buffered.set(link, buffered);
    this._untold.delete(link);
    this._told.add(link);
    // Each tells of its own bytes, and late: so a rate is taken when all have told.
    const took = now - this._since;
    const all = this._open(now).every((other) => this._told.has(other));
    const rate = this._gone / took;
    const believed = !this.measured || rate >= this.rate || took >= SLOWER_FOR;
    if (took >= MEASURED_FOR && this._gone >= MEASURED && all && believed) {
      if (rate < this.rate / 2) this._beginWhile(now); // it is another line than it was
      this._measure(rate);
      this._begin(now);
    }
    this._raise(now);
    const left = Math.min(this._inBuffers(now), this._bufferedIn(this._buffered.keys()));
    this._left = Math.max(left, buffered);
    this._asOf = now;
  }

  /** Nobody listened for a while: what went meanwhile says nothing about the rate. */
  overslept(now: number): void {
    this._begin(now);
    for (const link of this._untold.keys()) this._unheard.add(link);
  }

  /** The link is over. */
  forget(link: number): void {
    this._unheard.delete(link);
    this._buffered.delete(link);
    this._untold.delete(link);
    this._went.delete(link);
  }

  /** Measure anew from now on. */
  private _begin(now: number): void {
    this._since = now;
    this._gone = 0;
    this._told.clear();
  }

  private _measure(measured: number): void {
    const rate = clamp(measured, LEAST_RATE, MOST_RATE);
    this.rate += (this.measured ? SMOOTHING : 1) * (rate - this.rate);
    this.measured = true;
  }

  private _beginWhile(now: number): void {
    this._whileSince = now;
    this._went.clear();
  }

  /** Believe in no less than what this while has shown. */
  private _raise(now: number): void {
    const took = Math.max(now - this._whileSince, LEAST_WHILE);
    let went = 0;
    for (const size of this._went.values()) went += Math.max(size - HELD, 0);
    const least = Math.min(went / took, MOST_RATE);
    if (least > this.rate) {
      this.rate = least;
      this.measured = true;
    }
  }

  private _high(): number {
    return clamp(IN_BUFFERS * this.rate, LEAST_BUFFERED, MOST_BUFFERED);
  }

  private _inBuffers(now: number): number {
    const expected = this._left - this.rate * (now - this._asOf);
    return Math.max(expected, this._bufferedIn(this._open(now)) / 2, 0);
  }

  private _bufferedIn(links: Iterable<number>): number {
    let sum = 0;
    for (const link of links) sum += this._buffered.get(link) ?? 0;
    return sum;
  }

  /** The links whose channels have something left to tell. */
  private _open(now: number): number[] {
    return [...this._untold].flatMap(([link, since]) => (now - since < STUCK ? [link] : []));
  }
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}
