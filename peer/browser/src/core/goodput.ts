/** What peers have brought within the last second, and since when we have been asking them. */

/** Seconds. */
const WINDOW = 1;

/** Bytes of chunks over all links. */
export class Goodput {
  /** Since when something has been asked for without a pause; infinity if nothing is. */
  askingSince = Infinity;
  private readonly _arrivals: (readonly [at: number, size: number])[] = [];
  private _bytes = 0;

  /** A chunk has been asked for. */
  asking(now: number): void {
    if (this.askingSince === Infinity) this.askingSince = now;
  }

  /** For so many seconds nobody was heard. */
  overslept(late: number, now: number): void {
    if (this.askingSince < Infinity) this.askingSince = Math.min(this.askingSince + late, now);
  }

  /** Nothing is asked for. */
  rests(): void {
    this.askingSince = Infinity;
  }

  /** A chunk has come. */
  brought(size: number, now: number): void {
    this._arrivals.push([now, size]);
    this._bytes += size;
  }

  /** Bytes a second. */
  rate(now: number): number {
    while (this._arrivals[0] && this._arrivals[0][0] <= now - WINDOW) {
      this._bytes -= this._arrivals.shift()?.[1] ?? 0;
    }
    return this._bytes / WINDOW;
  }
}
