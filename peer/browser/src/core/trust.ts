/**
 * How far peers are trusted to deliver in time: earned slowly, and lost at once.
 *
 * While the buffer is above a floor peers are waited for, and below it they are not. The floor
 * begins at nothing, so that a short visit costs the origin one segment; each *rescue* (the origin
 * had to bring at the last moment what peers had been trusted with) raises it, and a clean minute
 * halves it:
 *
 *     floor:     0 --rescue--> 4 s or two segments --rescue--> twice that ... up to the player's own
 *                ^------------- clean minutes --------------'  target: then all is as without peers
 *
 * Of a live stream there is never much to buffer. There it is *patience* that is earned: for how
 * much of the time between a segment's publication and its latest start the origin may go unasked:
 *
 *     patience:  most --segments from peers--> all of it    less by each rescue, nothing after a
 *                ^-- clean minute ----- less ---------------- stall
 */

const FIRST_FLOOR = 4;
/** Seconds without a rescue that halve the floor, and for which a stall is remembered. */
const CLEAN = 60;
/** A lower floor than this is none. */
const LEAST_FLOOR = 2;
const FIRST_PATIENCE = 0.75;
/** Patience for a segment that peers brought whole; for a part of one as much of it. */
const EARNED = 0.1;
/** The share of it that is lost if the origin has to bring all of a segment at the last moment. */
const LOST = 0.25;

/** What one viewer thinks of peers. */
export class Trust {
  private _patience = FIRST_PATIENCE;
  private _floor = 0;
  /** Since when there was no rescue, or when the floor was last lowered. */
  private _cleanSince = 0;
  /** When patience was last lost. */
  private _lostAt = -Infinity;
  private _stalledAt = -Infinity;

  /**
   * The origin had to bring a share of a segment of `duration` seconds that peers had been trusted
   * with.
   */
  rescued(share: number, duration: number, target: number, now: number): void {
    const floor = this._floorAt(now);
    this._floor = Math.min(floor ? floor * 2 : Math.max(2 * duration, FIRST_FLOOR), target);
    this._patience *= 1 - LOST * share;
    this._cleanSince = this._lostAt = now;
  }

  /** Playback has stopped for want of media. */
  stalled(now: number): void {
    this._stalledAt = this._cleanSince = this._lostAt = now;
    this._patience = 0;
  }

  /** Peers have brought a share of a segment. */
  delivered(share: number): void {
    this._patience = Math.min(this._patience + EARNED * share, 1);
  }

  /** The share of a live segment's time in which peers are waited for. */
  patience(now: number): number {
    if (this._patience < FIRST_PATIENCE && now - this._lostAt >= CLEAN) {
      this._patience = FIRST_PATIENCE;
    }
    return this._patience;
  }

  /**
   * Seconds of media that have to be in the buffer for peers to be waited for.
   *
   * `target` is what the player wants to have there, `shaky` says that the origin itself may soon
   * be too slow.
   */
  floor(target: number, shaky: boolean, now: number): number {
    if (shaky || now - this._stalledAt < CLEAN) return target;
    return Math.min(this._floorAt(now), target);
  }

  private _floorAt(now: number): number {
    while (this._floor && now - this._cleanSince >= CLEAN) {
      this._floor /= 2;
      this._cleanSince += CLEAN;
      if (this._floor < LEAST_FLOOR) this._floor = 0;
    }
    return this._floor;
  }
}
