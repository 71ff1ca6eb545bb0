/**
 * Something that the origin is asked for: once at a time, and with a pause after a failure.
 *
 *     idle --asked--> open --answered--> idle
 *       ^              |
 *       '--the pause--failed
 *
 * The pause doubles with each failure, up to a bound, and begins anew after an answer.
 */

const FIRST_PAUSE = 0.5;
const LONGEST_PAUSE = 8;
/** A fetch that is not answered by then counts as failed; the shell has time-outs of its own. */
const ANSWER_TIMEOUT = 10;

/** One question, whatever it is about. */
export class Question {
  /** When it was asked, if it is not answered yet. */
  since: number | null = null;
  /** When the pause ends, if there is one. */
  private _until: number | null = null;
  private _pause = FIRST_PAUSE;

  mayAsk(now: number): boolean {
    if (this._until !== null && this._until <= now) this._until = null;
    return this.since === null && this._until === null;
  }

  answered(): void {
    this.since = this._until = null;
    this._pause = FIRST_PAUSE;
  }

  failed(now: number): void {
    if (this.since === null) return;
    this.since = null;
    this._until = now + this._pause;
    this._pause = Math.min(this._pause * 2, LONGEST_PAUSE);
  }

  timerAt(): number | null {
    return this.since === null ? this._until : this.since + ANSWER_TIMEOUT;
  }

  onTimer(now: number): void {
    if (this.since !== null && this.since + ANSWER_TIMEOUT <= now) this.failed(now);
  }
}
