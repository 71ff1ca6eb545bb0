/**
 * The first picture of a content: nothing of ours that could wait happens before it.
 *
 *     WAITING --shown--> a moment later -----------------------> THERE
 *        '------ a segment has arrived, and still no picture ------^
 */

/** Milliseconds from when there is a picture until it has been drawn, and moves. */
const MOMENT = 100;

/** Milliseconds after which a picture that has all it needs is no longer waited for. */
const PATIENCE = 2_000;

export class FirstPicture {
  /** Whether it is there, or no longer waited for. */
  isThere = false;
  /** Resolved as soon as that is so; never if it is given up. */
  readonly there: Promise<void>;
  private _resolve!: () => void;
  private _at = Infinity;
  private _timer = 0;

  constructor() {
    this.there = new Promise((resolve) => {
      this._resolve = resolve;
    });
  }

  /** The player has it. */
  shown(): void {
    this._expect(MOMENT);
  }

  /** A segment has arrived. */
  arrived(): void {
    this._expect(PATIENCE);
  }

  /** Nobody waits for it any more. */
  giveUp(): void {
    clearTimeout(this._timer);
    this._at = -Infinity;
  }

  private _expect(milliseconds: number): void {
    const at = performance.now() + milliseconds;
    if (at >= this._at) return;
    clearTimeout(this._timer);
    this._at = at;
    this._timer = self.setTimeout(() => {
      this.giveUp();
      this.isThere = true;
      this._resolve();
    }, milliseconds);
  }
}
